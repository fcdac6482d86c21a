#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_sums.py SUM-TESTS MISBEHAVING - every way to fail ends up in the sums.

The log of each case is written as Meson writes it, from what a program really does and prints, or
from what is given here.
"""
import json
import os
import subprocess
import sys
import tempfile

SUM_TESTS, MISBEHAVING = sys.argv[1:]


def told_of(programs, *options):
    """What sum-tests prints of a log with these (result, output)."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for number, (result, stdout) in enumerate(programs):
            print(json.dumps({"name": f"test {number}", "result": result, "stdout": stdout}),
                  file=log)
        log.flush()
        command = [SUM_TESTS, *options, log.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sums_of(*programs):
    """PASSED FAILED SKIPPED."""
    return tuple(map(int, told_of(programs).split()))


def named_failures(program):
    """What the last line names: after the program and, in brackets, how it ended."""
    return told_of([program], "--failures").splitlines()[-1].split("): ", 1)[-1]


def run(kind):
    """What Meson would log of misbehaving KIND."""
    done = subprocess.run([MISBEHAVING, kind], capture_output=True, text=True,
                          env={**os.environ, "CHECK_PATIENCE_MS": "200"})
    return ("OK" if done.returncode == 0 else "FAIL"), done.stdout


TAP = "1..4\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no browser\nok 4 - d\n"
CMOCKA = "[==========] Running 2 test(s).\n[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n"
CASES = {
    "a_skipped_function_is_counted_as_skipped": (run("skipping"), (2, 0, 1)),
    "a_failed_assertion_is_one_failure": (run("asserting"), (2, 1, 0)),
    "a_failed_check_on_a_thread_is_one_failure": (run("checking_elsewhere"), (2, 1, 0)),
    "an_assertion_on_a_thread_fails_all_that_did_not_run": (run("asserting_elsewhere"), (1, 2, 0)),
    "a_context_left_alive_is_one_failure": (run("leaving_a_context"), (2, 1, 0)),
    "a_task_that_does_not_return_is_one_failure": (run("leaving_a_task"), (2, 1, 0)),
    "a_descriptor_left_open_is_one_failure": (run("leaving_a_descriptor"), (2, 1, 0)),
    "a_thread_left_running_is_one_failure": (run("leaving_a_thread"), (2, 1, 0)),
    "a_crash_fails_all_that_did_not_run": (run("aborting"), (1, 2, 0)),
    "an_exit_in_the_middle_fails_all_that_did_not_run": (run("exiting"), (1, 2, 0)),
    "a_time_out_fails_what_did_not_report": (("TIMEOUT", CMOCKA), (1, 1, 0)),
    "a_time_out_that_printed_nothing_is_one_failure": (("TIMEOUT", ""), (0, 1, 0)),
    "a_leak_found_at_the_exit_is_one_failure":
        (("FAIL", CMOCKA + "[       OK ] b\n[==========] 2 test(s) run.\n"), (2, 1, 0)),
    "tap_is_counted_by_function": (("FAIL", TAP), (2, 1, 1)),
    "tap_that_breaks_off_has_failed": (("ERROR", "1..3\nok 1 - a\n"), (1, 2, 0)),
    "a_program_that_skips_all_is_skipped": (("OK", "1..0 # SKIP no browser here\n"), (0, 0, 1)),
    "a_program_without_functions_counts_as_one": (("OK", "fine\n"), (1, 0, 0)),
}

WHOLE = "the program as a whole"
NAMES = {
    "the_functions_that_failed_are_named": (run("asserting"), "asserting"),
    "those_that_never_began_are_counted":
        (("TIMEOUT", CMOCKA.replace("2 test", "4 test")), "b, 2 that did not run"),
    "what_fails_at_the_exit_is_the_program": (("FAIL", CMOCKA + "[       OK ] b\n"), WHOLE),
    "failures_of_tap_are_named": (("FAIL", TAP), "b"),
}

print(f"1..{len(CASES) + len(NAMES) + 1}")
RESULTS = [(name, sums_of(program), expected, program)
           for name, (program, expected) in CASES.items()]
RESULTS += [(name, named_failures(program), expected, program)
            for name, (program, expected) in NAMES.items()]
RESULTS += [("a_run_of_nothing_has_failed", sums_of(), (0, 1, 0), ("OK", ""))]
for number, (name, found, expected, program) in enumerate(RESULTS, 1):
    print(f"{'ok' if found == expected else 'not ok'} {number} - {name}")
    if found != expected:
        print(f"# expected {expected}, found {found}; {program[0]}:")
        print("".join(f"#   {line}\n" for line in program[1].splitlines()), end="")
sys.exit(any(found != expected for _, found, expected, _ in RESULTS))

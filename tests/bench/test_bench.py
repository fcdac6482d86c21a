#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_bench.py BENCH FOLDER [--count-allocations] - the benchmarks run, and write what is right.

Belay's programs and those of threads are run with tiny sizes; what a time is plays no part. How
rounds, medians and failures are dealt with is shown by peers that are made up here.
"""
import importlib.machinery
import importlib.util
import json
import math
import shutil
import subprocess
import sys
import tempfile
import traceback
import types
import xml.etree.ElementTree
from pathlib import Path

BENCH, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
COUNTED = "--count-allocations" in sys.argv
sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCH))

import picture  # noqa: E402
import report  # noqa: E402


def run(*arguments):
    """(exit status, what was printed, what was written) of bench/run."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "result.json"
        done = subprocess.run([BENCH / "run", "--json", path, *map(str, arguments)],
                              capture_output=True, text=True)
        result = json.loads(path.read_text()) if path.exists() else None
        return done.returncode, done.stdout + done.stderr, result


def smoke():
    arguments = [] if COUNTED else ["--no-preload"]
    return run("--smoke", "--rounds", 2, "--ms", 1, "--peers", "belay,pthread", "--folder", FOLDER,
               *arguments)


STATUS, PRINTED, RESULT = smoke()


def load_runner():
    """bench/run as a module."""
    loader = importlib.machinery.SourceFileLoader("bench_run", str(BENCH / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


class MadeUp:
    """Programs of a group that know one work; each notes that it ran."""

    def __init__(self, group="context", work="cancel"):
        self.group, self.work = group, work

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        return self

    def __exit__(self, *_):
        self.place.cleanup()

    def add(self, peer, then):
        program = self.folder / f"{self.group}-{peer}"
        program.write_text(f"#!/bin/sh\n[ \"$1\" != list ] || {{ echo {self.work}; exit; }}\n"
                           f"echo {peer} >>'{self.folder}/turns'\n{then}\n")
        program.chmod(0o755)

    def run(self, rounds):
        return run(f"{self.group}/{self.work}", "--folder", self.folder, "--rounds", rounds)

    def turns(self):
        return (self.folder / "turns").read_text().split()


# ---- Belay's own programs


def gives_its_figures(work):
    def test():
        for shown in work["shown"]:
            for peer in work["figures"] | work["curves"]:
                rounds = report.rounds_of(work, peer, shown.replace("@100", "@10"))
                assert len(rounds) == 2 and all(map(math.isfinite, rounds)), (peer, shown, rounds)
        for name in work["shown_curves"]:
            curve = work["curves"]["belay"][name]
            assert all(len(rounds) == 2 for rounds in curve.values()), curve
    return test


def every_program_ran_to_its_end():
    assert STATUS == 0 and not RESULT["failed"], PRINTED


def every_figure_stands_in_the_table():
    titles = [title for title, *_ in report.rows_of(RESULT["works"])]
    assert titles and all(title in PRINTED for title in titles), PRINTED


def threads_take_part():
    works = [work["name"] for work in RESULT["works"] if "pthread" in work["figures"]]
    known = {"spawn", "yield", "few", "rendezvous", "threads", "mixed", "stream_4"}
    assert known <= set(works), works
    assert {"sleep", "crowd"} <= set(RESULT["lacks"]["task"]["pthread"]), RESULT["lacks"]
    assert "threads lacks: " in PRINTED, PRINTED


def what_the_scheduler_did_is_counted():
    works = {f"{work['group']}/{work['name']}": work["figures"]["belay"]
             for work in RESULT["works"] if work["figures"]}
    for name in ("task/spawn", "chan/rendezvous", "select/done"):
        assert set(report.COUNTERS) <= set(works[name]), (name, works[name])
    assert all(count >= 990 for count in works["task/yield"]["switches"]), works["task/yield"]
    assert all(count >= 500 for count in works["chan/rendezvous"]["parks"])
    assert works["task/spawn"]["steals"] == [0, 0], "with one worker there is nobody to steal"
    assert report.COUNTED in PRINTED


def deriving_and_ending_asks_for_no_memory():
    [work] = [work for work in RESULT["works"] if work["name"] == "allocations"]
    assert work["figures"]["belay"] == {"cancel": [0, 0], "timeout": [0, 0]}, work


# ---- The runner


def peers_take_turns():
    with MadeUp() as peers:
        peers.add("go", "echo ns 2")
        peers.add("belay", "echo ns 1")
        status, printed, _ = peers.run(rounds=3)
        assert status == 0, printed
        assert peers.turns() == ["belay", "go"] * 3


def the_median_of_all_rounds_counts():
    with MadeUp() as peers:
        peers.add("belay", f"echo ns $((10 * $(grep -c belay '{peers.folder}/turns')))")
        peers.add("go", "echo ns 50")
        _, printed, result = peers.run(rounds=3)
        assert result["works"][0]["figures"]["belay"]["ns"] == [10, 20, 30]
        assert "20.0  50.0 (2.5x)" in printed, printed


def an_absent_peer_is_left_out_by_name():
    with MadeUp() as peers:
        peers.add("belay", "echo ns 1")
        status, printed, result = peers.run(rounds=1)
        assert status == 0 and "go" in result["absent"]["context"], printed
        assert "absent: Go" in printed


def a_work_that_a_peer_does_not_know_is_left_out():
    with MadeUp() as peers:
        peers.add("belay", "echo ns 1")
        status, _, result = run("wide", "cancel", "--folder", peers.folder, "--rounds", 1)
        done = [work["name"] for work in result["works"] if work["figures"]]
        assert status == 0 and done == ["cancel"], result


def a_peer_that_fails_is_noted_and_tried_once():
    with MadeUp() as peers:
        peers.add("belay", "echo ns 1")
        peers.add("go", "exit 3")
        status, printed, result = peers.run(rounds=3)
        assert status == 0 and "context/cancel of go" in result["failed"], printed
        assert peers.turns().count("go") == 1 and peers.turns().count("belay") == 3
        assert "failed: context/cancel of go" in printed


def a_peer_that_takes_too_long_is_noted_and_ended():
    with MadeUp() as peers:
        peers.add("belay", "echo ns 1")
        peers.add("go", "exec sleep 1000")
        status, printed, result = run("context/cancel", "--folder", peers.folder, "--rounds", 1,
                                      "--patience", 0.5)
        assert status == 0 and "timed out" in result["failed"]["context/cancel of go"], printed


def a_peer_that_says_nonsense_is_noted():
    with MadeUp() as peers:
        peers.add("belay", "echo ns 1")
        peers.add("go", "echo ns")
        status, _, result = peers.run(rounds=1)
        assert status == 0 and "context/cancel of go" in result["failed"], result


def a_program_of_belays_that_fails_fails_the_run():
    with MadeUp() as peers:
        peers.add("belay", "exit 3")
        peers.add("go", "echo ns 1")
        status, printed, result = peers.run(rounds=1)
        assert status == 1 and "context/cancel of belay" in result["failed"], printed


def a_work_that_takes_long_has_fewer_rounds():
    with MadeUp("task", "crowd") as peers:
        peers.add("belay", "echo ns 1")
        peers.run(rounds=7)
        assert len(peers.turns()) == 3


def a_work_says_how_many_workers_there_are():
    with MadeUp("task", "spawn") as peers:
        peers.add("belay", "echo ns $BELAY_WORKERS; echo go $GOMAXPROCS")
        _, printed, result = peers.run(rounds=1)
        assert result["works"][0]["figures"]["belay"] == {"ns": [1], "go": [1]}, printed


def an_argument_is_the_median_of_what_was_measured_before():
    bench = load_runner()
    work = {"name": "latency", "given": {"peak": {"peer": "go", "work": "all", "figure": "rate"}}}
    before, after = bench.Record("http", {"name": "all"}, {}), bench.Record("http", work, {})
    options = types.SimpleNamespace(smoke=False)
    assert bench.add_given(after, [before, after], options) == "needs all of go"
    for rate in (100, 300, 200):
        before.add("belay", {"rate": 1}, {})
        before.add("go", {"rate": rate}, {})
    assert bench.add_given(after, [before, after], options) is None
    assert after.args == {"peak": 200}


def a_work_that_lacks_an_argument_is_left_out_by_name():
    if not shutil.which("openssl"):
        return
    with MadeUp("http", "latency") as peers:
        peers.add("belay", "exit 3")
        status, printed, result = peers.run(rounds=2)
        assert status == 0 and result["failed"] == {"http/latency": "needs keep_alive of go"}
        assert "failed: http/latency: needs" in printed, printed


def a_group_may_be_measured_by_another_program():
    with MadeUp("http", "gone") as peers:
        peers.add("belay", "exit 3")  # is a server to be, and is given a certificate
        status, printed, result = peers.run(rounds=1)
        assert status == 1 and "http/gone of belay" in result["failed"], printed
        assert peers.turns() == ["belay"]


def a_rate_is_dearer_where_it_is_less():
    rounds = {"belay": [200], "go": [100]}
    assert report.cost_ratio("1/s", rounds, "go") == 2
    assert report.cost_ratio("us", rounds, "go") == 0.5
    assert report.cost_ratio("%", rounds, "go") is None
    assert report.cell(rounds, "go", "%") == "100"


def rounds_that_differ_much_are_marked():
    assert report.cell({"belay": [10, 10, 30, 30, 50]}, "belay") == "~30.0"
    assert report.cell({"belay": [29, 30, 30, 31, 90]}, "belay") == "30.0"


# ---- Documentation


def a_page_changes_between_its_marks_alone():
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        marks = "<!-- measured: begin -->\nold\n<!-- measured: end -->\n"
        (folder / "performance.md").write_text(f"before\n{marks}after\n")
        (folder / "result.json").write_text(json.dumps(RESULT))
        subprocess.run([BENCH / "docs", folder / "result.json", folder], check=True)
        page = (folder / "performance.md").read_text()
        assert page.startswith("before\n<!-- m") and page.endswith("end -->\nafter\n"), page
        assert "old" not in page and "| with_cancel, end |" in page, page
        assert all((folder / name).exists() for name in ["performance-context-growth.svg"])


def pictures_are_well_formed_for_light_and_dark():
    works = [dict(work, figures={"belay": {n: [1.0] for n in work["shown"]},
                                 "a<b": {n: [3.0] for n in work["shown"]}})
             for work in RESULT["works"]]
    for drawn in (picture.operations(works, "A & B"), picture.growth(works, "A & B")):
        root = xml.etree.ElementTree.fromstring(drawn)
        assert root.tag.endswith("svg") and len(root) > 10
        assert "prefers-color-scheme: dark" in drawn


def the_page_has_a_place_for_the_figures():
    page = (BENCH.parent / "docs/performance.md").read_text()
    assert page.count("<!-- measured: begin -->\n") == page.count("<!-- measured: end -->\n") == 1


TESTS = [
    every_program_ran_to_its_end, every_figure_stands_in_the_table,
    peers_take_turns, the_median_of_all_rounds_counts,
    an_absent_peer_is_left_out_by_name, a_work_that_a_peer_does_not_know_is_left_out,
    a_peer_that_fails_is_noted_and_tried_once, a_peer_that_takes_too_long_is_noted_and_ended,
    a_peer_that_says_nonsense_is_noted, a_program_of_belays_that_fails_fails_the_run,
    a_work_that_takes_long_has_fewer_rounds, a_work_says_how_many_workers_there_are,
    an_argument_is_the_median_of_what_was_measured_before,
    a_work_that_lacks_an_argument_is_left_out_by_name, a_group_may_be_measured_by_another_program,
    a_rate_is_dearer_where_it_is_less, rounds_that_differ_much_are_marked, threads_take_part,
    what_the_scheduler_did_is_counted,
    a_page_changes_between_its_marks_alone, pictures_are_well_formed_for_light_and_dark,
    the_page_has_a_place_for_the_figures,
]
if COUNTED:
    TESTS.append(deriving_and_ending_asks_for_no_memory)
NAMED = [(test.__name__, test) for test in TESTS]
if RESULT:
    NAMED += [(f"{work['group']}_{work['name']}_gives_its_figures", gives_its_figures(work))
              for work in RESULT["works"] if COUNTED or work["name"] != "allocations"]


def main():
    failures = 0
    print(f"1..{len(NAMED)}")
    for number, (name, test) in enumerate(NAMED, 1):
        try:
            test()
            print(f"ok {number} - {name}")
        except Exception:
            failures += 1
            print(f"not ok {number} - {name}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
    sys.exit(failures != 0)


main()

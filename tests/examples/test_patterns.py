#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# test_patterns.py DIR - the programs that show patterns leave nothing behind, whether they come to
# their end or are interrupted in the middle of their work. Prints TAP.

import os
import signal
import subprocess
import sys
import time

SECONDS = 60  # far more than anything here takes
MUCH = '999999999999'

# Arguments that come to an end, and such that won't.
PATTERNS = {
    'pipeline': (['100'], [MUCH]),
    'fan_out': (['10000'], [MUCH]),
    'fan_in': (['100'], [MUCH]),
    'worker_pool': (['100'], [MUCH]),
    'rate_limiter': (['5', '1000'], ['1000000', '1']),
    'heartbeat': (['100'], ['60000', '1000000']),
    'parallel_map': (['/dev/null', '/proc/self/status'], ['/dev/zero', '/dev/null', '/dev/zero']),
}


def start(folder, name, arguments):
    return subprocess.Popen([os.path.join(folder, name)] + arguments, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, 'BELAY_REPORT': 'leaks'})


def finish(process):
    """Exit status, standard output and standard error; one that hangs is killed."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f'still running after {SECONDS} s\n'
    return process.returncode, out, err


def catches_sigint(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as lines:
        caught = next(line for line in lines if line.startswith('SigCgt'))
    return int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1


def threads(pid):
    return len(os.listdir(f'/proc/{pid}/task'))


def wait_until_at_work(process):
    """The clock thread is started with the signal's context, the workers with the first task."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        if catches_sigint(process.pid) and threads(process.pid) >= 3:
            return
        time.sleep(0.001)


def ends_in_order(folder, name, arguments):
    status, out, err = finish(start(folder, name, arguments))
    return status == 0 and out and err == 'belay: nothing is left\n', (status, out, err)


def ends_when_interrupted(folder, name, arguments):
    process = start(folder, name, arguments)
    wait_until_at_work(process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    return (status == 1 and err == f'{name}: SIGINT received\nbelay: nothing is left\n',
            (status, out, err))


def main():
    folder, number, failed = sys.argv[1], 0, 0
    for name, (some, endless) in PATTERNS.items():
        for what, test, arguments in (('ends_in_order', ends_in_order, some),
                                      ('ends_when_interrupted', ends_when_interrupted, endless)):
            ok, said = test(folder, name, arguments)
            number, failed = number + 1, failed + (not ok)
            print(f'{"ok" if ok else "not ok"} {number} - {name}_{what}_and_leaves_nothing',
                  flush=True)
            if not ok:
                print(f'# exit status, output, errors: {said}')
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# test_restart.py PROGRAM - examples/restart replaces itself while it is being used, and nobody is
# refused. Prints TAP.

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECONDS = 60  # far more than anything here takes
RESTARTS = 5


class Caller(threading.Thread):
    """Asks again and again, each time on a new connection."""

    def __init__(self, connect):
        super().__init__()
        self.connect = connect
        self.answers, self.failures = {}, []
        self.over = threading.Event()

    def ask(self):
        with self.connect() as connection:
            connection.settimeout(SECONDS)
            connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            answer = b''
            while part := connection.recv(4096):
                answer += part
        return int(answer.split(b'\r\n\r\n')[1])

    def run(self):
        while not self.over.is_set():
            try:
                who = self.ask()
                self.answers[who] = self.answers.get(who, 0) + 1
            except (OSError, IndexError, ValueError) as error:
                self.failures.append(repr(error))


def finish(process):
    """All of its output. Its successors hold the other end of it, too: the last one closes it."""
    try:
        return process.communicate(timeout=SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return 'still running\n'


def connector(address):
    if address.startswith('unix:'):
        def connect():
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(address[5:])
            return connection
    else:
        host, port = address.rsplit(':', 1)

        def connect():
            return socket.create_connection((host.strip('[]'), int(port)), SECONDS)
    return connect


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_until_answered_by(caller, pid):
    until = time.monotonic() + SECONDS
    while caller.answers.get(pid, 0) < 10 and time.monotonic() < until:
        time.sleep(0.01)
    expect(caller.answers.get(pid, 0) >= 10, f'{pid} answers')


def restart_often(program, address):
    process = subprocess.Popen([program, address], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    pid, address = process.stdout.readline().split()
    callers = [Caller(connector(address)) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        pids = {int(pid)}
        for _ in range(RESTARTS):
            wait_until_answered_by(callers[0], int(pid))
            os.kill(int(pid), signal.SIGHUP)
            pid, now = process.stdout.readline().split()
            pids.add(int(pid))
            expect(now == address, 'the address stays')
        wait_until_answered_by(callers[0], int(pid))
    finally:
        for caller in callers:
            caller.over.set()
        for caller in callers:
            caller.join()
        os.kill(int(pid), signal.SIGTERM)
        finish(process)
    expect(len(pids) == RESTARTS + 1, 'each process is another')
    for caller in callers:
        expect(not caller.failures, caller.failures[:3])
        expect(set(caller.answers) <= pids, 'only they answer')
    expect(process.returncode == 0, f'exit status {process.returncode}')


def nobody_is_refused_over_tcp(program):
    restart_often(program, '127.0.0.1:0')


def nobody_is_refused_over_a_unix_socket(program):
    with tempfile.TemporaryDirectory() as folder:
        restart_often(program, f'unix:{folder}/socket')


def a_socket_of_systemd_s_is_taken(program):
    listener = socket.create_server(('127.0.0.1', 0))
    address = '%s:%d' % listener.getsockname()
    # The shell becomes the program, and so knows its number.
    process = subprocess.Popen(
        ['sh', '-c', 'exec 3<&$1; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http '
         'exec "$0" 127.0.0.1:1', program, str(listener.fileno())],
        pass_fds=[listener.fileno()], stdout=subprocess.PIPE, text=True)
    listener.close()
    try:
        pid, now = process.stdout.readline().split()
        expect(now == address, now)
        expect(Caller(connector(address)).ask() == int(pid), 'it answers')
    finally:
        process.terminate()
        finish(process)


def one_whose_successor_fails_stays(program):
    copy = f'{os.path.abspath(program)}-{os.getpid()}'  # beside it, where it finds its libraries
    shutil.copy(program, copy)
    process = subprocess.Popen([copy, '127.0.0.1:0'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        pid, address = process.stdout.readline().split()
        os.chmod(copy, 0o600)  # not even root may execute it
        os.kill(int(pid), signal.SIGHUP)
        expect(process.stderr.readline().startswith(f'{pid} stays: '), 'it says so')
        expect(Caller(connector(address)).ask() == int(pid), 'it answers')
    finally:
        os.unlink(copy)
        process.terminate()
        finish(process)
    expect(process.returncode == 0, f'exit status {process.returncode}')


TESTS = [nobody_is_refused_over_tcp, nobody_is_refused_over_a_unix_socket,
         a_socket_of_systemd_s_is_taken, one_whose_successor_fails_stays]


def main():
    failed = False
    print(f'1..{len(TESTS)}')
    for number, test in enumerate(TESTS, 1):
        try:
            test(sys.argv[1])
            print(f'ok {number} - {test.__name__}')
        except (AssertionError, OSError, ValueError) as error:
            failed = True
            print(f'not ok {number} - {test.__name__}: {error}')
    return failed


sys.exit(main())

# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: data, a store that runs on it, curl, and TAP.

A test is a function whose name is the behaviour; main() runs those that it is given, each with a
Store of its own unless it asks for none, and prints TAP. A check that does not hold raises.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE_S = 60  # far beyond what any wait takes unless something is stuck

SECTIONS = ["admin", "games", "libs", "net"]
ADJECTIVES = ["small", "fast", "complete", "modular", "graphical", "interactive", "portable"]
NOUNS = ["parser", "library", "editor", "player", "server", "compiler", "monitor", "viewer"]
TOPICS = ["for music", "for maps", "in C", "of logs", "with plugins", "for chess", "over HTTP"]


def write_data(path, count):
    """Packages in dpkg's status format, always the same ones for the same count."""
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            section = "tiny" if i % 1000 == 0 else SECTIONS[i % len(SECTIONS)]
            summary = " ".join(
                (ADJECTIVES[i % 7], NOUNS[i // 7 % 8], TOPICS[i // 56 % 7], f"number {i}")
            )
            out.write(f"Package: pkg-{i}\nStatus: install ok installed\nVersion: 1.{i}\n")
            out.write(f"Section: {section}\nArchitecture: all\nInstalled-Size: {i}\n")
            if i:
                out.write(f"Depends: pkg-{i // 2} (>= 1.0), nothing-like-it | pkg-{i // 3}\n")
            out.write(f"Description: {summary}\n A second line, which nobody reads.\n\n")


def make_certificate(folder):
    """The store's arguments for one that has signed itself; curl trusts certificate.pem."""
    certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    return ["--certificate", certificate, "--key", key, "--https", "127.0.0.1:0"]


def until(condition, what):
    """Waits for condition() to hold, and returns what it returned."""
    give_up = time.monotonic() + PATIENCE_S
    while not (result := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.005)
    return result


def leave(clients):
    """Clients that are still asking go away."""
    for client in clients:
        client.kill()
        client.communicate()


class Store:
    """A store that runs in a folder of its own, on a free port."""

    def __init__(self, program, packages=12000, data=None, arguments=(), wait=True):
        self.folder = tempfile.TemporaryDirectory(prefix="belay-store-")
        self.path = self.folder.name
        self.db = os.path.join(self.path, "packages.db")
        if data is None:
            data = os.path.join(self.path, "status")
            write_data(data, packages)
        self.out = open(os.path.join(self.path, "out"), "w+", encoding="utf-8")
        self.err = open(os.path.join(self.path, "err"), "w+", encoding="utf-8")
        command = [program, "--listen", "127.0.0.1:0", "--db", self.db, "--data", data]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=self.out,
            stderr=self.err,
            env={**os.environ, "BELAY_REPORT": "leaks"},
        )
        self.url = self._wait_for_url() if wait else None

    def _wait_for_url(self, scheme="http"):
        def url():
            if self.process.poll() is not None:
                raise AssertionError(f"the store ended:\n{self.log()}")
            found = re.search(rf"^listening on ({scheme}://\S+)$", self.output(), re.MULTILINE)
            return found and found.group(1)

        return until(url, "the store's address")

    def secure_url(self):
        """Of a store that was given make_certificate()'s arguments."""
        return self._wait_for_url("https")

    def output(self):
        with open(self.out.name, encoding="utf-8") as file:
            return file.read()

    def log(self):
        with open(self.err.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, pattern):
        """The lines of the log that match."""
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def logged(self, pattern):
        """The first line that matches, once it is there."""
        return until(lambda: self.lines(pattern), f"a line like {pattern}")[0]

    def contexts(self):
        """How many contexts are alive, but for those of the request that asks."""
        return len(self.get("/debug/contexts?format=json")[1])

    def running(self):
        """The targets of the requests that run now: the first event of the stream."""
        watcher = self.start_curl("/events", "--no-buffer")
        assert watcher.stdout.readline() == "event: running\n"
        state = json.loads(watcher.stdout.readline().removeprefix("data: "))
        watcher.kill()
        watcher.communicate()
        return [request["target"] for request in state]

    def start_twins(self, count, *options):
        """That many endless requests, once all of them run."""
        clients = [self.start_curl("/twins", *options) for _ in range(count)]
        until(lambda: self.running().count("/twins") == count, "running requests")
        return clients

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def curl(self, path, *options):
        """path may be a whole URL."""
        url = self.url + path if path.startswith("/") else path
        return ["curl", "--silent", "--show-error", *options, url]

    def start_curl(self, path, *options):
        return subprocess.Popen(
            self.curl(path, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def get(self, path, *options):
        """(status, body): the body as JSON where it is that, else as text."""
        options = (*options, "--max-time", str(PATIENCE_S), "--write-out", "\n%{http_code}")
        done = subprocess.run(self.curl(path, *options), capture_output=True, check=False)
        body, _, status = done.stdout.decode("utf-8").rpartition("\n")
        try:
            return int(status), json.loads(body)
        except json.JSONDecodeError:
            return int(status), body

    def end(self, number=signal.SIGINT):
        """Signals it, and returns its exit status once it has ended."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def end_well(self):
        """As a user does, with Ctrl-C: it must leave nothing behind."""
        status = self.end()
        assert status == 0, f"exit status {status}\n{self.log()}"
        assert self.lines("^belay: nothing is left"), self.log()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.err.close()
        self.folder.cleanup()


def run(test, program):
    """None, or what went wrong."""
    store = Store(program) if "store" in test.__code__.co_varnames[:1] else None
    try:
        if store:
            test(store)
            if store.process.poll() is None:
                store.end_well()
        else:
            test(program)
    except Exception:  # whatever it is, it is this test's
        return traceback.format_exc() + (store.log()[-4000:] if store else "")
    finally:
        if store:
            store.close()
    return None


def main(*tests):
    """Runs the tests with the program named on the command line."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        error = run(test, sys.argv[1])
        failed += error is not None
        print(f"{'not ' if error else ''}ok {number} - {test.__name__}", flush=True)
        for line in (error or "").splitlines():
            print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":  # store.py FILE COUNT: the data alone
    write_data(sys.argv[1], int(sys.argv[2]))

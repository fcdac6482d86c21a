# SPDX-License-Identifier: MIT
"""The store over HTTP/1.1 and HTTP/2, plain and by TLS: what it answers, and that it says which."""

import json
import os
import subprocess
import tempfile

from store import PATIENCE_S, Store, main, make_certificate


def with_certificate(test):
    """Runs a test of a Store that has a certificate, and curl's option that trusts it."""

    def run(program):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(program, packages=100, arguments=make_certificate(folder))
            try:
                test(store, ["--cacert", os.path.join(folder, "certificate.pem")])
                store.end_well()
            finally:
                store.close()

    run.__name__ = test.__name__
    return run


class Watcher:
    """Reads /events."""

    def __init__(self, store):
        self.curl = store.start_curl("/events", "--no-buffer")

    def next(self, kind):
        """The data of the next event of that kind."""
        while line := self.curl.stdout.readline():
            if line == f"event: {kind}\n":
                return json.loads(self.curl.stdout.readline().removeprefix("data: "))
        raise AssertionError("the stream has ended")

    def close(self):
        self.curl.kill()
        self.curl.communicate()


def ways(store, trusting):
    """(URL, curl's options, the protocol) for each way to ask."""
    plain, secure = store.url, store.secure_url()
    return [
        (plain, ["--http1.0"], "HTTP/1.0"),
        (plain, ["--http1.1"], "HTTP/1.1"),
        (plain, ["--http2-prior-knowledge"], "HTTP/2"),
        (secure, [*trusting, "--http1.1"], "HTTP/1.1"),
        (secure, [*trusting, "--http2"], "HTTP/2"),
        (secure, [*trusting, "--no-alpn"], "HTTP/1.1"),
    ]


@with_certificate
def the_answer_is_the_same_over_each_protocol(store, trusting):
    expected = store.get("/packages/pkg-10")
    assert expected[0] == 200 and expected[1]["name"] == "pkg-10", expected
    for url, options, protocol in ways(store, trusting):
        answer = store.get(url + "/packages/pkg-10", *options)
        assert answer == expected, (url, protocol, answer)


@with_certificate
def each_request_is_told_with_its_protocol(store, trusting):
    watcher = Watcher(store)
    assert watcher.next("running") == []
    for url, options, protocol in ways(store, trusting):
        assert store.get(url + "/packages/pkg-10", *options)[0] == 200
        begun = watcher.next("begin")
        assert begun["target"] == "/packages/pkg-10", begun
        assert begun["protocol"] == protocol, (url, options, begun)
    watcher.close()


def who_comes_later_is_told_the_protocol_of_what_runs(store):
    clients = store.start_twins(1, "--http2-prior-knowledge")
    watcher = Watcher(store)
    assert [r["protocol"] for r in watcher.next("running")] == ["HTTP/2"]
    watcher.close()
    for client in clients:
        client.kill()
        client.communicate()


def https_needs_a_certificate_with_its_key(program):
    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    for arguments in [("--certificate", "x"), ("--key", "x")]:
        done = run(*arguments)
        assert done.returncode == 2 and "go together" in done.stderr, done
    done = run("--https", "127.0.0.1:0")
    assert done.returncode == 2 and "--certificate" in done.stderr, done


def a_certificate_that_is_none_is_told(program):
    with tempfile.TemporaryDirectory() as folder:
        arguments = make_certificate(folder)
        with open(arguments[1], "w", encoding="utf-8") as file:
            file.write("nonsense")
        store = Store(program, packages=10, arguments=arguments, wait=False)
        try:
            assert store.process.wait(PATIENCE_S) == 1
            assert store.lines("certificate.pem"), store.log()
            assert store.lines("^belay: nothing is left"), store.log()
            assert "listening" not in store.output()
        finally:
            store.close()


if __name__ == "__main__":
    main(
        the_answer_is_the_same_over_each_protocol,
        each_request_is_told_with_its_protocol,
        who_comes_later_is_told_the_protocol_of_what_runs,
        https_needs_a_certificate_with_its_key,
        a_certificate_that_is_none_is_told,
    )

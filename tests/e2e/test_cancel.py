# SPDX-License-Identifier: MIT
"""Clients that go away and deadlines that pass reach the statement in the engine."""

import re
import time

from store import PATIENCE_S, leave, main


def milliseconds(line):
    return float(re.search(r" ([\d.]+)ms", line).group(1))


def a_client_that_goes_away_interrupts_its_statement(store):
    leave(store.start_twins(1))
    # The line is written when the handler has returned, and it returns when the statement has.
    store.logged(r'GET /twins 499 .*cause="client disconnected"')


def interrupted_statements_give_their_connections_back(store):
    for _ in range(6):  # more than there are connections for slow queries
        leave(store.start_twins(1))
    assert store.get("/twins?section=tiny")[0] == 200


def one_that_waits_for_a_connection_leaves_the_queue(store):
    running = store.start_twins(2)
    status, body = store.get("/twins?section=tiny&timeout=300ms")
    assert status == 503 and body["cause"] == "context deadline exceeded"
    leave(running)
    assert store.get("/twins?section=tiny")[0] == 200


def the_quick_ones_answer_while_the_slow_ones_run(store):
    running = store.start_twins(4)
    assert store.get("/packages/pkg-1")[0] == 200
    leave(running)


def a_deadline_answers_503_and_says_so(store):
    for options in [["/twins?timeout=150ms"], ["/twins", "--header", "Request-Timeout: 150ms"]]:
        begin = time.monotonic()
        status, body = store.get(*options)
        assert time.monotonic() - begin < PATIENCE_S / 2
        assert status == 503
        assert body["cause"] == "context deadline exceeded"
        assert body["trace_id"]
    line = store.logged(r'GET /twins 503 .*cause="context deadline exceeded"')
    assert milliseconds(line) >= 150


def a_deadline_that_is_kept_changes_nothing(store):
    for unit in ["60s", "60000ms", "1m", "60000000us", "60000000000ns"]:
        assert store.get(f"/packages/pkg-1?timeout={unit}")[0] == 200


def watchers_see_a_context_end_with_its_cause(store):
    watcher = store.start_curl("/events", "--no-buffer")
    assert watcher.stdout.readline() == "event: running\n"
    leave(store.start_twins(1))
    seen = ""
    while '"client disconnected"' not in seen:
        seen += watcher.stdout.readline()
    assert "event: begin\n" in seen and '"target":"/twins"' in seen
    assert "event: end\n" in seen and '"error":"context canceled"' in seen
    watcher.kill()
    watcher.communicate()


if __name__ == "__main__":
    main(
        a_client_that_goes_away_interrupts_its_statement,
        interrupted_statements_give_their_connections_back,
        one_that_waits_for_a_connection_leaves_the_queue,
        the_quick_ones_answer_while_the_slow_ones_run,
        a_deadline_answers_503_and_says_so,
        a_deadline_that_is_kept_changes_nothing,
        watchers_see_a_context_end_with_its_cause,
    )

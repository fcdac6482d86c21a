# SPDX-License-Identifier: MIT
"""What the store answers, to good questions and to bad ones."""

import json
import os
import socket
import subprocess

from store import PATIENCE_S, Store, leave, main, until


def names(answer, key):
    assert answer[0] == 200, answer
    return [row["name"] for row in answer[1][key]]


def a_search_finds_packages_by_all_their_words(store):
    found = names(store.get("/packages?q=small+parser+maps&limit=100"), "packages")
    assert found and all(int(name.split("-")[1]) % 7 == 0 for name in found)
    assert names(store.get("/packages?q=number+117"), "packages")[0] == "pkg-117"
    assert names(store.get("/packages?q=pkg-42"), "packages")[0] == "pkg-42"
    assert names(store.get("/packages?q=nowheretobefound"), "packages") == []
    assert len(names(store.get("/packages?limit=7"), "packages")) == 7


def the_search_takes_whatever_is_typed(store):
    for typed in ["%22", "%27", "*", "a+OR+NOT", "%22a", "NEAR(", "%2B%2B", "-", "^a", "name:x",
                  "%F0%9F%98%80"]:
        status, body = store.get(f"/packages?q={typed}")
        assert status == 200, (typed, body)


def a_search_takes_64_words(store):
    assert store.get("/packages?q=" + "+".join(["small"] * 64))[0] == 200


def a_package_says_what_it_needs(store):
    status, package = store.get("/packages/pkg-10")
    assert status == 200
    assert package["version"] == "1.10" and package["section"] == "libs"
    assert package["needs"] == ["pkg-3", "pkg-5"]
    assert package["installed"] == 1


def a_closure_is_all_that_is_needed(store):
    closure = names(store.get("/packages/pkg-10/closure"), "closure")
    assert closure == ["pkg-0", "pkg-1", "pkg-2", "pkg-3", "pkg-5"]
    assert names(store.get("/packages/pkg-0/closure"), "closure") == []


def similar_ones_are_the_nearest_first(store):
    status, body = store.get("/packages/pkg-100/similar?limit=5")
    distances = [row["distance"] for row in body["similar"]]
    assert status == 200 and len(distances) == 5
    assert distances == sorted(distances) and distances[0] > 0


def twins_of_a_small_section_are_found(store):
    status, body = store.get("/twins?section=tiny&limit=3")
    assert status == 200
    distances = [pair["distance"] for pair in body["twins"]]
    assert distances == sorted(distances)
    assert len(body["twins"]) == 3


def the_first_replica_to_answer_wins(store):
    status, body = store.get("/first/packages/pkg-7")
    assert status == 200 and body["package"]["name"] == "pkg-7"
    assert store.get("/first/packages/none")[0] == 404


def await_question(listener):
    """The connection on which a whole question has come."""
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE_S)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        assert piece, head
        head += piece
    return connection


def has_been_left(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def a_replica_that_has_lost_is_left(program):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    urls = ["http://127.0.0.1:%d" % listener.getsockname()[1] for listener in listeners]
    store = Store(program, packages=10, arguments=["--replica", urls[0], "--replica", urls[1]])
    try:
        for listener in listeners:
            listener.settimeout(PATIENCE_S)
        client = store.start_curl("/first/packages/pkg-7")
        loser, winner = map(await_question, listeners)
        winner.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[42]")
        assert has_been_left(loser)
        answer, _ = client.communicate(timeout=PATIENCE_S)
        assert json.loads(answer) == {"answered_by": urls[1], "package": [42]}, answer
        store.end_well()
    finally:
        store.close()


def a_replica_whose_host_is_unknown_has_not_answered(program):
    store = Store(program, packages=10, arguments=["--replica", "http://nowhere.invalid"])
    try:
        status, body = store.get("/first/packages/pkg-7")
        assert status == 502 and "no replica has answered" in body["error"], (status, body)
        store.end_well()
    finally:
        store.close()


def a_database_that_has_gone_is_no_package_that_is_missing(store):
    # One connection is there already, and as good as before: it is kept busy.
    running = store.start_twins(1)
    until(lambda: store.get("/debug/stats?format=json")[1]["blocking_busy"] > 0, "its statement")
    for name in (store.db, store.db + "-wal", store.db + "-shm"):
        if os.path.exists(name):
            os.unlink(name)
    status, body = store.get("/twins?section=tiny")
    assert status == 500, (status, body)
    store.logged("database: unable to open")
    leave(running)


def the_health_check_and_the_page_answer(store):
    assert store.get("/healthz") == (200, {"status": "ok"})
    status, page = store.get("/")
    assert status == 200 and page.startswith("<!doctype html>")


def contexts_are_shown_as_text_and_as_json(store):
    status, text = store.get("/debug/contexts")
    assert status == 200 and "with_cancel" in text
    for question in [["/debug/contexts?format=json"],
                     ["/debug/contexts", "--header", "Accept: application/json"]]:
        status, tree = store.get(*question)
        assert status == 200 and all("kind" in node for node in tree)


def numbers_are_shown_as_text_and_as_json(store):
    status, text = store.get("/debug/stats")
    assert status == 200 and "# TYPE belay_tasks gauge" in text
    status, stats = store.get("/debug/stats?format=json")
    assert status == 200 and stats["workers"] > 0
    assert stats["running"] >= 1 and stats["spawned"] >= 1


def every_error_has_the_same_form(store):
    for path, status, word in [
        ("/packages/none", 404, "none"),
        ("/packages/none/closure", 404, "none"),
        ("/packages/none/similar", 404, "none"),
        ("/packages/%ff", 404, "no package"),
        ("/packages?limit=many", 400, "many"),
        ("/packages?limit=0", 400, "limit"),
        ("/packages?limit=-1", 400, "limit"),
        ("/packages?limit=", 400, "limit"),
        ("/packages?limit=99999999999999999999", 400, "limit"),
        ("/packages/pkg-1/similar?limit=1x", 400, "1x"),
        ("/twins?limit=x", 400, "limit"),
        ("/packages?q=" + "a+" * 65, 400, "words"),
        ("/packages?timeout=soon", 400, "timeout"),
        ("/packages?timeout=10", 400, "timeout"),
        ("/packages?timeout=-1ms", 400, "timeout"),
        ("/debug/contexts?format=xml", 400, "format"),
        ("/nowhere", 404, ""),
        ("/packages/pkg-1/nothing", 404, ""),
    ]:
        answer = store.get(path)
        assert answer[0] == status, (path, answer)
        assert set(answer[1]) == {"error", "cause", "trace_id"}, (path, answer)
        assert word in answer[1]["error"], (path, answer)
    assert store.get("/healthz", "--header", "Request-Timeout: soon")[0] == 200
    assert store.get("/packages", "--request", "DELETE")[0] == 405


def the_trace_id_of_the_caller_is_kept(store):
    status, body = store.get("/packages/none", "--header", "X-Trace-Id: my-own-1")
    assert status == 404 and body["trace_id"] == "my-own-1"
    assert "[my-own-1] GET /packages/none 404" in store.logged("my-own-1")


def the_command_line_is_checked(program):
    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    assert run("--help").returncode == 0 and "--listen" in run("--help").stdout
    assert run("--nonsense").returncode == 2
    assert run("surplus").returncode == 2 and "surplus" in run("surplus").stderr


if __name__ == "__main__":
    main(
        a_search_finds_packages_by_all_their_words,
        the_search_takes_whatever_is_typed,
        a_search_takes_64_words,
        a_package_says_what_it_needs,
        a_closure_is_all_that_is_needed,
        similar_ones_are_the_nearest_first,
        twins_of_a_small_section_are_found,
        the_first_replica_to_answer_wins,
        a_replica_that_has_lost_is_left,
        a_replica_whose_host_is_unknown_has_not_answered,
        a_database_that_has_gone_is_no_package_that_is_missing,
        the_health_check_and_the_page_answer,
        contexts_are_shown_as_text_and_as_json,
        numbers_are_shown_as_text_and_as_json,
        every_error_has_the_same_form,
        the_trace_id_of_the_caller_is_kept,
        the_command_line_is_checked,
    )

# SPDX-License-Identifier: MIT
"""Ctrl-C, at every moment: while it serves, while it is busy, while it imports."""

import os
import signal
import subprocess
import tempfile
import time

from store import PATIENCE_S, Store, main, until, write_data

GRACE_S = 5  # what requests get to finish


def timed_end(store, number=signal.SIGINT):
    begin = time.monotonic()
    status = store.end(number)
    return status, time.monotonic() - begin


def leftovers(store):
    """What an import may have left: anything but the data and the output."""
    return sorted(set(os.listdir(store.path)) - {"status", "out", "err"})


def an_idle_store_ends_at_once_with_status_0(store):
    store.get("/packages")
    status, seconds = timed_end(store)
    assert status == 0 and seconds < GRACE_S, (status, seconds)
    assert store.lines("SIGINT received"), store.log()
    assert store.lines("^belay: nothing is left"), store.log()


def sigterm_is_as_good_as_ctrl_c(store):
    status, seconds = timed_end(store, signal.SIGTERM)
    assert status == 0 and seconds < GRACE_S, (status, seconds)
    assert store.lines("SIGTERM received"), store.log()


def requests_get_time_to_finish(store):
    client = store.start_curl("/twins?timeout=1500ms", "--write-out", "%{http_code}")
    until(store.running, "a running request")
    status, seconds = timed_end(store)
    out, _ = client.communicate()
    assert status == 0 and seconds < GRACE_S, (status, seconds)
    assert out.endswith("503"), out
    assert store.lines("GET /twins 503"), store.log()


def requests_that_never_finish_are_ended(store):
    [client] = store.start_twins(1, "--write-out", "%{http_code}")
    status, seconds = timed_end(store)
    client.communicate()
    assert status == 0, store.log()
    assert seconds >= GRACE_S - 0.5, seconds
    assert store.lines('GET /twins .*cause="server shutting down"'), store.log()
    assert store.lines("^belay: nothing is left"), store.log()


def watchers_do_not_hold_it_up(store):
    watcher = store.start_curl("/events", "--no-buffer")
    assert watcher.stdout.readline() == "event: running\n"
    status, seconds = timed_end(store)
    watcher.communicate()
    assert status == 0 and seconds < GRACE_S, (status, seconds)


def a_second_ctrl_c_ends_it_at_once(store):
    [client] = store.start_twins(1)
    store.process.send_signal(signal.SIGINT)
    store.logged("SIGINT received")
    status, seconds = timed_end(store)
    client.communicate()
    assert status == -signal.SIGINT and seconds < GRACE_S, (status, seconds)


def ctrl_c_while_data_is_read_leaves_nothing(program):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "pipe")
        os.mkfifo(data)
        store = Store(program, data=data, wait=False)
        try:
            with open(data, "w", encoding="utf-8") as out:  # waits until the store reads
                out.write("Package: one\nVersion: 1\n\nPackage: two\n")
                out.flush()
                until(lambda: any(".part" in name for name in leftovers(store)), "the import")
                status, seconds = timed_end(store)
            assert status == 1 and seconds < GRACE_S, (status, seconds)
            assert leftovers(store) == [], leftovers(store)
            assert store.lines("^belay: nothing is left"), store.log()
        finally:
            store.close()


def ctrl_c_at_any_moment_of_an_import_leaves_all_or_nothing(program):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "status")
        write_data(data, 15000)
        for moment in range(8):
            store = Store(program, data=data, wait=False)
            try:
                until(lambda: store.lines(f"packages {moment + 1}0 %"), "some progress")
                status = store.end()
                assert status in (0, 1), store.log()
                assert not any(".part" in name for name in leftovers(store)), leftovers(store)
                assert status == 0 or leftovers(store) == [], leftovers(store)
            finally:
                store.close()


def a_second_start_uses_what_the_first_has_made(program):
    store = Store(program, packages=100)
    try:
        store.end_well()
        made = os.stat(store.db).st_mtime_ns
        again = [program, "--listen", "127.0.0.1:0", "--db", store.db,
                 "--data", store.path + "/status"]
        second = subprocess.Popen(again, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert second.stdout.readline().startswith("listening on")
        second.send_signal(signal.SIGINT)
        _, log = second.communicate(timeout=PATIENCE_S)
        assert second.returncode == 0 and "import" not in log, log
        assert os.stat(store.db).st_mtime_ns == made
    finally:
        store.close()


def a_file_that_is_not_the_stores_is_left_alone(program):
    store = Store(program, packages=10)
    try:
        store.end_well()
        for content in [b"my thesis\n" * 1000, b""]:
            with open(store.db, "wb") as file:
                file.write(content)
            command = [program, "--listen", "nonsense", "--db", store.db,
                       "--data", store.path + "/status"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S,
                                  check=False)
            assert done.returncode == 1, done
            with open(store.db, "rb") as file:
                assert (file.read() == content) == bool(content), done
    finally:
        store.close()


def data_that_is_no_data_is_refused(program):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "status")
        with open(data, "w", encoding="utf-8") as out:
            out.write("Package: one\n\nthis is something else\n")
        store = Store(program, data=data, wait=False)
        try:
            assert store.process.wait(PATIENCE_S) == 1
            assert store.lines(":3: "), store.log()
            assert leftovers(store) == [], leftovers(store)
        finally:
            store.close()


def an_address_that_is_taken_is_told(store):
    done = subprocess.run(
        [store.process.args[0], "--listen", store.url.removeprefix("http://"), "--db", store.db,
         "--data", store.path + "/status"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )
    assert done.returncode == 1 and "can't listen" in done.stderr, done


if __name__ == "__main__":
    main(
        an_idle_store_ends_at_once_with_status_0,
        sigterm_is_as_good_as_ctrl_c,
        requests_get_time_to_finish,
        requests_that_never_finish_are_ended,
        watchers_do_not_hold_it_up,
        a_second_ctrl_c_ends_it_at_once,
        ctrl_c_while_data_is_read_leaves_nothing,
        ctrl_c_at_any_moment_of_an_import_leaves_all_or_nothing,
        a_second_start_uses_what_the_first_has_made,
        a_file_that_is_not_the_stores_is_left_alone,
        data_that_is_no_data_is_refused,
        an_address_that_is_taken_is_told,
    )

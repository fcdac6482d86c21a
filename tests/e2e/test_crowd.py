# SPDX-License-Identifier: MIT
"""Many clients that come and go at random leave nothing behind."""

import asyncio
import random
import time
import urllib.parse

from store import main, until

CLIENTS = 200
SECONDS = 10

PATHS = [
    "/packages?q=small+parser",
    "/packages/pkg-117",
    "/packages/pkg-117/closure",
    "/packages/none",
    "/packages?limit=x",
    "/packages/pkg-5/similar",
    "/twins",
    "/twins?timeout=50ms",
    "/events",
    "/healthz",
    "/",
]


async def one_request(host, port, chance):
    """Sends a request, or a part of one, and leaves when it feels like it."""
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {chance.choice(PATHS)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    try:
        if chance.random() < 0.1:
            request = request[: chance.randrange(len(request))]
        writer.write(request)
        await asyncio.wait_for(reader.read(1 << 16), chance.random() * 0.5)
    except (asyncio.TimeoutError, ConnectionError):
        pass
    finally:
        if chance.random() < 0.5:
            writer.transport.abort()
        writer.close()


async def client(host, port, seed, end):
    chance = random.Random(seed)
    requests = 0
    while time.monotonic() < end:
        try:
            await one_request(host, port, chance)
            requests += 1
        except ConnectionError:
            pass
    return requests


async def crowd(url):
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    end = time.monotonic() + SECONDS
    return sum(await asyncio.gather(*(client(host, int(port), i, end) for i in range(CLIENTS))))


def clients_that_come_and_go_leave_nothing_behind(store):
    contexts, descriptors = store.contexts(), store.descriptors()
    requests = asyncio.run(crowd(store.url))
    print(f"# {requests} requests", flush=True)
    assert requests > CLIENTS
    until(lambda: store.contexts() <= contexts, f"no more than {contexts} contexts")
    # Connections of SQLite's pools are made as they are needed, and stay: 2 descriptors for each.
    most = descriptors + 2 * 10
    until(lambda: store.descriptors() <= most, f"no more than {most} descriptors")
    assert store.get("/healthz")[0] == 200


def races_of_replicas_leave_no_context_behind(store):
    contexts = store.contexts()
    for i in range(50):
        assert store.get(f"/first/packages/pkg-{i}")[0] == 200
    until(lambda: store.contexts() <= contexts + 2 * 2 * 16, "few idle connections")


if __name__ == "__main__":
    main(clients_that_come_and_go_leave_nothing_behind, races_of_replicas_leave_no_context_behind)

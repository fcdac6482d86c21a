#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# test_reverse_proxy.py PROGRAM - bodies go through examples/reverse_proxy piece by piece, both
# ways, and who goes away on one side is noticed on the other. Prints TAP.

import re
import signal
import socket
import subprocess
import sys
import threading

SECONDS = 60  # far more than anything here takes
LARGE = 64 << 20  # far more than all buffers on the way hold
PIECE = b'0123456789abcdef' * 4096
HEAD = b'%s /path HTTP/1.1\r\nHost: x\r\n%s\r\n'


class Stream:
    """One side of a connection: lines, bytes and chunks."""

    def __init__(self, connection):
        self.connection = connection
        connection.settimeout(SECONDS)
        self.file = connection.makefile('rb')

    def send(self, data):
        self.connection.sendall(data)

    def head(self):
        """The first line, and the headers in small letters: those of one name are a list."""
        first, headers = self.file.readline(), {}
        while (line := self.file.readline()) not in (b'\r\n', b''):
            name, value = line.decode().lower().split(':', 1)
            headers[name] = ', '.join(filter(None, (headers.get(name), value.strip())))
        return first.decode(), headers

    def chunk(self):
        """b'' is the last one; None: the stream ended before it."""
        try:
            line = self.file.readline()
            if not line:
                return None
            data = self.file.read(int(line, 16))
            return data if self.file.read(2) == b'\r\n' else None
        except OSError:
            return None

    def body(self, headers):
        """All of it; None: it broke off."""
        if 'content-length' in headers:
            data = self.file.read(int(headers['content-length']))
            return data if len(data) == int(headers['content-length']) else None
        parts = []
        while part := self.chunk():
            parts.append(part)
        return None if part is None else b''.join(parts)

    def close(self):
        self.file.close()
        self.connection.close()


class Stage:
    """The proxy, in front of a server that the test plays itself."""

    def __init__(self, program):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(SECONDS)
        behind = 'http://127.0.0.1:%d' % self.listener.getsockname()[1]
        self.process = subprocess.Popen([program, behind, '127.0.0.1:0'], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.port = int(re.search(r':(\d+)/', self.process.stdout.readline())[1])

    def ask(self, method, headers):
        client = Stream(socket.create_connection(('127.0.0.1', self.port)))
        client.send(HEAD % (method, headers))
        return client

    def asked(self):
        return Stream(self.listener.accept()[0])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(SECONDS)
        self.process.stdout.close()
        self.listener.close()
        return status


def answer(server, body):
    server.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


def passes(stage, header, frame, last):
    client = stage.ask(b'POST', header)
    count = LARGE // len(PIECE)
    writer = threading.Thread(target=client.send, args=((frame % PIECE) * count + last,))
    writer.start()
    server = stage.asked()
    _, headers = server.head()
    body = server.body(headers)
    writer.join()
    assert body == PIECE * count
    answer(server, b'done')
    _, headers = client.head()
    assert client.body(headers) == b'done'
    server.close()
    client.close()


def a_body_of_known_length_larger_than_all_buffers_passes(stage):
    passes(stage, b'Content-Length: %d\r\n' % LARGE, b'%s', b'')


def a_body_in_chunks_larger_than_all_buffers_passes(stage):
    passes(stage, b'Transfer-Encoding: chunked\r\n', b'%x\r\n%%s\r\n' % len(PIECE), b'0\r\n\r\n')


def the_answer_passes_while_the_body_does(stage):
    client = stage.ask(b'POST', b'Transfer-Encoding: chunked\r\n')
    client.send(b'1\r\n0\r\n')
    server = stage.asked()
    server.head()
    assert server.chunk() == b'0'
    server.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n')
    assert '200' in client.head()[0]
    assert client.chunk() == b'0'
    for digit in b'123456789':
        client.send(b'1\r\n%c\r\n' % digit)
        assert server.chunk() == bytes([digit])
        server.send(b'1\r\n%c\r\n' % digit)
        assert client.chunk() == bytes([digit])
    client.send(b'0\r\n\r\n')
    assert server.chunk() == b''
    server.send(b'0\r\n\r\n')
    assert client.chunk() == b''
    server.close()
    client.close()


def a_slow_server_holds_the_client_back(stage):
    client = stage.ask(b'POST', b'Content-Length: %d\r\n' % LARGE)
    client.connection.settimeout(1)
    sent = 0
    try:
        while sent < LARGE:
            sent += client.connection.send(PIECE[:LARGE - sent])
    except TimeoutError:
        pass
    assert 0 < sent < LARGE
    client.close()
    server = stage.asked()
    server.close()


def a_client_that_goes_away_in_mid_upload_is_noticed_behind(stage):
    client = stage.ask(b'POST', b'Transfer-Encoding: chunked\r\n')
    client.send(b'4\r\nhalf\r\n')
    server = stage.asked()
    server.head()
    assert server.chunk() == b'half'
    client.close()
    assert server.chunk() is None
    server.close()


def a_deadline_ends_both_sides(stage):
    client = stage.ask(b'POST', b'Transfer-Encoding: chunked\r\nRequest-Timeout: 300ms\r\n')
    client.send(b'4\r\nhalf\r\n')
    server = stage.asked()
    _, headers = server.head()
    assert 0 < int(headers['request-timeout'].removesuffix('us')) <= 300000
    assert server.chunk() == b'half'
    assert server.chunk() is None
    assert '503' in client.head()[0]
    server.close()
    client.close()


def an_early_refusal_reaches_the_client(stage):
    client = stage.ask(b'POST', b'Transfer-Encoding: chunked\r\n')
    client.send(b'4\r\nhalf\r\n')
    server = stage.asked()
    server.head()
    server.send(b'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')
    first, headers = client.head()
    assert '413' in first
    assert client.body(headers) == b'no'
    server.close()
    client.close()


def a_request_without_a_body_has_none_behind(stage):
    client = stage.ask(b'GET', b'')
    server = stage.asked()
    first, headers = server.head()
    assert first.startswith('GET /path ')
    assert 'content-length' not in headers and 'transfer-encoding' not in headers
    answer(server, b'ok')
    assert client.body(client.head()[1]) == b'ok'
    server.close()
    client.close()


def a_client_says_nothing_for_the_proxy(stage):
    client = stage.ask(b'GET', b'X-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4\r\n'
                       b'Connection: keep-alive\r\nConnection: X-Hop\r\nX-Hop: 1\r\n')
    server = stage.asked()
    _, headers = server.head()
    assert headers['x-forwarded-proto'] == 'http'
    assert re.fullmatch(r'1\.2\.3\.4, 127\.0\.0\.1:\d+', headers['x-forwarded-for'])
    assert 'x-hop' not in headers
    answer(server, b'ok')
    assert client.body(client.head()[1]) == b'ok'
    server.close()
    client.close()


def main(program):
    tests = [a_body_of_known_length_larger_than_all_buffers_passes,
             a_body_in_chunks_larger_than_all_buffers_passes,
             the_answer_passes_while_the_body_does,
             a_slow_server_holds_the_client_back,
             a_client_that_goes_away_in_mid_upload_is_noticed_behind,
             a_deadline_ends_both_sides,
             an_early_refusal_reaches_the_client,
             a_request_without_a_body_has_none_behind,
             a_client_says_nothing_for_the_proxy]
    failed = 0
    print('1..%d' % len(tests))
    for number, test in enumerate(tests, 1):
        stage = Stage(program)
        try:
            test(stage)
            error = None
        except (AssertionError, OSError, TypeError, ValueError) as failure:
            error = failure
        status = stage.end()
        held = error is None and status == 0
        failed += not held
        print('%s %d - %s' % ('ok' if held else 'not ok', number, test.__name__), flush=True)
        if not held:
            print('# %r, line %s; ended with %d'
                  % (error, error and error.__traceback__.tb_next.tb_lineno, status))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))

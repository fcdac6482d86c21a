#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http-nginx list | CHAIN KEY - nginx with one worker, which answers with a constant of 12 bytes.

As belay.c beside it: it prints its addresses and serves until SIGTERM. Its folder is
that of CHAIN. The sockets are made here, and handed over as nginx hands them to a new nginx: so
they have free ports, and nobody else can have taken them.
"""
import os
import socket
import sys
from pathlib import Path

WORKS = ["keep_alive", "latency", "http2", "tls", "idle"]
CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    default_type text/plain;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    server {{
        listen {http};
        listen {http2} http2;
        listen {https} ssl http2;
        location / {{ return 200 "hello, alice"; }}
    }}
}}
"""


def listening():
    """(number of a listening socket that lives on over exec, its address)."""
    own = socket.create_server(("127.0.0.1", 0), backlog=4096)
    own.set_inheritable(True)
    host, port = own.getsockname()
    return own.detach(), f"{host}:{port}"


def serve(chain, key):
    sockets = {name: listening() for name in ("http", "http2", "https")}
    addresses = {name: address for name, (_, address) in sockets.items()}
    folder = Path(chain).resolve().parent
    (folder / "nginx.conf").write_text(CONFIGURATION.format(
        chain=Path(chain).resolve(), key=Path(key).resolve(), **addresses))
    for name, address in addresses.items():
        print(name, address, flush=True)
    os.environ["NGINX"] = "".join(f"{number};" for number, _ in sockets.values())
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin"
    os.execvp("nginx", ["nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"])


if sys.argv[1:] == ["list"]:
    print("\n".join(WORKS))
elif len(sys.argv) == 3:
    serve(*sys.argv[1:])
else:
    sys.exit(__doc__)

"""A PostgreSQL cluster on loopback, and a client for it."""

import glob
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from recording import scratch, skip


def tools():
    """Where Debian has initdb and postgres, which are not in PATH."""
    found = shutil.which("initdb") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))), None)
    return found and os.path.dirname(found)


def cluster(port):
    """The command that serves a new one, whose superuser is called tester. It refuses to run as root."""
    place = tools()
    if not place:
        skip("postgresql is not installed")
    data = os.path.join(scratch, f"cluster-{port}")
    os.mkdir(data, 0o700)
    other = []
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        other = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    subprocess.run([*other, f"{place}/initdb", "-D", data, "-A", "trust", "-U", "tester", "--no-sync"], check=True,
                   stdout=subprocess.DEVNULL, timeout=200, cwd="/")
    settings = {"port": port, "unix_socket_directories": "", "listen_addresses": "127.0.0.1", "fsync": "off"}
    return [*other, f"{place}/postgres", "-D", data, *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


def shut_down(port):
    """At once, whatever the clients do."""
    with open(os.path.join(scratch, f"cluster-{port}", "postmaster.pid"), encoding="ascii") as f:
        os.kill(int(f.readline()), signal.SIGINT)


class Client:
    """Simple queries by the frontend/backend protocol, version 3 (PostgreSQL's manual, chapter 55)."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._stream = self._socket.makefile("rb")
        words = b"".join(word + b"\0" for word in (b"user", b"tester", b"database", b"postgres", b""))
        self._socket.sendall(struct.pack("!II", 8 + len(words), 3 << 16) + words)
        self._rows()

    def _rows(self):
        """The rows, as lists of bytes, up to where the server is ready for the next query."""
        rows, failure = [], None
        while True:
            header = self._stream.read(5)
            if len(header) < 5:
                raise ValueError(f"the connection was closed; the server had said {failure!r}")
            kind, size = header[:1], struct.unpack("!I", header[1:])[0]
            body = self._stream.read(size - 4)
            if kind == b"E":
                failure = body
            elif kind == b"D":
                rows.append(row_of(body))
            elif kind == b"Z":
                if failure:
                    raise ValueError(f"the server said {failure!r}")
                return rows

    def ask(self, query):
        text = query.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!I", 4 + len(text)) + text)
        return self._rows()

    def close(self):
        self._stream.close()
        self._socket.close()


def connected(port):
    """A client, once the server takes queries: it listens before that (error 57P03, cannot_connect_now)."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return Client(port)
        except ValueError as refused:
            if "57P03" not in str(refused) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def row_of(body):
    (count,), at, row = struct.unpack_from("!H", body), 2, []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        row.append(body[at:at + size] if size >= 0 else None)
        at += max(size, 0)
    return row


def asker(port):
    """A question that each thread asks over a connection of its own, which checks the answer."""
    local = threading.local()

    def ask():
        if not hasattr(local, "client"):
            local.client, local.number = connected(port), 0
        local.number += 1
        answer = local.client.ask(f"select {local.number} + 1, md5('{local.number}')")
        if answer[0][0] != str(local.number + 1).encode() or len(answer[0][1]) != 32:
            raise ValueError(f"answered {answer!r} to {local.number}")

    return ask

"""A proxy in front of PostgreSQL that can cut a connection mid-COPY or hold back a COMMIT.

It understands just enough of the protocol: the client's messages after start-up are one type byte
and a length, so a query that says COMMIT can be told from row data.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field

from psycopg import conninfo


def _connect(dsn: str) -> socket.socket:
    parameters = conninfo.conninfo_to_dict(dsn)
    host, port = str(parameters.get("host") or "localhost"), int(parameters.get("port") or 5432)
    if host.startswith("/"):
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(f"{host}/.s.PGSQL.{port}")
        return upstream
    return socket.create_connection((host, port))


@dataclass
class PostgresProxy:
    """Forwards every connection to `dsn`'s server; `dsn_through` is how to come through it."""

    dsn: str
    commits_to_hold: int = 0  # this many COMMITs are held, and their clients cut off
    copy_bytes_until_cut: int | None = None  # cut once, after this many bytes of COPY data
    held: list[tuple[socket.socket, bytes]] = field(default_factory=list)
    cut_count: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.was_held = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def dsn_through(self) -> str:
        port = self._listener.getsockname()[1]
        return conninfo.make_conninfo(
            self.dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )

    def release(self) -> None:
        """Let the held COMMITs reach the server."""
        for upstream, message in self.held:
            upstream.sendall(message)

    def close(self) -> None:
        """End every connection and thread."""
        _hang_up(self._listener)
        for each in self._sockets:
            _hang_up(each)
        for thread in self._threads:
            thread.join(10)
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = _connect(self.dsn)
                self._sockets += [client, upstream]
                for body, pair in (
                    (self._answers, (upstream, client)),
                    (self._questions, (client, upstream)),
                ):
                    thread = threading.Thread(target=body, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _answers(self, upstream: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65536):
                client.sendall(data)
        _hang_up(client)

    def _questions(self, client: socket.socket, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            (length,) = struct.unpack("!I", _exactly(client, 4))
            upstream.sendall(struct.pack("!I", length) + _exactly(client, length - 4))
            while True:
                kind = _exactly(client, 1)
                (length,) = struct.unpack("!I", _exactly(client, 4))
                body = _exactly(client, length - 4)
                message = kind + struct.pack("!I", length) + body
                if self._is_to_hold(kind, body):
                    self.held.append((upstream, message))
                    _hang_up(client)
                    self.was_held.set()
                    return
                if self._is_to_cut(kind, length):
                    _hang_up(client)
                    _hang_up(upstream)
                    return
                upstream.sendall(message)
        _hang_up(upstream)

    def _is_to_hold(self, kind: bytes, body: bytes) -> bool:
        with self._lock:
            if not self.commits_to_hold or kind not in b"QP" or b"COMMIT" not in body.upper():
                return False
            self.commits_to_hold -= 1
            return True

    def _is_to_cut(self, kind: bytes, length: int) -> bool:
        with self._lock:
            if self.copy_bytes_until_cut is None or kind != b"d":
                return False
            self.copy_bytes_until_cut -= length
            if self.copy_bytes_until_cut > 0:
                return False
            self.copy_bytes_until_cut = None
            self.cut_count += 1
            return True


def _hang_up(one: socket.socket) -> None:
    """Tell the other side; closing alone does not while another thread still reads."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _exactly(source: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = source.recv(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)

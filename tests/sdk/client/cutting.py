"""A line to a server that breaks: each connection after so many bytes of its answers, or all at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Cutting:
    """Forwards connections to `target`; the next ones are cut as `cuts` says, then none."""

    target: tuple[str, int]
    cuts: deque[int]
    connection_count: int = 0
    _sockets: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut_all(self) -> None:
        """Break every connection there is."""
        for each in list(self._sockets):
            _hang_up(each)

    def close(self) -> None:
        _hang_up(self._listener)
        self._listener.close()
        self._thread.join(10)
        self.cut_all()
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connection_count += 1
                left = self.cuts.popleft() if self.cuts else None
                upstream = socket.create_connection(self.target)
                self._sockets |= {client, upstream}
                for source, sink, bytes_max in ((client, upstream, None), (upstream, client, left)):
                    thread = threading.Thread(
                        target=self._forward, args=(source, sink, bytes_max), daemon=True
                    )
                    thread.start()
                    self._threads.append(thread)

    def _forward(self, source: socket.socket, sink: socket.socket, bytes_max: int | None) -> None:
        left = bytes_max
        with contextlib.suppress(OSError):
            while left != 0 and (
                piece := source.recv(1 << 16 if left is None else min(left, 1 << 16))
            ):
                sink.sendall(piece)
                left = None if left is None else left - len(piece)
        _hang_up(source)
        _hang_up(sink)


def _hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(url: str, cuts: Iterable[int] = ()) -> Iterator[Cutting]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    one = Cutting((parts.hostname, parts.port), deque(cuts))
    try:
        yield one
    finally:
        one.close()

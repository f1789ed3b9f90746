"""Who waits for an answer: one that has gone has its query ended on the server.

Reading runs on a thread that nothing can interrupt, so it says here which connection it uses, and who
notices that the asker has gone (the event loop) cancels what that connection does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg

from crucible_collector.errors import QueryTooSlowError

CANCEL_TIMEOUT_S = 5.0


class Asking:
    """One request's questions, which are asked one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._is_over = False

    @contextmanager
    def over(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Ask over this connection. QueryTooSlowError where nobody waits any more.

        A connection whose query was cancelled is closed: the word may reach the server late, and would
        then end the next asker's query.
        """
        with self._lock:
            if self._is_over:
                raise QueryTooSlowError("nobody waits for the answer any more")
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None
                if self._is_over:
                    connection.close()

    def end(self) -> None:
        """Nobody waits any more: end what is being asked, from any thread."""
        with self._lock:
            self._is_over = True
            if self._connection is not None:
                try:
                    self._connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)
                except psycopg.Error:
                    return  # the server is away, or the statement's time limit ends it


# Of the request that this thread or task works on; None: nobody's.
CURRENT: ContextVar[Asking | None] = ContextVar("asking", default=None)

"""Rows out of PostgreSQL by a thread that reads on while its caller works on what it has.

The server, the reading and the writing then have more than one core, and a caller who waits for a server that
sorts is asked twice a second whether it still wants to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeAlias

import psycopg
import pyarrow as pa

from crucible_collector.store.copy_out import Parameters, copied_out
from crucible_collector.store.partitions import Connection

AHEAD_BATCHES = 2
TICK_S = 0.5
STOP_TIMEOUT_S = 10.0

_Item: TypeAlias = pa.RecordBatch | BaseException | None  # None: there are no more


def copied_ahead(
    connection: Connection,
    statement: str,
    parameters: Parameters | None,
    schema: pa.Schema,
    waited: Callable[[], object],
) -> Generator[pa.RecordBatch, None, None]:
    """As `copied_out`; the connection is the thread's until this has ended.

    `waited` is called each half second in which nothing came. What it raises ends the statement, as whatever
    else ends the reading does.
    """
    reading = _Reading(connection)
    reading.begin(copied_out(connection, statement, parameters, schema))
    try:
        while True:
            try:
                item = reading.ahead.get(timeout=TICK_S)
            except Empty:
                waited()
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        reading.end()


class _Reading:
    """The thread and what it has read; begun and ended by its caller."""

    def __init__(self, connection: Connection) -> None:
        self.ahead: Queue[_Item] = Queue(AHEAD_BATCHES)
        self._connection = connection
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._thread = threading.Thread(
            target=self._read, args=(batches,), name="copy-out", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        self._stopping.set()
        if self._thread is not None and self._thread.is_alive():
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=STOP_TIMEOUT_S)
            self._thread.join(STOP_TIMEOUT_S)

    def _read(self, batches: Iterator[pa.RecordBatch]) -> None:
        try:
            for batch in batches:
                self._put(batch)
                if self._stopping.is_set():
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the batches are taken
            self._put(error)

    def _put(self, item: _Item) -> None:
        while not self._stopping.is_set():
            with suppress(Full):
                self.ahead.put(item, timeout=TICK_S)
                return

"""The loop that empties the journal into the database: prepare the next window while one is written.

Two threads: this one writes, one more prepares. The kernels and COPY release the GIL, so both run at
once; nothing is queued between them but one prepared window. Whatever goes wrong with the database
is answered by time: the position says what is stored, and the journal holds the rest.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from crucible_collector import metrics
from crucible_collector.batch import Signal
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.errors import DatabaseError
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline.prepare import prepare, set_aside_whole
from crucible_collector.pipeline.remembered import Remembered
from crucible_collector.pipeline.unfamiliar import Unfamiliar
from crucible_collector.rows import SetAside, WindowRows
from crucible_collector.store.copy import is_lasting, message_of
from crucible_collector.store.window import (
    DriverError,
    Encoded,
    PositionMovedError,
    WindowWriter,
    Written,
    encode_tables,
)

log = logging.getLogger("crucible.pipeline")

# A window is written in about half a second at the database's pace and holds what fits in memory.
WINDOW_RECORDS_MAX = 16_384
WINDOW_BYTES_MAX = 16 * 1024 * 1024
# Small windows wait this long for company: a commit a millisecond helps nobody.
LINGER_S = 0.05
LINGER_BYTES = 1024 * 1024
_IDLE_WAIT_S = 0.5
# With nothing to write, the database is asked this often whether it still is where it was left: one
# that was set back, or died with its last commits, is caught up while the journal has what it lost.
_ASK_AGAIN_S = 5.0
_RETRY_FIRST_S = 0.1
_RETRY_LAST_S = 5.0


@dataclass(slots=True)
class Prepared:
    """A window with everything made that can be made before its transaction."""

    rows: WindowRows
    encoded: list[Encoded]


class Pipeline:
    """Owns the writer's connection and both threads; `start` and `stop` from one thread."""

    def __init__(
        self,
        journal: Journal,
        writer: WindowWriter,
        dead_letters: DeadLetters,
        *,
        subscription: Subscription = EVERYTHING,
        committed: Callable[[WindowRows, Written], None] = lambda _rows, _written: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`subscription` says what is kept; `committed` hears of every window in the database."""
        self._journal = journal
        self._writer = writer
        self._dead_letters = dead_letters
        self._subscription = subscription
        self._committed = committed
        self._clock_ns = clock_ns
        self._remembered = Remembered()
        self._unfamiliar = Unfamiliar()
        self._opened_tail = journal.tail
        self._stopping = threading.Event()
        self._drain_until = float("inf")
        self._thread = threading.Thread(target=self._run, name="pipeline-write", daemon=True)
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="pipeline-prepare")
        self.position: int | None = None  # None until the database has answered once
        self.is_writing = False  # whether the last thing asked of the database succeeded
        self._received_s = 0.0  # receipt of the newest committed request, Unix time
        self.listening()

    def start(self) -> None:
        self._thread.start()

    def listening(self) -> None:
        """Say that requests are taken from now on; whoever was silent before may have had to be."""
        self._heard_since_ns = self._clock_ns()

    def stop(self, grace_s: float) -> None:
        """Write what the journal holds for at most `grace_s`, then end both threads."""
        self._drain_until = time.monotonic() + grace_s
        self._stopping.set()
        self._thread.join(grace_s + 10)
        self._preparing.shutdown(wait=True, cancel_futures=True)
        self._writer.close()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def lag_s(self, now_s: float) -> float:
        """Seconds since the receipt of the newest request that is stored; 0 where nothing waits."""
        if self.position is None or self.position >= self._journal.tail or not self._received_s:
            return 0.0
        return max(0.0, now_s - self._received_s)

    def _run(self) -> None:
        delay_s = _RETRY_FIRST_S
        while not self._is_over():
            try:
                self._work()
                delay_s = _RETRY_FIRST_S
            except PositionMovedError:
                metrics.WINDOWS.labels("restarted").inc()
                log.info("the journal's position moved in the database: reading it again")
            except (DriverError, DatabaseError) as error:
                self._database_failed(error, delay_s)
                delay_s = min(delay_s * 2, _RETRY_LAST_S)
            except Exception:
                metrics.UNCAUGHT_ERRORS.labels("pipeline").inc()
                log.exception("the pipeline failed and starts over")
                self._pause(delay_s)
                delay_s = min(delay_s * 2, _RETRY_LAST_S)
        self._take_leave()

    def _take_leave(self) -> None:
        """Tell the others that nothing of this journal needs to be waited for, if that is so."""
        position = self.position
        if not self.is_writing or position is None or self._journal.tail > position:
            return
        self._writer.heard_since_ns = None
        with contextlib.suppress(PositionMovedError, DriverError, DatabaseError):
            self._writer.expect_position(position)

    def _work(self) -> None:
        """Write window after window until something is wrong or the work is over."""
        self._remembered.forget()
        self._tell_listening()
        position = self._position()
        self._journal.release(position)
        self.position = position
        self._database_answered()
        log.info("writing from position %d; the journal ends at %d", position, self._journal.tail)
        pending = self._preparing.submit(self._next, position)
        asked_s = time.monotonic()
        try:
            while not self._is_over():
                prepared = pending.result()
                if prepared is None:
                    if time.monotonic() - asked_s >= _ASK_AGAIN_S:
                        asked_s = time.monotonic()
                        self._ask(position)
                    pending = self._preparing.submit(self._next, position)
                    continue
                position = prepared.rows.end
                pending = self._preparing.submit(self._next, position)
                self._write(prepared)
                self.position = position
                self._journal.release(position)
        finally:
            _settle(pending)

    def _ask(self, position: int) -> None:
        """Whether the database still is where it was left, which says that nothing waits."""
        now_ns = self._clock_ns()
        is_drained = self._journal.tail <= position
        self._tell_listening()
        self._writer.expect_position(position, now_ns if is_drained else None)

    def _tell_listening(self) -> None:
        """A journal without room turns requests away: nobody can be heard of while that lasts."""
        if self._journal.blocked:
            self.listening()
        self._writer.heard_since_ns = self._heard_since_ns

    def _position(self) -> int:
        """Where to begin. Asked for the first time, it cannot lie beyond what the journal had then.

        If it does, the journal has lost its end (a disk that lied): its new entries take those
        positions again, and the database is told so before they could pass for stored.
        """
        position = self._writer.position(self._journal.head)
        if self.position is None and position > self._opened_tail:
            log.error(
                "the journal ended at %d, but %d was stored: it lost its end",
                self._opened_tail,
                position,
            )
            self._writer.set_position(self._opened_tail)
            return self._opened_tail
        return position

    def _is_over(self) -> bool:
        if not self._stopping.is_set():
            return False
        is_empty = self.position is not None and self.position >= self._journal.tail
        return is_empty or time.monotonic() >= self._drain_until

    def _pause(self, delay_s: float) -> None:
        """Wait for a retry; while stopping, only as long as the grace allows."""
        if self._stopping.is_set():
            time.sleep(max(0.0, min(delay_s, self._drain_until - time.monotonic())))
        else:
            self._stopping.wait(delay_s)

    def _next(self, position: int) -> Prepared | None:
        """The next window from the position, prepared; None if none comes within a moment."""
        journal = self._journal
        if not journal.wait(position, 0.0 if self._stopping.is_set() else _IDLE_WAIT_S):
            return None
        if journal.tail - position < LINGER_BYTES:
            self._stopping.wait(LINGER_S)
        return self._prepared(position)

    def _prepared(self, position: int) -> Prepared | None:
        """The next window; a smaller one where that cannot be prepared, its first request at last.

        A request that cannot be prepared even alone is set aside whole.
        """
        records_max, bytes_max = WINDOW_RECORDS_MAX, WINDOW_BYTES_MAX
        while True:
            window = self._journal.read(position, records_max=records_max, bytes_max=bytes_max)
            if window is None:
                return None
            try:
                with metrics.WINDOW_SECONDS.labels("prepare").time():
                    rows = prepare(window, self._remembered.known(), self._subscription)
                    parts = self._writer.writes_parts
                    return Prepared(rows, encode_tables(rows, with_parts=parts))
            except Exception as error:
                metrics.UNCAUGHT_ERRORS.labels("prepare").inc()
                log.exception("a window of %d requests cannot be prepared", len(window))
                if len(window) <= 1:
                    message = f"{type(error).__name__}: {error}"
                    return Prepared(set_aside_whole(window, message), [])
            records_max = int(window.record_count.sum()) // 2
            if not records_max:
                bytes_max = 1  # what comes first is read whatever its size

    def _write(self, prepared: Prepared) -> None:
        rows = prepared.rows
        self._tell_listening()
        self._remembered.mark_known(rows)
        with metrics.WINDOW_SECONDS.labels("write").time():
            try:
                written = self._transact(prepared, careful=False)
            except DriverError as error:
                if not is_lasting(error):
                    raise
                metrics.WINDOWS.labels("halved").inc()
                log.warning("the database refuses rows of a window: %s", message_of(error))
                written = self._transact(prepared, careful=True)
        self._after_commit(rows, written)

    def _transact(self, prepared: Prepared, *, careful: bool) -> Written:
        return self._writer.write(
            prepared.rows,
            prepared.encoded,
            careful=careful,
            bury=lambda set_aside: self._bury(prepared.rows, set_aside),
        )

    def _after_commit(self, rows: WindowRows, written: Written) -> None:
        self._remembered.committed(rows)
        metrics.WINDOWS.labels("committed").inc()
        self._database_answered()
        if len(rows.window):  # else it was all damage
            self._received_s = int(rows.requests.received_ns[-1]) / 1e9
        self._unfamiliar.committed(rows, written.duplicates)
        metrics.DUPLICATE_REQUESTS.inc(len(written.duplicates))
        for relation, count in written.rows.items():
            metrics.STORED_ROWS.labels(relation).inc(count)
        self._committed(rows, written)

    def _bury(self, rows: WindowRows, set_aside: list[SetAside]) -> None:
        """Keep the requests of refused records, each once with the indices of what was refused."""
        by_request: dict[int, list[SetAside]] = {}
        for record in set_aside:
            by_request.setdefault(record.request, []).append(record)
        for request, records in by_request.items():
            begin = int(rows.window.body_offset[request])
            body = rows.window.buffer[begin : begin + int(rows.window.body_length[request])]
            messages = sorted({f"record {each.index}: {each.message}" for each in records})
            signal = Signal(int(rows.requests.signal[request]))
            is_kept = self._dead_letters.put(
                signal, body.tobytes(), records[0].reason.label, "; ".join(messages[:100])
            )
            if not is_kept:
                metrics.DROPPED_DEAD_LETTERS.inc()
            refused = {each.index for each in records if each.is_record}
            metrics.DEAD_LETTERS.labels(signal.label).inc(len(refused))

    def _database_answered(self) -> None:
        self.is_writing = True
        metrics.DATABASE_UP.set(1)

    def _database_failed(self, error: DriverError | DatabaseError, delay_s: float) -> None:
        self.is_writing = False
        metrics.DATABASE_UP.set(0)
        metrics.WINDOWS.labels("retried").inc()
        log.warning(
            "the database did not take a window, again in %.1f s (the journal keeps it): %s",
            delay_s,
            message_of(error) if isinstance(error, DriverError) else error,
        )
        self._writer.close()
        self._pause(delay_s)


def _settle(pending: Future[Prepared | None]) -> None:
    """Wait for a prepared window that will not be written, so that no two ever prepare at once."""
    if not pending.cancel():
        pending.exception()

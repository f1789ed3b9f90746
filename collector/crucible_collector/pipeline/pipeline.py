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
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter

from crucible_collector import metrics
from crucible_collector.batch import Signal
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.errors import DatabaseError
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline.checkpoints import Checkpoints, Staged
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.prices import PricesInForce
from crucible_collector.pipeline.remembered import Remembered
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.pipeline.unfamiliar import Unfamiliar
from crucible_collector.pipeline.windows import Prepared, Windows
from crucible_collector.rows import Phase, SetAside, WindowRows
from crucible_collector.store.copy import is_lasting, message_of
from crucible_collector.store.outcomes import Written
from crucible_collector.store.positions import Place, PositionMovedError
from crucible_collector.store.window import DriverError, WindowWriter

log = logging.getLogger("crucible.pipeline")

# With nothing to write, the database is asked this often whether it still is where it was left: one
# that was set back, or died with its last commits, is caught up while the journal has what it lost.
_ASK_AGAIN_S = 5.0
_RETRY_FIRST_S = 0.1
_RETRY_LAST_S = 5.0

_decided = attrgetter("decided")


class Pipeline:
    """Owns the writer's connection and both threads; `start` and `stop` from one thread."""

    def __init__(
        self,
        journal: Journal,
        writer: WindowWriter,
        dead_letters: DeadLetters,
        *,
        subscription: Subscription = EVERYTHING,
        sampling: SamplingInForce | None = None,
        detection: DetectionInForce | None = None,
        prices: PricesInForce | None = None,
        checkpoints: Checkpoints | None = None,
        committed: Callable[[WindowRows, Written], None] = lambda _rows, _written: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`subscription` says what is wanted, `detection` what is watched, `sampling` how much is kept.

        `prices` say what calls of models cost.

        `committed` hears of every window in the database: of one that is written ahead and behind,
        twice.
        """
        self._journal = journal
        self._writer = writer
        self._dead_letters = dead_letters
        self._sampling = SamplingInForce() if sampling is None else sampling
        self._detection = DetectionInForce() if detection is None else detection
        self._prices = PricesInForce() if prices is None else prices
        self._committed = committed
        self._clock_ns = clock_ns
        self._remembered = Remembered()
        self._unfamiliar = Unfamiliar()
        self._windows = Windows(
            journal,
            self._remembered,
            subscription,
            self._sampling,
            checkpoints,
            detection=self._detection,
            prices=self._prices,
            clock_ns=clock_ns,
            with_parts=lambda: writer.writes_parts,
        )
        # Prepared and not yet known to be in the database. What a sampler learned from them it has
        # learned: they are written again as they are, never prepared again.
        self._unwritten: deque[Prepared] = deque()
        self._asked_s = 0.0
        self._safe: Place | None = None  # up to where what was learned need not be learned again
        self._has_windows = False  # whether the database remembers any
        self._opened_tail = journal.tail
        self._stopping = threading.Event()
        self._drain_until = float("inf")
        self._thread = threading.Thread(target=self._run, name="pipeline-write", daemon=True)
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="pipeline-prepare")
        self._place: Place | None = None  # None until the database has answered once
        self.is_writing = False  # whether the last thing asked of the database succeeded
        self._received_s = 0.0  # receipt of the newest committed request, Unix time
        self.listening()

    @property
    def position(self) -> int | None:
        """Up to where the journal was seen and its points stored; None until the database answers."""
        return None if self._place is None else self._place.position

    @property
    def decided_position(self) -> int | None:
        """Up to where its spans and logs are stored, too."""
        return None if self._place is None else self._place.decided

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
        place = self._place
        if not self.is_writing or place is None or self._journal.tail > place.position:
            return
        with contextlib.suppress(PositionMovedError, DriverError, DatabaseError):
            if not self._unwritten:
                self._publish(self._windows.stage())
            self._writer.positions.heard_since_ns = None
            self._writer.expect(place)

    def _work(self) -> None:
        """Write window after window until something is wrong or the work is over."""
        self._remembered.forget()
        self._tell_listening()
        self._begin(self._where())
        pending = None
        try:
            while not self._is_over():
                if not self._unwritten:
                    pending = pending or self._preparing.submit(self._windows.next, self._stopping)
                    prepared, pending = pending.result(), None
                    if prepared is None:
                        self._ask_from_time_to_time()
                        continue
                    self._unwritten.append(prepared)
                if pending is None and len(self._unwritten) == 1:
                    pending = self._preparing.submit(self._windows.next, self._stopping)
                self._write(self._unwritten[0])
                self._advance(self._unwritten.popleft())
        finally:
            self._settle(pending)

    def _begin(self, place: Place) -> None:
        """Go on with what is prepared where the database stands there; else prepare anew."""
        self._asked_s = time.monotonic()
        self._poll_settings()
        if self._unwritten and self._place and self._unwritten[0].after(self._place) == place:
            self._unwritten.popleft()  # its COMMIT was done, though its answer was lost
        recorded = self._writer.recorded()
        self._has_windows = bool(recorded)
        if self._unwritten and self._unwritten[0].follows(place):
            self._windows.committed(place, recorded)
        else:
            self._unwritten.clear()
            safe = self._windows.reset(place, recorded)
            self._safe = safe if self._safe is None else min(safe, self._safe, key=_decided)
        self._place = place
        self._release()
        self._database_answered()
        log.info(
            "writing from position %d, decided up to %d; the journal ends at %d",
            place.position,
            place.decided,
            self._journal.tail,
        )

    def _advance(self, prepared: Prepared) -> None:
        """The window is in the database."""
        self._has_windows |= prepared.rows.is_recorded
        self._place = prepared.after(_known(self._place))
        self._publish(prepared.staged)
        self._release()
        self._poll_settings()

    def _publish(self, staged: Staged | None) -> None:
        """A checkpoint counts from now on; what came before it is not learned from again."""
        if staged is None:
            return
        try:
            staged.publish()
        except OSError as error:
            log.warning("what was learned cannot be kept: %s", error)
            return
        self._safe = staged.place
        self._writer.forget_windows(staged.place.decided)

    def _release(self) -> None:
        """Let go of what is stored, decided, and learned for good, or never to be learned again."""
        place = _known(self._place)
        if not self._windows.keeps_learned:
            if self._has_windows and self._safe != place:
                self._writer.forget_windows(place.decided)
                self._has_windows = place.decided < place.position
            self._safe = place
        safe = place if self._safe is None else self._safe
        self._journal.release(min(place.decided, safe.decided))

    def _settle(self, pending: Future[Prepared | None] | None) -> None:
        """Wait for the window that is being prepared, and keep it: it was learned from."""
        if pending is None or pending.cancel():
            return
        if pending.exception() is None and (prepared := pending.result()) is not None:
            self._unwritten.append(prepared)

    def _ask_from_time_to_time(self) -> None:
        """Whether the database still is where it was left, which says that nothing waits."""
        if self._journal.blocked:
            self._release()
        self._poll_settings()
        if time.monotonic() - self._asked_s < _ASK_AGAIN_S:
            return
        self._asked_s = time.monotonic()
        place, now_ns = _known(self._place), self._clock_ns()
        is_drained = self._journal.tail <= place.position
        self._tell_listening()
        self._writer.expect(place, now_ns if is_drained else None)

    def _poll_settings(self) -> None:
        self._sampling.poll(self._writer.open())
        self._detection.poll(self._writer.open())
        self._prices.poll(self._writer.open())

    def _tell_listening(self) -> None:
        """A journal without room turns requests away: nobody can be heard of while that lasts."""
        if self._journal.blocked:
            self.listening()
        self._writer.positions.heard_since_ns = self._heard_since_ns

    def _where(self) -> Place:
        """Where to begin. Asked for the first time, it cannot lie beyond what the journal had then.

        If it does, the journal has lost its end (a disk that lied): its new entries take those
        positions again, and the database is told so before they could pass for stored.
        """
        place = self._writer.place(self._journal.head)
        if self._place is None and place.position > self._opened_tail:
            log.error(
                "the journal ended at %d, but %d was stored: it lost its end",
                self._opened_tail,
                place.position,
            )
            self._writer.set_position(self._opened_tail)
            return Place(self._opened_tail, min(place.decided, self._opened_tail))
        return place

    def _is_over(self) -> bool:
        if not self._stopping.is_set():
            return False
        place = self._place
        is_empty = place is not None and min(place.position, place.decided) >= self._journal.tail
        return is_empty or time.monotonic() >= self._drain_until

    def _pause(self, delay_s: float) -> None:
        """Wait for a retry; while stopping, only as long as the grace allows."""
        if self._stopping.is_set():
            time.sleep(max(0.0, min(delay_s, self._drain_until - time.monotonic())))
        else:
            self._stopping.wait(delay_s)

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
        if rows.phase is Phase.AHEAD:
            self._windows.is_committed(rows.start, rows.end, frozenset(written.duplicates))
        metrics.WINDOWS.labels("committed").inc()
        self._database_answered()
        if rows.phase is not Phase.BEHIND:
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


def _known(place: Place | None) -> Place:
    if place is None:
        raise RuntimeError("the database has not answered yet")
    return place

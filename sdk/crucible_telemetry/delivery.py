"""Carries what was recorded from the experiment's threads to the collector, in order and once.

    outbox ─▶ in hand ─▶ collector           one thread; oldest first, always
                 └─────▶ spool ─▶ collector  while the collector is away, and until that is caught up

What a reader could not guess:

- The thread looks every `interval_s`, so an ended span costs its caller no wake-up, and a span is at
  most that much late.
- A request is encoded once and sent again as it is: by its bytes the collector recognises one that
  it has already stored, when only the answer was lost.
- One failed attempt, and everything goes to the spool at once, for a process may be killed at any
  time. What is newer queues behind it. The collector is asked again, at first after half a second,
  later every two; with more to keep than the spool takes, the oldest go.
- Where there is no spool (or the disk does not take it), the request in hand is tried again until it
  is through, the queue behind it is full, or `retry_s` have passed.

OpenTelemetry's BatchSpanProcessor is not used: its `force_flush` has no deadline, a batch that
fails is gone without a trace, and what it drops cannot be read.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from crucible_telemetry import faults
from crucible_telemetry.encoding import Encoded, Item
from crucible_telemetry.faults import Fault
from crucible_telemetry.outbox import DeliveryCounts, Outbox
from crucible_telemetry.spool import Spool, Stored
from crucible_telemetry.transport import Kind, Outcome, Parcel, Sender

__all__ = ["Delivery", "DeliveryCounts"]

THREAD_NAME = "crucible-telemetry-delivery"

_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 2.0  # a collector that is back is found within this
_DISK_PAUSE_S = 30.0  # before a disk that failed is tried again
_BREAK_OFF_S = 0.5  # of the time to close, kept for what is broken off


class Delivery(SpanProcessor):
    """The only owner of the sender, of the spool and of the thread that uses them."""

    def __init__(
        self,
        sender_factory: Callable[[], Sender],
        *,
        resource: Resource,
        queue_spans_max: int,
        batch_spans_max: int,
        interval_s: float,
        retry_s: float,
        spool: Spool | None = None,
    ) -> None:
        self._sender_factory = sender_factory
        self._resource = resource
        self._queue_spans_max = queue_spans_max
        self._batch_spans_max = min(batch_spans_max, queue_spans_max)
        self._interval_s = interval_s
        self._retry_s = retry_s
        self._spool = spool
        self._sender: Sender | None = None
        self._inherited: Sender | None = None
        self._jitter = random.Random()  # noqa: S311 - and not the experiment's own generator
        self._begin()

    def start(self) -> None:
        """Make the sender and start the thread. Raises what making the sender raises."""
        self._sender = self._sender_factory()
        self._start_thread()
        _restart_after_fork(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span, if it is sampled. Never blocks."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self.put(span)

    def put(self, item: Item) -> None:
        """Queue what is to be sent. Never blocks; about 0.4 µs."""
        self._outbox.put(item)
        if self._thread is None:
            self._start_thread()

    def counts(self) -> DeliveryCounts:
        return self._outbox.counts()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was accepted so far has been sent or given up; False at the deadline.

        A collector that was away is asked at once, unless it said when it wants to be asked.
        """
        return self._outbox.wait_until_settled(timeout_s, self._hurry)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.flush(timeout_millis / 1000)

    def close(self, timeout_s: float) -> bool:
        """Send what waits, for at most `timeout_s`, and spool the rest. True if all was delivered.

        With a collector that is known to be away it does not take that long: one more attempt.
        """
        deadline_s = time.monotonic() + timeout_s
        self._outbox.close()
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(max(timeout_s - _BREAK_OFF_S, timeout_s / 2))
            self._close_sender()  # breaks off an attempt that is being made
            self._thread.join(max(0.1, deadline_s - time.monotonic()))
            if self._thread.is_alive():
                self._abandon()
        counts = self.counts()
        return counts.delivered == counts.accepted

    def shutdown(self) -> None:
        self.close(5.0)

    # The life of the thread.

    def _begin(self) -> None:
        """Set what a forked child must not inherit."""
        self._outbox = Outbox(self._queue_spans_max)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._working = threading.Lock()  # held by the thread, but not while it sends
        self._thread: threading.Thread | None = None
        self._hand: deque[Parcel] = deque()  # encoded, older than the queue, newer than the spool
        self._hand_since_s: float | None = None  # when its first request was first tried
        self._is_away = self._is_abandoned = False
        self._ask_at_s = 0.0  # not before; 0: at once
        self._is_told_when = False  # by the collector
        self._backoff_s = _BACKOFF_FIRST_S
        self._disk_at_s = 0.0

    def _after_fork(self) -> None:
        # The parent sends its own records; the child gets a connection and a spool of its own, once
        # it has something to send.
        was_closed = self._stop.is_set()
        self._begin()
        if was_closed:
            self._stop.set()
            self._outbox.close()
        self._jitter.seed()
        if self._spool is not None:
            self._spool.after_fork()
        # Kept, not closed: closing a gRPC channel in a forked child can wait for locks that a thread
        # of the parent held.
        self._inherited, self._sender = self._sender, None

    def _start_thread(self) -> None:
        with self._starting:
            if self._thread is not None or self._stop.is_set():
                return
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Nobody else's instrumentation shall trace the sender's own calls.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
        while not self._stop.is_set():
            self._wake.wait(self._interval_s)
            self._wake.clear()
            self._guarded(self._work)
        self._guarded(self._work_last)
        self._guarded(self._end)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do what must not end the thread."""
        with self._working:
            try:
                if not self._is_abandoned:
                    work()
            except Exception:  # noqa: BLE001 - the outermost loop of this thread
                faults.note(Fault.ERROR, "Delivery failed", exc_info=True)

    def _hurry(self) -> None:
        if not self._is_told_when:
            self._ask_at_s = 0.0
        self._wake.set()

    def _abandon(self) -> None:
        """Save what can be saved from a thread that hangs in a call that cannot be broken off."""
        with self._working:
            self._is_abandoned = True
            self._end()

    def _end(self) -> None:
        """Spool what is left; without a spool it has failed."""
        self._keep()
        left = sum(parcel.count for parcel in self._hand)
        self._hand.clear()
        while items := self._outbox.take(self._batch_spans_max):
            left += sum(item.count if isinstance(item, Encoded) else 1 for item in items)
        self._outbox.failed(left)
        if self._spool is not None:
            self._spool.close()

    def _close_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            faults.guarded(sender.close)()

    # What the thread does, `_working` held.

    def _work(self) -> None:
        """Send what can be sent, oldest first, and keep what cannot."""
        while not self._is_abandoned and not self._stop.is_set():
            if time.monotonic() < self._ask_at_s:
                self._keep()
                return
            if not self._send_oldest():
                return
            if self._has_spooled() and len(self._outbox) >= self._batch_spans_max:
                self._keep()

    def _work_last(self) -> None:
        """Send what is left, until the first attempt that fails."""
        self._ask_at_s = 0.0
        while not self._is_abandoned and not self._ask_at_s and self._send_oldest():
            pass

    def _send_oldest(self) -> bool:
        """Make one attempt at the oldest request there is; False if there is none."""
        stored = self._oldest_spooled()
        if stored is None and not self._hand:
            self._pack()
        if stored is None and not self._hand:
            return False
        parcel = self._hand[0] if stored is None else stored.parcel
        outcome = self._attempt(parcel)
        if self._is_abandoned:
            return False
        if outcome.kind is Kind.RETRY:
            self._put_off(outcome)
            if stored is None:
                self._give_up_if_late()
            return True
        self._ask_at_s = 0.0
        self._say_back(outcome)
        if stored is None:
            self._hand.popleft()
            self._hand_since_s = None
            self._settle(parcel, outcome)
        elif self._spool is not None:
            self._spool.remove(stored)
            if stored.is_own:
                self._outbox.spooled(-parcel.count)
                self._settle(parcel, outcome)
            else:
                self._outbox.recovered(parcel.count)
        return True

    def _attempt(self, parcel: Parcel) -> Outcome:
        """Call the sender. What it raises, it would raise again for the same request."""
        self._working.release()
        try:
            if self._sender is None and not self._stop.is_set():
                self._sender = self._sender_factory()
            if self._sender is None:
                return Outcome(Kind.RETRY, "closed")
            return self._sender.send(parcel)
        except Exception as error:  # noqa: BLE001 - a user's exporter may raise anything
            faults.note(Fault.ERROR, "The exporter failed", exc_info=True)
            return Outcome(Kind.REFUSED, type(error).__name__)
        finally:
            self._working.acquire()

    def _settle(self, parcel: Parcel, outcome: Outcome) -> None:
        if outcome.kind is Kind.DELIVERED:
            self._outbox.delivered(parcel.count, outcome.rejected_count)
        else:
            self._outbox.failed(parcel.count)

    def _pack(self) -> None:
        items = self._outbox.take(self._batch_spans_max)
        self._hand.extend(self._packed(items))

    def _packed(self, items: Sequence[Item]) -> list[Parcel]:
        """Return requests of the items; one that cannot be encoded costs no other its place."""
        if not items:
            return []
        try:
            if self._sender is None:
                self._sender = self._sender_factory()
            return self._sender.pack(items, self._resource)
        except Exception:  # noqa: BLE001 - a span of the user's own may hold anything
            if len(items) > 1:
                half = len(items) // 2
                return [*self._packed(items[:half]), *self._packed(items[half:])]
            faults.note(Fault.ERROR, "A record could not be encoded", exc_info=True)
            self._outbox.failed(1)
            return []

    # Waiting for the collector.

    def _put_off(self, outcome: Outcome) -> None:
        self._is_told_when = outcome.retry_after_s is not None
        wait_s = self._backoff_s * self._jitter.uniform(0.8, 1.2)
        self._backoff_s = min(self._backoff_s * 2, _BACKOFF_MAX_S)
        self._ask_at_s = time.monotonic() + max(wait_s, outcome.retry_after_s or 0.0)
        if not self._is_away:
            self._is_away = True
            faults.logger.warning(
                "The collector does not take spans; they are kept %s and tried again (%s)",
                "in memory" if self._spool is None else "on disk",
                outcome.message,
            )

    def _give_up_if_late(self) -> None:
        """Without a spool, let go of a request that holds up the others."""
        if self._can_spool():
            return
        now_s = time.monotonic()
        if self._hand_since_s is None:
            self._hand_since_s = now_s
        if self._ask_at_s > self._hand_since_s + self._retry_s or self._outbox.is_full():
            self._outbox.failed(self._hand.popleft().count)
            self._hand_since_s = None

    def _say_back(self, outcome: Outcome) -> None:
        self._backoff_s = _BACKOFF_FIRST_S
        if outcome.kind is Kind.REFUSED:
            faults.note(Fault.REFUSED, "The collector refused a request: %s", outcome.message)
        elif outcome.rejected_count or outcome.message:
            faults.note(
                Fault.REJECTED,
                "The collector rejected %d records of a request: %s",
                outcome.rejected_count,
                outcome.message,
            )
        if self._is_away and outcome.kind is Kind.DELIVERED:
            self._is_away = False
            faults.logger.info("The collector takes spans again")

    # The spool.

    def _can_spool(self) -> bool:
        return self._spool is not None and time.monotonic() >= self._disk_at_s

    def _has_spooled(self) -> bool:
        return self._spool is not None and bool(self._spool)

    def _oldest_spooled(self) -> Stored | None:
        if self._spool is None:
            return None
        self._spool.adopt()
        stored = self._spool.oldest()
        self._count_lost()
        return stored

    def _keep(self) -> None:
        """Move to the spool what is in memory, as far as the disk takes it."""
        while self._spool is not None and self._can_spool():
            if not self._hand:
                self._pack()
            if not self._hand:
                return
            parcel = self._hand[0]
            if not isinstance(parcel, Encoded):
                return
            try:
                self._spool.put(parcel)
            except OSError as error:
                self._disk_at_s = time.monotonic() + _DISK_PAUSE_S
                faults.note(Fault.SPOOL, "The spool cannot be written: %s", error)
            else:
                self._hand.popleft()
                self._outbox.spooled(parcel.count)
            self._count_lost()

    def _count_lost(self) -> None:
        if self._spool is not None and (lost_count := self._spool.take_lost_count()):
            self._outbox.lost_on_disk(lost_count)


def _restart_after_fork(delivery: Delivery) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(delivery)

    def in_child() -> None:
        forked = reference()
        if forked is not None:
            forked._after_fork()

    os.register_at_fork(after_in_child=in_child)

"""Carries what was recorded from the experiment's threads to the collector, in order and once.

    outbox ─▶ courier ─▶ collector           one thread; oldest first, always
                 └─────▶ spool ─▶ collector  while the collector is away, and until that is caught up

A second thread only looks, twice a second, whether the first waits for an answer for long.

What a reader could not guess: the thread looks every `interval_s`, so an ended span costs its caller
no wake-up (unless the queue is half full), and a span is at most that much late. A forked child
inherits none of it: what waits is the parent's to send, and the child gets a thread, a connection
and a spool of its own once it has something to send.

OpenTelemetry's BatchSpanProcessor is not used: its `force_flush` has no deadline, a batch that
fails is gone without a trace, and what it drops cannot be read.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from crucible_telemetry import faults
from crucible_telemetry.courier import Courier
from crucible_telemetry.encoding import Item
from crucible_telemetry.faults import Fault
from crucible_telemetry.outbox import DeliveryCounts, Outbox
from crucible_telemetry.spool import Spool
from crucible_telemetry.transport import Sender

__all__ = ["Delivery", "DeliveryCounts"]

THREAD_NAME = "crucible-telemetry-delivery"

_LOOK_S = 0.5
_BREAK_OFF_S = 0.5  # of the time to close, kept for what is broken off


class Delivery(SpanProcessor):
    """The only owner of the queue, of the thread that empties it and of the courier it runs."""

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
        self._begin()

    def start(self) -> None:
        """Make the sender and start the thread. Raises what making the sender raises."""
        self._courier.open()
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
        """Queue what is to be sent. Never blocks; about 0.5 µs."""
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

        A collector that is away does not make it last: it is asked once more, no longer.
        """
        deadline_s = time.monotonic() + timeout_s
        self._outbox.close()
        self._stop.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(max(timeout_s - _BREAK_OFF_S, timeout_s / 2))
            self._courier.close_sender()  # breaks off an attempt that is being made
            self._thread.join(max(0.1, deadline_s - time.monotonic()))
            if self._thread.is_alive():
                self._courier.abandon()
        counts = self.counts()
        return counts.delivered == counts.accepted

    def shutdown(self) -> None:
        self.close(5.0)

    def _begin(self) -> None:
        """Set what a forked child must not inherit."""
        # Not an Event: its lock is not re-entrant, and a signal's handler or the garbage collector
        # may come here while this very thread holds it.
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._outbox = Outbox(self._queue_spans_max, self._wake)
        self._courier = Courier(
            self._sender_factory,
            self._outbox,
            self._spool,
            resource=self._resource,
            batch_spans_max=self._batch_spans_max,
            retry_s=self._retry_s,
        )
        self._starting = threading.RLock()  # a signal's handler may come here, too
        self._thread: threading.Thread | None = None

    def _after_fork(self) -> None:
        was_closed = self._stop.is_set()
        # Kept, not closed: closing a gRPC channel in a forked child can wait for locks that a thread
        # of the parent held.
        self._inherited = self._courier
        if self._spool is not None:
            self._spool.after_fork()
        self._begin()
        if was_closed:
            self._stop.set()
            self._outbox.close()

    def _start_thread(self) -> None:
        with self._starting:
            if self._thread is not None or self._stop.is_set():
                return
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()
        if self._spool is not None:
            threading.Thread(target=self._look_after, name=f"{THREAD_NAME}-2", daemon=True).start()

    def _look_after(self) -> None:
        """Save to disk what waits while the other thread waits for an answer; it ends with it."""
        courier, stop = self._courier, self._stop
        while not stop.wait(_LOOK_S):
            _guarded(courier.look_after)

    def _run(self) -> None:
        # Nobody else's instrumentation shall trace the sender's own calls.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
        while not self._stop.is_set():
            self._wait()
            _guarded(lambda: self._courier.work(self._stop))
        _guarded(self._courier.work_last)
        _guarded(self._courier.end)

    def _wake(self) -> None:
        self._wakes.put(None)

    def _wait(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._wakes.get(timeout=self._interval_s)
            while True:
                self._wakes.get_nowait()

    def _hurry(self) -> None:
        self._courier.hurry()
        self._wake()


def _guarded(work: Callable[[], None]) -> None:
    """Do what must not end the thread."""
    try:
        work()
    except Exception:  # noqa: BLE001 - the outermost loop of this thread
        faults.note(Fault.ERROR, "Delivery failed", exc_info=True)


def _restart_after_fork(delivery: Delivery) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(delivery)

    def in_child() -> None:
        forked = reference()
        if forked is not None:
            forked._after_fork()

    os.register_at_fork(after_in_child=in_child)

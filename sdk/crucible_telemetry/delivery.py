"""Carries ended spans from the experiment's threads to the exporter: a bounded queue, one thread.

What a reader could not guess:

- Producers only append. The thread looks every `interval_s`, so an ended span costs its caller no
  wake-up, and a span is at most that much late.
- Full means that the oldest span goes, counted: what a run does now is worth more than what it did.
- A batch that cannot be sent stays in hand and is tried again as it is, in order, until it is
  through, the queue behind it is full, or `retry_s` have passed. The same spans make the same
  bytes, by which the collector recognises a request that it has already stored.
- The lock is re-entrant because the garbage collector may close a generator, and so end a span,
  in the middle of `on_end` on the same thread.

OpenTelemetry's BatchSpanProcessor is not used: its `force_flush` has no deadline, a batch that
fails is gone without a trace, and what it drops cannot be read.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from crucible_telemetry import faults

THREAD_NAME = "crucible-telemetry-delivery"

_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """What became of the spans: accepted = delivered + dropped + failed + waiting."""

    accepted: int = 0
    delivered: int = 0  # acknowledged by the collector
    dropped: int = 0  # pushed out of a full queue
    failed: int = 0  # given up: refused, or not sent in time
    waiting: int = 0  # in the queue or being sent


class Delivery(SpanProcessor):
    """The only owner of the exporter and of the thread that calls it."""

    def __init__(
        self,
        exporter_factory: Callable[[], SpanExporter],
        *,
        queue_spans_max: int,
        batch_spans_max: int,
        interval_s: float,
        retry_s: float,
    ) -> None:
        self._exporter_factory = exporter_factory
        self._queue_spans_max = queue_spans_max
        self._batch_spans_max = min(batch_spans_max, queue_spans_max)
        self._interval_s = interval_s
        self._retry_s = retry_s
        self._closing = False
        self._is_away = False
        self._exporter: SpanExporter | None = None
        self._inherited_exporter: SpanExporter | None = None
        self._begin()

    def start(self) -> None:
        """Make the exporter and start the thread. Raises what the exporter raises."""
        self._exporter = self._exporter_factory()
        self._start_thread()
        _restart_after_fork(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span. Never blocks; about 0.3 µs."""
        context = span.context
        if context is None or not context.trace_flags.sampled:
            return
        with self._lock:
            self._accepted += 1
            if self._closing:
                self._dropped += 1
                return
            if len(self._queue) >= self._queue_spans_max:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(span)
        if self._thread is None:
            self._start_thread()

    def counts(self) -> DeliveryCounts:
        with self._lock:
            return DeliveryCounts(
                accepted=self._accepted,
                delivered=self._delivered,
                dropped=self._dropped,
                failed=self._failed,
                waiting=len(self._queue) + self._in_hand,
            )

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was accepted so far has been sent or given up; False at the deadline."""
        with self._settled:
            target = self._accepted
            self._wake.set()
            return self._settled.wait_for(lambda: self._settled_count() >= target, timeout_s)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.flush(timeout_millis / 1000)

    def close(self, timeout_s: float) -> bool:
        """Send what waits, for at most `timeout_s`, then let go. True when all of it was delivered."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._closing = True
        self._stop.set()
        self._wake.set()
        self.flush(timeout_s)
        if self._exporter is not None:
            self._exporter.shutdown()  # breaks off a call in flight
        if self._thread is not None:
            self._thread.join(max(0.1, deadline - time.monotonic()))
        counts = self.counts()
        return counts.delivered == counts.accepted

    def shutdown(self) -> None:
        self.close(5.0)

    # The thread.

    def _begin(self) -> None:
        """Set what a forked child must not inherit."""
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._queue: deque[ReadableSpan] = deque()
        self._in_hand = 0
        self._accepted = self._delivered = self._dropped = self._failed = 0

    def _after_fork(self) -> None:
        # The parent sends its own spans; the child gets a connection of its own, once it has a span.
        self._begin()
        # Kept, not closed: closing a gRPC channel in a forked child can wait for locks that a thread
        # of the parent held.
        self._inherited_exporter, self._exporter = self._exporter, None

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Nobody else's instrumentation shall trace the exporter's own calls.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
        while not self._stop.is_set():
            self._wake.wait(self._interval_s)
            self._wake.clear()
            self._drain()
        self._drain()  # what came between the last look and the stop

    def _drain(self) -> None:
        while batch := self._take():
            self._settle(batch, delivered=self._send(batch))

    def _take(self) -> list[ReadableSpan]:
        with self._lock:
            count = min(len(self._queue), self._batch_spans_max)
            self._in_hand = count
            return [self._queue.popleft() for _ in range(count)]

    def _settle(self, batch: list[ReadableSpan], *, delivered: bool) -> None:
        with self._settled:
            self._in_hand = 0
            if delivered:
                self._delivered += len(batch)
            else:
                self._failed += len(batch)
            self._settled.notify_all()

    def _settled_count(self) -> int:
        return self._delivered + self._dropped + self._failed

    def _send(self, batch: list[ReadableSpan]) -> bool:
        give_up_at = time.monotonic() + self._retry_s
        backoff_s = _BACKOFF_FIRST_S
        while True:
            result = self._export(batch)
            if result is not SpanExportResult.FAILURE:
                self._say_back(is_through=result is SpanExportResult.SUCCESS)
                return result is SpanExportResult.SUCCESS
            self._say_away()
            if time.monotonic() + backoff_s > give_up_at or self._is_full():
                return False
            if self._stop.wait(backoff_s):
                return False
            backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)

    def _export(self, batch: list[ReadableSpan]) -> SpanExportResult | None:
        """Call the exporter. None: it raised, and would raise again for the same spans."""
        try:
            if self._exporter is None:
                self._exporter = self._exporter_factory()
            return self._exporter.export(batch)
        except Exception:  # noqa: BLE001 - the outermost loop of this thread
            faults.note(faults.Fault.ERROR, "The exporter failed", exc_info=True)
            return None

    def _is_full(self) -> bool:
        return len(self._queue) >= self._queue_spans_max

    def _say_away(self) -> None:
        if not self._is_away:
            self._is_away = True
            faults.logger.warning(
                "The collector does not take spans; up to %d are kept and tried again",
                self._queue_spans_max,
            )

    def _say_back(self, *, is_through: bool) -> None:
        if self._is_away and is_through:
            self._is_away = False
            faults.logger.info("The collector takes spans again")


def _restart_after_fork(delivery: Delivery) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(delivery)

    def in_child() -> None:
        forked = reference()
        if forked is not None:
            forked._after_fork()

    os.register_at_fork(after_in_child=in_child)

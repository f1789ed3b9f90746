"""How many bytes of requests may be in memory at once, over both transports.

What a reader could not guess: a request is admitted *before* its body is read. What has not been
admitted waits in the sender's and the kernel's buffers, where flow control keeps it small, and after
`patience_s` it is told to come back. A request larger than what is left waits for its turn, first
come, first served; one that is alone is always admitted, so every request within the body limit
gets through in the end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Self

from crucible_collector import metrics
from crucible_collector.errors import OverloadedError

# One body of the largest accepted size (64 MiB), or some four hundred stock batches of 170 kB. A
# gigabyte of requests waiting for one disk would only be a longer queue.
BYTES_IN_FLIGHT_MAX = 64 << 20

# What a request costs besides its body: its stream, its task or thread, its headers, its answer.
# It also bounds the number of requests at work, however small they are.
REQUEST_BYTES_MIN = 64 << 10

# Stock exporters give up after 10 s altogether, so 2 s of waiting leave time for their retries.
PATIENCE_S = 2.0

# Told to those who waited in vain. OpenTelemetry's Python exporter gives up at once when the delay
# is longer than what is left of its 10 s.
RETRY_AFTER_S = 1.0


class Ticket:
    """A request's share of the budget. Whoever entered closes it, best by `with`."""

    def __init__(self, admission: Admission, charged_bytes: int) -> None:
        self._admission = admission
        self.charged_bytes = charged_bytes

    def grow(self, total_bytes: int) -> None:
        """Charge at least `total_bytes`; OverloadedError, at once, where that much is not left.

        Waiting here could leave several half-read requests waiting for each other for ever.
        """
        self._admission._charge(self, max(total_bytes, self.charged_bytes), refuse=True)  # noqa: SLF001 - one class in two

    def settle(self, total_bytes: int) -> None:
        """Charge what is in memory already, over budget or not."""
        self._admission._charge(self, max(total_bytes, REQUEST_BYTES_MIN), refuse=False)  # noqa: SLF001

    def close(self) -> None:
        self._admission._charge(self, 0, refuse=False)  # noqa: SLF001

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Admission:
    """The budget. `bytes_max` should be no less than the largest accepted body."""

    def __init__(
        self, bytes_max: int = BYTES_IN_FLIGHT_MAX, *, patience_s: float = PATIENCE_S
    ) -> None:
        self.bytes_max = bytes_max
        self.patience_s = patience_s
        self._lock = threading.Lock()
        self._bytes_used = 0
        self._waiting: deque[tuple[int, Future[Ticket]]] = deque()

    @property
    def bytes_used(self) -> int:
        return self._bytes_used

    def enter(self, body_bytes: int, *, arrived_s: float | None = None) -> Ticket:
        """Block until there is room for a body of this size; OverloadedError when patience ends.

        `arrived_s` is the monotonic time from which patience counts, for requests that have stood
        in another queue before.
        """
        turn = self._queue(body_bytes)
        try:
            return turn.result(timeout=self._patience_left_s(arrived_s))
        except FutureTimeoutError:
            return self._leave(turn)

    async def enter_async(self, body_bytes: int) -> Ticket:
        """As `enter`, for the event loop."""
        turn = self._queue(body_bytes)
        if turn.done():
            return turn.result()
        try:
            await asyncio.wait({asyncio.wrap_future(turn)}, timeout=self.patience_s)
        except asyncio.CancelledError:
            if not turn.cancel():
                turn.result().close()
            raise
        return turn.result() if turn.done() else self._leave(turn)

    def _patience_left_s(self, arrived_s: float | None) -> float:
        if arrived_s is None:
            return self.patience_s
        return max(arrived_s + self.patience_s - time.monotonic(), 0.0)

    def _queue(self, body_bytes: int) -> Future[Ticket]:
        turn: Future[Ticket] = Future()
        with self._lock:
            self._waiting.append((max(body_bytes, REQUEST_BYTES_MIN), turn))
            self._admit_waiting()
        return turn

    def _leave(self, turn: Future[Ticket]) -> Ticket:
        if not turn.cancel():  # its turn came at this very moment
            return turn.result()
        with self._lock:
            self._admit_waiting()  # who stood behind a large request may fit
            used_mib = self._bytes_used >> 20
        raise OverloadedError(
            f"{used_mib} MiB of requests are being worked on; there is no room for this one now",
            RETRY_AFTER_S,
        )

    def _admit_waiting(self) -> None:
        """Admit in order of arrival. The lock is held."""
        while self._waiting:
            charged_bytes, turn = self._waiting[0]
            fits = self._bytes_used + charged_bytes <= self.bytes_max or self._bytes_used == 0
            if not fits and not turn.cancelled():
                return
            self._waiting.popleft()
            if turn.set_running_or_notify_cancel():
                self._set_used(self._bytes_used + charged_bytes)
                turn.set_result(Ticket(self, charged_bytes))

    def _charge(self, ticket: Ticket, charged_bytes: int, *, refuse: bool) -> None:
        with self._lock:
            others_bytes = self._bytes_used - ticket.charged_bytes
            if refuse and others_bytes and others_bytes + charged_bytes > self.bytes_max:
                raise OverloadedError(
                    "there is no room now for what this request decompresses to", RETRY_AFTER_S
                )
            self._set_used(others_bytes + charged_bytes)
            ticket.charged_bytes = charged_bytes
            self._admit_waiting()

    def _set_used(self, bytes_used: int) -> None:
        self._bytes_used = bytes_used
        metrics.BYTES_IN_FLIGHT.set(bytes_used)


class BodyEstimate:
    """How much to charge for a gRPC body before it is read, since nobody announces its size.

    Starts at its most, a quarter of the budget, rises at once to a larger body and sinks slowly (by
    1/16 of the difference a body) towards smaller ones. So sixty-four requests of 16 MiB are read
    four at a time, a stream of stock batches is not held back, and no single slow sender keeps the
    budget to itself. Written by many threads without a lock: a lost update is made up for by the
    next.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._bytes_max = budget_bytes // 4
        self._bytes = float(self._bytes_max)

    @property
    def bytes(self) -> int:
        return min(int(self._bytes), self._bytes_max)

    def observe(self, body_bytes: int) -> None:
        known = min(self._bytes, self._bytes_max)
        self._bytes = max(float(body_bytes), known + (body_bytes - known) / 16)

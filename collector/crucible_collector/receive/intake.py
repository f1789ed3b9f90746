"""The way of a request from its last byte to its answer, the same for both transports.

    gunzip ─▶ digest ─▶ JSON to protobuf ─▶ check ─▶ journal ─▶ synced ─▶ answer

What a reader could not guess: a request that is refused whole goes into the journal too, as counts
without a body and without anybody waiting for it, so that the ledger knows of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import numpy as np

from crucible_collector import metrics
from crucible_collector.access.guard import Admitted
from crucible_collector.batch import Reason, Signal
from crucible_collector.errors import (
    MalformedError,
    OverloadedError,
    RefusedError,
    TooLargeError,
)
from crucible_collector.journal import Entry, EntryFlag, Journal
from crucible_collector.journal.entry import DIGEST_BYTES
from crucible_collector.receive.admission import Admission, Ticket
from crucible_collector.receive.answers import Answer
from crucible_collector.receive.check import Checked, check
from crucible_collector.receive.inflate import inflate
from crucible_collector.receive.limits import Limits
from crucible_collector.receive.transcode import to_protobuf

# A body that has not arrived by then is given up; stock exporters allow themselves 10 s.
BODY_TIMEOUT_S = 30.0

# Stock exporters have given up by then, and a disk that takes longer is not going to be waited for.
# The request may be stored all the same: its digest tells when it is sent again.
ACKNOWLEDGE_TIMEOUT_S = 10.0

# What JSON takes in memory while it is read, in times its text (6.8 measured for spans).
_JSON_BYTES_FACTOR = 7

_WHOLE_REASONS: dict[type[RefusedError], Reason] = {
    MalformedError: Reason.MALFORMED_REQUEST,
    TooLargeError: Reason.REQUEST_TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A body as it came over the wire, and what its transport says about it."""

    signal: Signal
    body: bytes
    ticket: Ticket
    is_gzip: bool = False
    is_json: bool = False
    sender: Admitted | None = None  # None: nobody was asked who they are


@dataclass(frozen=True, slots=True)
class _Submitted:
    """An answer that holds once `synced` is done; None: there was nothing to keep."""

    answer: Answer
    entry: Entry
    synced: Future[int] | None


class Intake:
    """Owns the threads that check for the event loop. Senders' threads check for themselves."""

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        admission: Admission,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.limits = limits
        self.admission = admission
        self._journal = journal
        self._clock_ns = clock_ns
        # The check is all computation and its columns are as large as the body: more at once than
        # there are processors would be memory spent on nothing.
        checks_max = os.cpu_count() or 1
        self._checking = threading.BoundedSemaphore(checks_max)
        self._pool = ThreadPoolExecutor(checks_max, thread_name_prefix="receive-check")

    def close(self) -> None:
        """End the threads; the receivers have stopped before."""
        self._pool.shutdown(wait=True)

    def accept(self, request: Request) -> Answer:
        """Block until the request is safe on disk. Raises RefusedError."""
        submitted = self._submit(request)
        try:
            if submitted.synced is not None:
                submitted.synced.result(timeout=ACKNOWLEDGE_TIMEOUT_S)
        except FutureTimeoutError:
            raise _not_synced(submitted) from None
        return _acknowledged(submitted)

    async def accept_async(self, request: Request) -> Answer:
        """As `accept`, for the event loop."""
        loop = asyncio.get_running_loop()
        submitted = await loop.run_in_executor(self._pool, self._submit, request)
        await _synced(submitted)
        return _acknowledged(submitted)

    async def accept_made(self, make: Callable[[int], Checked]) -> Entry:
        """As `accept_async`, for a request that `make` checks; it is given the receipt, ns.

        `make` runs on a thread of the intake's and may raise RefusedError.
        """

        def submit() -> _Submitted:
            with self._checking:
                checked = make(self._clock_ns())
            return self._append(checked)

        submitted = await asyncio.get_running_loop().run_in_executor(self._pool, submit)
        await _synced(submitted)
        _acknowledged(submitted)
        return submitted.entry

    def refuse(self, signal: Signal, error: RefusedError) -> None:
        """Let the ledger know of a request that is refused whole; the receivers call it.

        Overload is not counted there: the request will come again.
        """
        reason = _WHOLE_REASONS.get(type(error))
        if reason is None:
            return
        self.refuse_records(signal, reason, 1)

    def refuse_records(self, signal: Signal, reason: Reason, record_count: int) -> None:
        """Let the ledger know of records that nobody can store. It is not waited for."""
        if not record_count:
            return
        metrics.REFUSED_RECORDS.labels(signal.label, reason.label).inc(record_count)
        entry = Entry(
            signal=signal,
            body=b"",
            received_ns=self._clock_ns(),
            digest=bytes(DIGEST_BYTES),
            record_count=record_count,
            refused_index=np.zeros(1, np.uint32),
            refused_reason=np.array([reason], np.uint8),
            flags=EntryFlag.REFUSED_WHOLE | EntryFlag.ANONYMOUS,
        )
        # The metric has it already; a full journal need not have it too.
        with contextlib.suppress(OverloadedError):
            self._journal.append(entry)

    def _submit(self, request: Request) -> _Submitted:
        with self._checking:
            checked = self._check(request)
        return self._append(checked)

    def _append(self, checked: Checked) -> _Submitted:
        entry = checked.entry
        synced = self._journal.append(entry) if entry.record_count else None
        answer = Answer(entry.signal, entry.record_count, len(entry.refused_index), checked.message)
        return _Submitted(answer, entry, synced)

    def _check(self, request: Request) -> Checked:
        body = self.inflated(request)
        sent_bytes = len(body)
        digest = digest_of(request.signal, body)
        if request.is_json:
            request.ticket.grow(len(body) * _JSON_BYTES_FACTOR)
            body = to_protobuf(request.signal, body)
        request.ticket.settle(len(body))
        received_ns = self._clock_ns()
        checked = check(
            request.signal, body, received_ns, self.limits, digest=digest, sender=request.sender
        )
        self.count_sent(request, checked.entry.record_count, sent_bytes)
        return checked

    def count_sent(self, request: Request, record_count: int, body_bytes: int) -> None:
        """Count a request against what its sender may send, before any of it is kept. TooFastError."""
        if request.sender is not None:
            request.sender.send(record_count, body_bytes)

    def inflated(self, request: Request) -> bytes:
        """The body as it was before compression. Raises RefusedError."""
        body, bytes_max = request.body, self.limits.body_bytes_max
        if request.is_gzip:
            body = inflate(body, bytes_max, request.ticket.grow)
        if len(body) > bytes_max:
            raise TooLargeError(f"the body is larger than {bytes_max} bytes")
        if request.sender is not None:
            request.sender.require_room(len(body))
        metrics.REQUEST_BYTES.labels(request.signal.label).inc(len(body))
        return body


def digest_of(signal: Signal, body: bytes) -> bytes:
    """What a resent request is recognised by: SHA-256 of the signal and the uncompressed body."""
    digest = hashlib.sha256(bytes([signal]), usedforsecurity=False)
    digest.update(body)
    return digest.digest()[:DIGEST_BYTES]


async def _synced(submitted: _Submitted) -> None:
    try:
        if submitted.synced is not None:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
                await asyncio.wrap_future(submitted.synced)
    except TimeoutError:
        raise _not_synced(submitted) from None


def _acknowledged(submitted: _Submitted) -> Answer:
    answer, entry = submitted.answer, submitted.entry
    metrics.RECEIVED_RECORDS.labels(answer.signal.label).inc(answer.record_count)
    if answer.refused_count:
        reasons, counts = np.unique(entry.refused_reason, return_counts=True)
        for reason, count in zip(reasons.tolist(), counts.tolist(), strict=True):
            metrics.REFUSED_RECORDS.labels(answer.signal.label, Reason(reason).label).inc(count)
    return answer


def _not_synced(submitted: _Submitted) -> OverloadedError:
    if submitted.synced is not None:
        submitted.synced.cancel()  # if it has not been written yet, it need not be
    return OverloadedError(
        f"the journal's disk did not confirm within {ACKNOWLEDGE_TIMEOUT_S:.0f} s"
    )

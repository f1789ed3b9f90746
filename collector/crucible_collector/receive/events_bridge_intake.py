"""The way of the family's events from a body to its answer: the receivers' own, with one step more.

    read ─▶ gunzip ─▶ digest ─▶ events to OTLP ─▶ check ─▶ journal ─▶ synced ─▶ answer

What a reader could not guess: the digest is of the body as it came, so a request that is sent again is
recognised whatever this version makes of it. Where an event has neither id nor time the same body may
well be another one, and is never taken for a duplicate.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from crucible_collector import metrics
from crucible_collector.access.guard import Admitted
from crucible_collector.batch import Reason, Signal
from crucible_collector.errors import MalformedError, RefusedError, TooLargeError
from crucible_collector.journal import Entry, EntryFlag
from crucible_collector.receive.admission import Ticket
from crucible_collector.receive.check import WHY, Checked, check
from crucible_collector.receive.events_bridge import Bridged, Problem, bridge, read_events
from crucible_collector.receive.events_bridge_event import Sent
from crucible_collector.receive.events_bridge_ids import traceparent_of
from crucible_collector.receive.intake import BODY_TIMEOUT_S, Intake, Request, digest_of

# Ten thousand events of 1.6 kB; a client that has more sends them one request after another.
BODY_BYTES_MAX = 16 << 20
# What the objects of JSON and the spans made of them take in memory, in times its text (10 measured).
_JSON_BYTES_FACTOR = 12
# Whoever has sent ten thousand bad events needs no ten thousand reasons.
PROBLEMS_SHOWN_MAX = 100
# How much of a body that is too large is read all the same, so that its sender sees the answer.
_DISCARDED_BYTES_MAX = 64 << 20
_DISCARD_TIMEOUT_S = 10.0
# The longest correlation id. A longer one of the request's would have all of its events refused, and
# again when their sender tries without it: the digest is the body's.
_CORRELATION_CHARS_MAX = 128


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request's events; `problems` are the first of those refused."""

    accepted: int
    rejected: int
    problems: list[Problem] = field(default_factory=list)


class EventsIntake:
    """Stateless but for the intake behind it."""

    def __init__(
        self,
        intake: Intake,
        *,
        body_bytes_max: int = BODY_BYTES_MAX,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._intake = intake
        self._body_bytes_max = min(body_bytes_max, intake.limits.body_bytes_max)
        self._body_timeout_s = body_timeout_s

    async def take_events(
        self,
        chunks: AsyncIterator[bytes],
        *,
        announced_bytes: int,
        is_gzip: bool,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        sender: Admitted | None = None,
    ) -> Taken:
        """Keep the events of a body; when this returns they are on disk. Raises RefusedError.

        `correlation_id` is for events that have none; without it, or where it is longer than 128
        characters, the trace of `traceparent` is.
        """
        carried = traceparent_of(traceparent or "")
        story = carried[0].hex() if carried else None
        if correlation_id and len(correlation_id) <= _CORRELATION_CHARS_MAX:
            story = correlation_id
        try:
            taken = await self._take(chunks, announced_bytes, story, is_gzip=is_gzip, sender=sender)
        except RefusedError as error:
            self._intake.refuse(Signal.TRACES, error)
            metrics.REQUESTS.labels("bridge", Signal.TRACES.label, error.reason).inc()
            raise
        outcome = "partial" if taken.rejected else "ok"
        metrics.REQUESTS.labels("bridge", Signal.TRACES.label, outcome).inc()
        return taken

    async def _take(
        self,
        chunks: AsyncIterator[bytes],
        announced_bytes: int,
        story: str | None,
        *,
        is_gzip: bool,
        sender: Admitted | None,
    ) -> Taken:
        if announced_bytes > self._body_bytes_max:
            await self._discard(chunks, 0)
            raise self._too_large()
        with await self._intake.admission.enter_async(announced_bytes) as ticket:
            body = await self._read(chunks, ticket)
            received_s = time.monotonic()
            request = Request(Signal.TRACES, body, ticket, is_gzip=is_gzip, sender=sender)
            bridged = Bridged(b"")

            def make(received_ns: int) -> Checked:
                nonlocal bridged
                bridged, checked = self._bridged(request, Sent(received_ns, story))
                return checked

            entry = await self._intake.accept_made(make)
        self._intake.refuse_records(Signal.TRACES, Reason.INVALID_EVENT, len(bridged.problems))
        metrics.ACKNOWLEDGE_SECONDS.labels("bridge").observe(time.monotonic() - received_s)
        return _taken(bridged, entry)

    def _bridged(self, request: Request, sent: Sent) -> tuple[Bridged, Checked]:
        """Runs on a thread of the intake's."""
        limits, ticket = self._intake.limits, request.ticket
        body = self._intake.inflated(request)
        if len(body) > self._body_bytes_max:
            raise self._too_large()
        ticket.grow(len(body) * _JSON_BYTES_FACTOR)
        bridged = bridge(read_events(body), sent)
        ticket.settle(len(bridged.body))
        digest = digest_of(Signal.TRACES, body)
        checked = check(
            Signal.TRACES,
            bridged.body,
            sent.received_ns,
            limits,
            digest=digest,
            sender=request.sender,
        )
        self._intake.count_sent(request, checked.entry.record_count, len(body))
        if bridged.is_anonymous:
            flags = checked.entry.flags | EntryFlag.ANONYMOUS
            checked = Checked(dataclasses.replace(checked.entry, flags=flags), checked.message)
        return bridged, checked

    async def _read(self, chunks: AsyncIterator[bytes], ticket: Ticket) -> bytes:
        body = io.BytesIO()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                async for chunk in chunks:
                    body.write(chunk)
                    if body.tell() > self._body_bytes_max:
                        await self._discard(chunks, body.tell())
                        raise self._too_large()
                    if body.tell() > ticket.charged_bytes:
                        ticket.grow(body.tell())
        except TimeoutError:
            raise MalformedError(
                f"the body did not arrive within {self._body_timeout_s:g} s"
            ) from None
        return body.getvalue()

    async def _discard(self, chunks: AsyncIterator[bytes], read_bytes: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_TIMEOUT_S):
                async for chunk in chunks:
                    read_bytes += len(chunk)
                    if read_bytes > _DISCARDED_BYTES_MAX:
                        return

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self._body_bytes_max} bytes")


def _taken(bridged: Bridged, entry: Entry) -> Taken:
    """What the bridge and then the check have refused, by the events' indices."""
    problems = list(bridged.problems)
    for span, number in zip(
        entry.refused_index.tolist(), entry.refused_reason.tolist(), strict=True
    ):
        reason = Reason(number)
        problems.append(Problem(bridged.indices[span], reason.label, WHY[reason]))
    problems.sort(key=lambda problem: problem.index)
    accepted = entry.record_count - len(entry.refused_index)
    return Taken(accepted, len(problems), problems[:PROBLEMS_SHOWN_MAX])

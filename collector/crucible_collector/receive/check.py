"""Decides, before any answer, which records of a request can be stored.

A request of spans with nothing unusual about it is known as such from one pass over its bytes; all
others are decoded and judged by their columns, and only there anything is refused.

What a reader could not guess: the verdicts go into the journal with the request, so that preparing
its rows later (or again, after a crash) consults no clock and comes to the same result. And a record
that PostgreSQL would refuse must be caught here: behind the journal it would abort a whole COPY.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import I64, U8, Reason, Records, Signal
from crucible_collector.decode import (
    canonical,
    decode_logs,
    decode_metrics,
    decode_spans,
    sound_span_count,
)
from crucible_collector.journal import Entry, EntryFlag
from crucible_collector.receive.limits import Limits
from crucible_collector.receive.verdicts import (
    Asked,
    Sender,
    Verdicts,
    judge_logs,
    judge_metrics,
    judge_spans,
    span_bounds,
)

_INDICES_SHOWN_MAX = 5

WHY = {
    Reason.INVALID_TRACE_ID: "the trace id is not 16 bytes long or is all zero",
    Reason.INVALID_SPAN_ID: "a span id is not 8 bytes long or is all zero",
    Reason.TIME_OUT_OF_RANGE: "the time is too far from the time of receipt",
    Reason.TEXT_TOO_LONG: "a name or identifying attribute is too long",
    Reason.NUMBER_OUT_OF_RANGE: "a number does not fit what it is stored in",
    Reason.RECORD_TOO_LARGE: "the record, its resource or its scope is too large",
    Reason.EMPTY_METRIC: "the metric has no name or the data point no value",
    Reason.FOREIGN_EXPERIMENT: "the API key is for experiments whose id begins otherwise, and for their runs",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A request ready for the journal; `message` is empty where nothing was refused."""

    entry: Entry
    message: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """What there is to store, and which of it is refused."""

    body: bytes  # as the decoder reads it
    record_count: int
    is_anonymous: bool  # a record has neither id nor time
    refused: I64
    reason: U8


def check(
    signal: Signal,
    body: bytes,
    received_ns: int,
    limits: Limits,
    *,
    digest: bytes,
    sender: Sender | None = None,
) -> Checked:
    """Read a request of protobuf bytes and judge each of its records.

    `digest` identifies the request as it was received; records that `sender` may not send, by the experiments and
    runs they name, are refused. Raises MalformedError or TooLargeError where nothing of it can be read.
    """
    limited = sender if sender is not None and sender.experiment_prefix is not None else None
    asked = Asked.at(received_ns, limits, limited)
    # A glance does not see attributes.
    glances = signal is Signal.TRACES and limited is None
    judged = _at_a_glance(body, asked) if glances else None
    if judged is None:
        judged = _closely(signal, body, asked)
    entry = Entry(
        signal=signal,
        body=judged.body,
        received_ns=received_ns,
        digest=digest,
        record_count=judged.record_count,
        refused_index=judged.refused.astype(np.uint32),
        refused_reason=judged.reason,
        flags=EntryFlag.ANONYMOUS if judged.is_anonymous else EntryFlag(0),
    )
    return Checked(entry, _message(entry) if len(judged.refused) else "")


def _at_a_glance(body: bytes, asked: Asked) -> _Judged | None:
    """Return what `_closely` would, None where that has to be asked. Spans only."""
    if len(body) > asked.limits.record_bytes_max:  # else nothing in it can be larger
        return None
    count = sound_span_count(body, span_bounds(asked), records_max=asked.limits.records_max)
    if count is None:
        return None
    return _Judged(body, count, False, np.empty(0, np.int64), np.empty(0, np.uint8))


def _closely(signal: Signal, body: bytes, asked: Asked) -> _Judged:
    """Decode the request and judge each record."""
    body = canonical(signal, body, records_max=asked.limits.records_max)
    record_count, is_anonymous, verdicts = _judge(signal, body, asked)
    refused = verdicts.refused()
    return _Judged(body, record_count, is_anonymous, refused, verdicts.reason[refused])


def _judge(signal: Signal, body: bytes, asked: Asked) -> tuple[int, bool, Verdicts]:
    """How many records there are, whether one has neither id nor time, and what is wrong."""
    place = np.frombuffer(body, np.uint8), np.zeros(1, np.int64), np.array([len(body)], np.int64)
    records: Records
    if signal is Signal.TRACES:
        records = spans = decode_spans(*place)
        return len(records), False, judge_spans(spans, asked)
    if signal is Signal.METRICS:
        records = points = decode_metrics(*place)
        return len(records), bool((points.time_ns == 0).any()), judge_metrics(points, asked)
    records = logs = decode_logs(*place)
    # A log record has no id of its own: many may share the span that they were written in.
    is_anonymous = bool(((logs.time_ns == 0) & (logs.observed_ns == 0)).any())
    return len(records), is_anonymous, judge_logs(logs, asked)


def _message(entry: Entry) -> str:
    """How many, which and why, for the sender's log."""
    parts = []
    for reason in map(Reason, np.unique(entry.refused_reason).tolist()):
        indices = entry.refused_index[entry.refused_reason == reason]
        shown = ", ".join(map(str, indices[:_INDICES_SHOWN_MAX].tolist()))
        more = ", …" if len(indices) > _INDICES_SHOWN_MAX else ""
        parts.append(f"{WHY[reason]} ({len(indices)}, at index {shown}{more})")
    noun = entry.signal.label.replace("_", " ")
    count = len(entry.refused_index)
    return f"{count} of {entry.record_count} {noun} refused: {'; '.join(parts)}"

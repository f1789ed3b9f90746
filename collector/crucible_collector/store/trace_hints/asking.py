"""The periods that a question about a trace or a correlation id looks into.

They come before the question, in one of their own, so that they are constants in it: chunks and
partitions that are left out by constants are not even planned for.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid

from crucible_collector.store.pieces import Piece, Pieces, cut
from crucible_collector.store.read import Reads

# Each period is a branch of its own in the question; what lies between two is looked into where more
# would be needed.
PERIODS_MAX = 4
# A period that the asker gave, and so narrow that no hint would make it narrower.
NARROW = dt.timedelta(days=1)

_Span = tuple[dt.datetime | None, dt.datetime | None]


def periods(
    reads: Reads,
    *,
    trace: uuid.UUID | None,
    correlation: str | None,
    correlation_trace: uuid.UUID | None,
    start: dt.datetime | None,
    end: dt.datetime | None,
) -> Pieces:
    """The periods of [start, end) that a question about these ids looks into, in order of time.

    Outside of them nothing is of `trace`, nor under `correlation`; `correlation_trace` is the latter read
    as a trace id, under which lies what has no correlation id.
    """
    given = cut(start, end, ())
    if not given or (start is not None and end is not None and end - start <= NARROW):
        return given
    traces = [each for each in (trace, correlation_trace) if each is not None]
    rows = reads.json_rows("trace_days", traces=traces, correlation=correlation)
    if not rows:
        return given
    hint = json.loads(rows[0])
    days = [dt.date.fromisoformat(day) for day in hint["days"]]
    horizon = _midnight(dt.date.fromisoformat(hint["covered_until"]))
    spans = [_within(span, start, end) for span in _joined(days, horizon)]
    return tuple(
        Piece(None, *span)
        for span in spans
        if span[0] is None or span[1] is None or span[0] < span[1]
    )


def rows_within(reads: Reads, question: str, within: Pieces, /, **parameters: object) -> list[str]:
    """The answer of a question that has a branch for each of its `periods`."""
    return reads.json_rows(question, periods=within, **parameters) if within else []


def _joined(days: list[dt.date], horizon: dt.datetime) -> list[_Span]:
    """The days and what is from the horizon on, those that touch as one; PERIODS_MAX at most."""
    starts = [_midnight(day) for day in days] + [horizon]
    ends = [min(each + dt.timedelta(days=1), horizon) for each in starts[:-1]]
    gaps = [after - before for before, after in zip(ends, starts[1:], strict=True)]
    wide = sorted((gap for gap in gaps if gap), reverse=True)[: PERIODS_MAX - 1]
    # Of gaps that are equally wide, the later ones are left to be looked into.
    joined: list[_Span] = []
    begin = starts[0]
    for before, after, gap in zip(ends, starts[1:], gaps, strict=True):
        if gap in wide:
            wide.remove(gap)
            joined.append((begin, before))
            begin = after
    return [*joined, (begin, None)]


def _within(span: _Span, start: dt.datetime | None, end: dt.datetime | None) -> _Span:
    begin, until = span
    if start is not None and (begin is None or begin < start):
        begin = start
    if end is not None and (until is None or until > end):
        until = end
    return begin, until


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)

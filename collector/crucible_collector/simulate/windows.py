"""Stored records as windows, cut as the journal is while collectors keep up: by their end, both signals.

Rows come by their start, and a span is sent when it has ended. One that has ended by the time at which
the last row read began can be taken: whatever is read later ends later. So what waits here are the
spans that were open at one moment, however long the period is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64
from crucible_collector.simulate.records import END, SCHEMA, column

# As the pipeline takes them: what comes within half a second, and at most so many records.
WINDOW_NS = 500_000_000
WINDOW_RECORDS_MAX = 16_384
# So many spans open at a time and no more: beyond, those that end first are taken too early.
OPEN_ROWS_MAX = 200_000


@dataclass(slots=True)
class Window:
    """The records that came together; the signals' tables each in the order of the ends."""

    spans: pa.Table
    logs: pa.Table
    until_ns: int  # the last end

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs)


def windows(
    spans: Iterable[pa.Table],
    logs: Iterable[pa.Table],
    records_max: int = WINDOW_RECORDS_MAX,
) -> Iterator[Window]:
    """Cut two streams of tables, each by start, into windows."""
    streams = (_Stream(spans), _Stream(logs))
    while ends := [end for each in streams if (end := each.next_ns()) is not None]:
        until_ns = min(ends) + WINDOW_NS
        heads = [each.ends_before(until_ns, records_max) for each in streams]
        joined = np.concatenate(heads)
        first = np.argsort(joined, kind="stable")[:records_max]
        span_count = int((first < len(heads[0])).sum())
        yield Window(
            spans=streams[0].take(span_count),
            logs=streams[1].take(len(first) - span_count),
            until_ns=int(joined[first[-1]]),
        )


class _Stream:
    """One signal's records by end, of which the next are looked at before they are taken."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = by_end(tables)
        self._ready = _nothing()

    def next_ns(self) -> int | None:
        """The end of the next record; None after the last."""
        while not len(self._ready) and self._read():
            pass
        return int(column(self._ready.slice(0, 1), END)[0]) if len(self._ready) else None

    def ends_before(self, until_ns: int, records_max: int) -> I64:
        """The ends of the next records that are before a time, and no more than so many."""
        while len(self._ready) < records_max and self._is_before(until_ns) and self._read():
            pass
        ends = column(self._ready.slice(0, records_max), END)
        found: I64 = ends[: np.searchsorted(ends, until_ns)]
        return found

    def take(self, count: int) -> pa.Table:
        """The next `count` records."""
        taken = self._ready.slice(0, count)
        self._ready = self._ready.slice(count)
        return taken

    def _is_before(self, until_ns: int) -> bool:
        """Whether all that was read is before a time, so that more may be."""
        last = self._ready.slice(max(len(self._ready) - 1, 0))
        return not len(last) or int(column(last, END)[0]) < until_ns

    def _read(self) -> bool:
        following = next(self._tables, None)
        if following is None:
            return False
        self._ready = pa.concat_tables([self._ready, following]) if len(self._ready) else following
        return True


def by_end(tables: Iterable[pa.Table], open_rows_max: int = OPEN_ROWS_MAX) -> Iterator[pa.Table]:
    """Tables in the order of their rows' start, as tables in the order of their rows' end."""
    waiting = _nothing()
    for table in tables:
        begun_ns = int(column(table, "start_ns").max())
        waiting = _sorted(pa.concat_tables([waiting, table]))
        ended = int(np.searchsorted(column(waiting, END), begun_ns, side="right"))
        ready = max(ended, len(waiting) - open_rows_max)
        if ready:
            yield waiting.slice(0, ready)
            # A copy: a slice would hold on to all that was sorted with it.
            waiting = waiting.take(np.arange(ready, len(waiting)))
    if len(waiting):
        yield waiting


def _sorted(table: pa.Table) -> pa.Table:
    return table.take(np.argsort(column(table, END), kind="stable")).combine_chunks()


def _nothing() -> pa.Table:
    return SCHEMA.append(pa.field(END, pa.int64())).empty_table()

"""What a transaction has touched, written down within it for those who follow along (see `api.live`).

Rows need no mark of their window: each has the id of the transaction that wrote it as `xmin`. What is
written here says only where to look for them: which runs and series, and within which times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from crucible_collector.batch import I64
from crucible_collector.store.ingest import NS_PER_US, statement, timestamp

# Whoever comes back later is told to begin anew. Entries are kept for longer, as one may be committed
# some time after it was written.
KEPT = dt.timedelta(minutes=10)
FORGOTTEN_AFTER = dt.timedelta(minutes=15)
# What a window touches beyond this is "very many": its entry would be larger than what it saves.
NAMED_MAX = 4096
# A window's rows are mostly of one minute; each further stretch of time is one more look into an index.
TIMES_MAX = 32
_WIDTHS_US = (60_000_000, 3_600_000_000, 86_400_000_000)
_FOLLOWED = ("spans", "points")

FORGET = """
-- Which transactions were written down before then? Leans on live_windows_written.
delete from crucible.live_windows
where written_at < now() - %(kept)s
"""


def forget(connection: psycopg.Connection[Any]) -> int:
    """Forget what was touched longer than FORGOTTEN_AFTER ago; how many transactions."""
    return connection.execute(FORGET, {"kept": FORGOTTEN_AFTER}).rowcount


def note(
    connection: psycopg.Connection[Any],
    stored: Iterable[tuple[str, pa.RecordBatch]],
    changed: Sequence[str],
    *,
    is_exact: bool,
) -> None:
    """Write down what the caller's transaction has touched, if it has touched anything.

    `stored`: the rows that it wrote, with their relations; `changed`: the runs that it changed;
    `is_exact`: whether it wrote them without savepoints, under each of which `xmin` is another.
    """
    batches: dict[str, list[pa.RecordBatch]] = {name: [] for name in _FOLLOWED}
    for relation, batch in stored:
        if relation in batches and batch.num_rows:
            batches[relation].append(batch)
    if not changed and not any(batches.values()):
        return
    spans, points = batches["spans"], batches["points"]
    rows = [*spans, *points]
    runs = _distinct(spans, "run_id")
    connection.execute(
        statement("live_window"),
        {
            "row_count": sum(batch.num_rows for batch in rows),
            "is_exact": is_exact,
            "times": _multirange(rows),
            "spans_of": _array(runs),
            "spans_of_experiments": _array(_of_no_run(spans)),
            "points_of": _array(_distinct(points, "series_id")),
            "changed": _array([] if len(runs) > NAMED_MAX else set(changed).difference(runs)),
        },
    )


def _distinct(batches: list[pa.RecordBatch], name: str) -> list[Any]:
    """A column that is null everywhere is not in its batch."""
    there = [batch.column(name) for batch in batches if name in batch.schema.names]
    if not there:
        return []
    return [value for value in pc.unique(pa.chunked_array(there)).to_pylist() if value is not None]


def _of_no_run(spans: list[pa.RecordBatch]) -> list[Any]:
    without = [
        batch.filter(batch.column("run_id").is_null()) if "run_id" in batch.schema.names else batch
        for batch in spans
    ]
    return _distinct([batch for batch in without if batch.num_rows], "experiment_id")[:NAMED_MAX]


def _array(values: Collection[Any]) -> str | None:
    """As PostgreSQL writes an array; None where it is very many.

    The driver takes six times as long for it: 12 ms for the runs and series of a window of a thousand runs.
    """
    if len(values) > NAMED_MAX:
        return None
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'


def _multirange(batches: list[pa.RecordBatch]) -> str:
    if not batches:
        return "{}"
    times_us = np.concatenate(
        [batch.column("time").cast(pa.int64()).to_numpy() for batch in batches]
    )
    pairs = ",".join(
        f'["{timestamp(first * NS_PER_US)}","{timestamp(last * NS_PER_US)}"]'
        for first, last in stretches(times_us)
    )
    return f"{{{pairs}}}"


def stretches(times_us: I64) -> list[tuple[int, int]]:
    """The times (µs) as at most TIMES_MAX stretches, first and last of each, apart by a minute or more."""
    ordered = np.sort(times_us)
    for width_us in _WIDTHS_US:
        gaps = np.flatnonzero(np.diff(ordered) >= width_us)
        if len(gaps) < TIMES_MAX:
            break
    else:
        gaps = np.empty(0, np.int64)
    firsts = ordered[np.concatenate([[0], gaps + 1])]
    lasts = ordered[np.concatenate([gaps, [len(ordered) - 1]])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))

"""What committed windows put into the database, so that the next ones need not write it again.

Only ever a short cut: forgetting costs a statement, never a row. State has one writer, the thread
that writes windows; the thread that prepares the next one reads it. A window that does not commit
leaves no trace here, and everything is forgotten when the database is found elsewhere than thought.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.enrich.window import Known
from crucible_collector.metrics import EVICTED_KEYS
from crucible_collector.rows import RunFact, WindowRows

# Ids kept a relation: 1,000,000 ints in a set are about 90 MB at worst; a team's series are far fewer.
_IDS_MAX = 1_000_000
_RUNS_MAX = 100_000
# last_seen of a series need not be better than this.
_SEEN_NS = 60 * 1_000_000_000
_least_counts = attrgetter(
    "condition", "service_name", "correlation_id", "resource_id", "parent_run_id"
)


class Remembered:
    """Ids of dimensions and the identity of runs that are in the database."""

    def __init__(self) -> None:
        self.resources: set[int] = set()
        self.scopes: set[int] = set()
        self.series: set[int] = set()
        self.runs: dict[str, tuple[Any, ...]] = {}  # what `_identity` gets
        self.heartbeats: dict[str, float] = {}  # of runs that send any, the longest interval
        self._series_seen: dict[int, int] = {}

    def known(self) -> Known:
        """What `prepare` asks: live sets, so that it sees the newest commit."""
        return Known(self.resources, self.scopes, self.series)

    def forget(self) -> None:
        """Start anew: the database may have been set back."""
        for remembered in (self.resources, self.scopes, self.series):
            remembered.clear()
        self.runs.clear()
        self.heartbeats.clear()
        self._series_seen.clear()

    def mark_known(self, rows: WindowRows) -> None:
        """Say of each run in the window whether its fact is news beyond times and steps."""
        for fact in rows.runs.values():
            known = self.runs.get(fact.run_id)
            is_promised = self.heartbeats.get(fact.run_id, 0.0) >= (
                fact.heartbeat_interval_s or 0.0
            )
            is_known = is_promised and known == _least(known, _identity(fact))
            fact.is_known = fact.kind is None and is_known
        for series_id, ns in _last_seen(rows).items():
            if ns >= self._series_seen.get(series_id, 0) + _SEEN_NS:
                rows.series_seen[series_id] = ns

    def committed(self, rows: WindowRows) -> None:
        """The window is in the database."""
        for remembered, dimension in (
            (self.resources, rows.resources),
            (self.scopes, rows.scopes),
            (self.series, rows.series),
        ):
            if len(remembered) + len(dimension.rows) > _IDS_MAX:
                EVICTED_KEYS.labels(dimension.relation).inc(len(remembered))
                remembered.clear()
            remembered.update(dimension.rows)
        if len(self.runs) + len(rows.runs) > _RUNS_MAX:
            EVICTED_KEYS.labels("runs").inc(len(self.runs))
            self.runs.clear()
            self.heartbeats.clear()
        if len(self._series_seen) > _IDS_MAX:
            self._series_seen.clear()
        self._series_seen.update(rows.series_seen)
        for fact in rows.runs.values():
            self.runs[fact.run_id] = _least(self.runs.get(fact.run_id), _identity(fact))
            if fact.heartbeat_interval_s is not None:
                longest_s = max(fact.heartbeat_interval_s, self.heartbeats.get(fact.run_id, 0.0))
                self.heartbeats[fact.run_id] = longest_s


def _identity(fact: RunFact) -> tuple[Any, ...]:
    """What a fact may say about a run that runs_seen.sql does not write: of each the least value counts."""
    told = None
    if fact.experiment_id is not None:
        told = (fact.experiment_received_us, fact.experiment_id)
    return (told, *_least_counts(fact))


def _least(known: tuple[Any, ...] | None, told: tuple[Any, ...]) -> tuple[Any, ...]:
    """What runs.sql makes of both: null gives way to any value, a value to a lesser one."""
    if known is None or known == told:
        return told
    return tuple(
        one if other is None else other if one is None else min(one, other)
        for one, other in zip(known, told, strict=True)
    )


def _last_seen(rows: WindowRows) -> dict[int, int]:
    """The newest time of each series in the window, ns; its tables are in (series, time) order."""
    found: dict[int, int] = {}
    for table in rows.tables:
        if table.relation not in ("points", "histograms"):
            continue
        ids = table.batch.column("series_id").to_numpy()
        ends = np.flatnonzero(np.diff(ids, append=ids[-1] - 1))
        times = table.batch.column("time").cast(pa.int64()).to_numpy()[ends] * 1000
        for series_id, ns in zip(ids[ends].tolist(), times.tolist(), strict=True):
            found[series_id] = max(ns, found.get(series_id, 0))
    return found

"""What detectors look at once more: stored numbers series by series, stored events by their start.

Read in one snapshot, through cursors of the server's (see `replay`): however much is scanned, this side
holds a batch of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import Batch, batches, snapshot

# As long as a question of a person's may take; a scan gives up where one batch takes longer.
BATCH_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be scanned; None: whatever it is."""

    run: str | None = None
    experiment: str | None = None
    series: int | None = None
    metric: str | None = None
    event: str | None = None
    rank: int | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is, for telling how far a scan is; times are None where nothing is known."""

    series_count: int
    first_ns: int | None
    last_ns: int | None


class Scanned:
    """What is wanted of the store, as long as its transaction lasts."""

    def __init__(
        self, connection: Connection, wanted: Wanted, attributes: tuple[str, ...] = ()
    ) -> None:
        """`attributes`: whose values are asked for."""
        self._connection = connection
        self._parameters: dict[str, Any] = {
            "run": wanted.run,
            "experiment": wanted.experiment,
            "series": wanted.series,
            "metric": wanted.metric,
            "event": wanted.event,
            "rank": wanted.rank,
            "from_time": wanted.start,
            "to_time": wanted.end,
            "attributes": list(attributes),
        }

    def extent(self) -> Extent:
        """How much there is."""
        (batch,) = batches(self._connection, "scanned_extent", self._parameters)
        return Extent(batch["series_count"][0], batch["first_ns"][0], batch["last_ns"][0])

    def series(self) -> Iterator[Batch]:
        """The series, in order of their ids."""
        return batches(self._connection, "scanned_series", self._parameters)

    def points(self, series: Sequence[int]) -> Iterator[Batch]:
        """The numbers of some series (`place`: which of them, from 1), one after the other, oldest first."""
        return batches(
            self._connection, "scanned_points", {**self._parameters, "series": list(series)}
        )

    def spans(self) -> Iterator[Batch]:
        """Events by their start."""
        return batches(self._connection, "scanned_spans", self._parameters)


def session(wanted: Wanted) -> dict[str, str]:
    """How the server is to plan: rows come as an index has them, from the first one on.

    Else a series of ten million numbers is sorted, on disk, before there is one. Of a run, which may be
    any part of the store, all is wanted: the first of its events may lie far from the first of all.
    """
    found = {"enable_sort": "off", "enable_bitmapscan": "off"}
    return found if wanted.run is None else {**found, "cursor_tuple_fraction": "1"}


@contextmanager
def scanned(dsn: str, wanted: Wanted, attributes: tuple[str, ...] = ()) -> Iterator[Scanned]:
    """What is wanted, as it is now. DatabaseAwayError, QueryTooSlowError, DatabaseError."""
    settings = session(wanted)
    with snapshot(dsn, batch_timeout_s=BATCH_TIMEOUT_S, settings=settings) as connection:
        yield Scanned(connection, wanted, attributes)

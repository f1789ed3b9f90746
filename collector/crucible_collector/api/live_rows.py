"""What a step along the database's transactions brings: rows as readers get them, and who wants which.

A row comes with its text, which is written by PostgreSQL and read by nobody on its way, and beside it what
it is chosen by.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from starlette.concurrency import run_in_threadpool

from crucible_collector.api.place import Place
from crucible_collector.store.read import Reads

Kind = Literal["run", "event", "points", "anomaly"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Spans and points of a step: some MB of text. A window that has more is a step by itself.
ROWS_MAX = 4000
_WINDOWS_MAX = 256
_ANOMALIES_MAX = 500
# TimescaleDB packs a chunk a day after its end (see `store.columnstore`).
_UNPACKED = dt.timedelta(days=1)
# PostgreSQL leaves these as they are, and some readers take them for the end of a line.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@dataclass(frozen=True, slots=True)
class Row:
    kind: Kind
    run_id: str | None
    experiments: frozenset[str]  # its own and its run's
    event_name: str | None
    text: str  # a JSON object, in one line


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, and the place after them."""

    rows: list[Row]
    after: Place

    @property
    def characters(self) -> int:
        return sum(len(row.text) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows are wanted; None: whichever. `events` chooses among events and points."""

    kinds: frozenset[Kind] = frozenset(KINDS)
    runs: frozenset[str] | None = None
    experiments: frozenset[str] | None = None
    events: frozenset[str] | None = None

    def wants(self, row: Row) -> bool:
        return (
            row.kind in self.kinds
            and (self.runs is None or row.run_id in self.runs)
            and (self.experiments is None or not self.experiments.isdisjoint(row.experiments))
            and (
                self.events is None
                or row.kind not in ("event", "points")
                or row.event_name in self.events
            )
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read for some wishes: of one of the runs or of one of the experiments, or of whichever."""

    kinds: frozenset[Kind]
    runs: frozenset[str] | None
    experiments: frozenset[str]
    events: frozenset[str] | None

    @classmethod
    def of(cls, wishes: Iterable[Wish]) -> Asked:
        """All that any of them wants, and perhaps more, which `Wish.wants` leaves out."""
        every = list(wishes)
        is_all = any(each.runs is None and each.experiments is None for each in every)
        # Whoever names both is given what his runs have.
        runs = [each.runs for each in every if each.runs is not None]
        experiments = [each.experiments for each in every if each.runs is None]
        names = [each.events for each in every]
        return cls(
            frozenset[Kind]().union(*(each.kinds for each in every)),
            None if is_all else frozenset[str]().union(*runs),
            frozenset[str]().union(*filter(None, experiments)),
            None if None in names else frozenset[str]().union(*filter(None, names)),
        )

    def parameters(self) -> dict[str, list[str] | None]:
        """Of the queries."""
        return {
            "runs": None if self.runs is None else sorted(self.runs),
            "experiments": sorted(self.experiments),
            "events": None if self.events is None else sorted(self.events),
        }


# What is committed, and what of it may lie in the columnstore.
_QUESTIONS: tuple[tuple[Kind, str, str], ...] = (
    ("event", "live_events", "live_events_old"),
    ("points", "live_points", "live_points_old"),
)


class Windows:
    """Reads transaction after transaction; one event loop uses it."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def now(self) -> Place:
        """The place of whoever has been told of everything that is committed."""
        [found] = await self._ask("live_place")
        return Place(found["database"], found["time_s"], found["snapshot"], found["feed_id"])

    async def step(self, place: Place, until: Place, asked: Asked) -> Batch:
        """Some of what lies between, in the order of transaction ids, and the place after it.

        `until` is no step within a round; whoever goes on from place to place comes to it.
        """
        chosen = asked.parameters()
        # By the database's clock, the same for all of a step: what is older may be packed.
        packed_before = dt.datetime.fromtimestamp(until.time_s, dt.UTC) - _UNPACKED
        goal = place.until or until.seen
        windows = await self._ask(
            "live_windows",
            seen=place.seen,
            done=place.done,
            until=goal,
            limit=_WINDOWS_MAX,
            packed_before=packed_before,
            runs=chosen["runs"],
            experiments=chosen["experiments"],
        )
        taken = _first(windows)
        rows = await self._rows(taken, asked.kinds, packed_before, chosen) if taken else []
        if len(taken) < len(windows) or len(windows) == _WINDOWS_MAX:
            done = taken[-1]["window_xid"]
            return Batch(rows, dataclasses.replace(place, done=done, until=goal))
        if place.until is not None:
            after = dataclasses.replace(place, seen=goal, done=0, until=None)
            return Batch(rows, after)
        if "anomaly" in asked.kinds:
            rows += await self._anomalies(place.feed_id, until.feed_id)
        return Batch(rows, until)

    async def _rows(
        self,
        windows: list[dict[str, Any]],
        kinds: frozenset[Kind],
        packed_before: dt.datetime,
        chosen: dict[str, Any],
    ) -> list[Row]:
        asked: list[tuple[Kind, str]] = []
        is_partly_old = any(each["is_partly_old"] for each in windows)
        if "run" in kinds:
            asked.append(("run", "live_runs"))
        for kind, question, of_old in _QUESTIONS:
            if kind in kinds:
                asked += [(kind, of_old)] if is_partly_old else []
                asked.append((kind, question))
        parameters = {
            "windows": [str(each["window_xid"]) for each in windows],
            "packed_before": packed_before,
            **chosen,
        }
        rows: list[Row] = []
        for kind, question in asked:  # one after the other: the pool is everybody's
            rows += [_row(kind, found) for found in await self._ask(question, **parameters)]
        return rows

    async def _anomalies(self, after: int, until: int) -> list[Row]:
        rows: list[Row] = []
        while after < until:
            found = await self._ask(
                "live_anomalies", after=after, until=until, limit=_ANOMALIES_MAX
            )
            rows += [_row("anomaly", each) for each in found]
            if len(found) < _ANOMALIES_MAX:
                break
            after = found[-1]["feed_id"]
        return rows

    async def _ask(self, question: str, /, **parameters: object) -> list[dict[str, Any]]:
        rows = await run_in_threadpool(self._reads.json_rows, question, **parameters)
        return [json.loads(row) for row in rows]


def _first(windows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as a step may have, and one in any case."""
    count = rows = 0
    for each in windows:
        rows += each["row_count"]
        if count and rows > ROWS_MAX:
            break
        count += 1
    return windows[:count]


def _row(kind: Kind, found: dict[str, Any]) -> Row:
    of = (found["experiment_id"], found["experiment_of_run"])
    return Row(
        kind,
        found["run_id"],
        frozenset(each for each in of if each is not None),
        found["event_name"],
        found["body"].translate(_LINE_ENDS),
    )

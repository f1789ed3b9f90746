"""Stored calls whose cost is computed anew: a slice of time is read and written in one transaction.

What one could not guess: a span has no key, so that a changed one is found by its time, its ids and its
duration; two that agree in all of that are one call that was stored twice, and cost the same. Roll-ups
follow: TimescaleDB refreshes what was changed; to portable ones the differences are added as one more part.
A part can only raise the largest cost of a group, which is then an upper bound, as intervals need it.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from crucible_collector.batch import F64, I64, SPELLINGS, Bool
from crucible_collector.cost.pricing import CallNames
from crucible_collector.cost.rates import Tokens
from crucible_collector.enrich.costs import ANSWERED, ASKED, COST, PROVIDER, TOKENS
from crucible_collector.enrich.partials import FINITE_MAX
from crucible_collector.store import rollups
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import understood
from crucible_collector.store.rollups.continuous import JOB
from crucible_collector.store.rollups.families import SPANS
from crucible_collector.store.versions import PRICES

log = logging.getLogger("crucible.store")

REPRICE = replace(MAINTENANCE, name="crucible reprice", autocommit=True)

FIRST = """
-- When did the first call begin? Leans on spans_time.
select min(time) from crucible.spans
"""

CALLS = """
-- Which spans of this slice name a model, and what of them decides what they cost? Leans on spans_time.
select
    time, time_ns_rest, trace_id, span_id, duration_ns, event_name, experiment_id, run_id, model,
    status_code, sample_probability, cost_usd, coalesce(cost_variance, 0), coalesce(cost_trace_variance, 0),
    coalesce(input_tokens, 0), coalesce(output_tokens, 0), {details}
from crucible.spans
where time >= %(start)s and time < %(end)s and model is not null
  and (%(experiment)s::text is null or experiment_id = %(experiment)s)
order by time, time_ns_rest, trace_id, span_id
"""

UPDATE = """
-- Changes what calls cost. Leans on spans_time, within the slice.
update crucible.spans s
set cost_usd = n.cost_usd, cost_variance = nullif(n.variance, 0),
    cost_trace_variance = nullif(n.trace_variance, 0)
from unnest(%(time)s::timestamptz[], %(rest)s::smallint[], %(trace)s::uuid[], %(span)s::bigint[],
        %(duration)s::bigint[], %(cost)s::float8[], %(variance)s::float8[], %(trace_variance)s::float8[])
    as n (time, rest, trace_id, span_id, duration_ns, cost_usd, variance, trace_variance)
where s.time >= %(start)s and s.time < %(end)s
  and s.time = n.time and s.time_ns_rest = n.rest and s.trace_id = n.trace_id and s.span_id = n.span_id
  and s.duration_ns = n.duration_ns and s.model is not null
"""

PARTS = """
-- Adds to the portable roll-ups by how much costs are others now. No index: it only appends.
insert into crucible.span_rollup_parts (time, experiment_id, run_id, event_name, model, status_code,
    cost_sum_usd, cost_unseen_usd, cost_variance, cost_trace_variance, cost_max_usd)
select date_bin('1 minute', time, timestamptz '2000-01-01 00:00:00+00'), experiment_id, run_id, event_name,
    model, status_code, sum(difference / probability), sum(difference * (1 - probability) / probability),
    nullif(sum(variance), 0), nullif(sum(trace_variance), 0), max(cost_usd)
from unnest(%(time)s::timestamptz[], %(experiment)s::text[], %(run)s::text[], %(event)s::text[],
        %(model)s::text[], %(status)s::smallint[], %(probability)s::float8[], %(difference)s::float8[],
        %(variance)s::float8[], %(trace_variance)s::float8[], %(cost)s::float8[])
    as n (time, experiment_id, run_id, event_name, model, status_code, probability, difference, variance,
        trace_variance, cost_usd)
group by 1, 2, 3, 4, 5, 6
"""

# A chunk of the columnstore is unpacked for what is changed in it, however many rows that are.
UNPACK_ALL = (
    "select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)"
)

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True)
class StoredCalls:
    """Spans that name a model, in order of time; every column has one value a span."""

    rows: list[tuple[Any, ...]]
    time_ns: I64
    trace: npt.NDArray[np.bytes_]
    events: list[str | None]
    experiments: list[str | None]
    runs: list[str | None]
    models: list[str | None]
    status: I64
    probability: F64
    cost_usd: F64  # NaN: none
    terms: tuple[F64, F64]  # within one event, over several
    tokens: Tokens
    is_told: Bool  # the sender told a cost
    names: list[CallNames]
    operations: list[str | None]
    span_kinds: list[str | None]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Changes:
    """What some rows of StoredCalls are now; NaN: no cost."""

    rows: I64
    cost_usd: F64
    variance: F64
    trace_variance: F64


class Slice:
    """A stretch of time, as long as its transaction lasts."""

    def __init__(
        self, connection: Connection, bounds: dict[str, Any], *, writes_parts: bool
    ) -> None:
        self._connection = connection
        self._bounds = bounds
        self._writes_parts = writes_parts
        self.calls = _calls(connection.execute(_statement(), bounds).fetchall())

    def write(self, changes: Changes) -> None:
        """Have the stored spans and their roll-ups be so."""
        calls = self.calls
        changes = _alike(calls, changes)
        own = [calls.rows[row] for row in changes.rows.tolist()]
        told = {
            "time": [row[0] for row in own],
            "cost": _or_none(changes.cost_usd),
            "variance": changes.variance.tolist(),
            "trace_variance": changes.trace_variance.tolist(),
        }
        ids = ("rest", "trace", "span", "duration")
        if not self._writes_parts:
            self._connection.execute(UNPACK_ALL)
        asked = (
            self._bounds | told | {name: [row[at] for row in own] for at, name in enumerate(ids, 1)}
        )
        self._connection.execute(UPDATE, asked)
        if self._writes_parts:
            names = ("event", "experiment", "run", "model", "status", "probability")
            keys = {name: [row[at] for row in own] for at, name in enumerate(names, 5)}
            before, at = calls.cost_usd[changes.rows], changes.rows
            difference = _summed(changes.cost_usd) - _summed(before)
            self._connection.execute(
                PARTS,
                {
                    **told,
                    **keys,
                    "difference": difference.tolist(),
                    "variance": (changes.variance - calls.terms[0][at]).tolist(),
                    "trace_variance": (changes.trace_variance - calls.terms[1][at]).tolist(),
                },
            )


def prices_in_force(dsn: str) -> Mapping[str, Any]:
    """The user's prices, as the database has them; nothing where nobody made any. DatabaseAwayError."""
    with understood("prices"), closing(connect(dsn, MAINTENANCE)) as connection:
        newest = PRICES.in_force(connection)
    return {} if newest is None else newest.settings


class Repricing:
    """A connection of its own, for as long as a computation goes on; one thread's."""

    def __init__(self, dsn: str) -> None:
        with understood("reprice"):
            self._connection = connect(dsn, REPRICE)
            self._kind = rollups.kind_of(self._connection)
            # What is read of a slice is all that is changed of it, whatever is stored meanwhile.
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def first_time(self) -> dt.datetime | None:
        """When the first span began; None where there is none."""
        with understood("reprice"):
            row = self._connection.execute(FIRST).fetchone()
        return None if row is None or row[0] is None else row[0].astimezone(dt.UTC)

    @contextmanager
    def slice(
        self, start: dt.datetime, end: dt.datetime, experiment: str | None
    ) -> Iterator[Slice]:
        """The calls of a stretch of time; DatabaseAwayError, DatabaseError: nothing of it is changed."""
        bounds = {"start": start, "end": end, "experiment": experiment}
        with understood("reprice"), self._connection.transaction():
            yield Slice(self._connection, bounds, writes_parts=self._kind == "portable")

    def refresh(self) -> None:
        """Have roll-ups show what was changed; where somebody else is at it, it comes with time."""
        if self._kind != "continuous":
            return
        with understood("reprice"):
            self._connection.isolation_level = None
            for level in SPANS.levels:
                row = self._connection.execute(JOB.encode(), {"view": SPANS.view(level)}).fetchone()
                if row is None:
                    continue
                try:
                    self._connection.execute("call run_job(%s)", (row[0],))
                except psycopg.Error as error:
                    log.info("roll-ups are refreshed by their own schedule: %s", str(error).strip())
                    return


@functools.cache
def _statement() -> sql.Composed:
    """CALLS with what is in attributes, under any of their spellings, as it is read at ingest."""
    texts = [_coalesced(keys, _text) for keys in (PROVIDER, ANSWERED, ASKED)]
    numbers = [_coalesced((key,), _integer) for key in TOKENS[2:]]
    others = [_text(key) for key in ("gen_ai.operation.name", "openinference.span.kind")]
    told = sql.SQL(" or ").join(_is_number(each) for each in SPELLINGS[COST])
    details = [*numbers, *texts, *others, sql.SQL("coalesce({}, false)").format(told)]
    return sql.SQL(CALLS).format(details=sql.SQL(", ").join(details))


def _coalesced(keys: tuple[str, ...], read: Any) -> sql.Composable:
    spellings = [read(spelling) for key in keys for spelling in SPELLINGS[key]]
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(spellings))


def _text(key: str) -> sql.Composable:
    return sql.SQL(
        "case when jsonb_typeof(attributes -> {0}) = 'string' then nullif(attributes ->> {0}, '') end"
    ).format(sql.Literal(key))


def _integer(key: str) -> sql.Composable:
    """Doubles have a decimal point, texts have quotes."""
    return sql.SQL(
        "case when (attributes -> {0})::text ~ '^-?[0-9]{{1,18}}$' then (attributes ->> {0})::bigint end"
    ).format(sql.Literal(key))


def _is_number(key: str) -> sql.Composable:
    return sql.SQL(
        "(jsonb_typeof(attributes -> {0}) = 'number' or attributes -> {0} ? '$double')"
    ).format(sql.Literal(key))


def _calls(rows: list[tuple[Any, ...]]) -> StoredCalls:
    columns = list(zip(*rows, strict=True)) or [()] * 25
    counts = [
        np.array([each or 0 for each in columns[at]], np.float64) for at in (14, 15, 16, 17, 18)
    ]
    return StoredCalls(
        rows=rows,
        time_ns=np.array([_ns(time) for time in columns[0]], np.int64),
        trace=np.array([each.bytes for each in columns[2]], "S16") if rows else np.zeros(0, "S16"),
        events=list(columns[5]),
        experiments=list(columns[6]),
        runs=list(columns[7]),
        models=list(columns[8]),
        status=np.array(columns[9], np.int64),
        probability=np.array(columns[10], np.float64),
        cost_usd=np.array([np.nan if each is None else each for each in columns[11]], np.float64),
        terms=(np.array(columns[12], np.float64), np.array(columns[13], np.float64)),
        tokens=Tokens(*(np.maximum(each, 0) if at > 1 else each for at, each in enumerate(counts))),
        is_told=np.array(columns[24], np.bool_),
        names=[
            CallNames(provider, tuple(dict.fromkeys(filter(None, (answered, asked or model)))))
            for provider, answered, asked, model in zip(
                columns[19], columns[20], columns[21], columns[8], strict=True
            )
        ],
        operations=list(columns[22]),
        span_kinds=list(columns[23]),
    )


def _ns(time: dt.datetime) -> int:
    return (time - _EPOCH) // dt.timedelta(microseconds=1) * 1000


def _alike(calls: StoredCalls, changes: Changes) -> Changes:
    """Rows that cannot be told apart become one another's equals: each has what the first has."""
    keys = [calls.rows[row][:5] for row in changes.rows.tolist()]
    first: dict[tuple[Any, ...], int] = {}
    at = np.array([first.setdefault(key, place) for place, key in enumerate(keys)], np.int64)
    return Changes(
        changes.rows, changes.cost_usd[at], changes.variance[at], changes.trace_variance[at]
    )


def _or_none(values: F64) -> list[float | None]:
    return [None if np.isnan(each) else float(each) for each in values]


def _summed(cost: F64) -> F64:
    """As roll-ups add it up: none, and what is not finite, as 0."""
    return np.where(np.abs(cost) <= FINITE_MAX, cost, 0.0)

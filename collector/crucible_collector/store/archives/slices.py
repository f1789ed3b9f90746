"""What is asked for, cut into slices of so many rows at most, each of one relation and one day (UTC).

A slice is an interval of time, and a file has the rows that were in it when it was read. It is what is
read, dropped and brought back in one transaction, so none of that holds anybody up for long.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from crucible_collector.store.copy_out import copied_out, schema_of
from crucible_collector.store.partitions import RELATIONS, SCHEMA, Connection

# Writing, dropping and restoring take some 160 MB beside what the process has; twice the rows, 200 MB, no faster.
ROWS_MAX = 50_000
MINUTE = dt.timedelta(minutes=1)

MINUTES = """
-- How many rows are there in each minute? Leans on the index by time, where there is one.
select date_bin('1 minute', time, timestamptz '2000-01-01 00:00:00+00') as minute, count(*)
from {relation} where {within}
group by 1 order by 1
"""

COLUMNS = """
-- Which columns does a relation have, in their order, and of which types? System catalogues only.
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = %(relation)s::regclass and attnum > 0 and not attisdropped
order by attnum
"""

# An experiment's story is that of its runs, and of what names it and no run.
_OF_EXPERIMENT = (
    "(run_id = any (array(select run_id from crucible.runs where experiment_id = %(experiment)s))"
    " or (run_id is null and experiment_id = %(experiment)s))"
)
_OF_ITS_SERIES = (
    "series_id = any (array(select series_id from crucible.series where experiment_id = %(experiment)s"
    " or run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)))"
)
# What rows refer to, and by which key: whoever refers to it comes before it.
KEYS: Mapping[str, str] = {
    "anomaly_periods": "period_id",
    "series": "series_id",
    "runs": "run_id",
    "experiments": "experiment_id",
    "resources": "resource_id",
    "scopes": "scope_id",
}
# Leans on runs_experiment_id; periods on anomaly_periods_experiment and anomaly_periods_run.
_OF_AN_EXPERIMENT = {
    "runs": "select run_id from crucible.runs where experiment_id = %(experiment)s",
    "anomaly_periods": "select period_id from crucible.anomaly_periods"
    " where experiment_id = %(experiment)s or run_id in"
    " (select run_id from crucible.runs where experiment_id = %(experiment)s)",
    "series": "select series_id from crucible.series"
    " where experiment_id = %(experiment)s or run_id in"
    " (select run_id from crucible.runs where experiment_id = %(experiment)s)",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: of an experiment, of a period, of some relations; None is no bound."""

    experiment: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    relations: tuple[str, ...] = RELATIONS


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one relation in [start, end)."""

    relation: str
    start: dt.datetime
    end: dt.datetime
    row_count: int

    @property
    def path(self) -> str:
        """Where they lie in an archive."""
        return f"{self.relation}/day={self.start:%Y-%m-%d}/{self.start:%H%M%S-%f}.parquet"


def columns(conn: Connection, relation: str) -> list[tuple[str, str]]:
    """Names and PostgreSQL's types of a relation's columns, in their order."""
    return conn.execute(COLUMNS, {"relation": f"{SCHEMA}.{relation}"}).fetchall()


def slices(conn: Connection, asked: Asked, rows_max: int = ROWS_MAX) -> Iterator[Slice]:
    """Cut what is stored now; relation by relation, in the order of time."""
    for relation in asked.relations:
        within = _within(asked, relation)
        statement = MINUTES.format(relation=f"{SCHEMA}.{relation}", within=within)
        minutes = conn.execute(statement.encode(), _parameters(asked)).fetchall()
        yield from _cut(asked, relation, minutes, rows_max)


def _cut(
    asked: Asked, relation: str, minutes: Sequence[tuple[dt.datetime, int]], rows_max: int
) -> Iterator[Slice]:
    begin, end, count = None, None, 0
    for minute, rows in minutes:
        if begin is not None and end is not None:
            if count + rows <= rows_max and minute.date() == begin.date():
                end, count = minute + MINUTE, count + rows
                continue
            yield _slice(asked, relation, begin, end, count)
        begin, end, count = minute, minute + MINUTE, rows
    if begin is not None and end is not None:
        yield _slice(asked, relation, begin, end, count)


def _slice(asked: Asked, relation: str, begin: dt.datetime, end: dt.datetime, count: int) -> Slice:
    start = begin if asked.start is None else max(begin, asked.start)
    return Slice(relation, start, end if asked.end is None else min(end, asked.end), count)


def rows_of_slice(
    conn: Connection, asked: Asked, relation: str, start: dt.datetime, end: dt.datetime
) -> Iterator[pa.RecordBatch]:
    """The rows of a slice as they are now, in the order of time."""
    within = Asked(asked.experiment, start, end)
    order = "series_id, time" if relation in {"points", "histograms"} else "time"
    statement = (
        f"select * from {SCHEMA}.{relation} where {_within(within, relation)} order by {order}"  # noqa: S608
    )
    yield from _read(conn, statement, _parameters(within))


def rows_referred_to(
    conn: Connection, relation: str, keys: Sequence[Any]
) -> Iterator[pa.RecordBatch]:
    """Rows of a relation of KEYS by these keys, in their order."""
    key = KEYS[relation]
    statement = f"select * from {SCHEMA}.{relation} where {key} = any (%(keys)s) order by {key}"  # noqa: S608
    yield from _read(conn, statement, {"keys": list(keys)})


def keys_of_experiment(conn: Connection, experiment: str) -> dict[str, list[Any]]:
    """What belongs to an experiment whether or not rows refer to it: runs, periods and series."""
    about = {"experiment": experiment}
    found = {
        relation: [key for (key,) in conn.execute(question.encode(), about).fetchall()]
        for relation, question in _OF_AN_EXPERIMENT.items()
    }
    return {**found, "experiments": [experiment]}


def _read(
    conn: Connection, statement: str, parameters: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    schema = schema_of(conn, statement, parameters)
    found = False
    for batch in copied_out(conn, statement, parameters, schema):
        found = True
        yield batch
    if not found:
        yield pa.RecordBatch.from_pylist([], schema)


def _within(asked: Asked, relation: str) -> str:
    terms: list[str] = []
    if asked.start is not None:
        terms.append("time >= %(start)s")
    if asked.end is not None:
        terms.append("time < %(end)s")
    if asked.experiment is not None:
        has_series = relation in {"points", "histograms"}
        terms.append(_OF_ITS_SERIES if has_series else _OF_EXPERIMENT)
    return " and ".join(terms) or "true"


def _parameters(asked: Asked) -> dict[str, Any]:
    given = {"experiment": asked.experiment, "start": asked.start, "end": asked.end}
    return {name: value for name, value in given.items() if value is not None}

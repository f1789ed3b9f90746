"""A store with rows of every relation that is archived, of days long past, and all of it as text.

Values are those that are easily lost: not finite, negative zero, empty and null, numbers with their decimal
points, nanoseconds, rows that are equal to the last bit.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql

from crucible_collector.archive.create import NewArchive, create
from crucible_collector.cli import main
from crucible_collector.store.archives.slices import Asked
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.servers import relations_are_hypertables
from stored import Stored

BY_TIME = ("spans", "points", "histograms", "logs", "anomalies")
REFERRED_TO = ("experiments", "runs", "series", "resources", "scopes", "anomaly_periods")
SWEEP, OTHER = 101, 102  # series of two experiments
NOW = datetime.now(UTC)
BEGIN = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)
END = BEGIN + timedelta(days=3)
Row = tuple[str, ...]


def after(**passed: float) -> datetime:
    return BEGIN + timedelta(**passed)


@contextmanager
def filled(dsn: str) -> Iterator[Stored]:
    """The database of `dsn` with two experiments over three days."""
    with connect(dsn, MAINTENANCE) as conn:
        stored = Stored(conn)
        with conn.transaction():
            fill(stored)
        yield stored


def fill(stored: Stored) -> None:
    """Write the rows."""
    stored.resource(attributes={"a": 1.0, "b": [None, "x"]})
    stored.insert("scopes", {"scope_id": 12, "first_seen": BEGIN, "name": "of tests"})
    for experiment, run, series in (("sweep", "run-1", SWEEP), ("other", "run-2", OTHER)):
        stored.experiment(experiment, tags=["a", "", "c d"], metadata={"lr": 1e-3, "n": 1.0})
        stored.run(run, experiment_id=experiment, config={"layers": [1, 2.0]})
        stored.series(series, run_id=run, resource_id=11, scope_id=12)
        whose = {"run_id": run, "experiment_id": experiment}
        for day in range(3):
            _spans(stored, day, whose)
            _numbers(stored, day, series)
            _logs(stored, day, whose)
        period = stored.period(series, **whose, state="resolved", peak_value=float("nan"))
        for hour in range(4):
            flag = {**whose, "series_id": series, "value": float("inf")}
            stored.anomaly(period, time=after(hours=20 * hour), starts_period=hour == 0, **flag)


def _spans(stored: Stored, day: int, whose: dict[str, Any]) -> None:
    for number in range(6):
        row = {
            "time": after(days=day, hours=3 * number, microseconds=number),
            "time_ns_rest": 7 * number,
            "duration_ns": 10**9 * number,
            "trace_id": uuid.UUID(int=day * 100 + number + 1),
            "span_id": (-1) ** number * (number + 1),
            "cost_usd": (None, -0.0, 0.1 + 0.2, 5e-324, 1.5)[number % 5],
            "model": (None, "", "tiny")[number % 3],
            "sample_probability": (1.0, 0.3)[number % 2],
            "count_variance": (None, 7.7777777777777786)[number % 2],
            "attributes": {"x": 1.0, "y": [True, None, {"z": "\u0001é"}], "n": number} | whose,
        }
        stored.span(**row, **whose)
    for _ in range(2):  # equal to the last bit
        stored.span(time=after(days=day, hours=1), span_id=77, **whose)
    stored.span(time=after(days=day, hours=2), span_id=78, experiment_id=whose["experiment_id"])


def _numbers(stored: Stored, day: int, series: int) -> None:
    values = (0.1 + 0.2, float("nan"), float("-inf"), -0.0, None, 1e-310, 2.0, 2.0)
    for step, value in enumerate(values):
        at = after(days=day, minutes=min(step, 6))
        whole = {"value_int": 2**62 + 1, "exemplars": [{"v": 1.0}]} if value is None else {}
        stored.point(series, time=at, step=min(step, 6), value=value, **whole)
    lists: dict[str, Any] = {
        "bounds": [0.5, float("inf")],
        "counts": [1, 2, 2**60],
        "quantile_values": "{}",
    }
    stored.histogram(series, time=after(days=day, hours=5), sum=float("nan"), scale=-3, **lists)


def _logs(stored: Stored, day: int, whose: dict[str, Any]) -> None:
    for number in range(3):
        at = after(days=day, hours=number, seconds=1)
        body: Any = {"said": "é", "n": 2.50} if number else None
        stored.log(time=at, severity_number=9 + number, body=body, trace_id=None, **whose)


def quiet(share: float, report: Any = None) -> None:
    """Progress that nobody follows."""
    assert 0 <= share <= 1
    assert report is None


def made(dsn: str, url: str, asked: Asked | None = None, rows_max: int = 10) -> uuid.UUID:
    """An archive at `url`, of everything unless asked otherwise, in files of so many rows."""
    archive_id = uuid.uuid4()
    create(dsn, NewArchive(archive_id, url, asked or Asked()), quiet, rows_max)
    return archive_id


def command(capsys: pytest.CaptureFixture[str], dsn: str, action: str, *arguments: str) -> Any:
    """What `crucible-collector archive` says, as JSON; where it fails, its words."""
    code = main(["archive", action, "--database-url", dsn, "--json", *arguments])
    said = capsys.readouterr()
    return json.loads(said.out) if code == 0 else said.err


def contents(dsn: str, relations: tuple[str, ...] = BY_TIME + REFERRED_TO) -> dict[str, list[Row]]:
    """Every value of every row as PostgreSQL's text, sorted; relation by relation."""
    found: dict[str, list[Row]] = {}
    with connect(dsn, MAINTENANCE) as conn:
        for relation in relations:
            rows = conn.execute(
                sql.SQL("select t::text from crucible.{} t").format(sql.Identifier(relation))
            ).fetchall()
            found[relation] = sorted(rows)
    return found


def sums(dsn: str) -> dict[str, list[Row]]:
    """Every row of every roll-up; sums of floating-point numbers to twelve digits."""
    found: dict[str, list[Row]] = {}
    for level in ("span_rollup_1m", "span_rollup_1d", "point_rollup_1h", "anomaly_rollup_1d"):
        with connect(dsn, MAINTENANCE) as conn:
            rows = conn.execute(f"select * from crucible.{level}".encode()).fetchall()
        found[level] = sorted(tuple(map(_told, row)) for row in rows)
    return found


def _told(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    # Of numbers that small the order of adding them up decides all digits, and of zeros the sign.
    return "0" if abs(value) < 1e-300 else f"{value:.12g}"


def refresh(dsn: str) -> None:
    """Have continuous roll-ups made of all that their policies reach; nothing on plain PostgreSQL."""
    with connect(dsn, MAINTENANCE) as conn:
        if not relations_are_hypertables(conn):
            return
        jobs = conn.execute(
            "select job_id from timescaledb_information.jobs"
            " where proc_name = 'policy_refresh_continuous_aggregate' order by job_id"
        ).fetchall()
        for (job,) in jobs:
            conn.execute("call run_job(%s)", (job,))


def pack(dsn: str) -> int:
    """Have old chunks go to the columnstore; how many there were. None on plain PostgreSQL."""
    with connect(dsn, MAINTENANCE) as conn:
        if not relations_are_hypertables(conn):
            return 0
        chunks = conn.execute(
            "select format('%%I.%%I', chunk_schema, chunk_name) from timescaledb_information.chunks"
            " where hypertable_schema = 'crucible' and hypertable_name = any (%s)",
            (list(BY_TIME),),
        ).fetchall()
        for (chunk,) in chunks:
            conn.execute(
                "call convert_to_columnstore(%s::regclass, if_not_columnstore => true)", (chunk,)
            )
    return len(chunks)


def parts(dsn: str, relation: str) -> int:
    """How many partitions or chunks a relation has, the default one apart."""
    with connect(dsn, MAINTENANCE) as conn:
        if relations_are_hypertables(conn):
            row = conn.execute(
                "select count(*) from timescaledb_information.chunks"
                " where hypertable_schema = 'crucible' and hypertable_name = %s",
                (relation,),
            ).fetchone()
        else:
            row = conn.execute(
                "select count(*) from pg_inherits where inhparent = %s::regclass",
                (f"crucible.{relation}",),
            ).fetchone()
            row = (row[0] - 1,) if row else None
    assert row is not None
    return int(row[0])

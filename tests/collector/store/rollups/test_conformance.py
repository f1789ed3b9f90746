"""Whichever way roll-ups are kept, they say what the stored rows say: at once, and ever after."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import math
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.store.connect import READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.positions import PositionMovedError
from crucible_collector.store.rollups.family import Family, Level
from databases import TestServer
from rolled import (
    OF_SAMPLED,
    VIEW_NAMES,
    VIEWS,
    drop_rollups,
    expected,
    put,
    rolled_up,
    rows_read,
    settle,
)
from rows_of import Ingest, at, execute, ingest, metrics, rows_of, span_of, traces
from traffic import key_value

LOG = logging.getLogger("tests.conformance")
START = dt.datetime(2026, 11, 20, 22, 58, 30, tzinfo=dt.UTC)  # on its way into an hour and a day
DAY_S = 86_400.0


def seconds(*values: float) -> pa.Array:
    """So many seconds after START each."""
    begin_us = int(START.timestamp()) * 1_000_000
    micro = pa.array([begin_us + round(value * 1e6) for value in values], pa.int64())
    return micro.view(pa.timestamp("us", "UTC"))


def points(
    series_id: int, values: list[float | None], *, start_s: float = 0, step_s: float = 7.0
) -> pa.RecordBatch:
    count = len(values)
    return pa.RecordBatch.from_pydict(
        {
            "series_id": pa.array([series_id] * count),
            "time": seconds(*(start_s + step_s * n for n in range(count))),
            "value": pa.array(values, pa.float64()),
        }
    )


def spans(
    seed: int, count: int = 300, *, start_s: float = 0, sampled: bool = False
) -> pa.RecordBatch:
    """Spans of three runs over two hours; every kind of key and number is missing here and there."""
    random = np.random.default_rng(seed)
    start = np.sort(random.uniform(0, 7000, count))

    def some(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array([values[at] for at in random.integers(len(values), size=count)], kind)

    columns = {
        "time": seconds(*(start_s + start)),
        "duration_ns": pa.array(
            np.where(random.random(count) < 0.1, 0, random.lognormal(15, 3, count)).astype(np.int64)
        ),
        "span_id": pa.array(random.integers(1, 1 << 62, count)),
        "resource_id": pa.array(np.ones(count, np.int64)),
        "scope_id": pa.array(np.ones(count, np.int64)),
        "trace_id": pa.array([n.to_bytes(16) for n in range(count)], pa.binary(16)),
        "name": some(["work"], pa.string()),
        "event_name": some(
            ["crucible_train.epoch.stop", "work", 'a "quoted", (name)'], pa.string()
        ),
        "experiment_id": some(["one", "two", "", None], pa.string()),
        "run_id": some(["a", "b", None], pa.string()),
        "model": some(["gpt", None, None], pa.string()),
        "status_code": some([0, 1, 2], pa.int16()),
        "input_tokens": some([None, 0, 7, 1200], pa.int64()),
        "output_tokens": some([None, 3], pa.int64()),
        "cost_usd": some([None, 0.25, math.nan, math.inf, 1e200, 1e-200], pa.float64()),
    }
    if sampled:
        probability = random.choice([1.0, 0.5, 0.125, 2.0**-40], count)
        columns["sample_probability"] = pa.array(probability)
        for name in ("count", "duration", "input_token", "output_token", "cost", "latency"):
            variance = np.where(probability < 1, random.uniform(0, 9, count), 0)
            columns[f"{name}_variance"] = pa.array(variance, mask=probability == 1)
        for name in OF_SAMPLED:
            term = random.choice([0.0, 2.5], count)
            columns[name] = pa.array(term, mask=(probability == 1) | (random.random(count) < 0.9))
    return pa.RecordBatch.from_pydict(columns)


def anomalies(seed: int, count: int = 60, *, start_s: float = 0) -> pa.RecordBatch:
    """Flags of two metrics over two hours, in the stream and of a scan; infinite scores among them."""
    random = np.random.default_rng(seed)

    def some(*values: Any) -> pa.Array:
        return pa.array([values[at] for at in random.integers(len(values), size=count)])

    return pa.RecordBatch.from_pydict(
        {
            "time": seconds(*(start_s + np.sort(random.uniform(0, 7000, count)))),
            "series_id": some(5, 9, None),
            "value": some(0.5, math.nan, None),
            "score": some(1.0, 1.5, 80.0, math.inf),
            "starts_period": some(True, False, False),
            "period_id": pa.array([n.to_bytes(16) for n in range(count)], pa.binary(16)),
            "metric": some("loss", "cost_usd"),
            "detector": some("ewma", "rarity"),
            "severity": some("info", "warning", "critical"),
            "label": some("", "scan-1"),
            "experiment_id": some("one", "two", None),
            "run_id": some("a", "b", "", None),
        }
    )


def only_columns(batch: pa.RecordBatch, *left_out: str) -> pa.RecordBatch:
    return batch.select([name for name in batch.schema.names if name not in left_out])


DIVERGED = [2.5, -1e-200, 1e-90, math.nan, 1e200, None, -math.inf, 1e99, 0.0, -3.0]


def assert_rolled_up(dsn: str) -> None:
    for family, level in VIEWS:
        found = rolled_up(dsn, family.view(level))
        assert found == approximately(expected(dsn, family, level)), family.view(level)


def approximately(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums of doubles depend on their order, in the last places."""
    return [
        {
            name: pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal") as one:
        yield one


def test_roll_ups_say_what_rows_say_before_they_are_settled_and_after(database: str) -> None:
    put(database, "points", points(5, DIVERGED))
    put(database, "points", points(5, [1.0] * 40, start_s=3, step_s=100))
    put(database, "points", points(9, [math.nan, None, math.inf]))
    put(database, "spans", spans(1))
    put(database, "spans", spans(2, sampled=True))
    put(database, "anomalies", anomalies(1))
    put(database, "anomalies", only_columns(anomalies(2), "label", "starts_period", "run_id"))
    assert_rolled_up(database)
    settle(database)
    assert_rolled_up(database)


def test_what_comes_later_is_added_at_any_age(database: str) -> None:
    put(database, "points", points(5, [1.0, 2.0]))
    put(database, "spans", spans(1))
    settle(database)
    for number, age_s in enumerate((0.0, -2 * DAY_S, -25 * DAY_S, 3600.0)):
        put(database, "points", points(5, [7.0, *DIVERGED], start_s=age_s + 1))
        put(database, "spans", spans(10 + number, 60, start_s=age_s, sampled=number % 2 == 1))
        put(database, "anomalies", anomalies(number, 20, start_s=age_s))
        settle(database)
        assert_rolled_up(database)


def test_an_empty_roll_up_has_no_rows(database: str) -> None:
    settle(database)
    put(database, "points", points(5, [None]))
    settle(database)
    assert [rolled_up(database, view) for view in VIEW_NAMES] == [[]] * len(VIEW_NAMES)


def measured(number: int, loss: float) -> Span:
    """Ends `number` seconds after the receipt."""
    span = span_of(number, "crucible_train.batch", crucible__run__id="run")
    span.attributes.append(key_value("crucible.measurement.loss", loss))
    span.end_time_unix_nano = at(number)
    return span


def test_windows_add_what_they_store(collector: Ingest, database: str) -> None:
    gauge = Metric(
        name="load",
        gauge=Gauge(
            data_points=[
                NumberDataPoint(time_unix_nano=at(0), as_double=0.5),
                NumberDataPoint(time_unix_nano=at(1), as_int=3),
                NumberDataPoint(time_unix_nano=at(2), flags=1),
            ]
        ),
    )
    collector.store(traces(measured(1, 0.5), measured(2, 0.25)), metrics(gauge))
    collector.store(traces(span_of(3), measured(4, math.nan)))
    assert_rolled_up(database)
    settle(database)
    assert_rolled_up(database)
    assert sum(row["count"] for row in rolled_up(database, "span_rollup_1m")) == 4
    assert sum(row["count"] for row in rolled_up(database, "point_rollup_1d")) == 4


def test_a_request_sent_again_adds_nothing(collector: Ingest, database: str) -> None:
    request = traces(measured(1, 0.5))
    collector.store(request, traces(measured(2, 0.5)), request)
    collector.store(traces(measured(3, 0.5)), request)
    assert len(rows_of(database, "spans")) == 3
    assert_rolled_up(database)


def test_a_row_that_the_database_refuses_adds_nothing(collector: Ingest, database: str) -> None:
    execute(database, "alter table crucible.spans add check (span_id <> 2)")
    execute(database, "alter table crucible.points add check (value <> 0.25)")
    collector.store(traces(measured(1, 0.5), measured(2, 0.5), measured(3, 0.25)))
    assert (len(rows_of(database, "spans")), len(rows_of(database, "points"))) == (2, 2)
    assert_rolled_up(database)


def test_a_window_whose_position_has_moved_adds_nothing(collector: Ingest, database: str) -> None:
    rows = collector.rows(traces(measured(1, 0.5)))
    collector.write(rows)
    again = replace(rows.requests, anonymous=np.ones(1, np.uint8))
    with pytest.raises(PositionMovedError):
        collector.transact(replace(rows, requests=again), careful=False)
    assert_rolled_up(database)


def test_sums_hold_at_every_moment_of_settling(database: str) -> None:
    count = 40
    for number in range(count):
        put(database, "points", points(5, [1.0] * 10, start_s=60.0 * number, step_s=1))
    settled = threading.Event()
    seen: list[tuple[Any, ...] | None] = []

    def watch() -> None:
        with psycopg.connect(database, autocommit=True) as conn:
            for level in itertools.cycle(("1m", "1h", "1d")):
                row = conn.execute(
                    f"select sum(count), sum(sum) from crucible.point_rollup_{level}".encode()
                ).fetchone()
                seen.append(row)
                if settled.is_set():
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        settle(database)
    finally:
        settled.set()
        thread.join()
    assert set(seen) == {(10 * count, 10.0 * count)}


HOURLY = """
insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name,
    event_name, run_id)
select %s::timestamptz + n / 200 * interval '1 hour', n, n, 1, 1, md5(n::text)::uuid, 'work', 'work',
    'run-' || n %% 200
from generate_series(0, 200 * 48 - 1) n
"""


@pytest.mark.parametrize("level", ["1m", "1h", "1d"])
def test_a_question_about_a_run_reads_its_rows_alone(database: str, level: str) -> None:
    drop_rollups(database)
    with psycopg.connect(database) as conn:
        conn.execute(HOURLY, (START,))
    migrate(database, LOG)
    settle(database)
    execute(database, "analyze")
    with closing(connect(database, READ)) as conn:
        found = conn.execute(
            "explain (analyze, format json) select time, sum(count)"
            f" from crucible.span_rollup_{level} where run_id = 'run-7' group by time".encode()
        ).fetchone()
    assert found is not None
    assert rows_read(found[0][0]["Plan"]) < 3 * 48


def test_both_ways_have_the_same_columns_and_rows(
    plain_server: TestServer, timescale_server: TestServer
) -> None:
    """The names, their order and their values, whoever keeps them."""
    with plain_server.database() as plain, timescale_server.database() as timescale:
        for dsn in (plain, timescale):
            put(dsn, "points", points(5, [*DIVERGED, *range(50)], step_s=90))
            put(dsn, "spans", spans(3, sampled=True))
            put(dsn, "anomalies", anomalies(3))
            settle(dsn)
        for view in VIEW_NAMES:
            portable, continuous = rolled_up(plain, view), rolled_up(timescale, view)
            assert list(portable[0]) == list(continuous[0]), view
            assert portable == approximately(continuous), view


@pytest.mark.parametrize(("family", "level"), VIEWS, ids=VIEW_NAMES)
def test_columns_are_those_declared_with_their_types(
    database: str, family: Family, level: Level
) -> None:
    types = {
        "float8": "double precision",
        "int": "integer",
        "timestamptz": "timestamp with time zone",
    }
    declared = [("time", "timestamptz")]
    declared += [(each.name, each.type) for each in family.own_columns]
    with closing(psycopg.connect(database)) as conn:
        found = conn.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 order by attnum",
            (f"crucible.{family.view(level)}",),
        ).fetchall()
    assert found == [(name, types.get(of, of)) for name, of in declared]

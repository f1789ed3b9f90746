"""The views that read roll-ups: what they say of given rows, at once and when these have settled."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg.rows import dict_row

from crucible_collector.store.connect import READ, connect
from rolled import put, rows_read, settle
from rows_of import execute

T0 = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)
MS = 1_000_000
TYPES = {
    "time": pa.timestamp("us", "UTC"),
    "trace_id": pa.binary(16),
    "period_id": pa.binary(16),
    "status_code": pa.int16(),
    "sample_probability": pa.float64(),
    "cost_usd": pa.float64(),
    "value": pa.float64(),
    "score": pa.float64(),
}
Ask = Callable[[str], list[dict[str, Any]]]
Row = dict[str, Any]
_numbers = itertools.count(1)


def at(seconds: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


def span(**values: Any) -> Row:
    shared = {"duration_ns": 0, "resource_id": 1, "scope_id": 1, "status_code": 0, "name": "work"}
    ids = {"span_id": next(_numbers), "trace_id": bytes(16), "time": T0}
    return {**shared, **ids, "event_name": "work", "sample_probability": 1.0, **values}


def flag(**values: Any) -> Row:
    shared = {"period_id": bytes(16), "metric": "loss", "detector": "ewma", "severity": "info"}
    return {"time": T0, "score": 1.5, "label": "", "starts_period": False, **shared, **values}


def point(series_id: int, seconds: float, value: float) -> Row:
    return {"series_id": series_id, "time": at(seconds), "value": value}


def put_rows(dsn: str, relation: str, rows: list[Row]) -> None:
    """As one window would."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {n: pa.array([row.get(n) for row in rows], TYPES.get(n)) for n in names}
    put(dsn, relation, pa.RecordBatch.from_pydict(columns))


@pytest.fixture
def ask(database: str) -> Iterator[Ask]:
    """What the database answers; the same before roll-ups have settled and after."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as conn:
        conn.execute("set timezone = 'Asia/Tokyo'")  # what a view says of days does not follow it

        def asked(question: str) -> list[Row]:
            before = conn.execute(question.encode()).fetchall()
            settle(database)
            after = conn.execute(question.encode()).fetchall()
            assert repr(after) == repr(before)  # where NaN is NaN
            return after

        yield asked


def test_cost_is_weighted_by_what_a_sampled_row_stands_for(database: str, ask: Ask) -> None:
    call = {"model": "m", "experiment_id": "sweep", "input_tokens": 10, "output_tokens": 3}
    sampled = span(**call, cost_usd=0.25, sample_probability=0.25, status_code=2)
    put_rows(database, "spans", [span(**call, cost_usd=0.5), sampled])
    (found,) = ask("select * from crucible.llm_cost")
    assert (found["call_count"], found["error_count"]) == (5.0, 4.0)
    assert (found["input_tokens"], found["output_tokens"], found["cost_usd"]) == (50.0, 15.0, 1.5)


def test_only_what_tells_tokens_or_a_cost_is_a_call(database: str, ask: Ask) -> None:
    silent = [span(model="m"), span(model="trained"), span(model="m", status_code=2)]
    put_rows(database, "spans", [*silent, span(model="m", input_tokens=0), span(cost_usd=math.nan)])
    free, unpriced = ask("select * from crucible.llm_cost order by model")
    assert (free["model"], free["call_count"], free["error_count"]) == ("m", 1.0, 0.0)
    assert (free["input_tokens"], free["output_tokens"], free["cost_usd"]) == (0.0, None, None)
    assert (unpriced["model"], unpriced["call_count"], unpriced["cost_usd"]) == (None, 1.0, None)


def test_days_are_those_of_utc_whatever_the_session_says(database: str, ask: Ask) -> None:
    times = [T0.replace(hour=hour, minute=59) for hour in (0, 23)]
    put_rows(database, "spans", [span(time=time, model="m", cost_usd=1.0) for time in times])
    (found,) = ask("select * from crucible.llm_cost")
    assert found["day"] == T0.replace(hour=0)


def test_events_by_hour_over_models_and_statuses(database: str, ask: Ask) -> None:
    own = {"event_name": "call", "experiment_id": "sweep", "run_id": "run-1"}
    rows = [
        span(**own, model="a", duration_ns=10 * MS, input_tokens=5),
        span(**own, model="b", duration_ns=20 * MS, cost_usd=0.5, sample_probability=0.5),
        span(**own, model="b", duration_ns=70 * MS, status_code=2),
        span(event_name="call", time=at(3600)),
    ]
    put_rows(database, "spans", rows)
    first, second = ask("select * from crucible.event_rate order by time")
    assert (first["time"], first["run_id"]) == (T0, "run-1")
    assert (first["count"], first["error_count"], first["error_rate"]) == (4.0, 1.0, 0.25)
    assert first["duration_mean_ms"] == pytest.approx((10 + 2 * 20 + 70) / 4)
    assert first["duration_max_ms"] == 70.0
    assert (first["input_tokens"], first["output_tokens"], first["cost_usd"]) == (5.0, 0.0, 1.0)
    assert (second["time"], second["run_id"], second["error_rate"]) == (at(3600), None, 0.0)


def test_percentiles_of_an_hour_take_statuses_together_and_models_apart(
    database: str, ask: Ask
) -> None:
    rows = [
        span(event_name="call", model="a", duration_ns=n * MS, status_code=n % 3)
        for n in range(1, 1001)
    ]
    rows += [span(event_name="call", model="b", duration_ns=7 * MS)]
    put_rows(database, "spans", rows)
    one, other = ask(
        "select * from crucible.latency_percentiles where event_name = 'call' order by model"
    )
    names = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99_9_ms")
    assert [one[name] for name in names] == pytest.approx([500, 900, 950, 990, 999], rel=0.01)
    assert (one["count"], other["count"]) == (1000.0, 1.0)
    assert [other[name] for name in names] == pytest.approx([7] * 5, rel=0.01)


def test_a_metric_by_minute_and_rank(database: str, ask: Ask) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(
            "insert into crucible.series (series_id, first_seen, last_seen, source, kind, metric,"
            " run_id, rank, unit) select n, now(), now(), 'event', 'measurement', 'loss', 'run-1',"
            " n - 5, 'nat' from generate_series(5, 6) n"
        )
    values = [(0, 1.0), (20, 3.0), (40, math.nan), (61, math.inf), (150, -2.0)]
    put_rows(database, "points", [*(point(5, *each) for each in values), point(6, 0, 9.0)])
    found = ask(
        "select * from crucible.metric_by_minute where run_id = 'run-1' and metric = 'loss'"
        " order by rank, time"
    )
    told = [(each["rank"], each["time"], each["mean"], each["last"]) for each in found]
    assert told == [
        (0, at(0), 2.0, 3.0),
        (0, at(60), None, None),
        (0, at(120), -2.0, -2.0),
        (1, at(0), 9.0, 9.0),
    ]
    assert (found[0]["min"], found[0]["max"], found[0]["unit"]) == (1.0, 3.0, "nat")
    counts = [(each["count"], each["non_finite_count"]) for each in found]
    assert counts == [(2, 1), (0, 1), (1, 0), (1, 0)]


def test_anomalies_by_hour_and_severity(database: str, ask: Ask) -> None:
    rows = [
        flag(run_id="run-1", starts_period=True),
        flag(run_id="run-1", severity="critical", score=math.inf, value=math.nan),
        flag(run_id="run-1", severity="critical"),
        flag(run_id="run-1", label="scan-1", severity="warning"),
    ]
    put_rows(database, "anomalies", rows)
    stream, scan = ask("select * from crucible.anomaly_summary order by label")
    names = ("flag_count", "period_count", "critical_count", "warning_count", "info_count")
    assert [stream[name] for name in names] == [3, 1, 2, 0, 1]
    assert (stream["score_max"], stream["metric"], stream["time"]) == (math.inf, "loss", T0)
    assert [scan[name] for name in names] == [1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "question",
    [
        "crucible.llm_cost where run_id = 'run-1'",
        "crucible.llm_cost where day >= '2026-11-13Z'",
        "crucible.event_rate where event_name = 'call' and time > '2026-11-13Z'",
        "crucible.event_rate where run_id = 'run-1'",
        "crucible.latency_percentiles where event_name = 'call' and time > '2026-11-13Z'",
        "crucible.metric_by_minute where run_id = 'run-1' and metric = 'loss'",
        "crucible.anomaly_summary where experiment_id = 'sweep'",
    ],
)
def test_a_condition_reaches_the_indexes(database: str, question: str) -> None:
    """With sequential scans discouraged, none is left but of what has yet to be folded."""
    for relation, rows in (("spans", [span(), span(time=at(9000))]), ("anomalies", [flag()])):
        put_rows(database, relation, rows)
    put_rows(database, "points", [point(5, second, 1.0) for second in (0, 9000)])
    settle(database)
    with psycopg.connect(database) as conn:
        conn.execute("set enable_seqscan = off")
        plan = conn.execute(f"explain (format json) select * from {question}".encode()).fetchone()
    assert plan is not None
    scanned = sequentially_scanned(plan[0][0]["Plan"])
    assert [name for name in scanned if not name.endswith("_parts")] == [], json.dumps(
        plan, indent=1
    )


def test_a_metric_of_a_run_reads_its_own_minutes_in_the_time_asked_for(database: str) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(
            "insert into crucible.series (series_id, first_seen, last_seen, source, kind, metric,"
            " run_id) select n, now(), now(), 'event', 'measurement', 'loss', 'run-' || n"
            " from generate_series(0, 19) n"
        )
    for series_id in range(20):
        put_rows(database, "points", [point(series_id, 60.0 * n, 1.0) for n in range(300)])
    settle(database)
    execute(database, "analyze")
    with closing(connect(database, READ)) as conn:
        plan = conn.execute(
            "explain (analyze, format json) select * from crucible.metric_by_minute"
            " where run_id = 'run-7' and metric = 'loss' and time < %s",
            (at(200 * 60),),
        ).fetchone()
    assert plan is not None
    # Of 6,000, 4,000 of them in the time; TimescaleDB's ChunkAppend counts what its scans have counted.
    assert 200 <= rows_read(plan[0][0]["Plan"]) < 2 * 200 + 10


def sequentially_scanned(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for inner in plan.get("Plans", ()) for name in sequentially_scanned(inner)]

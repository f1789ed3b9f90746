"""Percentiles from buckets are within 1 % of the exact ones, of any durations, however they are merged."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pytest

from crucible_collector.enrich.partials import duration_bucket
from rolled import percentiles, put, settle

FRACTIONS = [0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]
COUNT = 4_000
RELATIVE_ERROR = 0.01 + 1e-9
Durations = npt.NDArray[np.int64]


def durations(name: str) -> Durations:
    random = np.random.default_rng(7)
    found = {
        "lognormal": random.lognormal(16, 2, COUNT),
        "uniform": random.uniform(1, 3e9, COUNT),
        "exponential": random.exponential(5e6, COUNT),
        "pareto": 1e5 * (1 + random.pareto(1.1, COUNT)),
        "two far apart": np.where(random.random(COUNT) < 0.9, 2e6, 6e10),
        "all alike": np.full(COUNT, 123_456_789),
        "nanoseconds": random.integers(1, 40, COUNT),
        "with none at all": np.where(random.random(COUNT) < 0.3, 0, 1e6),
        "days": random.uniform(1, 30, COUNT) * 86_400e9,
    }
    return found[name].astype(np.int64)


DISTRIBUTIONS = [
    "lognormal",
    "uniform",
    "exponential",
    "pareto",
    "two far apart",
    "all alike",
    "nanoseconds",
    "with none at all",
    "days",
]


def spans(durations_ns: Durations, *, hours: int = 1) -> pa.RecordBatch:
    """Spans of two events over so many hours."""
    count = len(durations_ns)
    begin_us = int(dt.datetime(2026, 11, 20, 20, tzinfo=dt.UTC).timestamp()) * 1_000_000
    micro = begin_us + np.arange(count) % hours * 3_600_000_000
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(micro).view(pa.timestamp("us", "UTC")),
            "duration_ns": pa.array(durations_ns),
            "span_id": pa.array(np.arange(count)),
            "resource_id": pa.array(np.ones(count, np.int64)),
            "scope_id": pa.array(np.ones(count, np.int64)),
            "trace_id": pa.array([bytes(16)] * count, pa.binary(16)),
            "name": pa.array(["work"] * count),
            "event_name": pa.array([f"work {number % 2}" for number in range(count)]),
            "status_code": pa.array(np.zeros(count), pa.int16()),
        }
    )


def exact(durations_ns: Durations) -> list[float]:
    return [float(x) for x in np.quantile(durations_ns, FRACTIONS, method="inverted_cdf")]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_percentiles_are_within_a_hundredth(database: str, name: str) -> None:
    values = durations(name)
    put(database, "spans", spans(values))
    assert percentiles(database, FRACTIONS) == pytest.approx(exact(values), rel=RELATIVE_ERROR)


def test_hours_days_and_events_are_merged_without_loss(database: str) -> None:
    """As near to the exact ones as those of one hour and one event are, and the same at every level."""
    parts = [durations(name) for name in ("lognormal", "two far apart", "exponential")]
    for part in parts:
        put(database, "spans", spans(part, hours=7))
    settle(database)
    found = percentiles(database, FRACTIONS)
    assert found == pytest.approx(exact(np.concatenate(parts)), rel=RELATIVE_ERROR)
    assert percentiles(database, FRACTIONS, view="span_latency_1d") == found


def test_a_span_counts_for_as_many_as_it_stands_for(database: str) -> None:
    kept = spans(np.array([1_000, 2_000_000], np.int64))
    kept = kept.append_column("sample_probability", pa.array([1.0, 1 / 9]))
    put(database, "spans", kept)
    assert percentiles(database, [0.1, 0.11]) == pytest.approx([1_000, 2_000_000], rel=0.01)


def test_a_fraction_is_met_where_rounding_would_miss_it(plain_database: str) -> None:
    """Seven tenths, a tenth each, are a little less than 0.7 in doubles."""
    with psycopg.connect(plain_database) as conn:
        row = conn.execute(
            "select crucible.duration_percentiles('{0.7, 0.3, 1}', '{1,2,3,4,5,6,7,900,900,900}',"
            " array_fill(0.1::float8, array[10]))"
        ).fetchone()
    assert row is not None
    assert row[0][0] < 2
    assert row[0][1] < row[0][0]
    assert row[0][2] > 1e7


def test_what_the_guide_asks_is_answered(database: str) -> None:
    guide = Path(__file__).parents[4] / "collector" / "README.md"
    (question,) = re.findall(
        r"^    (select time, crucible\.duration_percentiles.*?;)$",
        guide.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    batch = spans(durations("lognormal"), hours=3)
    names = pa.array(["crucible_deployment.inference.stop"] * batch.num_rows)
    at = batch.schema.get_field_index("event_name")
    put(database, "spans", batch.set_column(at, "event_name", names))
    with psycopg.connect(database) as conn:
        rows = conn.execute(question.encode()).fetchall()
    assert [len(found) for _, found in rows] == [3] * 3


def test_nothing_has_no_percentiles(database: str) -> None:
    with psycopg.connect(database) as conn:
        row = conn.execute(
            "select crucible.duration_percentiles('{0.5, 0.9}', array_agg(bucket), array_agg(count))"
            " from crucible.span_latency_1d"
        ).fetchone()
    assert row == ([None, None],)


def test_every_duration_has_the_bucket_that_the_database_gives_it(plain_database: str) -> None:
    random = np.random.default_rng(3)
    values = np.concatenate(
        [np.arange(-3, 2_000), (2.0 ** random.uniform(0, 62.9, 20_000)).astype(np.int64)]
    )
    with psycopg.connect(plain_database) as conn:
        rows = conn.execute(
            "select crucible.duration_bucket(d) from unnest(%s::bigint[]) with ordinality x (d, n)"
            " order by n",
            (values.tolist(),),
        ).fetchall()
    assert [bucket for (bucket,) in rows] == duration_bucket(values).tolist()

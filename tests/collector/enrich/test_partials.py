"""The sums of a window: every row is in one group, and a hostile window has no other groups than it has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crucible_collector.enrich.partials import partials

HOUR_US = 3_600_000_000
KEYS = ("experiment_id", "run_id", "event_name", "model", "status_code")


def spans(count: int, **columns: Any) -> pa.RecordBatch:
    base = {
        "time": np.arange(count) * 7_000_000,
        "duration_ns": np.full(count, 1_000),
        "status_code": np.zeros(count, np.int16),
        "event_name": ["work"] * count,
    }
    made = {name: pa.array(values) for name, values in (base | columns).items()}
    made["time"] = made["time"].view(pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_pydict(made)


def rolled(batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    return {each.relation: each.batch for each in partials("spans", batch)}


def counts(batch: pa.RecordBatch) -> Counter[tuple[Any, ...]]:
    """Rows by their keys, absent columns left out."""
    names = [name for name in ("time", *KEYS) if name in batch.schema.names]
    found: Counter[tuple[Any, ...]] = Counter()
    for row in batch.to_pylist():
        found[tuple(row[name] for name in names)] += row.get("row_count", 1)
    return found


def test_columns_of_which_every_value_is_another_do_not_mix_groups() -> None:
    """16,384 values in each of four columns and as many minutes: more combinations than 64 bits."""
    count = 16_384
    names = [f"{number:05}" for number in range(count)]
    random = np.random.default_rng(2)
    texts = {name: random.permutation(names).tolist() for name in KEYS[:4]}
    minutes = np.arange(count) * 60_000_000 * 977
    batch = spans(count * 2, **{k: v * 2 for k, v in texts.items()}, time=np.tile(minutes, 2))
    found = rolled(batch)["span_rollup_parts"]
    assert found.num_rows == count
    assert set(found.column("row_count").to_pylist()) == {2}
    assert counts(found) == counts(batch)


def test_null_and_empty_are_different_keys() -> None:
    batch = spans(6, run_id=["a", None, "", "a", None, ""], time=np.zeros(6, np.int64))
    found = rolled(batch)["span_rollup_parts"]
    assert counts(found) == counts(batch)
    assert found.num_rows == 3


def test_what_only_sampling_tells_takes_no_room_without_it() -> None:
    columns = set(rolled(spans(4, sample_probability=np.ones(4)))["span_rollup_parts"].schema.names)
    assert not {name for name in columns if name.endswith(("_variance", "_traces", "_unseen_ns"))}
    sampled = spans(
        4,
        sample_probability=np.full(4, 0.5),
        count_trace_variance=[8.0, None, 0.0, 2.0],
        uncertain_traces=[1.0, None, None, 0.5],
        time=np.arange(4) * 30_000_000,
    )
    rows = rolled(sampled)["span_rollup_parts"].to_pylist()
    assert [row["count_trace_variance"] for row in rows] == [8, 2]
    assert [row["uncertain_traces"] for row in rows] == [1, 0.5]


def test_times_before_1970_fall_into_the_minute_before() -> None:
    batch = spans(2, time=np.array([-1, 1]))
    minutes = rolled(batch)["span_rollup_parts"].column("time").cast(pa.int64()).to_pylist()
    assert minutes == [-60_000_000, 0]
    hours = rolled(batch)["span_latency_parts"].column("time").cast(pa.int64()).to_pylist()
    assert hours == [-HOUR_US, 0]


@pytest.mark.parametrize("relation", ["points", "spans", "logs", "histograms", "anomalies"])
def test_no_rows_add_nothing(relation: str) -> None:
    assert partials(relation, spans(0)) == []


def test_what_has_no_roll_up_adds_nothing() -> None:
    assert partials("logs", spans(3)) == []


def test_numbers_whose_squares_leave_the_range_are_not_summed() -> None:
    values = [1e100, -1e100, 1.0001e100, -np.inf, np.nan, 1e-200, None]
    count = len(values)
    batch = pa.RecordBatch.from_pydict(
        {
            "series_id": pa.array([1] * count),
            "time": pa.array(range(count)).view(pa.timestamp("us", "UTC")),
            "value": pa.array(values, pa.float64()),
        }
    )
    (found,) = partials("points", batch)
    (row,) = found.batch.to_pylist()
    assert (row["count"], row["non_finite_count"]) == (3, 3)
    assert row["sum_squares"] == pytest.approx(2e200)
    assert (row["min"], row["max"], row["first"], row["last"]) == (-1e100, 1e100, 1e100, 1e-200)


def test_a_score_that_is_no_number_counts_as_the_largest() -> None:
    """As it does for PostgreSQL, which may add these rows up itself."""
    batch = pa.RecordBatch.from_pydict(
        {
            "time": pa.array([0, 1, 2]).view(pa.timestamp("us", "UTC")),
            "metric": ["loss", "loss", "cost"],
            "severity": ["info"] * 3,
            "score": [np.nan, 9.0, 2.0],
        }
    )
    (found,) = partials("anomalies", batch)
    rows = {row["metric"]: row for row in found.batch.to_pylist()}
    assert np.isnan(rows["loss"]["score_max"])
    assert (rows["loss"]["flag_count"], rows["loss"]["label"]) == (2, "")
    assert (rows["cost"]["score_max"], rows["cost"]["flag_count"]) == (2.0, 1)

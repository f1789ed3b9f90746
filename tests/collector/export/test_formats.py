"""Every format has every row and column of what is stored, and is read by what people read it with."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crucible_collector.api.exports import FORMATS, OFS
from exported import TEXT, exported
from stored import TRACE, serving


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_events_are_named_and_spelled_as_the_api_has_them(filled: str, tmp_path: Path) -> None:
    report = exported(filled, tmp_path / "events.jsonl", of="events")
    rows = {row["span_id"]: row for row in rows_of(tmp_path / "events.jsonl")}
    with serving(filled) as api:
        told = {row["span_id"]: row for row in api.ask("/events")}
    assert report["row_count"] == len(rows) == len(told) == 4
    # Those of the run where the span has none; and attributes without what has a column of its own.
    apart = {"experiment_id", "condition", "attributes", "resource_attributes", "events", "links"}
    for span_id, row in rows.items():
        shared = row.keys() & told[span_id].keys() - apart
        assert {name: row[name] for name in shared} == {
            name: told[span_id][name] for name in shared
        }
        assert not told[span_id].keys() - row.keys()
    first = rows["f" * 16]
    assert first["time"] == "2026-11-23T10:00:00.000000789Z"
    assert (first["trace_id"], first["duration_ms"]) == (TRACE.hex, 1.234567)
    assert (first["sample_probability"], first["weight"]) == (0.25, 4.0)
    assert (first["name"], first["status"], first["condition"]) == (TEXT, "error", "c1")
    assert first["attributes"]["nested"] == {"deep": {"x": 0.5}, "on": True}


def test_columns_are_those_of_all_rows_and_nested_ones_have_their_own(
    filled: str, tmp_path: Path
) -> None:
    report = exported(filled, tmp_path / "events.csv", of="events")
    with (tmp_path / "events.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["span_id"]: row for row in csv.DictReader(file)}
    first, second = rows["f" * 16], rows["0" * 15 + "2"]
    of_attributes = {name for name in report["columns"] if name.startswith("attributes.")}
    keys = {"gen_ai.prompt", "late", "list", "loss", "n", "nested.deep.x", "nested.on", "user.id"}
    assert of_attributes == {f"attributes.{key}" for key in keys}
    assert (first["attributes.n"], second["attributes.n"]) == ("1", "1.5")
    assert first["attributes.nested.deep.x"] == "0.5"
    assert first["attributes.nested.on"] == "true"
    assert json.loads(first["attributes.list"]) == [1, "a"]
    assert math.isnan(float(first["attributes.loss"]))
    assert (first["attributes.late"], second["attributes.late"]) == ("", "x")
    assert first["name"] == TEXT
    assert list(rows["f" * 16]) == report["columns"]


def test_keys_beyond_the_most_that_may_have_columns_stay_json_and_are_counted(
    filled_plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_collector.export.chosen.KEY_COLUMNS_MAX", 3)
    report = exported(filled_plain, tmp_path / "events.parquet", of="events", attributes="columns")
    table = pq.read_table(tmp_path / "events.parquet").to_pylist()
    assert report["columns_left_out_count"] == 7  # 8 keys of attributes and 2 of resources
    row = next(each for each in table if each["span_id"] == "f" * 16)
    assert row["attributes.n"] == 1.0  # the most frequent, beside those of resources
    rest = json.loads(row["attributes_rest"])
    assert "n" not in rest
    assert rest["nested"] == {"deep": {"x": 0.5}, "on": True}


@pytest.mark.parametrize("of", OFS)
def test_each_kind_has_the_same_rows_in_each_format(filled: str, tmp_path: Path, of: str) -> None:
    counts, columns = set(), set()
    for form in FORMATS:
        report = exported(filled, tmp_path / f"{of}.{form}", of=of, attributes="json")
        counts.add(report["row_count"])
        columns.add(tuple(name for name in report["columns"] if name != "time_ns_rest"))
        assert report["byte_count"] == (tmp_path / f"{of}.{form}").stat().st_size
    expected = {"events": 4, "traces": 4, "points": 7, "logs": 2, "anomalies": 1, "runs": 3}
    assert counts == {expected.get(of, 3)}
    assert len(columns) == 1
    lines = rows_of(tmp_path / f"{of}.jsonl")
    parquet = pq.read_table(tmp_path / f"{of}.parquet")
    with pa.ipc.open_file(tmp_path / f"{of}.arrow") as reader:
        assert reader.read_all().schema == parquet.schema.remove_metadata()
    assert len(pd.read_csv(tmp_path / f"{of}.csv")) == len(lines) == parquet.num_rows


def test_duckdb_pandas_and_polars_read_a_parquet_file_alike(filled: str, tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    exported(filled, path, of="points")
    frame = pd.read_parquet(path)
    table = pl.read_parquet(path)
    duck = duckdb.execute(
        f"select metric, run_id, step, value, value_int, epoch_us(time), time_ns_rest, series_id from '{path}'"
    ).fetchall()
    assert str(frame["time"].dtype).startswith("datetime64[us, UTC")
    assert table.schema["time"] == pl.Datetime("us", "UTC")
    from_pandas = [
        (row.metric, row.run_id, row.step, row.value) for row in frame.itertuples(index=False)
    ]
    from_polars = list(table.select("metric", "run_id", "step", "value").iter_rows())
    for others in (from_pandas, from_polars):
        assert repr([row[:4] for row in duck]) == repr([tuple(map(_plain, row)) for row in others])
    assert [row[5] for row in duck] == sorted(row[5] for row in duck)
    assert duck[-1][3:5] == (-math.inf, 2**62)
    assert (duck[-1][6], duck[-1][7]) == (7, "0" * 15 + "1")
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert all(group.column(index).is_stats_set for index in range(group.num_columns))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def test_json_lines_spell_numbers_that_json_has_not(filled: str, tmp_path: Path) -> None:
    exported(filled, tmp_path / "points.jsonl", of="points", run="run-1")
    values = [row["value"] for row in rows_of(tmp_path / "points.jsonl")]
    assert values == [1.0, "NaN", 0.25, "-Infinity"]


def test_a_summary_has_a_row_a_run_with_what_it_measured_took_and_cost(
    filled: str, tmp_path: Path
) -> None:
    exported(filled, tmp_path / "s.parquet", of="summary", attributes="columns")
    rows = {row["run_id"]: row for row in pq.read_table(tmp_path / "s.parquet").to_pylist()}
    one = rows["run-1"]
    assert (one["status"], one["experiment_name"], one["duration_ms"]) == (
        "completed",
        "Sweep",
        90_000,
    )
    assert (one["config.lr"], one["config.layers.count"]) == (0.1, 1)
    assert (one["metrics.loss.min"], one["metrics.loss.max"]) == (0.25, 1.0)
    assert (one["metrics.loss.final"], one["metrics.loss.non_finite_count"]) == (0.25, 2)
    # One event that was kept with 1/4 stands for four.
    assert (one["event_count"], one["error_count"], one["input_tokens"]) == (4, 4, 12)
    assert one["cost_usd"] == pytest.approx(0.4)
    assert one["anomaly_period_count"] == 1
    assert rows["run-3"]["metrics.loss.final"] is None

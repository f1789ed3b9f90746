"""Parquet by experiment and day: all rows once, in directories that others take for partitions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import psycopg
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from crucible_collector.errors import SettingsError
from crucible_collector.export import outputs
from exported import exported
from stored import Stored, at

# By default pandas makes categories of what is in paths, which have no room for "no experiment".
HIVE = ds.HivePartitioning.discover()


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.parquet"))


def test_rows_lie_by_experiment_and_day_and_readers_find_both(filled: str, tmp_path: Path) -> None:
    report = exported(filled, tmp_path, of="events", partition=True)
    first, second = "day=2026-11-23", "day=2026-11-24"
    assert files(tmp_path) == [
        f"experiment_id=__HIVE_DEFAULT_PARTITION__/{first}/part-0.parquet",
        f"experiment_id=sweep%2F%C3%A4/{first}/part-0.parquet",
        f"experiment_id=sweep%2F%C3%A4/{second}/part-0.parquet",
    ]
    assert sorted(each["name"] for each in report["files"]) == files(tmp_path)
    assert sum(each["row_count"] for each in report["files"]) == report["row_count"] == 4
    assert all(
        each["byte_count"] == (tmp_path / each["name"]).stat().st_size for each in report["files"]
    )
    assert "experiment_id" not in report["columns"]
    pattern = f"{tmp_path}/**/*.parquet"
    expected = {("sweep/ä", dt.date(2026, 11, 23), 2), ("sweep/ä", dt.date(2026, 11, 24), 1)}
    asked = (
        f"select experiment_id, day, count(*) from read_parquet('{pattern}', hive_partitioning=true)"
        " where experiment_id is not null group by all"
    )
    assert set(duckdb.execute(asked).fetchall()) == expected
    by_polars = pl.scan_parquet(pattern, hive_partitioning=True).collect()
    assert by_polars.filter(pl.col("experiment_id") == "sweep/ä").height == 3
    by_pandas = pd.read_parquet(tmp_path, partitioning=HIVE)
    assert (by_pandas["experiment_id"] == "sweep/ä").sum() == 3
    assert by_pandas["experiment_id"].isna().sum() == 1


def test_with_more_places_than_open_files_each_row_is_written_once(
    plain_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "OPEN_MAX", 2)
    monkeypatch.setattr(outputs, "WAITING_BYTES_MAX", 1000)
    monkeypatch.setattr("crucible_collector.store.copy_out.PIECE_ROWS", 4)
    with psycopg.connect(plain_database, autocommit=True) as conn:
        stored = Stored(conn)
        for number in range(24):
            stored.span(experiment_id=f"e{number % 5}", time=at(number), span_id=number)
    report = exported(plain_database, tmp_path, of="events", partition=True)
    table = pd.read_parquet(tmp_path, partitioning=HIVE)
    assert sorted(table["span_id"]) == [f"{number:016x}" for number in range(24)]
    assert report["file_count"] == len(files(tmp_path)) > 5
    for name in files(tmp_path):
        times = pq.read_table(tmp_path / name, partitioning=None)["time"].to_pylist()
        assert times == sorted(times)


def test_partitions_need_not_be_among_the_fields(filled_plain: str, tmp_path: Path) -> None:
    exported(filled_plain, tmp_path, of="runs", fields=["run_id", "status"], partition=True)
    (name, *_) = files(tmp_path)
    assert pq.read_schema(tmp_path / name).names == ["run_id", "status"]
    assert len(pd.read_parquet(tmp_path, partitioning=HIVE)) == 3


def test_an_id_too_long_for_a_directory_is_said(plain_database: str, tmp_path: Path) -> None:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        Stored(conn).span(experiment_id="ü" * 100)
    with pytest.raises(SettingsError, match="too long for a directory"):
        exported(plain_database, tmp_path, of="events", partition=True)

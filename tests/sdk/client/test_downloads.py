"""Exports through the client: files that are whole, whatever breaks on the way."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysed import EPOCHS, EXPERIMENT, RUNS_EACH
from crucible_telemetry.client import ApiError, Client, line
from harness import Collector
from sdk.client.cutting import cutting


def test_points_become_a_parquet_file_that_pandas_reads(client: Client, tmp_path: Path) -> None:
    shares: list[float] = []
    place = tmp_path / "new" / "points.parquet"
    written = client.export(
        "points", place, experiment=EXPERIMENT, metric="val_accuracy", progress=shares.append
    )
    assert written == [place]
    assert len(pd.read_parquet(place)) == 2 * RUNS_EACH * EPOCHS
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [each.name for each in place.parent.iterdir()] == [place.name]


def test_partitions_become_a_directory(client: Client, tmp_path: Path) -> None:
    written = client.export("events", tmp_path / "all", experiment=EXPERIMENT, partition=True)
    assert all(each.is_relative_to(tmp_path / "all") for each in written)
    frame = pd.read_parquet(tmp_path / "all")
    assert set(frame["experiment_id"]) == {EXPERIMENT}
    assert len(frame) == client.events(experiment=EXPERIMENT).num_rows


def test_an_empty_file_is_a_file(client: Client, tmp_path: Path) -> None:
    (written,) = client.export("events", tmp_path / "none.jsonl", format_="jsonl", run="none")
    assert written.read_bytes() == b""


def test_a_download_goes_on_where_it_broke_off(
    running: Collector, client: Client, tmp_path: Path
) -> None:
    (whole,) = client.export("events", tmp_path / "whole.jsonl", format_="jsonl")
    found = client._line.data("/exports", {})[0]
    with cutting(running.api, [10_000, 20_000, 5_000]) as cut, Client(cut.url) as through:
        (again,) = through.download(found["job_id"], tmp_path / "again.jsonl")
        assert cut.connection_count > 3
    assert again.read_bytes() == whole.read_bytes()


def test_one_that_was_left_half_is_taken_up_by_the_next(client: Client, tmp_path: Path) -> None:
    (whole,) = client.export("events", tmp_path / "whole.jsonl", format_="jsonl")
    found = client._line.data("/exports", {})[0]
    half = tmp_path / f".again.jsonl.{found['job_id']}.part"
    # Not what the export has there: that it stays shows that only the rest was fetched.
    half.write_bytes(b"x" * 1000)
    (again,) = client.download(found["job_id"], tmp_path / "again.jsonl")
    assert again.read_bytes() == b"x" * 1000 + whole.read_bytes()[1000:]
    assert not half.exists()


def test_what_cannot_be_exported_says_why(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="format"):
        client.export("points", tmp_path / "x", format_="xlsx")  # type: ignore[arg-type]
    with pytest.raises(ApiError) as missing:
        client.download("00000000-0000-0000-0000-000000000000", tmp_path / "x")
    assert missing.value.code == "not_found"
    assert not list(tmp_path.iterdir())


def test_where_nobody_answers_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_BROKEN_WAIT_S", 0.001)
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(ApiError, match="no collector"):
        nobody.runs()

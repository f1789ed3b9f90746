"""What is exported is what was asked for; what cannot be asked for is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from crucible_collector.api.exports import ExportRequest
from crucible_collector.errors import SettingsError
from crucible_collector.export.outputs import OneFile
from crucible_collector.export.run import run
from crucible_collector.jobs import CancelledError, Report
from exported import exported
from stored import at


@pytest.mark.parametrize(
    ("asked", "spans"),
    [
        ({"experiment": "sweep/ä"}, {-1, 2, 3}),
        ({"run": "run-2"}, {2, 3}),
        ({"condition": "c1"}, {-1}),
        ({"event": "ask"}, {-1, 2}),
        ({"model": "m2"}, {3}),
        ({"status": "error"}, {-1}),
        ({"status": "unset", "event": "ask"}, {2}),
        ({"from": at(1).isoformat(), "to": at(2).isoformat()}, {2}),
        ({"run": "nobody"}, set()),
    ],
)
def test_a_filter_chooses_events(
    filled: str, tmp_path: Path, asked: dict[str, Any], spans: set[int]
) -> None:
    exported(filled, tmp_path / "e.parquet", of="events", fields=["span_id"], **asked)
    found = pq.read_table(tmp_path / "e.parquet")["span_id"].to_pylist()
    assert set(found) == {f"{span & (1 << 64) - 1:016x}" for span in spans}
    assert len(found) == len(spans)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"of": "points", "metric": "loss", "run": "run-2"}, 3),
        ({"of": "points", "metric": "accuracy"}, 0),
        ({"of": "points", "experiment": "sweep/ä", "from": at(86_400).isoformat()}, 1),
        ({"of": "logs", "severity": "warn"}, 1),
        ({"of": "anomalies", "metric": "loss", "experiment": "sweep/ä"}, 1),
        ({"of": "runs", "status": "failed"}, 1),
        ({"of": "summary", "condition": "c1"}, 1),
        ({"of": "traces", "event": "alone"}, 3),  # with what else is of its trace
        ({"of": "traces", "model": "m2"}, 1),
    ],
)
def test_other_kinds_have_filters_of_their_own(
    filled: str, tmp_path: Path, asked: dict[str, Any], count: int
) -> None:
    assert exported(filled, tmp_path / "x.parquet", **asked)["row_count"] == count


def test_spans_of_a_trace_follow_each_other(filled: str, tmp_path: Path) -> None:
    exported(filled, tmp_path / "t.parquet", of="traces")
    traces = pq.read_table(tmp_path / "t.parquet")["trace_id"].to_pylist()
    assert traces == sorted(traces)


def test_fields_are_the_columns_in_their_order_and_may_name_an_attribute(
    filled: str, tmp_path: Path
) -> None:
    asked = ["attributes.nested.deep.x", "span_id", "time"]
    report = exported(filled, tmp_path / "e.parquet", of="events", fields=asked)
    assert pq.read_schema(tmp_path / "e.parquet").names == report["columns"] == asked
    exported(filled, tmp_path / "e.jsonl", of="events", fields=["time"])
    assert '{"time":"2026-11-23T10:00:00.000000789Z"}' in (tmp_path / "e.jsonl").read_text()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"of": "points", "severity": "warn"}, "severity: points cannot be chosen by that, but by"),
        ({"of": "events", "status": "failed"}, "status: events have one of error, ok, unset"),
        ({"of": "events", "fields": ["nope"]}, "fields: there is no 'nope', but time"),
        ({"of": "events", "fields": ["attributes.nope"]}, "fields: there is no 'attributes.nope'"),
        (
            {"of": "events", "fields": ["model"], "anonymise": {"drop": ["mod*"]}},
            "nothing is left to export",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    filled_plain: str, tmp_path: Path, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        exported(filled_plain, tmp_path / "x.parquet", **asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"of": "nothing"},
        {"of": "events", "format": "xlsx"},
        {"of": "events", "format": "csv", "partition": True},
        {"of": "events", "fields": ["a", "a"]},
        {"of": "events", "fields": []},
        {"of": "events", "anonymise": {"key": "short"}},
        {"of": "events", "limit": 5},
    ],
)
def test_a_request_that_means_nothing_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExportRequest.model_validate(asked)


def test_an_export_that_is_cancelled_ends(filled_plain: str, tmp_path: Path) -> None:
    asked = ExportRequest.model_validate({"of": "points", "format": "csv"})

    def cancelled(share: float, report: Report | None = None) -> None:
        raise CancelledError

    with (tmp_path / "p.csv").open("wb") as file:

        def opens(shown: Any) -> OneFile:
            return OneFile(file, "csv", shown, "p.csv", is_stream=False)

        with pytest.raises(CancelledError):
            run(filled_plain, asked, opens, cancelled)


def test_progress_goes_up_to_all_and_says_how_many_rows(filled_plain: str, tmp_path: Path) -> None:
    told: list[tuple[float, Any]] = []
    asked = ExportRequest.model_validate({"of": "points", "format": "csv"})
    with (tmp_path / "p.csv").open("wb") as file:
        report = run(
            filled_plain,
            asked,
            lambda shown: OneFile(file, "csv", shown, "p.csv", is_stream=False),
            lambda share, said=None: told.append((share, said)),
        )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert told[-1][1]["row_count"] == report["row_count"] == 7

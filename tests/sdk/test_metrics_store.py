"""The file of numbers: what is written is read again, whatever else the file holds; and replayed."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.metrics_store import LINE_BYTES_MAX, Metric, MetricsStore, read
from crucible_telemetry.testing import capture

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def line(**changes: Any) -> str:
    fields = {
        "run_id": "r",
        "metric": "loss",
        "value": 0.5,
        "step": 1,
        "timestamp": "2026-01-02T03:04:05Z",
        "metadata": {},
    }
    return json.dumps({**fields, **changes}) + "\n"


def test_a_line_has_the_fields_that_other_tools_expect(path: Path) -> None:
    with MetricsStore(path) as store:
        store.record("run-1", "loss", 0.25, 3, {"split": "train"}, timestamp=TIME)
    assert json.loads(path.read_text()) == {
        "run_id": "run-1",
        "metric": "loss",
        "value": 0.25,
        "step": 3,
        "timestamp": "2026-01-02T03:04:05.678901Z",
        "metadata": {"split": "train"},
    }


metadata = st.dictionaries(
    st.text(min_size=1, max_size=20), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20)
)  # fmt: skip
utc_times = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
metrics = st.builds(
    Metric,
    run_id=st.text(min_size=1),
    metric=st.text(min_size=1),
    value=st.floats() | st.integers(-(2**63), 2**63 - 1),
    timestamp=utc_times.map(lambda time: time.replace(fold=0)),
    step=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    metadata=metadata,
)


@settings(max_examples=50, deadline=None)
@given(written=st.lists(metrics, max_size=5))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, written: list[Metric]
) -> None:
    path = tmp_path_factory.mktemp("store") / "metrics.jsonl"
    path.touch()
    with MetricsStore(path) as store:
        for metric in written:
            store.record(
                metric.run_id, metric.metric, metric.value, metric.step, metric.metadata,
                timestamp=metric.timestamp,
            )  # fmt: skip
    reader = read(path)
    assert [repr(metric) for metric in reader] == [repr(metric) for metric in written]
    assert reader.bad_line_count == 0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_are_texts_that_json_can_hold(path: Path, number: float) -> None:
    with MetricsStore(path) as store:
        store.record("r", "loss", number)
    assert json.loads(path.read_text())["value"] in {"NaN", "Infinity", "-Infinity"}
    (metric,) = read(path)
    assert repr(metric.value) == repr(number)


def test_times_are_in_utc_whatever_zone_they_were_given_in(path: Path) -> None:
    east = timezone(timedelta(hours=2))
    with MetricsStore(path) as store:
        store.record("r", "loss", 1, timestamp=TIME.astimezone(east))
        store.record("r", "loss", 1, timestamp=TIME.replace(tzinfo=None))
    assert [metric.timestamp for metric in read(path)] == [TIME, TIME]


def test_what_is_no_number_is_left_out_and_counted(path: Path) -> None:
    with MetricsStore(path) as store:
        store.record("r", "loss", "low")
        store.record("r", "loss", None)
        store.record("r", "loss", 1.0)
    assert len(list(read(path))) == 1
    assert faults.counts() == {"not_a_number": 2}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{broken\n", "not JSON"),
        ("[1]\n", "the line: an object is expected"),
        (line(run_id=""), "run_id: a text is expected, not ''"),
        (line(run_id=7), "run_id: a text is expected, not 7"),
        (line(metric=None), "metric: a text is expected, not nothing"),
        (line(value="low"), 'value: a number, "NaN", "Infinity" or "-Infinity" is expected'),
        (line(value=True), "value: a number"),
        (line(step=1.5), "step: a whole number is expected, not 1.5"),
        (line(step=2**70), "step: a whole number"),
        (line(step="x"), "step: a whole number"),
        (line(timestamp="yesterday"), "timestamp: ISO 8601 is expected, not 'yesterday'"),
        (line(timestamp="0001-01-01T00:00:00+14:00"), "timestamp: ISO 8601"),
        (line(metadata=[1]), "metadata: an object is expected"),
        (line(metadata={"x": "y" * LINE_BYTES_MAX}), "longer than"),
        ("[" * 100_000 + "\n", "not JSON"),
    ],
)
def test_a_bad_line_is_told_by_file_and_line_and_the_rest_is_read(
    path: Path, bad: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(line(step=0) + "\n" + bad + line(step=2.0))
    reader = read(path)
    assert [metric.step for metric in reader] == [0, 2]
    assert reader.bad_line_count == 1
    assert reader.errors[0].startswith(f"{path}:3: {why}")
    assert reader.errors[0] in caplog.text


def test_a_line_that_is_no_text_is_passed_over(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\n" + line().encode())
    reader = read(path)
    assert len(list(reader)) == 1
    assert reader.bad_line_count == 1


def test_a_file_that_is_not_there_is_said_at_once(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(path)


def test_a_line_that_a_crash_cut_off_spoils_no_other(path: Path) -> None:
    path.write_text(line(step=0) + line(step=1)[:20])
    with MetricsStore(path) as store:
        store.record("r", "loss", 1, step=2)
    reader = read(path)
    assert [metric.step for metric in reader] == [0, 2]
    assert reader.bad_line_count == 1


def _write(path: Path, run_id: str) -> None:
    with MetricsStore(path) as store:
        for step in range(200):
            store.record(run_id, "loss", step, step=step, metadata={"filler": "x" * 100})


def test_processes_that_share_a_file_do_not_disturb_each_other(path: Path) -> None:
    starting = multiprocessing.get_context("spawn")
    writers = [starting.Process(target=_write, args=(path, f"r{index}")) for index in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    reader = read(path)
    found = [(metric.run_id, metric.step) for metric in reader]
    assert reader.bad_line_count == 0
    assert sorted(found) == sorted((f"r{index}", step) for index in range(2) for step in range(200))


def test_a_file_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    with MetricsStore(tmp_path / "no" / "such" / "directory.jsonl") as store:
        store.record("r", "loss", 1)
    assert faults.counts() == {"error": 1}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_disturbs_nobody() -> None:
    with MetricsStore("/dev/full") as store:
        store.record("r", "loss", 1)
        store.record("r", "loss", 1)
    assert faults.counts() == {"error": 2}


def test_a_file_is_replayed_at_its_own_times_and_steps(path: Path) -> None:
    path.write_text(
        line(run_id="a", step=0, metadata={"epoch": 2, "note": "x"})
        + line(run_id="b", step=None, value="NaN")
    )
    with capture() as captured:
        replayed = crucible.replay(path)
    assert (replayed.event_count, replayed.bad_line_count, replayed.is_complete) == (2, 0, True)
    first, second = captured.named("crucible_train.batch.stop")
    assert first.attributes == {
        "crucible.run.id": "a",
        "crucible.correlation.id": "a",
        "crucible.step": 0,
        "crucible.epoch": 2,
        "crucible.batch.note": "x",
    }
    assert first.measurements == {"loss": 0.5}
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert first.span.start_time == first.span.end_time == int(at.timestamp()) * 10**9
    assert "crucible.step" not in second.attributes
    assert math.isnan(second.measurements["loss"])
    assert first.span.context.trace_id != second.span.context.trace_id


def test_numbers_of_one_moment_are_one_event(path: Path) -> None:
    later = "2026-01-02T03:04:06Z"
    path.write_text(
        line(metric="loss")
        + line(metric="accuracy")
        + line(metric="loss", value=2)
        + line(metric="accuracy", timestamp=later)
        + line(metric="loss", run_id="other", timestamp=later)
    )
    with capture() as captured:
        assert crucible.replay(path).event_count == 4
    measured = [event.measurements for event in captured.named("crucible_train.batch.stop")]
    assert measured == [
        {"loss": 0.5, "accuracy": 0.5},
        {"loss": 2},
        {"accuracy": 0.5},
        {"loss": 0.5},
    ]


def test_a_replay_inside_an_experiment_belongs_to_it(path: Path) -> None:
    path.write_text(line() + "broken\n")
    with capture() as captured, crucible.experiment("before", correlation_id="story"):
        assert crucible.replay(path).bad_line_count == 1
    (event,) = captured.named("crucible_train.batch.stop")
    assert event.attributes["crucible.experiment.id"] == "before"
    assert event.attributes["crucible.correlation.id"] == "story"
    assert event.span.parent is None

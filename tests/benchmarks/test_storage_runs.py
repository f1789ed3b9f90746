"""The benchmark of storage itself: what it fills in, that it asks every question, and that it can fail."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks import storage, storage_fill, storage_keep
from benchmarks.storage_ask import asking, beside_raw, difference
from benchmarks.storage_columnstore import Setting, setting_of
from benchmarks.storage_inferences import ASKED, ERROR_SHARE
from benchmarks.storage_keep import BEGUN, NOTE, Kept
from benchmarks.storage_questions import QUESTIONS
from benchmarks.storage_rows import Day, day_of
from benchmarks.storage_story import EPOCH_BATCHES, METRICS, Scale, Story
from databases import TestServer

END = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SMALL = Scale(spans=16_000, points=40_000, runs=40, days=3)
STORY = Story(SMALL, END)
REPEATS = 2


@pytest.fixture(scope="module")
def days() -> list[Day]:
    return [day_of(STORY, date) for date in STORY.days]


def spans_of(days: list[Day]) -> list[dict[str, Any]]:
    return [row for day in days for row in day.spans.to_pylist()]


def quiet(_line: str) -> None:
    """Nobody watches."""


def test_there_is_as_much_as_was_asked_for(days: list[Day]) -> None:
    assert sum(day.spans.num_rows for day in days) == pytest.approx(SMALL.spans, rel=0.01)
    assert sum(day.points.num_rows for day in days) == pytest.approx(SMALL.points, rel=0.01)
    assert len({row["run_id"] for row in spans_of(days)}) == SMALL.runs


def test_batches_are_most_of_the_spans_and_inferences_some(days: list[Day]) -> None:
    names = Counter(row["event_name"] for row in spans_of(days))
    assert names["crucible_train.batch.stop"] > 0.6 * SMALL.spans
    asked = names["crucible_deployment.inference.stop"]
    failed = names["crucible_deployment.inference.exception"]
    assert failed / (asked + failed) == pytest.approx(ERROR_SHARE, rel=0.7)
    assert (asked + failed) == ASKED * names["crucible_framework.pipeline.stop"]
    assert names["crucible_train.epoch.start"] == names["crucible_train.epoch.stop"]
    assert names["crucible_train.training.stop"] == sum(
        run.kind == "training" for run in STORY.runs
    )


def test_a_day_is_made_alike_every_time(days: list[Day]) -> None:
    again = day_of(Story(SMALL, END), STORY.days[1])
    assert again.spans.equals(days[1].spans)
    # Rows of one very time may come in any order.
    assert sorted(map(repr, again.points.to_pylist())) == sorted(
        map(repr, days[1].points.to_pylist())
    )


def test_rows_come_in_the_order_of_time_and_mostly_on_their_day(days: list[Day]) -> None:
    for day, date in zip(days, STORY.days, strict=True):
        times = day.spans["time"].to_pylist()
        assert times == sorted(times)
        midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
        assert midnight <= times[0]
        assert times[-1] < midnight + dt.timedelta(days=2)


def test_a_trace_is_an_epoch_with_its_batches_or_a_pipeline(days: list[Day]) -> None:
    spans = spans_of(days)
    sizes = Counter(row["trace_id"] for row in spans)
    assert max(sizes.values()) <= EPOCH_BATCHES + 3
    own = {row["span_id"]: row for row in spans}
    children = [row for row in spans if row["parent_span_id"] is not None]
    assert len(children) > 0.9 * len(spans)
    assert all(own[row["parent_span_id"]]["trace_id"] == row["trace_id"] for row in children)


def test_what_a_batch_measured_is_in_its_attributes_and_in_points(days: list[Day]) -> None:
    batch = next(row for row in spans_of(days) if row["name"] == "crucible_train.batch")
    end = batch["time"] + dt.timedelta(microseconds=batch["duration_ns"] // 1_000)
    near = dt.timedelta(microseconds=1)
    points = [row for day in days for row in day.points.to_pylist()]
    values = {row["value"] for row in points if abs(row["time"] - end) <= near}
    attributes = json.loads(batch["attributes"])
    told = {attributes.get(f"crucible.measurement.{metric}") for metric in METRICS} - {None}
    assert told
    assert told <= values


def test_attributes_and_events_are_json(days: list[Day]) -> None:
    failed = [row for row in spans_of(days) if row["status_code"] == 2]
    assert failed
    for row in failed:
        (event,) = json.loads(row["events"])
        assert event["attributes"]["exception.type"] in row["status_message"]
        assert row["cost_usd"] is None
    for row in spans_of(days[:1]):
        assert isinstance(json.loads(row["attributes"]), dict)


@pytest.fixture
def kept(any_server: TestServer) -> Any:
    with any_server.database() as dsn:
        filled = storage_fill.fill(dsn, STORY, quiet)
        yield Kept(any_server.kind, "", dsn, STORY, filled.spans, filled.points, filled.seconds)


def test_every_question_is_asked_and_the_report_has_every_figure(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [Setting("spans", "run_id", "time desc"), Setting("points", "series_id", "time")]
    found = storage.measure(kept, REPEATS, 1, settings)
    assert found.whole.keys() == found.database.keys() == {each.name for each in QUESTIONS}
    assert found.beside.keys() == {each.name for each in QUESTIONS if each.raw}
    for name, times in found.whole.items():
        assert 0 < found.database[name].p50 <= times.p50 <= times.p95 <= times.max
    assert found.database_bytes > 1_000_000
    if kept.kind == "timescale":
        assert [each.stored.converted for each in found.tried] == [0, 1, 0, 1]
        assert all(each.stored.ratio > 1 for each in found.tried if each.stored.converted)
        assert all(ms > 0 for each in found.tried for ms in each.ms.values())
    text = storage.report([found], SMALL)
    for question in QUESTIONS:
        assert f"| {question.name} |" in text
    for tried in found.tried:
        assert f"| {tried.setting} |" in text
    path = storage.write_all([found], tmp_path)
    figures = json.loads(path.read_text())
    assert len(figures) == len(storage.figures(found))
    assert all(
        math.isfinite(each["value"]) for each in figures if "columnstore" not in each["name"]
    )
    assert json.loads(path.with_name("bench-storage-all.json").read_text())[0]["kind"] == kept.kind


def test_roll_ups_that_say_something_else_than_raw_rows_are_an_error(kept: Kept) -> None:
    errors = next(each for each in QUESTIONS if each.raw == "errors")
    with asking(kept.dsn) as asker:
        assert beside_raw(asker, errors, STORY, 1).difference == 0
        with psycopg.connect(kept.dsn) as conn:
            conn.execute(
                "delete from crucible.spans where event_name = 'crucible_train.batch.stop'"
            )
        with pytest.raises(RuntimeError, match="rows are not the same"):
            beside_raw(asker, errors, STORY, 1)


def test_a_difference_of_more_than_the_percentiles_error_is_an_error() -> None:
    question = dataclasses.replace(QUESTIONS[0], key=("time",))
    ours = [{"time": "2026-11-20T10:00:00.000000000Z", "p50_ms": 1.009, "cost_usd": 0.0}]
    raw = [{"time": dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC), "p50_ms": 1.0, "cost_usd": 0.0}]
    assert difference(question, ours, raw) == pytest.approx(0.0089, abs=1e-4)
    with pytest.raises(RuntimeError, match="p50_ms of"):
        difference(question, [{**ours[0], "p50_ms": 1.02}], raw)


def test_a_fill_is_kept_and_one_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    tiny = Scale(spans=1_200, points=3_000, runs=4, days=2)
    said: list[str] = []

    def filled() -> Kept:
        with storage_keep.kept("plain", tiny, tmp_path, said.append) as kept:
            with psycopg.connect(kept.dsn) as conn:
                assert conn.execute("select count(*) from crucible.spans").fetchone() == (
                    kept.spans,
                )
            return kept

    first = filled()
    said.clear()
    assert filled() == first
    assert not said
    (tmp_path / "plain" / NOTE).unlink()
    filled()
    assert any(line.startswith("filled") for line in said)


def test_a_directory_with_other_peoples_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "thesis.tex").touch()
    with (
        pytest.raises(SystemExit, match="neither empty nor a filled database"),
        storage_keep.kept("plain", SMALL, tmp_path, quiet),
    ):
        pytest.fail("filled over it")
    assert not (tmp_path / "plain" / BEGUN).exists()


def test_two_benchmarks_do_not_share_a_directory(tmp_path: Path) -> None:
    with (
        storage_keep._alone(tmp_path / "plain.lock"),
        pytest.raises(SystemExit, match="another benchmark uses"),
        storage_keep.kept("plain", SMALL, tmp_path, quiet),
    ):
        pytest.fail("started a second one")


def test_another_scale_is_kept_elsewhere() -> None:
    assert storage_keep.shape(SMALL) == storage_keep.shape(dataclasses.replace(SMALL))
    assert storage_keep.shape(SMALL) != storage_keep.shape(Scale())


def test_requests_are_drawn_alike_every_time_and_differ_from_each_other() -> None:
    for question in QUESTIONS:
        requests = question.requests(STORY, 8)
        assert requests == question.requests(Story(SMALL, END), 8)
        assert len({each.url for each in requests}) > 1


@pytest.mark.parametrize(
    "text", ["spans", "spans: run_id", "logs: run_id; time", "spans: run_id; ; bloom(trace_id)"]
)
def test_a_setting_that_is_none_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(SystemExit, match="expected relation: segment columns; order"):
        storage.settings_asked(text)


def test_settings_are_read_as_they_are_written() -> None:
    setting = Setting("spans", "run_id, event_name", "time desc", "bloom(trace_id)")
    assert setting_of("spans: run_id, event_name; time desc; bloom(trace_id)") == setting
    assert setting_of("points: ; time") == Setting("points", "", "time")
    assert storage.settings_asked("none") == ()

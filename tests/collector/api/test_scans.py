"""Scans over REST: what is found again, what is written, what is refused, and how one ends; and bands."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from pydantic import TypeAdapter

from crucible_collector.api import api_server, create_app
from crucible_collector.api.models import Failure, One, Page
from crucible_collector.api.scanned import AnomalyScan, Band, ListedScan
from crucible_collector.detect.detector import NO_STEP, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.settings import Detection
from crucible_collector.scan import band as bands
from crucible_collector.scan.scans import Scans
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import Health, Stored, Switched, at

PATH = "/api/v1/anomalies/scan"
LOSS, ACCURACY, SLASHED = 31, 32, 33
EVENT = "crucible_train.batch.stop"
ONE: TypeAdapter[Any] = TypeAdapter(One[AnomalyScan])
LIST: TypeAdapter[Any] = TypeAdapter(Page[ListedScan])
BAND: TypeAdapter[Any] = TypeAdapter(Band)
FAILURE: TypeAdapter[Any] = TypeAdapter(Failure)
SPIKES = (300, 301, 450)
# Noise is no reason to flag; spikes are.
TUNED = {"detectors": ["zscore"], "sensitivity": 0.5}


def loss() -> list[float]:
    found = np.random.default_rng(1).normal(1.0, 0.05, 600)
    found[list(SPIKES)] = 4.0
    return [float(each) for each in found]


@dataclass
class Asking:
    client: httpx.Client
    scans: Scans
    stored: Stored

    def begin(self, **asked: Any) -> httpx.Response:
        return self.client.post(PATH, json=asked)

    def begun(self, **asked: Any) -> Any:
        answer = self.begin(**asked)
        assert answer.status_code == 202, answer.text
        return ONE.validate_python(answer.json()).data

    def scan(self, **asked: Any) -> Any:
        """Begun, and waited for."""
        return self.ended(self.begun(**asked).scan_id)

    def ended(self, scan_id: str) -> Any:
        for thread in running():
            thread.join(60)
        return self.told(scan_id)

    def told(self, scan_id: str) -> Any:
        answer = self.client.get(f"{PATH}/{scan_id}")
        assert answer.status_code == 200, answer.text
        return ONE.validate_python(answer.json()).data

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        return self.stored.conn.execute(question.encode()).fetchall()

    def band(self, run: str, metric: str, **parameters: Any) -> Any:
        answer = self.client.get(f"/api/v1/runs/{run}/series/{metric}/band", params=parameters)
        assert answer.status_code == 200, answer.text
        return BAND.validate_python(answer.json())


def running() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "anomaly-scan"]


@contextmanager
def asking(stored: Stored, dsn: str) -> Iterator[Asking]:
    reads, scans = Switched(), Scans(lambda: dsn, lambda: Detection.parse({}))
    server = api_server(create_app(reads, Health(), scanning=scans), stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    try:
        with (
            reader_pool(dsn) as pool,
            httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client,
        ):
            reads.reads = Reader(pool)
            yield Asking(client, scans, stored)
    finally:
        server.stop()
        scans.stop()


@pytest.fixture
def asked(stored: Stored, database: str) -> Iterator[Asking]:
    stored.run("run-1", experiment_id="sweep", condition="a")
    stored.series(LOSS, "loss", run_id="run-1", event_name=EVENT, rank=0)
    stored.series(ACCURACY, "accuracy", run_id="run-1", event_name=EVENT, rank=0)
    stored.points(LOSS, loss())
    stored.points(ACCURACY, [0.5] * 50)
    with asking(stored, database) as found:
        yield found


@contextmanager
def held(asked: Asking, dsn: str) -> Iterator[None]:
    """Until the block ends, every scan waits for the list of series."""
    with psycopg.connect(dsn) as connection:
        connection.execute("lock table crucible.series in access exclusive mode")
        yield


def test_a_scan_tells_what_it_found_by_period_series_and_detector(asked: Asking) -> None:
    found = asked.scan(run="run-1", metric="loss", **TUNED)
    assert (found.state, found.progress, found.error) == ("completed", 1.0, None)
    assert found.request == {"run": "run-1", "metric": "loss", **TUNED}
    report = found.report
    assert (report.value_count, report.series_count, report.flag_count) == (600, 1, 3)
    assert report.is_complete
    [detector] = report.detectors
    assert (detector.detector, detector.flag_count, detector.period_count) == ("zscore", 3, 2)
    [series] = report.series
    assert (series.metric, series.run_id, series.condition) == ("loss", "run-1", "a")
    worst, other = report.periods
    assert (worst.first_step, worst.last_step, worst.flag_count) == (300, 301, 2)
    assert (worst.peak_value, worst.ended_at) == (4.0, "2026-11-23T10:05:31.000000000Z")
    assert (other.first_step, other.flag_count) == (450, 1)


def test_without_detectors_each_series_is_looked_at_as_the_stream_does(asked: Asking) -> None:
    report = asked.scan(experiment="sweep").report
    assert report.value_count == 650
    spikes = [each for each in report.periods if each.detector == "ewma"]
    assert {each.first_step for each in spikes} == {300, 450}
    assert {each.detector for each in report.periods} <= {"ewma", "plateau"}


def test_durations_and_errors_of_events_are_scanned_and_what_sampling_left_is_told(
    asked: Asking,
) -> None:
    for second in range(60):
        is_slow = second == 50
        asked.stored.span(
            time=at(second),
            duration_ns=100_000_000 + second % 7 * 1_000_000 + is_slow * 1_000_000_000,
            run_id="run-1",
            event_name="ask",
            span_id=second,
            sample_probability=0.5 if second < 10 else 1.0,
        )
    found = asked.scan(run="run-1", metric="duration_ms", event="ask", **TUNED).report
    assert (found.value_count, found.series_count, found.thinned_count) == (60, 1, 10)
    [period] = found.periods
    assert (period.metric, period.event_name, period.series_id) == ("duration_ms", "ask", None)
    assert period.peak_value == pytest.approx(1101.0)
    whole = asked.scan(run="run-1").report
    assert whole.value_count == 650 + 2 * 60


def test_a_part_of_the_time_and_one_series_can_be_scanned(asked: Asking) -> None:
    period = {"from": at(280).isoformat(), "to": at(400).isoformat()}
    found = asked.scan(series=f"{LOSS:016x}", **period, **TUNED)
    assert found.report.value_count == 120
    assert [each.first_step for each in found.report.periods] == [300]
    assert found.request["series"] == f"{LOSS:016x}"


def test_what_is_written_replaces_what_was_found_under_its_label_and_nothing_else(
    asked: Asking,
) -> None:
    def stored() -> tuple[Any, ...]:
        return (
            asked.rows(
                "select time, score, step, starts_period from crucible.anomalies where label = 'try' order by 1"
            ),
            asked.rows(
                "select started_at, ended_at, flag_count, state, detector from crucible.anomaly_periods where label = 'try' order by 1"
            ),
            asked.rows(
                "select sum(flag_count)::int, sum(period_count)::int from crucible.anomaly_rollup_1h where label = 'try'"
            ),
        )

    first = asked.scan(run="run-1", metric="loss", label="try", write=True, **TUNED)
    assert (first.state, first.label, first.report.period_count) == ("completed", "try", 2)
    found = stored()
    flags, periods, sums = found
    assert [step for _, _, step, _ in flags] == list(SPIKES)
    assert [state for *_, state, _ in periods] == ["resolved", "resolved"]
    assert sums == [(3, 2)]
    asked.scan(run="run-1", metric="loss", label="try", write=True, **TUNED)
    assert stored() == found
    # Other detectors, another part, another label: beside it.
    asked.scan(run="run-1", metric="loss", label="try", write=True, detectors=["iqr"])
    asked.scan(run="run-1", metric="accuracy", label="try", write=True)
    asked.scan(run="run-1", metric="loss", label="other", write=True, **TUNED)
    assert [row for row in stored()[1] if row[-1] == "zscore"] == periods
    for relation in ("anomaly_feed", "alert_outbox"):
        assert asked.rows(f"select * from crucible.{relation}") == []


def test_a_scan_that_is_only_told_writes_nothing(asked: Asking) -> None:
    assert asked.scan(run="run-1", label="named", **TUNED).report.flag_count == 3
    assert asked.rows("select * from crucible.anomalies") == []
    assert asked.rows("select * from crucible.anomaly_periods") == []


def test_values_that_are_not_finite_are_told_as_texts(asked: Asking) -> None:
    asked.stored.point(LOSS, time=at(1000), step=1000, value=float("nan"))
    found = asked.scan(run="run-1", metric="loss")
    [period] = [each for each in found.report.periods if each.detector == "non_finite"]
    assert (period.peak_value, period.peak_score, period.ended_at) == ("NaN", "Infinity", None)


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "expected one of run, experiment and series"),
    ({"run": "a", "series": "1f"}, "expected one of run"),
    ({"run": "a", "write": True}, "write needs a label"),
    ({"run": "a", "detectors": ["magic"]}, "detectors.0"),
    ({"run": "a", "detectors": ["ewma", "ewma"]}, "each once"),
    ({"run": "a", "sensitivity": 0}, "sensitivity"),
    ({"run": "a", "metrics": "loss"}, "metrics: there is no such key"),
    ({"run": "a\0"}, "NUL"),
    ({"series": "xyz"}, "hex digits"),
    ({"run": "a", "from": "2026-01-02", "to": "2026-01-01"}, "`from` before `to`"),
    ({"run": "a", "label": "a\nb"}, "label"),
)


def test_what_makes_no_sense_is_refused_in_words(asked: Asking) -> None:
    for body, word in REFUSED:
        answer = asked.begin(**body)
        assert answer.status_code == 422, body
        assert word in FAILURE.validate_python(answer.json()).error.message
    assert asked.client.get(PATH).json()["data"] == []


def test_a_third_scan_at_once_is_asked_to_come_back(asked: Asking, database: str) -> None:
    with held(asked, database):
        begun = [asked.begun(run="run-1") for _ in range(2)]
        third = asked.begin(run="run-1")
        assert third.status_code == 429
        assert int(third.headers["retry-after"]) > 0
        assert "2 scans are running" in FAILURE.validate_python(third.json()).error.message
        assert {asked.told(each.scan_id).state for each in begun} == {"running"}
    assert {asked.ended(each.scan_id).state for each in begun} == {"completed"}
    assert asked.begin(run="run-1").status_code == 202


def test_a_scan_that_is_cancelled_ends_and_writes_nothing(asked: Asking, database: str) -> None:
    with held(asked, database):
        begun = asked.begun(run="run-1", label="try", write=True, **TUNED)
        answer = asked.client.delete(f"{PATH}/{begun.scan_id}")
        assert (answer.status_code, answer.json()["data"]["state"]) == (200, "cancelled")
    found = asked.ended(begun.scan_id)
    assert (found.state, found.report) == ("cancelled", None)
    assert asked.rows("select * from crucible.anomalies") == []
    again = asked.client.delete(f"{PATH}/{begun.scan_id}")
    assert ONE.validate_python(again.json()).data == found


def test_at_the_end_of_the_process_scans_end(asked: Asking, database: str) -> None:
    with held(asked, database):
        begun = asked.begun(run="run-1")
        stopping = threading.Thread(target=asked.scans.stop)
        stopping.start()
    stopping.join(30)
    assert not running()
    found = asked.told(begun.scan_id)
    assert (found.state, found.error) == ("cancelled", "the collector that ran it was stopped")
    assert asked.begin(run="run-1").status_code == 429


def test_a_scan_whose_database_refuses_it_has_failed_and_says_why(asked: Asking) -> None:
    asked.stored.conn.execute("alter table crucible.points rename to moved")
    found = asked.scan(run="run-1")
    assert (found.state, found.report) == ("failed", None)
    assert "there is no store in this database" in found.error


def test_a_scan_that_nobody_runs_any_more_has_failed(asked: Asking) -> None:
    asked.stored.conn.execute(
        "insert into crucible.anomaly_scans (scan_id, updated_at, request)"
        " values (gen_random_uuid(), now() - interval '6 minutes', '{}')"
    )
    [found] = LIST.validate_python(asked.client.get(PATH).json()).data
    assert (found.state, found.error) == ("failed", "the collector that ran it has gone")
    assert asked.told(found.scan_id).state == "failed"


def test_scans_are_listed_page_by_page_the_newest_first(asked: Asking) -> None:
    begun = [asked.scan(run="run-1").scan_id for _ in range(3)]
    found, cursor = [], None
    for _ in range(3):
        parameters = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = LIST.validate_python(asked.client.get(PATH, params=parameters).json())
        found += [each.scan_id for each in page.data]
        cursor = page.meta.next_cursor
    assert (found, cursor) == (begun[::-1], None)


def test_there_is_no_other_scan(asked: Asking) -> None:
    other = "07070707-0707-0707-0707-070707070707"
    for ask in (asked.client.get, asked.client.delete):
        assert ask(f"{PATH}/{other}").status_code == 404
        assert ask(f"{PATH}/seven").status_code == 422


def expected_of(name: str, values: list[float]) -> Any:
    """By the detector itself, upwards on the linear scale."""
    count = len(values)
    none = np.zeros(count, np.int64)
    up = (none + 1).astype(np.int8)
    step = none + NO_STEP
    told = Values(none, none, np.array(values), step, step, none > 0, up, np.ones(count))
    detector = DETECTORS[name]
    return detector.score(np.zeros(1, detector.record), told)


def test_a_band_is_what_the_detector_says_of_each_point_from_the_first_on(asked: Asking) -> None:
    asked.stored.series(LOSS + 10, "delay", run_id="run-1", event_name="own")
    asked.stored.points(LOSS + 10, loss())
    found = asked.band("run-1", "delay", detector="zscore", from_step=200, to_step=500)
    assert (found.meta.detector, found.meta.point_count) == ("zscore", 600)
    assert [each.step for each in found.data] == list(range(200, 500))
    told = expected_of("zscore", loss())
    for each in found.data:
        assert each.value == loss()[each.step]
        assert each.expected == told.expected[each.step]
        assert each.upper == told.upper[each.step]
    flagged = [each.step for each in found.data if each.score > 1]
    assert set(SPIKES) <= set(flagged)


def test_by_itself_a_band_is_that_of_the_plan_of_its_metric(asked: Asking) -> None:
    found = asked.band("run-1", "loss")
    meta = found.meta
    assert (meta.detector, meta.watch_class, meta.scale, meta.direction) == (
        "ewma",
        "trend",
        "log",
        "up",
    )
    assert [each.step for each in found.data if (each.score or 0) > 1] == [300, 301, 450]
    assert all(each.upper > each.expected for each in found.data[40:])
    assert all(each.score is None for each in found.data[:30])


def test_a_band_is_of_the_first_event_and_rank_unless_others_are_named(asked: Asking) -> None:
    for rank, event in ((0, "other.stop"), (7, EVENT)):
        asked.stored.series(50 + rank, "loss", run_id="run-1", event_name=event, rank=rank)
        asked.stored.points(50 + rank, [2.0 + rank] * 3)
    assert asked.band("run-1", "loss").meta.series_id == f"{LOSS:016x}"
    assert [each.value for each in asked.band("run-1", "loss", rank=7).data] == [9.0] * 3
    assert [each.value for each in asked.band("run-1", "loss", event="other.stop").data] == [
        2.0
    ] * 3


def test_a_metric_that_nothing_watches_has_no_band_but_its_points(asked: Asking) -> None:
    asked.stored.series(
        60, "own/number", run_id="run-1", event_name="own", source="metric", kind="gauge"
    )
    asked.stored.points(60, [1.0, float("inf")])
    found = asked.band("run-1", "own/number")
    assert found.meta.detector is None
    assert [(each.value, each.expected, each.score) for each in found.data] == [
        (1.0, None, None),
        ("Infinity", None, None),
    ]


def test_what_has_no_points_or_too_many_has_no_band(
    asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = asked.client.get
    assert get("/api/v1/runs/none/series/loss/band").status_code == 404
    assert get("/api/v1/runs/run-1/series/none/band").status_code == 404
    assert get("/api/v1/runs/run-1/series/loss/band?detector=magic").status_code == 422
    monkeypatch.setattr(bands, "POINTS_MAX", 599)
    answer = get("/api/v1/runs/run-1/series/loss/band")
    assert answer.status_code == 422
    assert "more than 599 points" in answer.json()["error"]["message"]


def test_a_metric_may_be_called_band(asked: Asking) -> None:
    asked.stored.series(SLASHED, "loss/band", run_id="run-1", event_name=EVENT)
    asked.stored.points(SLASHED, [1.0, 2.0])
    answer = asked.client.get("/api/v1/runs/run-1/series/loss%2Fband")
    assert [row["value"] for row in json.loads(answer.text)["data"]] == [1.0, 2.0]

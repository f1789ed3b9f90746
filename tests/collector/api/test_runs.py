"""Runs, their newest numbers and their curves."""

from __future__ import annotations

import json
import math
from urllib.parse import quote

from stored import TRACE, Api, Stored, at


def test_runs_come_newest_first_and_filters_narrow_them(stored: Stored, api: Api) -> None:
    stored.run("old", first_seen=at(0), experiment_id="a", status="completed")
    stored.run("new", first_seen=at(1), experiment_id="a", condition="warm")
    stored.run("other", first_seen=at(2), experiment_id="b")

    def ids(**filters: str) -> list[str]:
        return [run["run_id"] for run in api.ask("/runs", **filters)]

    assert ids() == ["other", "new", "old"]
    assert ids(experiment="a") == ["new", "old"]
    assert ids(status="completed") == ["old"]
    assert ids(condition="warm") == ["new"]
    assert ids(experiment="nobody's") == []


def test_runs_page_by_page_are_all_runs_once(stored: Stored, api: Api) -> None:
    for number in range(7):
        # Two a second, so that pages end between runs of the same time.
        stored.run(f"run-{number}", first_seen=at(number // 2))
    pages = list(api.pages("/runs", limit=3))
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [run["run_id"] for page in pages for run in page] == [
        f"run-{number}" for number in reversed(range(7))
    ]


def test_a_run_tells_what_it_is_and_the_latest_of_each_metric(stored: Stored, api: Api) -> None:
    stored.run(
        "run-1",
        experiment_id="sweep",
        kind="training",
        status="completed",
        config={"learning_rate": 0.1},
        trace_id=TRACE,
        started_at=at(1),
        ended_at=at(3.5),
        last_step=41,
    )
    stored.series(1, "loss", run_id="run-1", event_name="crucible_train.batch.stop", rank=0)
    stored.series(2, "loss", run_id="run-1", event_name="crucible_train.batch.stop", rank=1)
    stored.series(3, "loss", run_id="run-1", event_name="crucible_train.epoch.stop")
    stored.series(4, "loss", run_id="run-2")
    stored.points(1, [3.0, 2.0])
    stored.points(2, [3.5, 2.5, 1.5])
    stored.points(3, [math.nan])
    stored.points(4, [9.0])

    run = api.ask("/runs/run-1")
    assert run["config"] == {"learning_rate": 0.1}
    assert run["trace_id"] == run["correlation_id"] == TRACE.hex
    assert run["duration_ms"] == 2500.0
    assert run["started_at"] == "2026-11-23T10:00:01.000000000Z"
    assert run["latest_is_complete"] is True
    assert [
        (each["metric"], each["event_name"], each["rank"], each["step"], each["value"])
        for each in run["latest"]
    ] == [
        ("loss", "crucible_train.batch.stop", 1, 2, 1.5),
        ("loss", "crucible_train.epoch.stop", None, 0, "NaN"),
    ]


def test_a_run_tells_when_it_was_last_heard_of_and_whether_it_has_stalled(
    stored: Stored, api: Api
) -> None:
    stored.run("alive")
    stored.run(
        "silent",
        status="stalled",
        last_received_at=at(4),
        stalled_at=at(40),
        heartbeat_interval_s=10.0,
    )
    (silent,) = api.ask("/runs", status="stalled")
    assert silent["last_received_at"] == "2026-11-23T10:00:04.000000000Z"
    assert silent["stalled_at"] == "2026-11-23T10:00:40.000000000Z"
    assert silent["heartbeat_interval_s"] == 10.0
    alive = api.ask("/runs/alive")
    assert (alive["last_received_at"], alive["stalled_at"], alive["heartbeat_interval_s"]) == (
        None,
        None,
        None,
    )


def test_series_of_a_run_count_their_points_and_the_not_finite_ones_apart(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1", unit="nat")
    stored.series(2, "optim/entropy", run_id="run-1")
    stored.series(3, "latency", run_id="run-1", kind="histogram", source="metric")
    stored.points(1, [4.0, math.inf, -2.0, math.nan, -math.inf])

    loss, entropy = api.ask("/runs/run-1/series")
    assert (loss["metric"], loss["unit"], loss["point_count"]) == ("loss", "nat", 5)
    assert (loss["non_finite_count"], loss["value_min"], loss["value_max"]) == (3, -2.0, 4.0)
    assert (loss["last_value"], loss["last_step"]) == ("-Infinity", 4)
    assert (entropy["metric"], entropy["point_count"]) == ("optim/entropy", 0)
    assert (entropy["last_value"], entropy["last_time"]) == (None, None)


def test_a_curve_has_every_point_in_order_of_time_with_numbers_json_does_not_know_as_words(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [0.1, math.nan, math.inf, -math.inf, None, 1e300])
    curve = api.ask("/runs/run-1/series/loss")
    assert [point["step"] for point in curve] == list(range(6))
    assert [point["value"] for point in curve] == [
        0.1,
        "NaN",
        "Infinity",
        "-Infinity",
        None,
        1e300,
    ]


def test_a_curve_says_of_each_point_which_event_and_rank_measured_it(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    first = stored.series(1, "loss", run_id="run-1", event_name="batch.stop", rank=0)
    second = stored.series(2, "loss", run_id="run-1", event_name="batch.stop", rank=1)
    third = stored.series(3, "loss", run_id="run-1", event_name="epoch.stop")
    for series in (1, 2, 3):
        stored.points(series, [float(series)] * 3)

    def series_ids(**filters: object) -> list[str]:
        return [point["series_id"] for point in api.ask("/runs/run-1/series/loss", **filters)]

    assert series_ids() == [first, second, third] * 3
    assert series_ids(event="batch.stop") == [first, second] * 3
    assert series_ids(rank=1) == [second] * 3
    assert series_ids(event="epoch.stop", from_step=1, to_step=2) == [third]


CUTS: list[tuple[dict[str, object], list[int]]] = [
    ({"from_": "2026-11-23T10:00:03Z"}, [3, 4]),
    ({"to": "2026-11-23T10:00:02Z"}, [0, 1]),
    # A plus sign that nobody escaped reaches the server as a space.
    ({"from_": "2026-11-23T12:00:03 02:00", "to": "2026-11-23T10:00:04.5"}, [3, 4]),
    ({"from_step": 1, "to_step": 3}, [1, 2]),
    ({"from_": "2026-11-24"}, []),
]


def test_a_curve_is_cut_by_time_and_step(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [1.0] * 5)
    for filters, steps in CUTS:
        curve = api.ask("/runs/run-1/series/loss", **filters)
        assert (filters, [point["step"] for point in curve]) == (filters, steps)


def test_a_curve_page_by_page_is_whole_even_where_many_points_share_a_time(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.series(2, "loss", run_id="run-1")
    for step in range(9):
        for series in (1, 2):
            stored.point(series, time=at(step // 8), step=step, value=step)
    pages = list(api.pages("/runs/run-1/series/loss", limit=4))
    assert [len(page) for page in pages] == [4, 4, 4, 4, 2]
    given = sorted((p["series_id"], p["step"]) for page in pages for p in page)
    assert given == [(f"{series:016x}", step) for series in (1, 2) for step in range(9)]


def test_nothing_is_cut_off_without_saying_so(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [1.0] * 1001)
    answer = api.get("/api/v1/runs/run-1/series/loss").json()
    assert len(answer["data"]) == answer["meta"]["limit"] == 1000
    assert answer["meta"]["has_more"] is True
    answer = api.get("/api/v1/runs/run-1/series/loss", limit=1001).json()
    assert answer["meta"] == {
        "limit": 1001,
        "has_more": False,
        "next_cursor": None,
        "downsampled": False,
        "point_count": None,
    }


def test_any_text_may_be_a_run_id_and_a_metric(stored: Stored, api: Api) -> None:
    names = ["a/b", "50%", "%2F", "ü ñ", "a?b#c", "..x", "a/series/loss", "<b>", "a\nb", "a+b"]
    for number, name in enumerate(names):
        stored.run(name)
        stored.series(number, name, run_id=name)
        stored.point(number, value=number)
    for number, name in enumerate(names):
        escaped = quote(name, safe="")
        assert api.ask(f"/runs/{escaped}")["run_id"] == name
        [point] = api.ask(f"/runs/{escaped}/series/{escaped}")
        assert point["value"] == number
    by_page = [run["run_id"] for page in api.pages("/runs", limit=1) for run in page]
    assert by_page == sorted(names, key=str.encode, reverse=True)


def test_slashes_in_a_metric_need_no_escape(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "time/sampling/series/mean", run_id="run-1")
    stored.points(1, [7.0])
    [point] = api.ask("/runs/run-1/series/time/sampling/series/mean")
    assert point["value"] == 7.0


def test_a_run_that_is_not_there_is_not_an_empty_one(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    for path in ("", "/series", "/series/loss"):
        assert api.get(f"/api/v1/runs/run-2{path}").status_code == 404
    assert api.ask("/runs/run-1/series/loss") == api.ask("/runs/run-1/series") == []


def test_numbers_leave_as_they_were_stored(stored: Stored, api: Api) -> None:
    stored.run("run-1", config={"seed": 9007199254740993, "rate": 1.0, "small": 5e-324})
    text = api.get("/api/v1/runs/run-1").text
    assert '"seed":9007199254740993' in text
    assert '"rate":1.0' in text
    assert json.loads(text)["data"]["config"]["small"] == 5e-324

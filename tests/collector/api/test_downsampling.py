"""A curve of which points are left out looks like the whole, and says what it stands for."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from crucible_collector.api import run_curve
from stored import Api, Stored, at

CURVE = "/api/v1/runs/run-1/series/loss"
ODD = (math.nan, math.inf, -math.inf, None)


def ask(api: Api, **parameters: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = api.get(CURVE, **parameters).json()
    return answer["data"], answer["meta"]


def some_curve(stored: Stored, values: list[float | None]) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1", rank=0, event_name="crucible_train.batch.stop")
    stored.points(1, values)


def is_odd(point: dict[str, Any]) -> bool:
    return point["value"] is None or isinstance(point["value"], str)


@pytest.mark.parametrize("points_max", [2, 3, 7, 50, 499])
def test_extremes_ends_and_what_is_no_number_survive(
    stored: Stored, api: Api, points_max: int
) -> None:
    chance = random.Random(points_max)
    values: list[float | None] = [chance.gauss(0, 1) for _ in range(500)]
    low, high, first_odd = 123, 345, 400
    values[low], values[high] = -1e6, 1e6
    for number in range(first_odd, 440):
        values[number] = ODD[number % len(ODD)]
    some_curve(stored, values)
    every, _ = ask(api)
    points, meta = ask(api, points_max=points_max)
    steps = [point["step"] for point in points]
    assert len(points) <= points_max
    assert meta == {
        "limit": points_max,
        "has_more": False,
        "next_cursor": None,
        "downsampled": True,
        "point_count": 500,
    }
    assert steps == sorted(set(steps))
    assert {steps[0], steps[-1]} == {0, 499}
    assert all(point == every[point["step"]] for point in points)
    if points_max >= 5:
        assert {low, high, first_odd} <= set(steps)


def test_each_stretch_keeps_its_least_and_largest(stored: Stored, api: Api) -> None:
    chance = random.Random(3)
    values: list[float | None] = [chance.random() for _ in range(400)]
    some_curve(stored, values)
    points, _ = ask(api, points_max=42)
    kept = {point["step"] for point in points}
    for start in range(0, 400, 20):
        stretch = values[start : start + 20]
        assert start + stretch.index(min(filter(None, stretch))) in kept
        assert start + stretch.index(max(filter(None, stretch))) in kept


def test_many_long_lines_are_thinned_each_before_all_are(
    stored: Stored, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_curve, "CANDIDATES_MAX", 200)
    chance = random.Random(4)
    values: list[float | None] = [chance.random() for _ in range(400)]
    values[123], values[234], values[345] = -1e6, math.nan, 1e6
    some_curve(stored, values)
    stored.series(2, "loss", run_id="run-1", rank=1, event_name="crucible_train.batch.stop")
    stored.points(2, [0.5] * 400)
    points, meta = ask(api, points_max=50)
    assert len(points) <= 50
    assert meta["point_count"] == 800
    assert {0, 123, 234, 345, 399} <= {point["step"] for point in points}
    steps = [point["step"] for point in points]
    assert steps == sorted(steps)


def test_where_there_are_no_more_than_asked_for_all_are_given(stored: Stored, api: Api) -> None:
    some_curve(stored, [*[1.0] * 19, math.nan])
    every, meta = ask(api)
    assert (meta["downsampled"], meta["point_count"]) == (False, None)
    for points_max in (20, 10_000):
        points, meta = ask(api, points_max=points_max, limit=1)
        assert points == every
        assert (meta["downsampled"], meta["point_count"]) == (False, 20)
    assert ask(api, points_max=19)[1]["downsampled"] is True


def test_filters_choose_the_points_that_are_thinned(stored: Stored, api: Api) -> None:
    some_curve(stored, [float(number) for number in range(100)])
    stored.series(2, "loss", run_id="run-1", rank=1, event_name="crucible_train.epoch.stop")
    stored.points(2, [-5.0] * 100)
    for filters, first, last, count in (
        ({}, 0, 99, 200),
        ({"rank": 0}, 0, 99, 100),
        ({"event": "crucible_train.batch.stop", "from_step": 10, "to_step": 60}, 10, 59, 50),
        ({"rank": 0, "from_": at(20).isoformat(), "to": at(70).isoformat()}, 20, 69, 50),
    ):
        points, meta = ask(api, points_max=12, **filters)
        assert (points[0]["step"], points[-1]["step"]) == (first, last)
        assert meta["point_count"] == count
        assert {point["rank"] for point in points} == ({0} if filters else {0, 1})


def test_a_run_without_the_metric_has_no_points_and_no_run_is_not_found(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    points, meta = ask(api, points_max=10)
    assert (points, meta["point_count"], meta["downsampled"]) == ([], 0, False)
    assert api.get("/api/v1/runs/another/series/loss", points_max=10).status_code == 404


def test_an_answer_at_once_takes_no_cursor(stored: Stored, api: Api) -> None:
    some_curve(stored, [1.0] * 20)
    cursor = ask(api, limit=5)[1]["next_cursor"]
    answer = api.get(CURVE, points_max=10, cursor=cursor)
    assert answer.status_code == 422
    assert "takes no cursor" in answer.json()["error"]["message"]

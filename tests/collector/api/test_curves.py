"""Lines of several runs, of which few points are shown, look like the whole lines."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from tsdownsample import MinMaxLTTBDownsampler

from crucible_collector.api import lines
from crucible_collector.api.line_points import largest_triangles
from crucible_collector.batch import F64
from stored import Api, Stored, at

CURVES = "/api/v1/curves"
COUNT = 5_000


def noisy(seed: int, count: int = COUNT) -> list[float | None]:
    """A loss that falls, with noise."""
    drawn = np.random.default_rng(seed)
    return list(map(float, 3 / (1 + np.arange(count) / 500) + drawn.normal(0, 0.05, count)))


def some_runs(stored: Stored, lines: dict[tuple[str, int], list[float | None]]) -> None:
    """A line for each run and rank, one point a second."""
    for run in {run for run, _ in lines}:
        stored.run(run, started_at=at(-5))
    for number, ((run, rank), values) in enumerate(lines.items(), 1):
        stored.series(number, "loss", run_id=run, rank=rank, event_name="step", unit="nats")
        stored.points(number, values)


def ask(api: Api, **parameters: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    response = api.get(CURVES, **{"metric": "loss", **parameters})
    assert response.status_code == 200, response.text
    return response.json()["data"], response.json()["meta"]


def test_each_run_and_rank_is_a_line_that_says_what_it_stands_for(stored: Stored, api: Api) -> None:
    some_runs(stored, {("a,1", 0): noisy(1), ("b", 0): noisy(2, 80), ("b", 1): noisy(3)})
    rows, meta = ask(api, run="b,a\\,1", points=100)
    assert [(line["run_id"], line["rank"]) for line in meta["lines"]] == [
        ("b", 0),
        ("b", 1),
        ("a,1", 0),
    ]
    assert [line["point_count"] for line in meta["lines"]] == [80, COUNT, COUNT]
    assert [line["downsampled"] for line in meta["lines"]] == [False, True, True]
    for line in meta["lines"]:
        own = [row for row in rows if row["series_id"] == line["series_id"]]
        assert len(own) == line["shown_count"] <= 100
        assert [row["step"] for row in own] == sorted({row["step"] for row in own})
        assert (own[0]["step"], own[-1]["step"]) == (0, line["point_count"] - 1)
        assert own[0]["relative_s"] == 5
    assert [row["run_id"] for row in rows] == sorted(
        (row["run_id"] for row in rows), key=["b", "a,1"].index
    )
    assert ask(api, run=["b", "a\\,1"], points=100) == (rows, meta)


@pytest.mark.parametrize("points", [10, 50, 500])
def test_spikes_and_what_is_no_number_survive(stored: Stored, api: Api, points: int) -> None:
    values = noisy(4)
    values[1234], values[4321] = 1e6, -1e6
    odd = [7, 2000, 2001, 4999]
    for step, value in zip(odd, (math.nan, math.inf, -math.inf, None), strict=True):
        values[step] = value
    some_runs(stored, {("a", 0): values})
    rows, meta = ask(api, run="a", points=points)
    assert len(rows) <= points
    assert {*odd, 1234, 4321, 0, 4998} <= {row["step"] for row in rows}
    assert meta["lines"][0]["non_finite_count"] == 4
    assert [row["value"] for row in rows if row["step"] in odd] == [
        "NaN",
        "Infinity",
        "-Infinity",
        None,
    ]


def test_a_line_of_nothing_but_nan_is_few_points(stored: Stored, api: Api) -> None:
    some_runs(stored, {("a", 0): [*noisy(5, 10), *[math.nan] * 1000]})
    rows, meta = ask(api, run="a", points=40)
    (line,) = meta["lines"]
    assert len(rows) <= 40
    assert {row["step"] for row in rows} >= {*range(10), 10}
    assert (line["point_count"], line["non_finite_count"]) == (1010, 1000)


def test_the_points_are_those_that_the_algorithm_takes(stored: Stored, api: Api) -> None:
    """Up to its own way to cut stretches: both lines are as near to the whole one."""
    values = noisy(6)
    some_runs(stored, {("a", 0): values})
    rows, _ = ask(api, run="a", points=200)
    whole = np.array(values, np.float64)
    steps = np.arange(COUNT, dtype=np.float64)
    library = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]
    by_library = library.downsample(steps, whole, n_out=200).astype(np.int64)
    ours = np.array([row["step"] for row in rows])
    assert off(whole, ours) <= 1.1 * off(whole, by_library)
    assert off(whole, ours) < off(whole, np.linspace(0, COUNT - 1, 200).astype(np.int64))


def off(whole: F64, places: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """How far the drawn band, the least and the largest within each of 50 stretches, is from the whole's."""
    found = 0.0
    for stretch in np.array_split(np.arange(len(whole)), 50):
        shown = whole[places[(places >= stretch[0]) & (places <= stretch[-1])]]
        inside = whole[stretch]
        found += abs(inside.max() - shown.max(initial=-9)) + abs(
            inside.min() - shown.min(initial=9)
        )
    return found


@pytest.mark.parametrize("x", ["step", "time", "relative_time"])
def test_a_line_too_long_to_be_read_whole_keeps_the_same(
    stored: Stored, api: Api, monkeypatch: pytest.MonkeyPatch, x: str
) -> None:
    values = noisy(7)
    values[1234], values[4321] = 1e6, -1e6
    odd = [7, 2000, 4999]
    for step, value in zip(odd, (math.nan, -math.inf, None), strict=True):
        values[step] = value
    some_runs(stored, {("a", 0): values, ("a", 1): noisy(8, 900)})
    whole_rows, whole = ask(api, run="a", points=200, x=x)
    stored_points = {row["step"]: row for row in ask(api, run="a", points=COUNT, rank=0, x=x)[0]}
    monkeypatch.setattr(lines, "WHOLE_POINTS_MAX", 1_000)
    monkeypatch.setattr(lines, "STRETCHES_MIN", 16)
    rows, meta = ask(api, run="a", points=200, x=x)
    for line, of_whole in zip(meta["lines"], whole["lines"], strict=True):
        assert line["point_count"] == of_whole["point_count"]
        assert line["non_finite_count"] == of_whole["non_finite_count"]
    first, second = ([row for row in rows if row["rank"] == rank] for rank in (0, 1))
    assert len(first) <= 200
    assert second == [row for row in whole_rows if row["rank"] == 1]
    assert {*odd, 1234, 4321, 0, 4998} <= {row["step"] for row in first}
    assert [row["step"] for row in first] == sorted(row["step"] for row in first)
    assert all(row == stored_points[row["step"]] for row in first)
    steps = np.array([row["step"] for row in first if row["step"] not in odd])
    whole_steps = [row["step"] for row in whole_rows if row["rank"] == 0]
    finite = np.array([0.0 if step in odd else value for step, value in enumerate(values)])
    off_whole = off(finite, np.array([step for step in whole_steps if step not in odd]))
    assert off(finite, steps) <= 1.1 * off_whole


def test_x_says_the_order(stored: Stored, api: Api) -> None:
    """A run that went back to an earlier step draws its steps in order; over time it goes back."""
    stored.run("a", started_at=at(0))
    stored.series(1, "loss", run_id="a", event_name="step")
    for second, step in enumerate((0, 1, 2, 1, 2, 3)):
        stored.point(1, time=at(second), step=step, value=float(second))
    stored.point(1, time=at(9), value=9.0)
    by_step, _ = ask(api, run="a")
    assert [row["value"] for row in by_step] == [0, 1, 3, 2, 4, 5]
    for x in ("time", "relative_time"):
        over_time, meta = ask(api, run="a", x=x)
        assert [row["relative_s"] for row in over_time] == [0, 1, 2, 3, 4, 5, 9]
        assert meta["x"] == x
    ranged, _ = ask(api, run="a", from_step=1, to_step=3)
    assert {row["step"] for row in ranged} == {1, 2}


def test_too_much_is_refused_and_what_is_not_there_is_named(stored: Stored, api: Api) -> None:
    some_runs(stored, {("a", 0): noisy(1, 20)})
    for rank in range(200):
        stored.series(1000 + rank, "loss", run_id="a", rank=rank + 1, event_name="step")
    for parameters, status, told in (
        ({"run": "a"}, 422, "more than 200 lines"),
        ({"run": "a,gone", "rank": "0"}, 404, "gone"),
        ({"run": ",".join(map(str, range(51)))}, 422, "run"),
        ({"run": "a", "points": "5"}, 422, "points"),
        ({"run": "a", "colour": "red"}, 422, "colour"),
    ):
        answer = api.client.get(CURVES, params={"metric": "loss", **parameters})
        assert answer.status_code == status
        assert told in json.dumps(answer.json()), answer.text
    assert ask(api, run="a", metric="none")[0] == []


def test_largest_triangles_keep_ends_and_extremes() -> None:
    drawn = np.random.default_rng(8)
    for count in (5, 17, 100):
        y = drawn.normal(size=1000)
        found = largest_triangles(np.arange(1000.0), y, count)
        assert {0, 999, int(y.argmin()), int(y.argmax())} <= set(found.tolist())
        assert len(found) <= count

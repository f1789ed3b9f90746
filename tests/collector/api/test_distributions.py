"""Percentiles of histograms are within the bounds that they are told with, of one and of many merged."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from crucible_collector.api.distributions import (
    Buckets,
    buckets_of,
    difference,
    merged,
    percentile,
)
from crucible_collector.batch import F64
from stored import Api, Stored, at

Row = dict[str, Any]
BOUNDS = [0.5, 1.0, 2.0, 5.0, 10.0, 50.0]
FRACTIONS = (0.01, 0.5, 0.9, 0.95, 0.99)


def explicit(values: F64, bounds: list[float] | None = None) -> Row:
    bounds = BOUNDS if bounds is None else bounds
    places = np.searchsorted(bounds, values, side="left")
    counts = np.bincount(places, minlength=len(bounds) + 1).tolist()
    return {"bounds": bounds, "counts": counts, "count": len(values), "scale": None}


def exponential(values: F64, scale: int) -> Row:
    found: Row = {"count": len(values), "scale": scale, "bounds": None}
    found["zero_count"] = int((values == 0).sum())
    for side, chosen in (("positive", values[values > 0]), ("negative", -values[values < 0])):
        indexes = np.ceil(np.log2(chosen) * 2.0**scale).astype(int) - 1
        least = int(indexes.min()) if len(indexes) else 0
        counts = np.bincount(indexes - least).tolist() if len(indexes) else None
        found[f"{side}_offset"] = least
        found["counts" if side == "positive" else "negative_counts"] = counts
    return found


def exact(values: F64, fraction: float) -> float:
    return float(np.percentile(values, 100 * fraction, method="inverted_cdf"))


def assert_holds(told: Row, values: F64) -> None:
    """The truth is within the bounds, and no farther off than said."""
    truth = exact(values, told["q"])
    assert told["low"] is None or told["low"] <= truth * (1 + 1e-9) + 1e-12
    assert told["high"] is None or truth * (1 - 1e-9) - 1e-12 <= told["high"]
    if told["error_max"] is not None:
        assert abs(told["value"] - truth) <= told["error_max"] * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_each_histogram_has_percentiles(stored: Stored, api: Api, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    values = drawn.lognormal(0.5, 1, 200)
    mixed = np.concatenate([drawn.normal(0, 3, 100), np.zeros(7)])
    series = stored.series(1, "latency", kind="histogram", source="metric")
    stored.histogram(1, **explicit(values), min=float(values.min()), max=float(values.max()))
    stored.histogram(1, time=at(1), **exponential(mixed, 4), zero_threshold=0.0)
    asked = {"q": ",".join(map(str, FRACTIONS))}
    by_bounds, by_scale = api.ask(f"/series/{series}/histograms", **asked)
    for told, truth in ((by_bounds, values), (by_scale, mixed)):
        assert [each["q"] for each in told["percentiles"]] == list(FRACTIONS)
        for each in told["percentiles"]:
            assert_holds(each, truth)
    base = 2 ** (2**-4)
    for each in by_scale["percentiles"]:
        if each["value"]:
            assert each["error_max"] <= abs(each["value"]) * (base - 1) / 2 * 1.0001


def test_summaries_tell_the_quantiles_that_were_sent(stored: Stored, api: Api) -> None:
    series = stored.series(1, "wait", kind="summary", source="metric")
    stored.histogram(1, bounds=[0.5, 0.99], quantile_values=[3.0, float("nan")])
    (row,) = api.ask(f"/series/{series}/histograms", q=[0.5, 0.9, 0.99])
    assert [each["value"] for each in row["percentiles"]] == [3, None, None]
    answer = api.get(f"/api/v1/series/{series}/percentiles")
    assert answer.status_code == 422
    assert "summary" in answer.json()["error"]["message"]


@pytest.mark.parametrize("scales", [None, (3, 3, 3, 3), (5, 2, 4, 0)])
def test_deltas_of_a_period_are_merged(
    stored: Stored, api: Api, scales: tuple[int, ...] | None
) -> None:
    drawn = np.random.default_rng(9)
    kind = "histogram" if scales is None else "exponential_histogram"
    series = stored.series(1, "latency", kind=kind, temporality="delta", source="metric")
    parts = [drawn.lognormal(0.5, 1, 50 + 30 * number) for number in range(4)]
    for number, values in enumerate(parts):
        row = (
            explicit(values, BOUNDS if number % 2 else BOUNDS[::2])
            if scales is None
            else exponential(values, scales[number])
        )
        stored.histogram(1, time=at(60 * number), sum=float(values.sum()), **row)
    whole = api.ask(
        f"/series/{series}/percentiles", from_=at(60).isoformat(), to=at(200).isoformat()
    )
    values = np.concatenate(parts[1:])
    assert (whole["count"], whole["row_count"]) == (len(values), 3)
    assert whole["sum"] == pytest.approx(values.sum())
    assert whole["scale"] == (None if scales is None else min(scales[1:]))
    assert whole["bounds"] == (BOUNDS[::2] if scales is None else [])
    for each in whole["percentiles"]:
        assert_holds(each, values)


@pytest.mark.parametrize("scale", [None, 3])
def test_cumulative_ones_count_what_came_in_the_period(
    stored: Stored, api: Api, scale: int | None
) -> None:
    """Of eight, of which the fifth is of a process that was started anew."""
    drawn = np.random.default_rng(10)
    kind = "histogram" if scale is None else "exponential_histogram"
    series = stored.series(1, "latency", kind=kind, temporality="cumulative", source="metric")
    parts = [drawn.lognormal(0.5, 1, 40) for _ in range(8)]
    for number in range(8):
        first = 0 if number < 4 else 4
        values = np.concatenate(parts[first : number + 1])
        row = explicit(values) if scale is None else exponential(values, scale)
        stored.histogram(1, time=at(60 * number), start_time=at(60 * first - 30), **row)

    def ask(**period: str) -> Row:
        found: Row = api.ask(f"/series/{series}/percentiles", **period)
        return found

    for period, counted, complete in (
        ({}, range(8), True),
        ({"from_": at(100).isoformat()}, range(2, 8), True),
        ({"from_": at(100).isoformat(), "to": at(230).isoformat()}, (2, 3), True),
        ({"from_": at(-50).isoformat(), "to": at(70).isoformat()}, (1,), False),
    ):
        whole = ask(**period)
        values = np.concatenate([parts[number] for number in counted])
        assert whole["count"] == len(values), period
        assert whole["is_complete"] is complete
        assert whole["reset_count"] == (1 if 4 in counted else 0)
        for each in whole["percentiles"]:
            assert_holds(each, values)


def test_a_count_that_falls_is_a_reset_whatever_the_start_says() -> None:
    later, earlier = (Buckets((1.0,), counts) for counts in ((3, 1), (2, 5)))
    assert difference(later, earlier) is None
    known = difference(Buckets((1.0,), (4, 6)), earlier)
    assert known is not None
    assert known.counts == (2, 1)


def test_what_a_wider_zero_takes_in_is_no_reset() -> None:
    earlier = Buckets(scale=0, positive=Counter({-3: 2, 1: 1}), zero_count=1)
    later = Buckets(scale=0, positive=Counter({1: 4}), zero_count=5, zero_threshold=0.25)
    found = difference(later, earlier)
    assert found is not None
    assert (found.positive, found.zero_count) == (Counter({1: 3}), 2)


@pytest.mark.parametrize("scale", [-2000, -11, 0, 20, 2000])
def test_no_scale_or_offset_is_too_much(scale: int) -> None:
    row = {
        **dict.fromkeys(("min", "max", "zero_threshold", "negative_offset"), None),
        "scale": scale,
        "count": 4,
        "counts": [1, 1],
        "negative_counts": [1],
        "positive_offset": -(2**31),
        "zero_count": 1,
        "bounds": [],
    }
    found = percentile(merged([buckets_of(row), buckets_of({**row, "scale": 0})]), 0.9)
    assert found["value"] is None or math.isfinite(found["value"])


def test_nothing_counted_has_no_percentiles(stored: Stored, api: Api) -> None:
    series = stored.series(1, "latency", kind="histogram", temporality="delta", source="metric")
    whole = api.ask(f"/series/{series}/percentiles")
    assert (whole["count"], whole["first_time"]) == (0, None)
    assert all(each["value"] is None for each in whole["percentiles"])
    assert api.get("/api/v1/series/ff/percentiles").status_code == 404
    assert api.get(f"/api/v1/series/{series}/percentiles", q="1.5").status_code == 422

"""A share of successes comes with what is known of it, and no promise is called kept that cannot be seen to be."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from crucible_collector.api.reliability import TARGETS, count_to_show, wilson
from stored import Api, Stored, at

OK, ERROR = 1, 2


def some_requests(
    stored: Stored, succeeded: int, failed: int, *, begin: int = 0, **values: Any
) -> None:
    stored.spans(
        [
            {
                "time": at(begin + number % 7200),
                "duration_ns": 5,
                "trace_id": uuid.UUID(int=begin * 10_000 + number + 1),
                "name": "call",
                "run_id": "run-1",
                "status_code": ERROR if number < failed else OK,
                "model": None,
                "sample_probability": 1.0,
                **values,
            }
            for number in range(succeeded + failed)
        ]
    )


def test_wilson_is_that_of_scipy() -> None:
    for failed, count in ((0, 10), (1, 10), (10, 10), (3, 4000), (37, 90)):
        known = binomtest(failed, count).proportion_ci(method="wilson")
        found = wilson(failed / count, count)
        assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_as_many_without_a_failure_as_are_said_to_show_it_do() -> None:
    for target in TARGETS:
        count = count_to_show(target)
        assert wilson(1.0, count).low >= target - 1e-12
        assert wilson(1.0, count - 2).low < target


@pytest.mark.parametrize(
    ("succeeded", "failed", "verdicts"),
    [
        (120, 0, ["cannot be told"] * 3),
        (2000, 0, ["met", "cannot be told", "cannot be told"]),
        (1000, 40, ["missed"] * 3),
        (1998, 2, ["met", "cannot be told", "missed"]),
    ],
)
def test_a_promise_is_told_by_the_whole_interval(
    stored: Stored, api: Api, succeeded: int, failed: int, verdicts: list[str]
) -> None:
    some_requests(stored, succeeded, failed)
    (row,) = api.ask("/reliability")
    count = succeeded + failed
    known = binomtest(succeeded, count).proportion_ci(method="wilson")
    assert row["success_rate_interval"] == pytest.approx([known.low, known.high], abs=1e-9)
    assert (row["request_count"], row["failed_count"]) == (count, failed)
    assert row["effective_count"] == pytest.approx(count)
    assert [each["verdict"] for each in row["sla"]] == verdicts
    budget = row["sla"][0]
    assert budget["failed_count_left"] == pytest.approx(count * 0.01 - failed)
    assert budget["error_budget_left"] == pytest.approx(1 - failed / (count * 0.01))
    if (succeeded, failed) == (120, 0):
        assert (
            row["sla"][1]["explanation"]
            == "cannot be told with 120 requests: 3,838 without a failure would show it"
        )


def test_requests_are_events_with_an_outcome(stored: Stored, api: Api) -> None:
    for name, status in (
        ("a.stop", 0),
        ("a.exception", ERROR),
        ("b", OK),
        ("c.noted", 0),
        ("d", 0),
    ):
        stored.span(name=name, status_code=status)
    (row,) = api.ask("/reliability")
    assert (row["request_count"], row["failed_count"]) == (3, 1)
    (row,) = api.ask("/reliability", count_unset=True)
    assert (row["request_count"], row["failed_count"]) == (5, 1)
    assert api.ask("/reliability", event="d") == []


def test_a_sampled_share_is_as_sure_as_its_weights_allow(stored: Stored, api: Api) -> None:
    """Errors kept for certain, others one in ten: n_e by the definition, and the truth within the interval."""
    drawn = np.random.default_rng(5)
    rows = [(OK, 0.1)] * 400 + [(ERROR, 1.0)] * 60 + [(ERROR, 0.5)] * 20
    drawn.shuffle(rows)
    stored.spans(
        [
            {
                "time": at(number),
                "duration_ns": 5,
                "trace_id": uuid.UUID(int=number + 1),
                "name": "call",
                "status_code": int(status),
                "sample_probability": float(p),
                "count_variance": (1 - p) / p**2,
                "count_trace_variance": (1 - p) / p**2,
                "error_variance": (1 - p) / p**2 if status == ERROR else None,
                "uncertain_traces": 1.0 if p < 1 else None,
                "uncertain_event_traces": 1.0 if p < 1 else None,
            }
            for number, (status, p) in enumerate(rows)
        ]
    )
    weights = np.array([1 / p for _, p in rows])
    failed = np.array([status == ERROR for status, _ in rows])
    share = (weights * failed).sum() / weights.sum()
    variance = (weights**2 * (failed - share) ** 2).sum() / weights.sum() ** 2
    for parameters in ({}, {"group_by": "event"}):
        (row,) = api.ask("/reliability", **parameters)
        assert row["failure_rate"] == pytest.approx(share)
        assert row["effective_count"] == pytest.approx(share * (1 - share) / variance)
        assert row["estimated"] is True
        assert row["interval_reliable"] is True
        low, high = row["success_rate_interval"]
        assert low < 1 - share < high
        assert high - low > 2 * 1.9 * math.sqrt(share * (1 - share) / weights.sum())


def test_groups_and_times_part_them_page_by_page(stored: Stored, api: Api) -> None:
    stored.run("run-1", condition="low")
    stored.run("run-2", condition="high")
    some_requests(stored, 50, 5)
    some_requests(stored, 40, 1, begin=3600, run_id="run-2", model="tiny")
    by_condition = api.ask("/reliability", group_by="condition")
    assert [(row["group"]["condition"], row["request_count"]) for row in by_condition] == [
        ("high", 41),
        ("low", 55),
    ]
    asked: dict[str, Any] = {"group_by": "run,model", "interval": "5m"}
    whole = api.ask("/reliability", **asked, limit=1000)
    assert sum(row["request_count"] for row in whole) == 96
    assert [row for page in api.pages("/reliability", **asked, limit=1) for row in page] == whole

"""Costs by whatever is asked, exact for any period, with intervals where calls were sampled."""

from __future__ import annotations

from typing import Any

import pytest

from stored import Api, Stored, at

CALL: dict[str, Any] = {
    "model": "gpt-4o",
    "event_name": "crucible_deployment.inference.stop",
    "input_tokens": 1000,
    "output_tokens": 100,
    "cost_usd": 0.0035,
}


def put_calls(stored: Stored) -> None:
    """Two runs under two conditions in one experiment, and a model that nobody has a price for."""
    for run, condition, count in (("run-a", "short", 4), ("run-b", "long", 6)):
        stored.run(run, experiment_id="sweep", condition=condition)
        for number in range(count):
            stored.span(
                **CALL | {"run_id": run, "experiment_id": "sweep", "time": at(number * 1800)}
            )
    lora = {"model": "our-lora", "cost_usd": None, "run_id": "run-b", "experiment_id": "sweep"}
    stored.span(**CALL | lora | {"time": at(7)})
    claude = {"model": "claude-3-5-sonnet-20241022", "cost_usd": 1.0, "experiment_id": None}
    stored.span(**CALL | claude | {"time": at(8)})
    stored.span(event_name="crucible_train.batch.stop", run_id="run-a", time=at(9))


def test_all_of_a_period_is_one_row(stored: Stored, api: Api) -> None:
    put_calls(stored)
    (row,) = api.ask("/cost")
    assert row["cost_usd"] == pytest.approx(1.035)
    assert row["cost_usd_interval"] == [row["cost_usd"]] * 2
    assert (row["call_count"], row["input_tokens"], row["output_tokens"]) == (12, 12_000, 1200)
    assert (row["unpriced_call_count"], row["unpriced_tokens"]) == (1, 1100)
    assert row["cost_per_1k_calls_usd"] == pytest.approx(1000 * 1.035 / 11)
    assert row["cost_per_1m_calls_usd"] == pytest.approx(1e6 * 1.035 / 11)
    assert row["cost_per_1k_calls_usd_interval"] == [row["cost_per_1k_calls_usd"]] * 2
    assert (row["estimated"], row["interval_reliable"]) == (False, True)
    assert row["model"] is row["run_id"] is row["time"] is None


@pytest.mark.parametrize(
    ("group", "field", "expected"),
    [
        ("run", "run_id", {"run-a": 0.014, "run-b": 0.021, None: 1.0}),
        ("condition", "condition", {"short": 0.014, "long": 0.021, None: 1.0}),
        ("experiment", "experiment_id", {"sweep": 0.035, None: 1.0}),
        (
            "model",
            "model",
            {"gpt-4o": 0.035, "our-lora": None, "claude-3-5-sonnet-20241022": 1.0},
        ),
        ("provider", "provider", {"openai": 0.035, None: None, "anthropic": 1.0}),
        ("event", "event_name", {"crucible_deployment.inference.stop": 1.035}),
    ],
)
def test_costs_are_told_by_what_is_grouped_by(
    stored: Stored, api: Api, group: str, field: str, expected: dict[str | None, float | None]
) -> None:
    put_calls(stored)
    rows = api.ask("/cost", group_by=group)
    assert {row[field]: row["cost_usd"] for row in rows} == {
        name: cost if cost is None else pytest.approx(cost) for name, cost in expected.items()
    }
    assert len(rows) == len(expected)


def test_a_period_is_cut_exactly_and_told_by_the_hour(stored: Stored, api: Api) -> None:
    put_calls(stored)
    rows = api.ask("/cost", interval="1h", run="run-b", model="gpt-4o")
    assert [row["call_count"] for row in rows] == [2, 2, 2]
    assert [row["time"] for row in rows][1].startswith("2026-11-23T11:00:00.0")
    period = {"from": at(1800).isoformat(), "to": at(5400).isoformat()}
    (row,) = api.ask("/cost", condition="long", **period)
    assert row["call_count"] == 2
    assert api.ask("/cost", run="nobody") == []
    pages = list(api.pages("/cost", group_by="run,model", interval="1h", limit=2))
    assert [row for page in pages for row in page] == api.ask(
        "/cost", group_by="run,model", interval="1h"
    )
    assert max(map(len, pages)) == 2


def test_models_without_a_price_are_told_with_their_tokens(stored: Stored, api: Api) -> None:
    put_calls(stored)
    (row,) = api.ask("/cost/unpriced")
    assert (row["model"], row["cost_usd"]) == ("our-lora", None)
    assert (row["unpriced_call_count"], row["unpriced_tokens"]) == (1, 1100)


def test_what_agents_tell_again_of_the_calls_within_them_is_not_counted_twice(
    stored: Stored, api: Api
) -> None:
    stored.span(**CALL)
    stored.span(**CALL | {"event_name": "invoke_agent planner", "cost_usd": None})
    (row,) = api.ask("/cost")
    assert (row["call_count"], row["input_tokens"], row["unpriced_call_count"]) == (1, 1000, 0)


def test_sampled_calls_are_weighted_and_have_an_interval(stored: Stored, api: Api) -> None:
    """Forty of some eighty traces, each kept with a chance of a half."""
    p, cost = 0.5, 0.01
    for number in range(40):
        stored.span(
            **CALL
            | {
                "cost_usd": cost,
                "time": at(number),
                "sample_probability": p,
                "keep_reason": "random",
            },
            cost_variance=cost**2 * (1 - p) / p**2,
            cost_trace_variance=cost**2 * (1 - p) / p**2,
            count_trace_variance=(1 - p) / p**2,
            uncertain_traces=1.0,
        )
    (row,) = api.ask("/cost")
    assert (row["cost_usd"], row["call_count"]) == (pytest.approx(0.8), 80)
    low, high = row["cost_usd_interval"]
    assert 0.6 < low < 0.75
    assert 0.85 < high < 1.05
    assert row["cost_usd_standard_error"] == pytest.approx(cost * (40 * 0.5 / 0.25) ** 0.5)
    assert (row["estimated"], row["interval_reliable"]) == (True, True)
    assert row["cost_per_1k_calls_usd"] == pytest.approx(10)
    low, high = row["cost_per_1k_calls_usd_interval"]
    assert low < 10 < high

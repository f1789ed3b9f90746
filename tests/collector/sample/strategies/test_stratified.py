"""Shares and rates of strata are those that were asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collector.sample.strategies.streams import (
    event_of,
    reasons,
    run,
    single,
    strategy_of,
    warm_after,
    windows_of,
)
from crucible_collector.candidates import KeepReason
from crucible_collector.sample.strategies.spending import scale


def test_rates_are_those_of_the_labels_and_the_rest_has_others() -> None:
    settings = {
        "strategy": "stratified",
        "by": ["event", "status"],
        "rates": {"app.event_0/error": 1.0, "app.event_1/ok": 0.25, "other": 0.5},
    }
    given = single(1, 3000, 10.0)
    outcome = run(strategy_of(settings), given)
    event, status = event_of(given), given.candidates.status_code
    expected = np.full(len(given), 0.5)
    expected[(event == 0) & (status == 2)] = 1.0
    expected[(event == 1) & (status == 1)] = 0.25
    assert np.allclose(outcome.probability, expected)


def test_success_is_every_status_but_error_and_errors_say_why_they_are_kept() -> None:
    settings = {"strategy": "stratified", "rates": {"error": 1.0, "success": 0.1}}
    given = single(2, 3000, 10.0)
    outcome = run(strategy_of(settings), given)
    is_error = given.candidates.status_code == 2
    assert np.allclose(outcome.probability, np.where(is_error, 1.0, 0.1))
    assert reasons(outcome, is_error) == {KeepReason.ERROR}
    assert reasons(outcome, ~is_error) == {KeepReason.RANDOM}


def shares(allocation: str) -> tuple[Any, Any]:
    """Rows a second expected of each event, and the standard deviation of its durations."""
    settings = {
        "strategy": "stratified",
        "by": ["event"],
        "budget_per_s": 60.0,
        "allocation": allocation,
    }
    given = single(3, 60_000, 60.0, events=4)
    outcome = run(strategy_of(settings), given, windows_of(given, rows_max=5000))
    warm = warm_after(given, 20)
    event = event_of(given)
    spent = np.bincount(event[warm], weights=outcome.probability[warm]) / 40.0
    deviation = [given.candidates.duration_ns[event == each].std() for each in range(4)]
    return spent, np.array(deviation) * np.bincount(event)


def test_equal_shares_are_equal() -> None:
    assert shares("equal")[0] == pytest.approx(np.full(4, 15.0), rel=0.05)


def test_proportional_shares_are_those_of_uniform_sampling() -> None:
    spent, _ = shares("proportional")
    assert spent / spent.sum() == pytest.approx(np.array([12, 6, 4, 3]) / 25, rel=0.05)


def test_neymans_shares_follow_deviations_but_for_a_fifth() -> None:
    spent, wanted = shares("neyman")
    frequent = np.array([12, 6, 4, 3]) / 25
    assert spent / 60.0 == pytest.approx(0.8 * wanted / wanted.sum() + 0.2 * frequent, rel=0.15)


def test_a_budget_is_spent_whole_where_strata_are_too_small_for_their_share() -> None:
    chance = np.random.default_rng(5)
    for _ in range(300):
        count, weight = chance.exponential(10.0, 30), chance.pareto(1.0, 30) + 1e-3
        budget = float(chance.uniform(0.01, 0.99) * count.sum())
        p = np.minimum(scale(count, weight, budget) * weight, 1.0)
        assert float((count * p).sum()) == pytest.approx(budget)

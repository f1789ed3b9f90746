"""The budget goes where it matters, errors and anomalies first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collector.sample.strategies.streams import (
    reasons,
    run,
    single,
    strategy_of,
    stream,
    warm_after,
    windows_of,
    with_columns,
)
from crucible_collector.candidates import KeepReason


def importance(budget_per_s: float, **weights: float) -> dict[str, Any]:
    return {"strategy": "importance", "budget_per_s": budget_per_s, "weights": weights}


def test_errors_and_anomalies_are_kept_while_the_budget_allows_and_say_so() -> None:
    given = single(16, 30_000, 30.0, error_rate=0.005, anomaly_rate=0.002)
    outcome = run(strategy_of(importance(50.0)), given, windows_of(given, 5000))
    is_error, is_anomaly = given.candidates.status_code == 2, given.candidates.score > 1
    assert outcome.keep[is_error | is_anomaly].all()
    assert reasons(outcome, is_error) == {KeepReason.ERROR}
    assert reasons(outcome, is_anomaly & ~is_error) == {KeepReason.ANOMALY}


def test_errors_that_exceed_the_budget_are_thinned_and_leave_a_fifth_to_the_rest() -> None:
    given = single(17, 60_000, 60.0, error_rate=0.2, anomaly_rate=0.0)
    outcome = run(strategy_of(importance(50.0, slow=0.0)), given, windows_of(given, 5000))
    warm = warm_after(given, 20)
    is_error = given.candidates.status_code == 2
    spent = outcome.probability
    assert float(spent[warm & is_error].sum()) / 40 == pytest.approx(40.0, rel=0.1)
    assert float(spent[warm & ~is_error].sum()) / 40 == pytest.approx(10.0, rel=0.2)
    assert reasons(outcome, warm & is_error) == {KeepReason.ERROR_THINNED}


def test_weights_say_what_is_thinned_last() -> None:
    given = single(18, 60_000, 60.0, error_rate=0.05, anomaly_rate=0.05)
    settings = importance(50.0, error=10.0, slow=0.0, duration=0.0, cost=0.0)
    outcome = run(strategy_of(settings), given, windows_of(given, 5000))
    warm = warm_after(given, 20)
    is_error, is_anomaly = given.candidates.status_code == 2, given.candidates.score > 1
    ratio = outcome.probability[warm & is_error].mean()
    ratio /= outcome.probability[warm & is_anomaly & ~is_error].mean()
    assert ratio == pytest.approx(10.0, rel=0.1)


def test_slow_and_dear_records_are_likelier_in_proportion() -> None:
    given = single(19, 60_000, 30.0, events=1, error_rate=0.0, anomaly_rate=0.0)
    settings = importance(100.0, slow=0.0)
    outcome = run(strategy_of(settings), given, windows_of(given, 5000))
    warm = warm_after(given, 10)
    duration, cost = given.candidates.duration_ns, given.candidates.cost_usd
    told = cost[cost > 0].mean()
    weight = np.sqrt(1 + (duration / duration.mean()) ** 2 + (cost / told) ** 2)
    uncertain = warm & (outcome.probability < 1)
    ratio = outcome.probability[uncertain] / weight[uncertain]
    assert np.std(ratio) / np.mean(ratio) < 0.1


@pytest.mark.parametrize("cost", [1e308, 1e150, 5e-324])
def test_a_cost_that_cannot_be_is_kept_and_overthrows_nothing(cost: float) -> None:
    given = single(23, 20_000, 20.0, events=1, error_rate=0.0, anomaly_rate=0.0)
    costs = np.full(len(given), 0.001)
    costs[[5_000, 5_001]] = cost
    given = with_columns(given, cost_usd=costs)
    outcome = run(strategy_of(importance(50.0)), given, windows_of(given, 1000))
    assert outcome.keep[[5_000, 5_001]].all() or cost < 1
    assert outcome.probability[warm_after(given, 10)].sum() / 10 == pytest.approx(50.0, rel=0.2)


def test_what_is_seen_of_a_trace_later_keeps_what_came_before() -> None:
    """An error two seconds after the trace's other records, which wait for it."""
    given = stream(20, traces=4000, spans=2, seconds=40.0, error_rate=0.0, anomaly_rate=0.0)
    last = len(given) - 1 - np.unique(given.trace[::-1], return_index=True)[1]
    status = given.candidates.status_code.copy()
    wrong = np.arange(0, 4000, 100)
    status[last[wrong]] = 2
    outcome = run(strategy_of(importance(10.0), 3.0), with_columns(given, status_code=status))
    assert outcome.keep[np.isin(given.trace, wrong)].all()


@pytest.mark.parametrize("seed", [21, 22])
def test_two_percent_of_rows_tell_errors_durations_and_p99_within_their_bounds(seed: int) -> None:
    """A tenth of the stream of the benchmark, within three times the bound's root of ten."""
    given = single(seed, 500_000, 100.0, error_rate=0.005, anomaly_rate=0.0)
    outcome = run(strategy_of(importance(100.0)), given, windows_of(given, 16_384))
    assert outcome.keep.mean() == pytest.approx(0.02, rel=0.1)
    duration = given.candidates.duration_ns.astype(np.float64)
    is_error = (given.candidates.status_code == 2).astype(np.float64)
    assert outcome.estimate(is_error) == pytest.approx(is_error.sum(), rel=0.02)
    assert outcome.estimate(duration) == pytest.approx(duration.sum(), rel=0.05)
    keep = outcome.keep
    order = np.argsort(duration[keep])
    cumulated = np.cumsum(1 / outcome.probability[keep][order])
    place = np.searchsorted(cumulated, 0.99 * cumulated[-1])
    found = duration[keep][order][place]
    assert found == pytest.approx(np.quantile(duration, 0.99, method="inverted_cdf"), rel=0.05)

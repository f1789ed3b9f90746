"""Whole traces for what some record of them is."""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.sample.strategies.streams import (
    event_of,
    reasons,
    rows_of,
    run,
    single,
    strategy_of,
    stream,
    warm_after,
    windows_of,
    with_columns,
)
from crucible_collector.candidates import KeepReason, probability
from crucible_collector.sample.strategy import Flag


def tail(*rules: dict[str, Any]) -> dict[str, Any]:
    otherwise = {"strategy": "uniform", "probability": 0.01}
    return {"strategy": "tail", "rules": list(rules), "otherwise": otherwise}


def test_a_trace_is_whole_where_any_record_of_it_is_notable() -> None:
    given = stream(23, traces=3000, spans=3, seconds=30.0)
    columns: Any = given.candidates.columns
    for rule, notable, reason in (
        ({"error": True}, given.candidates.status_code == 2, KeepReason.ERROR),
        ({"anomaly": True}, given.candidates.score > 1, KeepReason.ANOMALY),
        ({"slower_than_ms": 500}, given.candidates.duration_ns > 5e8, KeepReason.SLOW),
        ({"attributes": {"tier": "gold"}}, columns.has("tier", "gold"), KeepReason.MATCH),
    ):
        outcome = run(strategy_of(tail(rule), 2.0), given)
        whole = np.isin(given.trace, given.trace[notable])
        assert outcome.keep[whole].all()
        assert reasons(outcome, whole) == {reason}
        assert np.allclose(outcome.probability[~whole], 0.01)


def test_slow_is_above_the_quantile_of_its_own_event() -> None:
    given = single(24, 60_000, 60.0, events=3, error_rate=0.0, anomaly_rate=0.0)
    outcome = run(strategy_of(tail({"slow_quantile": 0.9})), given, windows_of(given, 5000))
    warm = warm_after(given, 5)
    for event in range(3):
        rows = (event_of(given) == event) & warm
        slow = rows & (outcome.reason == KeepReason.SLOW)
        assert 0.08 < slow.sum() / rows.sum() <= 0.105
        edge = np.quantile(given.candidates.duration_ns[rows], 0.9)
        assert (given.candidates.duration_ns[slow] > 0.9 * edge).all()


def test_of_durations_that_are_all_alike_none_is_slow() -> None:
    given = single(25, 5000, 10.0, error_rate=0.0, anomaly_rate=0.0)
    given = with_columns(given, duration_ns=np.full(len(given), 5_000_000))
    outcome = run(strategy_of(tail({"slow_quantile": 0.99})), given)
    assert reasons(outcome, slice(None)) == {KeepReason.RANDOM}


def test_flags_that_no_rule_asks_for_keep_nothing() -> None:
    """Another strategy of the same engine may have seen them."""
    given = single(26, 500, 5.0, error_rate=0.0)
    flags = np.full(500, Flag.ERROR | Flag.SLOW, np.uint8)
    verdict = strategy_of(tail({"anomaly": True})).decide(rows_of(given, 0, 100, flags))
    quiet = given.candidates.score[:100] <= 1
    assert np.allclose(probability(verdict.threshold[quiet]), 0.01)

"""A clock that was an hour ahead and is set back: budgets are met again within seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collector.sample.strategies.streams import (
    SECOND_NS,
    Outcome,
    run,
    single,
    strategy_of,
    with_columns,
)

HOUR_NS = 3600 * SECOND_NS


def _outcome(settings: dict[str, Any], seconds: float = 120.0) -> tuple[Outcome, Any]:
    """Of 200 records a second; the clock is an hour ahead for the first half. Which are of the last 40 s."""
    given = single(31, int(200 * seconds), seconds, events=1, error_rate=0.0, anomaly_rate=0.0)
    received_ns = given.candidates.received_ns
    place = np.arange(len(given))
    is_ahead = place < len(given) // 2
    given = with_columns(given, received_ns=received_ns + np.where(is_ahead, HOUR_NS, 0))
    windows = [(start, start + 100) for start in range(0, len(given), 100)]
    return run(strategy_of(settings), given, windows), place >= len(given) * 2 // 3


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "stratified", "by": ["event"], "budget_per_s": 20},
        {"strategy": "adaptive", "target_per_s": 20, "min_samples": 0},
        {"strategy": "importance", "budget_per_s": 20},
    ],
)
def test_a_budget_is_met_again(settings: dict[str, Any]) -> None:
    outcome, is_late = _outcome(settings)
    assert outcome.probability[is_late].sum() / 40 == pytest.approx(20, rel=0.2)

"""What a budget lets through, and what is spent of it: rows that are expected to be kept.

Neither looks at what was really kept: a probability that depended on it would make estimates wrong.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.candidates import probability
from crucible_collector.sample.strategy import Rows

OVER_S = 10.0
_NS = 1e9
_ROUNDING = 1e-9


def scale(count: F64, weight: F64, budget: float) -> float:
    """The c for which the sum of count * min(1, c weight) is the budget; infinite where all fits.

    What is whole leaves the rest of its share to the others (water filling, in one sort). Weights and
    the budget are above 0.
    """
    if float(count.sum()) <= budget * (1.0 + _ROUNDING):
        return math.inf
    order = np.argsort(-weight, kind="stable")  # the first to be whole first
    order = order[count[order] > 0]
    weight, count = weight[order], count[order]
    before = np.cumsum(count) - count
    rest = np.cumsum((count * weight)[::-1])[::-1]
    c = (budget - before) / rest
    return float(c[np.flatnonzero(c * weight <= 1.0)[0]])


def passed_s(now_s: float, last_s: float) -> float:
    """How long ago the last time was; for ever where the clock has been set back since."""
    return max(now_s - last_s, 0.0) if now_s >= last_s - OVER_S else math.inf


class Spending:
    """A fading mean of expected rows a second; a silence as long as the mean begins it anew."""

    def __init__(self) -> None:
        # Rows, rows were each decided alone, seconds, time of the last in s.
        self._told = np.zeros(4)

    @property
    def per_s(self) -> float:
        """Rows a second that were expected to be kept."""
        return float(self._told[0] / max(self._told[2], 1.0))

    @property
    def alone_part(self) -> float:
        """What part of them would be kept were each decided alone, not whole traces; 1: all."""
        rows, alone, _, _ = self._told
        return float(alone / rows) if rows > 0 else 1.0

    def count(self, rows: Rows, threshold: I64) -> None:
        """Count what these thresholds let through, whole traces by their smallest."""
        smallest = np.full(rows.trace_count, np.iinfo(np.int64).max)
        np.minimum.at(smallest, rows.trace, threshold)
        expected = np.array([probability(smallest[rows.trace]).sum(), probability(threshold).sum()])
        now_s = float(rows.received_ns.max()) / _NS
        seconds, last_s = self._told[2:]
        passed = passed_s(now_s, last_s)
        left = math.exp(-passed / OVER_S) if passed <= OVER_S else 0.0
        lasted = seconds * left + OVER_S * (1.0 - left) if left else 0.0
        before = self._told[:2] * left
        self._told = np.array(
            [*(before + expected), lasted, now_s if left == 0 else max(now_s, last_s)]
        )

    def state(self) -> Any:
        return self._told.copy()

    def restore(self, state: Any) -> None:
        if state.shape != (4,):
            raise ValueError("no state of what was spent")
        self._told = state.astype(np.float64)

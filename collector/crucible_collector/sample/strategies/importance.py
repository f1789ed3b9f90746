"""Importance sampling: a budget of rows a second, spent where it makes the numbers most precise.

Assumption: counts, durations and costs are what is asked for, of errors, anomalies and the slowest above all.
Formula: p = min(1, c w). w = sqrt(1 + a (d/m)^2 + b (x/n)^2) with d the duration and m its mean, x the cost
and n its mean: for given expected rows this minimizes the sum of the relative variances of count, total
duration and total cost (Cauchy-Schwarz, as in Neyman's allocation). The mean m is the geometric one of the
event's mean and of the mean over all events, so that a rare fast event's total is precise, too.
c is solved, each window, so that the rows expected of the last seconds' traffic meet the budget; that
traffic includes what was observed but is decided later. Errors, anomalies and durations above P99 of their
event are certain, p = 1, while they fit into four fifths of the budget; beyond that they are thinned, p =
min(1, c' u) by their weights u, and the reason says so.
Guarantee: expected rows of whole traces within the budget over any 10 s of steady traffic; no p is 0.
A trace's spans of later windows follow it, and cost extra. Warm-up: P99 is known after 100 records of an
event; before that only w counts. Memory: 2.5 MB for 1,000 events; further ones share one histogram.

>>> from crucible_collector.sample.strategies.spending import scale
>>> import numpy as np
>>> rows_per_s, weight = np.array([90.0, 10.0]), np.array([1.0, 30.0])
>>> scale(rows_per_s, weight, budget=19.0)  # c: the heavy are certain, the others share what is left
0.1
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64, U8
from crucible_collector.candidates import KeepReason, threshold
from crucible_collector.sample.strategies.latencies import FADES_S, Latencies
from crucible_collector.sample.strategies.spending import Spending, scale
from crucible_collector.sample.strategies.strata import keys_of
from crucible_collector.sample.strategy import Flag, Rows, State, Use, Verdict
from crucible_collector.sample.strategy_settings import Weights

SLOW_QUANTILE = 0.99
CERTAIN_PART = 0.8  # of the budget
PROBABILITY_MIN = 1e-6
_FADES_S = 10.0
_NS = 1e9
_ERROR = 2
_PER_OCTAVE = 8
_BINS = 40 * _PER_OCTAVE  # weights up to 10^12 means
_CERTAIN = (
    (Flag.ERROR, KeepReason.ERROR, KeepReason.ERROR_THINNED),
    (Flag.ANOMALY, KeepReason.ANOMALY, KeepReason.ANOMALY_THINNED),
    (Flag.SLOW, KeepReason.SLOW, KeepReason.SLOW_THINNED),
)


class Importance:
    """Thresholds by what a record matters, within a budget."""

    def __init__(self, budget_per_s: float, weights: Weights, wait_s: float) -> None:
        self.wait_s = wait_s
        self._budget, self._weights = budget_per_s, weights
        # By Flag of a trace: the largest weight of what is certain about it, 0 where nothing is.
        told = {Flag.ERROR: weights.error, Flag.ANOMALY: weights.anomaly, Flag.SLOW: weights.slow}
        self._certain = np.array(
            [max((told[f] for f in told if flags & f), default=0.0) for flags in range(32)]
        )
        self._kinds = np.unique(self._certain[self._certain > 0])
        self._latencies = Latencies(SLOW_QUANTILE)
        self._spending = Spending()
        self._mass = np.zeros(_BINS)  # rows by the weight of their trace, fading
        self._heavy = np.zeros(_BINS)  # the sum of these weights
        self._certain_mass = np.zeros(len(self._kinds))
        self._cost = np.zeros(2)  # records that told a cost, and the sum of it
        self._clock = np.zeros(2)  # seconds that the masses are of, and when they were counted last

    def observe(self, rows: Rows) -> U8:
        if not len(rows):
            return np.zeros(0, np.uint8)
        candidates, at = rows.candidates, rows.at
        duration_ns = candidates.duration_ns[at]
        events = self._latencies.number(keys_of(rows, ("event",)))
        flags = self._own_flags(rows)
        flags[self._latencies.is_slow(events, duration_ns)] |= np.uint8(Flag.SLOW)
        now_ns = int(rows.received_ns.max())
        self._count(rows, flags, self._weight(rows, events)[0], now_ns)
        self._latencies.count(events, duration_ns, now_ns)
        return flags

    def _own_flags(self, rows: Rows) -> U8:
        flags = np.zeros(len(rows), np.uint8)
        flags[rows.candidates.status_code[rows.at] == _ERROR] = Flag.ERROR
        flags[rows.candidates.score[rows.at] > 1.0] |= np.uint8(Flag.ANOMALY)
        return flags

    def _weight(self, rows: Rows, events: I64) -> tuple[F64, F64, F64]:
        """Of each record, and what of its square comes from duration and from cost."""
        candidates, at = rows.candidates, rows.at
        mean = np.sqrt(self._latencies.mean_ns(events) * self._latencies.mean_all_ns)
        cost = np.maximum(candidates.cost_usd[at], 0.0)
        cost_mean = float(self._cost[1] / self._cost[0]) if self._cost[0] else 0.0
        part = np.zeros((2, len(rows)))
        duration = candidates.duration_ns[at].astype(np.float64)
        np.divide(duration, mean, out=part[0], where=mean > 0)
        if cost_mean > 0:
            np.divide(cost, cost_mean, out=part[1])
        part **= 2
        part[0] *= self._weights.duration
        part[1] *= self._weights.cost
        return np.sqrt(1.0 + part[0] + part[1]), part[0], part[1]

    def _count(self, rows: Rows, flags: U8, weight: F64, now_ns: int) -> None:
        """Add these rows, each with the weight of its trace: a trace is kept whole."""
        self._fade(now_ns / _NS)
        cost = rows.candidates.cost_usd[rows.at]
        self._cost += (np.count_nonzero(cost > 0), cost[cost > 0].sum())
        certain = np.zeros(rows.trace_count)
        np.maximum.at(certain, rows.trace, self._certain[flags])
        heaviest = np.zeros(rows.trace_count)
        np.maximum.at(heaviest, rows.trace, weight)
        of_trace, by_trace = certain[rows.trace], heaviest[rows.trace]
        for place, kind in enumerate(self._kinds):
            self._certain_mass[place] += np.count_nonzero(of_trace == kind)
        by_trace = by_trace[of_trace == 0]
        bins = np.minimum((np.log2(by_trace) * _PER_OCTAVE).astype(np.int64), _BINS - 1)
        self._mass += np.bincount(bins, minlength=_BINS)
        self._heavy += np.bincount(bins, weights=by_trace, minlength=_BINS)

    def _fade(self, now_s: float) -> None:
        """Let what was counted fade; after a silence the rates begin anew."""
        seconds, last_s = self._clock
        passed = max(now_s - last_s, 0.0)
        left = math.exp(-passed / _FADES_S)
        lasted = seconds * left + _FADES_S * (1.0 - left)
        self._clock = np.array([0.0 if passed > _FADES_S else lasted, max(now_s, last_s)])
        if passed > _FADES_S:
            left = 0.0
        self._mass *= left
        self._heavy *= left
        self._certain_mass *= left
        self._cost *= math.exp(-passed / FADES_S) if last_s else 1.0

    def _scales(self) -> tuple[float, float]:
        """The c of what is certain and the c of the rest, now."""
        seconds = max(float(self._clock[0]), 1.0)
        certain, mass = self._certain_mass / seconds, self._mass / seconds
        rest = float(mass.sum())
        most = max(CERTAIN_PART * self._budget, self._budget - rest)
        first = scale(certain, self._kinds, most)
        spent = float((certain * np.minimum(first * self._kinds, 1.0)).sum())
        there = self._mass > 0
        weight = self._heavy[there] / self._mass[there]
        return first, scale(mass[there], weight, self._budget - min(spent, most))

    def decide(self, rows: Rows) -> Verdict:
        if not len(rows):
            return Verdict(np.empty(0, np.int64), np.empty(0, np.uint8))
        events = self._latencies.number(keys_of(rows, ("event",)))
        flags = rows.flags | self._own_flags(rows)
        weight, by_duration, by_cost = self._weight(rows, events)
        certain_scale, rest_scale = self._scales()
        certain = self._certain[flags & 31]
        is_certain = certain > 0
        p = np.where(is_certain, np.minimum(certain_scale * np.where(is_certain, certain, 1), 1), 0)
        p = np.maximum(p, np.minimum(rest_scale * weight, 1.0))
        found = threshold(np.maximum(p, PROBABILITY_MIN))
        reason = np.full(len(rows), KeepReason.RANDOM, np.uint8)
        whole = p >= 1.0
        reason[whole] = KeepReason.QUOTA
        reason[whole & (by_duration > 1.0)] = KeepReason.SLOW
        reason[whole & (by_cost > np.maximum(by_duration, 1.0))] = KeepReason.COST
        if math.isinf(rest_scale):
            reason[:] = KeepReason.QUOTA
        for flag, kept, thinned in reversed(_CERTAIN):
            is_told = is_certain & ((flags & flag) != 0)
            reason[is_told] = np.where(whole[is_told], kept, thinned)
        self._spending.count(rows, found)
        return Verdict(found, reason)

    def stratum(self, number: int) -> str:  # noqa: ARG002 - there is one
        return ""

    def use(self) -> Use:
        return Use(self._budget, self._spending.per_s)

    def state(self) -> State:
        latencies = {f"latencies.{name}": each for name, each in self._latencies.state().items()}
        return {
            "mass": self._mass.copy(),
            "heavy": self._heavy.copy(),
            "certain": self._certain_mass.copy(),
            "cost": self._cost.copy(),
            "clock": self._clock.copy(),
            "spending": self._spending.state(),
            **latencies,
        }

    def restore(self, state: State) -> None:
        known: dict[str, Any] = {"mass": _BINS, "heavy": _BINS, "cost": 2, "clock": 2}
        if any(name not in state or state[name].shape != (size,) for name, size in known.items()):
            raise ValueError("no state of importance sampling")
        prefix = "latencies."
        self._latencies.restore(
            {name.removeprefix(prefix): each for name, each in state.items() if prefix in name}
        )
        told: dict[str, Any] = dict(state)
        self._mass, self._heavy = told["mass"].copy(), told["heavy"].copy()
        self._cost, self._clock = told["cost"].copy(), told["clock"].copy()
        if told["certain"].shape == self._certain_mass.shape:  # else the weights were changed
            self._certain_mass = told["certain"].copy()
        self._spending.restore(told["spending"])

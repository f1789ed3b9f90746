"""Importance sampling: a budget of rows a second, spent where it makes the numbers most precise.

Assumption: what is asked for are counts, durations, costs and the slowest percent, of everything and of each
event, and errors and anomalies above all.
Formula: errors and anomalies have p = 1 while whole traces of them fit into four fifths of the budget;
beyond that p = min(1, c' u) by their weights u, and the reason says so. Everything has at least
p = min(1, c w), w^2 = 1 + a/2 ((d/m_e)^2 + (d/m)^2) + b (x/n)^2 + (60 s [d > P99_e])^2 + (30 s [d > P99])^2
with d the duration, m_e and m its means for the event and over all, x the cost and n its mean, P99 likewise,
and a, b, s the weights of duration, cost and slow. Each term is the square of a record's share in a
relative error, so that for given expected rows p in proportion to w makes the sum of the relative
variances smallest (Cauchy-Schwarz, as in Neyman's allocation). A record of the slowest percent has 100
times its share in the percent's count; how much less a quantile moves than that count makes it 60.
c is solved, each window, so that the expected rows of the last 10 s, which are mostly those that are
still to be decided, meet the budget, each trace with the weight of its heaviest record.
Guarantee: expected rows within the budget over 10 s of steady traffic; no p is 0. A trace's spans of later
windows follow it, and cost extra. Of 5 million spans with 0.5 % errors and Pareto tails (1.2 and 1.5) or
lognormal durations, 2 % kept: standard errors of 0.5 % for counts and total duration, 0.4 to 0.7 % for the
99th percentile, and no error in the errors (uniform sampling: 0.3 %, 1.2 to 30 %, 1.3 to 2.7 % and 4.4 %; with
the slowest percent certain, 0.7 %, 0.4 to 0.9 % and 0.9 to 1.7 %).
Warm-up: P99 is known after 100 records of an event. Memory: 2.5 MB for 1,000 events; further ones share.

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
from crucible_collector.candidates import STATUS_ERROR, KeepReason, threshold
from crucible_collector.sample.strategies.latencies import FADES_S, Latencies
from crucible_collector.sample.strategies.spending import Spending, passed_s, scale
from crucible_collector.sample.strategies.strata import keys_of
from crucible_collector.sample.strategy import Flag, Rows, State, Use, Verdict
from crucible_collector.sample.strategy_settings import Weights

SLOW_QUANTILE = 0.99
CERTAIN_PART = 0.8  # of the budget
PROBABILITY_MIN = 1e-6
_FADES_S = 10.0
_NS = 1e9
_PER_OCTAVE = 8
_BINS = 40 * _PER_OCTAVE  # weights up to 10^12 means
_SLOW, _SLOW_ALL = 60.0, 30.0
# A cost beyond is somebody's mistake, which squares of costs and their mean are to get over.
_COST_MAX_USD = 1e6
_COST_MEANS_MAX = 1e12
_NOTABLE = (
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
        told = {Flag.ERROR: weights.error, Flag.ANOMALY: weights.anomaly}
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
        flags = self._own_flags(rows, events)
        now_ns = int(rows.received_ns.max())
        self._count(rows, flags, self._weight(rows, events, flags)[0], now_ns)
        self._latencies.count(events, duration_ns, now_ns)
        return flags

    def _own_flags(self, rows: Rows, events: I64) -> U8:
        flags = np.zeros(len(rows), np.uint8)
        flags[rows.candidates.status_code[rows.at] == STATUS_ERROR] = Flag.ERROR
        flags[rows.candidates.score[rows.at] > 1.0] |= np.uint8(Flag.ANOMALY)
        if self._weights.slow:
            is_slow = self._latencies.is_slow(events, rows.candidates.duration_ns[rows.at])
            flags[is_slow] |= np.uint8(Flag.SLOW)
        return flags

    def _weight(self, rows: Rows, events: I64, flags: U8) -> tuple[F64, F64, F64]:
        """Of each record, and what of its square comes from duration and from cost."""
        candidates, at, weights = rows.candidates, rows.at, self._weights
        duration = candidates.duration_ns[at].astype(np.float64)
        mean, mean_all = self._latencies.mean_ns(events), self._latencies.mean_all_ns
        by_duration = np.divide(duration, mean, out=np.zeros(len(rows)), where=mean > 0) ** 2
        if mean_all > 0:
            by_duration += (duration / mean_all) ** 2
        by_duration *= weights.duration / 2
        by_duration[(flags & Flag.SLOW) != 0] += (_SLOW * weights.slow) ** 2
        by_duration[duration > self._latencies.slow_all_ns] += (_SLOW_ALL * weights.slow) ** 2
        by_cost = np.zeros(len(rows))
        if self._cost[1] > 0:
            mean_cost = float(self._cost[1] / self._cost[0])
            cost = np.clip(candidates.cost_usd[at], 0.0, _COST_MAX_USD)
            by_cost = weights.cost * np.minimum(cost / mean_cost, _COST_MEANS_MAX) ** 2
        return np.sqrt(1.0 + by_duration + by_cost), by_duration, by_cost

    def _count(self, rows: Rows, flags: U8, weight: F64, now_ns: int) -> None:
        """Add these rows, each with the weight of its trace: a trace is kept whole."""
        self._fade(now_ns / _NS)
        cost = np.minimum(rows.candidates.cost_usd[rows.at], _COST_MAX_USD)
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
        passed = passed_s(now_s, last_s)
        left = math.exp(-passed / _FADES_S)
        lasted = seconds * left + _FADES_S * (1.0 - left)
        newest_s = now_s if math.isinf(passed) else max(now_s, last_s)
        self._clock = np.array([0.0 if passed > _FADES_S else lasted, newest_s])
        if passed > _FADES_S:
            left = 0.0
        self._mass *= left
        self._heavy *= left
        self._certain_mass *= left
        self._cost *= math.exp(-min(passed, FADES_S) / FADES_S) if last_s else 1.0

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
        flags = rows.flags | self._own_flags(rows, events)
        weight, by_duration, by_cost = self._weight(rows, events, flags)
        certain_scale, rest_scale = self._scales()
        certain = self._certain[flags & 31]
        p = np.minimum(rest_scale * weight, 1.0)
        told = certain > 0
        p[told] = np.maximum(p[told], np.minimum(certain_scale * certain[told], 1.0))
        found = threshold(np.maximum(p, PROBABILITY_MIN))
        reason = np.full(len(rows), KeepReason.RANDOM, np.uint8)
        whole = p >= 1.0
        reason[whole] = KeepReason.QUOTA
        if math.isfinite(rest_scale):
            reason[whole & (by_duration > 1.0)] = KeepReason.SLOW
            reason[whole & (by_cost > np.maximum(by_duration, 1.0))] = KeepReason.COST
        for flag, kept, thinned in reversed(_NOTABLE):
            is_told = (flags & flag) != 0
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

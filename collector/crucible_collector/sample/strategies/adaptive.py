"""Adaptive sampling: a target rate for each key, whatever its traffic, and more of it after an anomaly.

Assumption: a key's traffic in the next seconds is about what it was in the last ones. Formula: p = target /
forecast, the forecast an exponential average of the rows seen over intervals of 15 s (weight 0.5), or what
has come since where that exceeds twice the forecast, as dynamic samplers of traces have it. The first
`min_samples` rows of a key are kept whole, then p <= base_rate until its first interval is over, unless
the key is below its target; without a target p = base_rate for ever.
A run or an event of which a record was anomalous has p = max(p, anomaly_rate) for `hold_s`.
Guarantee: p is never 0; a steady key is kept at its target on average; a thousandfold burst costs at most
`min_samples` and what came within one window beyond that. Warm-up: `min_samples` rows or 15 s of a key.

>>> from crucible_collector.sample.strategies.adaptive import Adaptive
>>> steady = Adaptive(by=("event",), target_per_s=20.0)
>>> steady.use().stratum_count
0
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import F64, I64, U8, Bool
from crucible_collector.candidates import SCORE_ALARM, U64, KeepReason, threshold
from crucible_collector.sample.strategies.rates import COLUMNS, Rates
from crucible_collector.sample.strategies.spending import Spending
from crucible_collector.sample.strategies.strata import (
    NOTHING,
    OTHER_NUMBER,
    Names,
    Strata,
    keys_of,
)
from crucible_collector.sample.strategy import Flag, Rows, State, Use, Verdict

PROBABILITY_MIN = 1e-6
HELD_MAX = 10_000  # runs or events; those whose last anomaly is longest ago leave first
_HELD_BY = ("event", "run")
_NS = 1_000_000_000


class Holds:
    """What had an anomaly, each key until some time."""

    def __init__(self) -> None:
        self._keys = Strata({"until_ns": (np.int64, 0)}, HELD_MAX)

    def __len__(self) -> int:
        return self._keys.count

    def hold(self, keys: U64, until_ns: int) -> None:
        """Hold these until then."""
        numbers = self._keys.numbers(keys)
        # What does not fit is not held: all that shares number 0 would be.
        self._keys["until_ns"][numbers[numbers != OTHER_NUMBER]] = until_ns

    def are_held(self, keys: U64, now_ns: int) -> Bool:
        """Which of these are held."""
        found: Bool = self._keys["until_ns"][self._keys.find(keys)] > now_ns
        return found

    def state(self, name: str) -> State:
        return {f"{name}.{each}": array for each, array in self._keys.state().items()}

    def restore(self, state: State, name: str) -> None:
        self._keys.restore({each: state[f"{name}.{each}"] for each in self._keys.state()})


class Adaptive:
    """Thresholds that follow each key's traffic."""

    wait_s = 0.0

    def __init__(
        self,
        by: tuple[str, ...] = ("event",),
        target_per_s: float | None = None,
        base_rate: float = 0.1,
        anomaly_rate: float = 1.0,
        min_samples: int = 1000,
        hold_s: float = 60.0,
    ) -> None:
        self._by, self._target, self._base_rate = by, target_per_s, base_rate
        self._anomaly_rate, self._min_samples = anomaly_rate, min_samples
        self._hold_ns = int(hold_s * _NS)
        self._strata = Strata({**COLUMNS, "seen": (np.int64, 0)})
        self._rates = Rates(self._strata)
        self._spending = Spending()
        self._holds = {name: Holds() for name in _HELD_BY}
        self._names = Names(by)

    def observe(self, rows: Rows) -> U8:
        return np.zeros(len(rows), np.uint8)

    def decide(self, rows: Rows) -> Verdict:
        if not len(rows):
            return Verdict(np.empty(0, np.int64), np.empty(0, np.uint8))
        numbers = self._strata.numbers(keys_of(rows, self._by))
        self._rates.count(numbers, rows.received_ns)
        p = self._chances(numbers)
        held = self._held(rows)
        reason = np.where(p >= 1.0, KeepReason.QUOTA, KeepReason.RANDOM).astype(np.uint8)
        reason[held] = KeepReason.ANOMALY
        found = threshold(np.where(held, np.maximum(p, self._anomaly_rate), p))
        self._names.remember(rows, numbers)
        self._spending.count(rows, found)
        return Verdict(found, reason, numbers)

    def _chances(self, numbers: I64) -> F64:
        """Probabilities by key; those of a window are all of one moment."""
        seen = self._strata["seen"]
        young = seen[numbers] < self._min_samples
        np.add.at(seen, numbers, 1)
        if self._target is None:
            return np.where(young, 1.0, self._base_rate)
        steady = np.clip(self._target / self._rates.forecast(numbers), PROBABILITY_MIN, 1.0)
        # A rate within the first interval may be one window's: base_rate is the most that is risked on it.
        is_vague = self._rates.is_new(numbers) & (steady < 1.0)
        p = np.where(is_vague, np.minimum(steady, self._base_rate), steady)
        found: F64 = np.where(young, 1.0, p)
        return found

    def _held(self, rows: Rows) -> Bool:
        """Which records are anomalous, or of a run or an event that had an anomaly worth a warning."""
        score, now_ns = rows.candidates.score[rows.at], self._rates.now_ns
        found: Bool = (score > 1.0) | ((rows.flags & Flag.ANOMALY) != 0)
        alarming = (score >= SCORE_ALARM) | ((rows.flags & Flag.ALARM) != 0)
        for name, holds in self._holds.items():
            if not len(holds) and not alarming.any():
                continue
            keys = keys_of(rows, (name,))
            if alarming.any():
                told = alarming & (keys != NOTHING)
                holds.hold(np.unique(keys[told]), now_ns + self._hold_ns)
            found |= holds.are_held(keys, now_ns)
        return found

    def stratum(self, number: int) -> str:
        return self._names.name(number)

    def use(self) -> Use:
        strata = self._strata
        budget = None if self._target is None else self._target * strata.count
        return Use(budget, self._spending.per_s, strata.count, strata.evicted_count)

    def state(self) -> State:
        rates, spending = self._rates.state(), self._spending.state()
        found: State = {"rates": rates, "spending": spending, **self._strata.state()}
        for name, holds in self._holds.items():
            found |= holds.state(name)
        return found

    def restore(self, state: State) -> None:
        try:
            for name, holds in self._holds.items():
                holds.restore(state, name)
            rates, spending = state["rates"], state["spending"]
        except KeyError as error:
            raise ValueError(f"no state of adaptive sampling: {error} is missing") from None
        self._strata.restore(state)
        self._rates.restore(rates)
        self._spending.restore(spending)

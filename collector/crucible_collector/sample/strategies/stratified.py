"""Stratified sampling: a probability for each stratum, given or from a budget that is shared out.

Assumption: strata differ, in how much their records matter (rates) or in how much they vary (budget).
Formula: p_s = n_s / N_s with n_s = min(N_s, c a_s) and c such that the n_s sum up to the budget; a_s is 1
(equal), N_s (proportional), or for Neyman allocation (Neyman, "On the Two Different Aspects of the
Representative Method", 1934) N_s S_s with S_s the standard deviation of duration, a fifth of the budget
shared out proportionally before it, so that what always takes equally long is counted, too. N_s is
forecast and S_s taken from all records seen before, kept or not.
Guarantee: with rates constant thresholds, consistent as uniform sampling is; with a budget p follows
every second. A trace of several strata takes the smallest threshold: as much less is shared out.
Warm-up: a stratum is whole until the next second's sharing out.

>>> from crucible_collector.sample.strategies.spending import scale
>>> import numpy as np
>>> rows_per_s, deviation_s = np.array([900.0, 100.0]), np.array([1.0, 9.0])
>>> scale(rows_per_s, deviation_s, budget=180.0) * deviation_s  # probabilities: 90 rows of each
array([0.1, 0.9])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from crucible_collector.batch import F64, I64, U8
from crucible_collector.candidates import KEEP_ALL, STATUS_ERROR, KeepReason, threshold
from crucible_collector.sample.strategies.rates import COLUMNS, Rates
from crucible_collector.sample.strategies.spending import Spending, scale
from crucible_collector.sample.strategies.strata import Names, Strata, keys_of, label_of
from crucible_collector.sample.strategy import Rows, State, Use, Verdict
from crucible_collector.sample.strategy_settings import OTHER, STATUSES, SUCCESS

Allocation = Literal["equal", "proportional", "neyman"]

_PROPORTIONAL_PART = 0.2
_SHARED_NS = 1_000_000_000
_SEEN_MIN = 30  # before that a stratum's durations are taken to vary as much as they are long
_FADES = 0.9  # an interval of 15 s
_NS = 1e9


def _reasons(thresholds: I64, whole: KeepReason) -> U8:
    reason: U8 = np.where(thresholds == KEEP_ALL, whole, KeepReason.RANDOM).astype(np.uint8)
    return reason


class Rated:
    """Strata with a probability each, by their label."""

    wait_s = 0.0

    def __init__(self, by: tuple[str, ...], rates: Mapping[str, float]) -> None:
        self._by = by
        self._rates = {label: int(threshold(p)) for label, p in rates.items() if label != OTHER}
        self._rest = int(threshold(rates.get(OTHER, 1.0)))
        if by == ("status",) and SUCCESS in self._rates:
            success = self._rates.pop(SUCCESS)
            self._rates |= {label: success for label in STATUSES if label != STATUSES[STATUS_ERROR]}
        # -1: a stratum whose label was not looked up yet.
        self._strata = Strata({"threshold": (np.int64, -1)})
        self._strata["threshold"][0] = self._rest
        self._names = Names(by)

    def observe(self, rows: Rows) -> U8:
        return np.zeros(len(rows), np.uint8)

    def decide(self, rows: Rows) -> Verdict:
        numbers = self._strata.numbers(keys_of(rows, self._by))
        column = self._strata["threshold"]
        found = column[numbers]
        if (found < 0).any():
            self._look_up(rows, numbers, found)
            found = column[numbers]
        self._names.remember(rows, numbers)
        reason = _reasons(found, KeepReason.RANDOM)
        if "status" in self._by:
            is_error = rows.candidates.status_code[rows.at] == STATUS_ERROR
            reason[is_error & (found == KEEP_ALL)] = KeepReason.ERROR
        return Verdict(found, reason, numbers)

    def _look_up(self, rows: Rows, numbers: I64, found: I64) -> None:
        """Once for each stratum, as long as it is known."""
        new = np.flatnonzero(found < 0)
        strata, first = np.unique(numbers[new], return_index=True)
        for number, place in zip(strata, new[first], strict=True):
            label = label_of(rows, self._by, int(place))
            self._strata["threshold"][number] = self._rates.get(label, self._rest)

    def stratum(self, number: int) -> str:
        return self._names.name(number)

    def use(self) -> Use:
        return Use(stratum_count=self._strata.count, evicted_count=self._strata.evicted_count)

    def state(self) -> State:
        """Nothing but constants is known."""
        return {}

    def restore(self, state: State) -> None:
        if state:
            raise ValueError("given rates learn nothing; this state is another strategy's")


class Budgeted:
    """Strata that share a budget of rows a second."""

    wait_s = 0.0

    def __init__(self, by: tuple[str, ...], budget_per_s: float, allocation: Allocation) -> None:
        self._by, self._budget, self._allocation = by, budget_per_s, allocation
        moments = ("n", "sum", "squares")
        self._strata = Strata(
            {
                **COLUMNS,
                "threshold": (np.int64, KEEP_ALL),
                **{name: (np.float64, 0.0) for name in moments if allocation == "neyman"},
            }
        )
        self._rates = Rates(self._strata)
        self._spending = Spending()
        self._names = Names(by)
        self._shared_ns = -_SHARED_NS

    def observe(self, rows: Rows) -> U8:
        return np.zeros(len(rows), np.uint8)

    def decide(self, rows: Rows) -> Verdict:
        if not len(rows):
            return Verdict(np.empty(0, np.int64), np.empty(0, np.uint8))
        numbers = self._strata.numbers(keys_of(rows, self._by))
        is_over = self._rates.count(numbers, rows.received_ns)
        if abs(self._rates.now_ns - self._shared_ns) >= _SHARED_NS:
            self._share_out()
        if self._allocation == "neyman":
            self._learn(numbers, rows.candidates.duration_ns[rows.at], fades=is_over)
        found = self._strata["threshold"][numbers]
        self._names.remember(rows, numbers)
        self._spending.count(rows, found)
        return Verdict(found, _reasons(found, KeepReason.QUOTA), numbers)

    def _share_out(self) -> None:
        self._shared_ns = self._rates.now_ns
        strata = np.flatnonzero(self._strata.used)
        count = self._rates.forecast(strata)
        weight = self._weight(strata, count)
        budget = self._budget * self._spending.alone_part
        share = np.minimum(scale(count, weight, budget) * weight, 1.0)
        self._strata["threshold"][strata] = threshold(share)

    def _weight(self, strata: I64, count: F64) -> F64:
        """How many of a row's stratum are kept, in proportion."""
        if self._allocation == "equal":
            return 1.0 / np.maximum(count, np.finfo(np.float64).tiny)
        if self._allocation == "proportional":
            return np.ones(len(strata))
        deviation = self._deviation(strata)
        mean = float((count * deviation).sum() / count.sum())
        if mean <= 0:
            return np.ones(len(strata))
        return (1.0 - _PROPORTIONAL_PART) * deviation / mean + _PROPORTIONAL_PART

    def _deviation(self, strata: I64) -> F64:
        """Standard deviation of duration by stratum; unknown ones as large as the mean, or as all's."""
        n, total = self._strata["n"][strata], self._strata["sum"][strata]
        mean = total / np.maximum(n, 1.0)
        squares = self._strata["squares"][strata] / np.maximum(n, 1.0)
        deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
        overall = float(total.sum() / max(float(n.sum()), 1.0))
        vague = np.where(n > 0, np.maximum(deviation, mean), overall)
        return np.where(n >= _SEEN_MIN, deviation, vague)

    def _learn(self, numbers: I64, duration_ns: I64, *, fades: bool) -> None:
        seconds = np.maximum(duration_ns, 0) / _NS
        for name, values in (
            ("n", np.ones(len(numbers))),
            ("sum", seconds),
            ("squares", seconds**2),
        ):
            if fades:
                self._strata[name] = self._strata[name] * _FADES
            np.add.at(self._strata[name], numbers, values)

    def stratum(self, number: int) -> str:
        return self._names.name(number)

    def use(self) -> Use:
        strata = self._strata
        return Use(self._budget, self._spending.per_s, strata.count, strata.evicted_count)

    def state(self) -> State:
        told = np.array([self._shared_ns], np.int64)
        rates, spending = self._rates.state(), self._spending.state()
        return {"shared": told, "rates": rates, "spending": spending, **self._strata.state()}

    def restore(self, state: State) -> None:
        try:
            shared: Any = state["shared"]
            rates, spending = state["rates"], state["spending"]
        except KeyError as error:
            raise ValueError(f"no state of a shared budget: {error} is missing") from None
        self._strata.restore(state)
        self._rates.restore(rates)
        self._spending.restore(spending)
        self._shared_ns = int(shared[0])

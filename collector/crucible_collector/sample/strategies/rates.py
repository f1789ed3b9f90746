"""How many rows a second each stratum has: smoothed over 15 s, and at once where a burst comes.

The forecast of a stratum is an exponential average over intervals (half of it the last 15 s), as dynamic
samplers of traces use it; a stratum of which twice the forecast has come takes what came. It is made of
everything seen, kept or not, never of what was kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.sample.strategies.strata import Strata

INTERVAL_NS = 15_000_000_000
BURST = 2.0
_HALF = 0.5
_SECOND_NS = 1_000_000_000  # rates of less than a second are too much of one window

# What `Strata` keeps for it; the rate is NaN until the first interval is over.
COLUMNS: dict[str, tuple[Any, ...]] = {
    "count": (np.float64, 0.0),
    "rate": (np.float64, np.nan),
    "began_ns": (np.int64, -1),
}


class Rates:
    """Forecasts of rows a second, in columns of the strata."""

    def __init__(self, strata: Strata) -> None:
        self._strata = strata
        self.now_ns = -1
        self._start_ns = -1

    def count(self, numbers: I64, received_ns: I64) -> bool:
        """Count these; whether an interval ended before them."""
        first_ns, last_ns = int(received_ns.min()), int(received_ns.max())
        if last_ns < self.now_ns - INTERVAL_NS:
            self._set_back(first_ns)
        self.now_ns = max(self.now_ns, last_ns)
        is_over = self._start_ns >= 0 and self.now_ns - self._start_ns >= INTERVAL_NS
        if is_over:
            self._end_interval()
        elif self._start_ns < 0:
            self._start_ns = first_ns
        began = self._strata["began_ns"]
        new = numbers[began[numbers] < 0]
        began[new] = max(first_ns, self._start_ns)
        np.add.at(self._strata["count"], numbers, 1.0)
        return is_over

    def _set_back(self, now_ns: int) -> None:
        """The clock was: what was counted is an interval, and the next one begins then."""
        self._end_interval()
        self.now_ns = self._start_ns = now_ns
        self._strata["began_ns"] = np.minimum(self._strata["began_ns"], now_ns)

    def _seconds(self, numbers: I64 | slice) -> F64:
        began = np.maximum(self._strata["began_ns"][numbers], self._start_ns)
        elapsed: F64 = np.maximum(self.now_ns - began, _SECOND_NS) / _SECOND_NS
        return elapsed

    def _end_interval(self) -> None:
        strata, all_ = self._strata, slice(None)
        seconds = self._seconds(all_)
        came = strata["count"] / seconds
        weight = 1.0 - _HALF ** (seconds * _SECOND_NS / INTERVAL_NS)
        rate = strata["rate"]
        strata["rate"] = np.where(np.isnan(rate), came, rate + weight * (came - rate))
        strata["count"] = np.zeros(strata.size)
        self._start_ns = self.now_ns

    def forecast(self, numbers: I64 | slice) -> F64:
        """Rows a second to expect, more than 0 for what was counted."""
        count, rate = self._strata["count"][numbers], self._strata["rate"][numbers]
        came = count / self._seconds(numbers)
        is_burst = ~(came <= BURST * rate)  # true where there is no rate yet
        found: F64 = np.where(is_burst, came, rate)
        return found

    def is_new(self, numbers: I64) -> Any:
        """Whether there is no rate yet but that of this interval."""
        return np.isnan(self._strata["rate"][numbers])

    def state(self) -> I64:
        return np.array([self.now_ns, self._start_ns], np.int64)

    def restore(self, state: Any) -> None:
        self.now_ns, self._start_ns = int(state[0]), int(state[1])

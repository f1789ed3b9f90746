"""Numbers of one group, whatever answered them, and what is told of them: values with 95 % intervals.

`NumbersOf` asks raw rows and roll-ups for such groups; here is the arithmetic. With weights w = 1/p:

- the standard deviation is that of the whole, n - 1 and all, as a sample of it tells: s² = n_e/(n_e - 1) sum of
  w(x - m)² / sum of w with n_e = (sum of w)² / sum of w², which is the plain one where all was kept;
- the interval of a mean is by linearisation, V(sum of w(x - m)) = V_xx - 2m V_x1 + m² V_11 over (sum of w)²,
  where 30 traces or more that were sampled tell V, else that of a ratio of two sums, which is wider.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.api.in_force import Thinning
from crucible_collector.api.intervals import (
    LARGER,
    TRACES_MIN,
    Interval,
    Part,
    Spread,
    Z,
    interval_of_mean,
    interval_of_percentile,
    interval_of_ratio,
    interval_of_share,
    interval_of_sum,
    one_more,
)

_NOTHING: Mapping[float, float] = {}
# What is left of a difference of variances below this share of them is rounding.
_NOISE = 1e-12
# Of as many squares of equal size their sum has to be made: of log-normal numbers (s = 1.5) with fewer, intervals
# of the deviation held it in 68 % of samples.
_SQUARES_MIN = 100.0
# No more of the variance of a mean may be one number's: of 160 log-normal ones (s = 1.5) it held in 92 % else, in
# 98 % with this.
_ONE_MAX = 0.2
# What is told of a group where nothing bounds it.
_ANYTHING = Interval(-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Variances:
    """Of the estimates of a count and of a sum, and their covariance, by trace."""

    count: float = 0.0
    sum: float = 0.0
    covariance: float | None = 0.0  # None: not known


@dataclass(frozen=True, slots=True)
class Group:
    """What was stored of the numbers of one group; `key` begins with the time.

    Of those that were kept `kept` is the sum, of those that were not `unseen` its estimate.
    """

    key: tuple[str | None, ...]
    stored_count: int
    unseen_count: float = 0.0
    kept: float = 0.0
    unseen: float = 0.0
    weight_square_sum: float = 0.0
    square_sum: float | None = None  # weighted squares of deviations from the mean
    least: float | None = None
    largest: float | None = None
    probability_min: float = 1.0
    trace_count: int = 0
    duration_max_ns: float = 0.0
    non_finite_count: int = 0
    variances: Variances = field(default_factory=Variances)
    percentiles: Mapping[float, float] = field(default_factory=lambda: _NOTHING)

    @property
    def count(self) -> float:
        return self.stored_count + self.unseen_count

    @property
    def sum(self) -> float:
        return self.kept + self.unseen

    @property
    def mean(self) -> float | None:
        return self.sum / self.count if self.stored_count else None

    @property
    def std(self) -> float | None:
        """None of fewer than two numbers."""
        if self.square_sum is None or self.stored_count < 2:
            return None
        effective = self.count**2 / self.weight_square_sum
        return math.sqrt(max(self.square_sum, 0.0) / self.count * effective / (effective - 1))


class Told:
    """What is told of one group; `force` is what sampling may have left out of it."""

    def __init__(
        self,
        group: Group,
        force: Thinning | None = None,
        spread: Spread | None = None,
        *,
        status: str | None = None,
        is_share: bool = False,
    ) -> None:
        self._group, self._spread, self._is_share = group, spread, is_share
        self._is_of_one_status = status is not None
        least = 1.0 if force is None else force.least(status)
        self._least = min(group.probability_min, least)
        self._trace_count_max = 1 if force is None else force.trace_count_max
        self.is_estimated = self._least < 1
        self.is_reliable = not self.is_estimated or group.trace_count >= TRACES_MIN

    @property
    def spread(self) -> Spread | None:
        """How the numbers lie, where that was asked for."""
        return self._spread

    def value(self, aggregation: str, fraction: float | None) -> float | None:
        group = self._group
        if fraction is not None:
            return group.percentiles.get(fraction)
        if aggregation == "count":
            return group.count
        if not group.stored_count:
            return None
        return {
            "sum": group.sum,
            "avg": group.mean,
            "min": group.least,
            "max": group.largest,
            "std": group.std,
        }[aggregation]

    def interval(self, aggregation: str, fraction: float | None) -> Interval | None:
        """None where there is no value, and of the least and the largest: they are what was observed."""
        value = self.value(aggregation, fraction)
        if value is None or aggregation in ("min", "max"):
            return None
        if not self.is_estimated:
            return Interval(value, value)
        if fraction is not None:
            return self._percentile(fraction)
        return {
            "count": self._count,
            "sum": self._sum,
            "avg": self._mean,
            "std": self._std,
        }[aggregation]()

    def _count_part(self) -> Part:
        group = self._group
        return Part(
            group.stored_count, group.unseen_count, group.variances.count, self._trace_count_max
        )

    def _sum_part(self) -> Part:
        group = self._group
        largest = max(abs(group.least or 0.0), abs(group.largest or 0.0))
        if not group.stored_count:
            largest = math.inf
        factor = max(self._trace_count_max, 1.0 if self._is_share else LARGER)
        return Part(group.kept, group.unseen, group.variances.sum, largest * factor)

    def _of(self, part: Part) -> Interval:
        return interval_of_sum(part, one_more(part, self._least, is_reliable=self.is_reliable))

    def _count(self) -> Interval:
        return self._of(self._count_part()).outwards()

    @property
    def _has_negative(self) -> bool:
        return self._group.least is not None and self._group.least < 0

    def _sum(self) -> Interval:
        part = self._sum_part()
        if not self._has_negative:
            return self._of(part)
        more = one_more(part, self._least, is_reliable=self.is_reliable)
        margin = Z * math.sqrt(part.variance) + more
        return Interval(part.estimate - margin, part.estimate + margin)

    def _mean(self) -> Interval:
        if self._is_share:
            return self._share()
        by_sums = _ANYTHING
        if not self._has_negative:
            whole = (self._group.sum, self._of(self._sum_part()))
            by_sums = interval_of_ratio(whole, (self._group.count, self._of(self._count_part())))
        if not self.is_reliable:
            return by_sums
        nearer = self._nearer_mean()
        return min(by_sums, nearer, key=lambda each: each.high - each.low)

    def _nearer_mean(self) -> Interval:
        """By how numbers lie around their mean, where that is known and no single one decides about it."""
        group, mean = self._group, self._group.mean or 0.0
        if group.variances.covariance is None:
            if self._spread is None:
                return _ANYTHING
            return interval_of_mean(self._spread, mean, self._least)
        far = max((group.largest or 0.0) - mean, mean - (group.least or 0.0))
        of_one = far * far * self._heaviest * (self._heaviest - 1)
        if of_one > _ONE_MAX * self._variance_of_mean(mean) and not self._has_negative:
            return _ANYTHING
        return self._linear_mean()

    def _variance_of_mean(self, mean: float) -> float:
        """Of the sum of deviations from it."""
        of = self._group.variances
        return max(of.sum - 2 * mean * (of.covariance or 0.0) + mean * mean * of.count, 0.0)

    def _linear_mean(self) -> Interval:
        group, mean = self._group, self._group.mean or 0.0
        variance = self._variance_of_mean(mean)
        margin = Z * math.sqrt(variance) / group.count
        low, high = mean - margin, mean + margin
        # One trace more than was kept, as far off as the farthest.
        above, below = (group.largest or 0.0) - mean, mean - (group.least or 0.0)
        for_one = [
            one_more(
                Part(0.0, group.unseen_count * far, variance, LARGER * far * self._trace_count_max),
                self._least,
                is_reliable=True,
            )
            / group.count
            for far in (below, above)
        ]
        return Interval(low - for_one[0], high + for_one[1])

    def _share(self) -> Interval:
        """Of a share the rest is a sum of its own; events of one status all failed, or none did."""
        if self._is_of_one_status and self._group.stored_count:
            known = float(self._group.kept > 0)
            return Interval(known, known)
        group, of = self._group, self._group.variances
        variance = of.count - 2 * (of.covariance or 0.0) + of.sum
        rest = Part(
            group.stored_count - group.kept,
            group.unseen_count - group.unseen,
            variance if variance > _NOISE * (of.count + of.sum) else 0.0,
            self._trace_count_max,
        )
        part = self._sum_part()
        part = Part(part.kept, part.unseen, part.variance, self._trace_count_max)
        return interval_of_share((part.estimate, self._of(part)), (rest.estimate, self._of(rest)))

    def _percentile(self, fraction: float) -> Interval:
        value = self._group.percentiles[fraction]
        floor = -math.inf if self._has_negative else 0.0
        if self._spread is None:
            return Interval(floor, math.inf)
        found = interval_of_percentile(self._spread, fraction, self._least, least=floor)
        return Interval(min(found.low, value), max(found.high, value))

    @property
    def _heaviest(self) -> float:
        return 1 / self._group.probability_min

    def _std(self) -> Interval:
        """By how squares of deviations lie around their mean.

        Nothing is known with few traces, nor where few of the squares make most of their sum.
        """
        std, mean = self._group.std or 0.0, self._group.mean or 0.0
        if self._spread is None or not self.is_reliable:
            return Interval(0.0, math.inf)
        square = (self._spread.duration_ms - mean) ** 2
        parts = self._spread.count * square
        if parts.sum() ** 2 < _SQUARES_MIN * float((parts * square).sum()) * self._heaviest:
            return Interval(0.0, math.inf)
        off = square - std * std
        variance = float((off * off * self._spread.variance).sum()) * self._spread.widening
        margin = Z * math.sqrt(variance) / self._group.count
        return Interval(math.sqrt(max(std * std - margin, 0.0)), math.sqrt(std * std + margin))


def spread_of(values: Sequence[float], count: Sequence[float], variance: Sequence[float]) -> Spread:
    """How numbers lie; all of one length, in rising order of `values`."""
    return Spread(
        np.array(values, np.float64), np.array(count, np.float64), np.array(variance, np.float64)
    )


def percentiles_of(spread: Spread, fractions: Sequence[float]) -> dict[float, float]:
    """The smallest number that at least so much of the weight does not exceed, by fraction."""
    below = np.cumsum(spread.count)
    places = np.searchsorted(below, np.array(fractions) * below[-1] * (1 - 1e-12))
    found = spread.duration_ms[np.minimum(places, len(below) - 1)]
    return dict(zip(fractions, map(float, found), strict=True))

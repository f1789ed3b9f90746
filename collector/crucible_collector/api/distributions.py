"""Percentiles of histograms, each with the bounds that it surely lies within, of one or of many merged.

A percentile is the number that so much of the count does not exceed. A histogram knows the bucket it is in:

- explicit bounds: interpolated linearly between the bucket's bounds, which `low` and `high` are;
- exponential: 2ab/(a + b) between the bounds a and b, at most (base - 1)/(base + 1) off, base = 2^(2^-scale);
- summaries: as sent, for those quantiles that were sent.

Histograms merge by adding buckets up. Of different bounds those that all have stay; of different scales the
coarsest, of which each bucket is whole ones of the finer: either way nothing is split.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Counts by bucket, in rising order: of each its bounds, low < x <= high, and how many."""

    bounds: tuple[float, ...] = ()  # explicit ones
    counts: tuple[int, ...] = ()
    scale: int | None = None  # of an exponential histogram
    positive: Counter[int] = field(default_factory=Counter)
    negative: Counter[int] = field(default_factory=Counter)
    zero_count: int = 0
    zero_threshold: float = 0.0
    least: float = -math.inf
    largest: float = math.inf

    @property
    def count(self) -> int:
        return sum(count for _, _, count in self.in_order())

    def in_order(self) -> list[tuple[float, float, int]]:
        """Bounds and counts of all buckets that have any."""
        if self.scale is None:
            edges = (-math.inf, *self.bounds, math.inf)
            every = [(edges[n], edges[n + 1], count) for n, count in enumerate(self.counts)]
            return [each for each in every if each[2]]
        below = [
            (-self.bound(index + 1), -self.bound(index), count)
            for index, count in sorted(self.negative.items(), reverse=True)
        ]
        above = [
            (self.bound(index), self.bound(index + 1), count)
            for index, count in sorted(self.positive.items())
        ]
        zero = (-self.zero_threshold, self.zero_threshold, self.zero_count)
        if not self.negative:
            zero = (0.0, self.zero_threshold, self.zero_count)
        return [each for each in (*below, zero, *above) if each[2]]

    def bound(self, index: int) -> float:
        """The lower end of an exponential bucket."""
        assert self.scale is not None
        try:
            return math.pow(2.0, math.ldexp(index, -self.scale))
        except OverflowError:
            return math.inf if index > 0 else 0.0


def buckets_of(row: Row) -> Buckets:
    """The buckets of a histogram as the database gives it; no counts where it has none."""
    found = _of_kind(row)
    return replace(
        found, least=_number(row["min"], -math.inf), largest=_number(row["max"], math.inf)
    )


def _of_kind(row: Row) -> Buckets:
    if row["scale"] is None:
        bounds = tuple(float(each) for each in row["bounds"])
        counts = tuple(row["counts"])
        is_in_order = all(a < b for a, b in itertools.pairwise(bounds))
        if len(counts) != len(bounds) + 1 or not is_in_order:  # a sender may send sums alone
            return Buckets((), (row["count"],))
        return Buckets(bounds, counts)
    return Buckets(
        scale=row["scale"],
        positive=_numbered(row["positive_offset"], row["counts"]),
        negative=_numbered(row["negative_offset"], row["negative_counts"]),
        zero_count=row["zero_count"] or 0,
        zero_threshold=_number(row["zero_threshold"], 0.0),
    )


def _number(value: Any, default: float) -> float:
    if value is None:
        return default
    found = float(value)
    return default if math.isnan(found) else found


def _numbered(offset: int | None, counts: Sequence[int]) -> Counter[int]:
    return Counter({(offset or 0) + n: count for n, count in enumerate(counts) if count})


def merged(parts: Iterable[Buckets]) -> Buckets:
    """All of them added up. ValueError where some are exponential and others are not."""
    every = list(parts)
    if not every:
        return Buckets()
    if len({each.scale is None for each in every}) > 1:
        raise ValueError("explicit and exponential histograms do not merge")
    return replace(
        _added(every),
        least=min(each.least for each in every),
        largest=max(each.largest for each in every),
    )


def _added(every: Sequence[Buckets]) -> Buckets:
    if every[0].scale is None:
        shared = set(every[0].bounds).intersection(*(each.bounds for each in every))
        bounds = tuple(sorted(shared))
        columns = [_coarsened(each, bounds) for each in every]
        counts = tuple(map(sum, zip(*columns, strict=True)))
        return Buckets(bounds, counts)
    scale = min(each.scale for each in every if each.scale is not None)
    threshold = max(each.zero_threshold for each in every)
    positive: Counter[int] = Counter()
    negative: Counter[int] = Counter()
    every = [_with_zero(each, threshold) for each in every]
    for each in every:
        positive.update(_scaled(each.positive, each.scale, scale))
        negative.update(_scaled(each.negative, each.scale, scale))
    return Buckets(
        scale=scale,
        positive=positive,
        negative=negative,
        zero_count=sum(each.zero_count for each in every),
        zero_threshold=threshold,
    )


def _with_zero(buckets: Buckets, threshold: float) -> Buckets:
    """What lies whole within a wider zero is counted there."""
    if threshold <= buckets.zero_threshold:
        return buckets
    sides, zero_count = [], buckets.zero_count
    for side in (buckets.positive, buckets.negative):
        within = {index for index in side if buckets.bound(index + 1) <= threshold}
        zero_count += sum(side[index] for index in within)
        sides.append(Counter({index: n for index, n in side.items() if index not in within}))
    return replace(
        buckets,
        positive=sides[0],
        negative=sides[1],
        zero_count=zero_count,
        zero_threshold=threshold,
    )


def _coarsened(buckets: Buckets, bounds: Sequence[float]) -> list[int]:
    """Counts between these bounds, which are some of its own."""
    found = [0] * (len(bounds) + 1)
    place = 0
    for number, count in enumerate(buckets.counts):
        found[place] += count
        if (
            place < len(bounds)
            and number < len(buckets.bounds)
            and buckets.bounds[number] == bounds[place]
        ):
            place += 1
    return found


def _scaled(indexed: Counter[int], own: int | None, scale: int) -> Counter[int]:
    """A bucket of a scale that is one less is two of this."""
    found: Counter[int] = Counter()
    for index, count in indexed.items():
        found[index >> ((own or 0) - scale)] += count
    return found


def difference(later: Buckets, earlier: Buckets) -> Buckets | None:
    """What came between two that count from one start; None where they cannot: it was reset between."""
    if (later.scale is None) != (earlier.scale is None):
        return None
    if later.scale is None or earlier.scale is None:
        if later.bounds != earlier.bounds:
            return None
        counts = tuple(a - b for a, b in zip(later.counts, earlier.counts, strict=True))
        return None if min(counts) < 0 else Buckets(later.bounds, counts)
    scale = min(later.scale, earlier.scale)
    earlier = _with_zero(earlier, later.zero_threshold)
    found = []
    for side in ("positive", "negative"):
        now = _scaled(getattr(later, side), later.scale, scale)
        now.subtract(_scaled(getattr(earlier, side), earlier.scale, scale))
        found.append(now)
    zero_count = later.zero_count - earlier.zero_count
    if min((*found[0].values(), *found[1].values(), zero_count), default=0) < 0:
        return None
    positive, negative = (Counter({i: n for i, n in side.items() if n}) for side in found)
    return Buckets(
        scale=scale,
        positive=positive,
        negative=negative,
        zero_count=zero_count,
        zero_threshold=later.zero_threshold,
    )


@dataclass(frozen=True, slots=True)
class InPeriod:
    """What cumulative histograms count in a period."""

    parts: list[Buckets]
    reset_count: int
    is_complete: (
        bool  # False: when the first of them began to count is before the period, or not known
    )


def accumulated(rows: Sequence[Row], before: Row | None, *, has_begin: bool) -> InPeriod:
    """The differences of histograms in the order of time; what was reset counts from its start on.

    `before`: the last one before the period, None where there is none. `has_begin`: whether the period has one.
    """
    parts: list[Buckets] = []
    reset_count, is_complete = 0, True
    earlier = before
    for row in rows:
        buckets = buckets_of(row)
        if earlier is None:
            # Whatever it counted before its period began cannot be told apart.
            is_complete = not has_begin
            if is_complete:
                parts.append(buckets)
        else:
            is_same = None in (row["start_time"], earlier["start_time"]) or (
                row["start_time"] == earlier["start_time"]
            )
            found = difference(buckets, buckets_of(earlier)) if is_same else None
            reset_count += found is None
            parts.append(buckets if found is None else found)
        earlier = row
    return InPeriod(parts, reset_count, is_complete)


def percentile(buckets: Buckets, fraction: float) -> dict[str, float | None]:
    """As `Percentile` has it: `value` within `low` and `high`; nulls where nothing was counted."""
    every = buckets.in_order()
    target = fraction * sum(count for _, _, count in every) * (1 - 1e-12)
    below = 0
    for low, high, count in every:
        if below + count >= target:
            share = (target - below) / count
            return _within(buckets, fraction, low, high, share)
        below += count
    return _told(fraction, None, None, None)


def _within(
    buckets: Buckets, fraction: float, low: float, high: float, share: float
) -> dict[str, float | None]:
    clipped_low, clipped_high = max(low, buckets.least), min(high, buckets.largest)
    if clipped_low <= clipped_high:  # else what it says of its extremes is not so
        low, high = clipped_low, clipped_high
    if math.isinf(low) or math.isinf(high):
        ends = [end for end in (low, high) if math.isfinite(end)]
        return _told(fraction, ends[0] if ends else None, low, high)
    if buckets.scale is not None and low * high > 0:
        return _told(fraction, 2 * low * high / (low + high), low, high)
    return _told(fraction, low + (high - low) * share, low, high)


def _told(
    fraction: float, value: float | None, low: float | None, high: float | None
) -> dict[str, float | None]:
    ends = [None if end is None or math.isinf(end) else end for end in (low, high)]
    error = None
    if value is not None and None not in ends:
        error = max(value - (ends[0] or 0.0), (ends[1] or 0.0) - value)
    return {"q": fraction, "value": value, "low": ends[0], "high": ends[1], "error_max": error}


def of_summary(row: Row, fraction: float) -> dict[str, float | None]:
    """The quantile as it was sent; nulls where it was not."""
    for sent, value in zip(row["bounds"], row["quantile_values"], strict=False):
        number = _number(value, math.nan)
        if math.isclose(float(sent), fraction, abs_tol=1e-9) and math.isfinite(number):
            return _told(fraction, number, None, None)
    return _told(fraction, None, None, None)

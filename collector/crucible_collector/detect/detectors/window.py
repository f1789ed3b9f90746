"""The last values of a series, for detectors that look at nothing else: a ring of them, sorted too if need be.

What one could not guess: mean and standard deviation are summed anew at each value, in four sums side by
side, since nothing that is added and taken away again stays exact once 1e15 has passed through. That is
0.4 of the microseconds that a value costs; medians and quartiles are read from the sorted values, into
which one is put, and out of which the oldest is taken, by moving what lies between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from crucible_collector.detect.detector import Records, Scored, Severities, Severity, Values
from crucible_collector.kernels import Int, inlined

WINDOW = 500  # values
WARM_UP = 11  # with fewer, no value can be three of their standard deviations from their mean

# Of a normal distribution with standard deviation 1: its median absolute deviation, and how far its
# quartiles are apart.
MAD_OF_SD = 0.6745
IQR_OF_SD = 1.349

# What differs by less than rounding is not different: as ewma has it.
SCALE_MIN = 1e-12
SCALE_MIN_OF_VALUE = 1e-6
# Beyond these a sum of squares would overflow. What is larger is tested as it is and remembered as this.
REMEMBERED_MAX = 1e150

# Flags of a window come in bunches: its own scale has to take up what has changed before it is quiet.
QUIET_MAX = 30
SEVERITIES = Severities(least=Severity.INFO, warning_score=2.0, warning_count=10)

_RING: list[Any] = [("count", np.int64), ("oldest", np.int64), ("ring", np.float64, (WINDOW,))]
RING = np.dtype(_RING)  # 4,016 bytes a series
# 8,016. Not the first fields of the other and more: Numba would take one for the other, with a warning.
SORTED_RING = np.dtype([("ordered", np.float64, (WINDOW,)), *_RING])


@inlined
def scaled(value: Any, is_log: Any) -> Any:
    """A value on the scale that distances are taken on; NaN where it has no logarithm."""
    if not is_log:
        return value
    return math.log(value) if value > 0 else math.nan


@inlined
def remember(state: Any, value: Any) -> None:
    """Put a value in, in place of the oldest where there is no room."""
    state.ring[state.oldest] = min(max(value, -REMEMBERED_MAX), REMEMBERED_MAX)
    state.oldest = (state.oldest + 1) % WINDOW
    state.count = min(state.count + 1, WINDOW)


@inlined
def remember_sorted(state: Any, value: Any) -> None:
    """Put a value in, in place of the oldest where there is no room, and keep the sorted ones sorted."""
    kept = min(max(value, -REMEMBERED_MAX), REMEMBERED_MAX)
    gap = state.count  # which entry of the sorted ones is free
    if gap == WINDOW:
        gap = _first_not_below(state, state.ring[state.oldest])
    while gap > 0 and state.ordered[gap - 1] > kept:
        state.ordered[gap] = state.ordered[gap - 1]
        gap -= 1
    last = min(state.count, WINDOW - 1)
    while gap < last and state.ordered[gap + 1] < kept:
        state.ordered[gap] = state.ordered[gap + 1]
        gap += 1
    state.ordered[gap] = kept
    remember(state, kept)


@inlined
def _first_not_below(state: Any, value: Any) -> Int:
    low, high = 0, state.count - 1
    while low < high:
        middle = (low + high) // 2
        if state.ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def mean_of(state: Any) -> Any:
    """The mean of what is remembered."""
    count = state.count
    a = b = c = d = 0.0
    i = 0
    while i + 3 < count:
        a += state.ring[i]
        b += state.ring[i + 1]
        c += state.ring[i + 2]
        d += state.ring[i + 3]
        i += 4
    while i < count:
        a += state.ring[i]
        i += 1
    return ((a + b) + (c + d)) / count


@inlined
def deviation_of(state: Any, mean: Any) -> Any:
    """The standard deviation of what is remembered (at least two values), by count - 1."""
    count = state.count
    a = b = c = d = 0.0
    i = 0
    while i + 3 < count:
        a += (state.ring[i] - mean) ** 2
        b += (state.ring[i + 1] - mean) ** 2
        c += (state.ring[i + 2] - mean) ** 2
        d += (state.ring[i + 3] - mean) ** 2
        i += 4
    while i < count:
        a += (state.ring[i] - mean) ** 2
        i += 1
    return math.sqrt(((a + b) + (c + d)) / (count - 1))


@inlined
def quantile_of(state: Any, fraction: Any) -> Any:
    """Of the sorted values, between two of them as numpy.quantile has it."""
    place = fraction * (state.count - 1)
    below = int(place)
    above = min(below + 1, state.count - 1)
    low = state.ordered[below]
    return low + (state.ordered[above] - low) * (place - below)


@inlined
def spread_of(state: Any, centre: Any) -> Any:
    """The median of the absolute deviations from the median `centre`."""
    half = state.count // 2
    split = _first_not_below(state, centre)
    if state.count % 2:
        return _nearest(state, centre, split, half)
    return (_nearest(state, centre, split, half - 1) + _nearest(state, centre, split, half)) / 2


@inlined
def _nearest(state: Any, centre: Any, split: Any, nearer: Any) -> Any:
    """The absolute deviation that `nearer` others are not above; those from `split` on are not below `centre`.

    Both sides are sorted by it: how many of the nearer ones are on the left is found by halving.
    """
    low, high = max(0, nearer - (state.count - split)), min(split, nearer)
    while low < high:
        left = (low + high) // 2
        right = nearer - left - 1
        if centre - state.ordered[split - 1 - left] < state.ordered[split + right] - centre:
            low = left + 1
        else:
            high = left
    right = split + nearer - low
    found = math.inf
    if low < split:
        found = centre - state.ordered[split - 1 - low]
    if right < state.count:
        found = min(found, state.ordered[right] - centre)
    return found


@inlined
def not_rounding(scale: Any, centre: Any, is_log: Any) -> Any:
    """The scale, or what is no more than rounding of `centre` (on the log scale a ratio) where that is larger."""
    return max(scale, SCALE_MIN, SCALE_MIN_OF_VALUE * (1.0 if is_log else abs(centre)))


@inlined
def distance(value: Any, low: Any, high: Any, fence: Any, direction: Any) -> Any:
    """How far a value is outside [low, high] in the direction that counts, in units of `fence`."""
    above, below = (value - high) / fence, (low - value) / fence
    if direction > 0:
        return max(above, 0.0)
    if direction < 0:
        return max(below, 0.0)
    return max(above, below, 0.0)


@inlined
def raw(value: Any, is_log: Any) -> Any:
    """A value of the scale in the number's own terms."""
    return np.exp(value) if is_log else value


def scored(kernel: Callable[..., None], records: Records, values: Values) -> Scored:
    """Have a detector's kernel look at the values of these records."""
    found = Scored.of(len(values))
    kernel(
        records,
        values.number,
        values.value,
        values.is_log,
        values.direction,
        values.sensitivity,
        found.score,
        found.expected,
        found.lower,
        found.upper,
    )
    return found

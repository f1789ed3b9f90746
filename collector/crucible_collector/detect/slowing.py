"""Whether something has become slower for good: the rule that `pace`, `throughput` and `shift` share.

A series is followed as u = ln(duration) (of a rate: minus its logarithm), twice: f, an exponential mean
that forgets within 10 values, and s, one that forgets within 500. It is slow where f - s exceeds
max(ln 1.5, 3 sqrt(v)), v the mean of (f - s)^2 as long as it was not slow, for at least 20 values in a row
and, in trainings, for at least 15 s. One value moves f by at most a tenth of ln 10, so that no single pause makes it
slow. s waits until that is decided; as it follows then, a slow-down of a factor of 3 is the new pace after
about 500 values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crucible_collector.kernels import Int, inlined

WARM_UP = 30
FAST_WEIGHT = 0.1
SLOW_WEIGHT = 0.002
LIMIT = math.log(1.5)
# Rates of requests scatter by a factor of 2 and more, and not independently. v about f instead of s alarms
# 44 times in 100,000 values at an autocorrelation of 0.8 (deviation of ln x 0.5); this 0.9 times.
NOISE_LIMIT = 3.0
STEP_MAX = math.log(10.0)
VALUES_MIN = 20
NS_MIN = 15_000_000_000

# What is remembered of a series, as a part of a detector's record. Two records must not begin alike: Numba
# would take the larger for a kind of the smaller, an experiment of its own that it warns about.
FIELDS: list[tuple[str, type]] = [
    ("slow_since_ns", np.int64),
    ("fast", np.float64),
    ("slow", np.float64),
    ("variance", np.float64),
    ("count", np.int32),  # up to the warm-up's end
    ("slow_count", np.int32),  # up to VALUES_MIN
]


@inlined
def limit_of(s: Any, sensitivity: float) -> float:
    """The distance between f and s that has a score of 1."""
    return float(max(LIMIT, NOISE_LIMIT * math.sqrt(s.variance)) / sensitivity)


@inlined
def slowing(s: Any, u: float, time_ns: Int, sensitivity: float) -> float:
    """Score of one value, which is remembered; NaN in the warm-up."""
    if s.count < WARM_UP:
        warm_up(s, u)
        return math.nan
    score = beyond(s, u, sensitivity)
    if score <= 1.0:
        s.slow_count = 0
        follow_slowly(s, u)
        return float(max(score, 0.0))
    if s.slow_count == 0:
        s.slow_since_ns = time_ns
    s.slow_count = min(s.slow_count + 1, VALUES_MIN)
    if s.slow_count >= VALUES_MIN and time_ns - s.slow_since_ns >= NS_MIN:
        follow_slowly(s, u)
        return float(score)
    return 1.0


@inlined
def warm_up(s: Any, u: float) -> None:
    """Remember one of the first values."""
    s.count += 1
    moved = u - s.slow
    s.slow += moved / s.count
    s.variance += (moved * (u - s.slow) - s.variance) / s.count
    if s.count == WARM_UP:
        s.fast = s.slow
        s.variance *= FAST_WEIGHT / (2.0 - FAST_WEIGHT)  # that of f, if values were independent


@inlined
def beyond(s: Any, u: float, sensitivity: float) -> float:
    """How far f is from s, which has not seen the value yet, in limits."""
    limit = limit_of(s, sensitivity)
    s.fast += FAST_WEIGHT * min(max(u - s.fast, -STEP_MAX), STEP_MAX)
    distance = s.fast - s.slow
    if distance <= limit:
        s.variance += SLOW_WEIGHT * (distance * distance - s.variance)
    return float(distance / limit)


@inlined
def follow_slowly(s: Any, u: float) -> None:
    """Move s; not where it is yet to be seen whether it stays slow: 15 s may be a thousand steps."""
    s.slow += SLOW_WEIGHT * min(max(u - s.slow, -STEP_MAX), STEP_MAX)

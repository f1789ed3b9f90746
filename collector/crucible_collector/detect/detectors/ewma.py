"""EWMA: a value far from an exponentially weighted mean, in units of its own noise.

Assumption: a series follows a course that a mean with a memory of ten values can follow, with noise whose
spread changes slowly. Formula: x the value or its logarithm, d = x - m; score = sensitivity |d| / (5 s q),
then m <- m + lambda d_w, v <- (1 - lambda_v) v + lambda_v d_w^2, d_w = d clipped to 4 s, whatever is
flagged; lambda = 0.1, lambda_v = 0.02. s = max(sqrt(v), a / 4, 1e-12, 1e-6 |m|; on the log scale 1e-6), a the
mean of |d| over 2,000 values, without which a binary series that is 1 rarely would have no scale at all.
q makes up for tails that are heavier than normal: on the first of consecutive flags q <- min(q e^(1/2),
1000), where nothing is flagged max(1, q e^(-1/10,000)).
On the log scale a value that is not above 0 is passed over: no ratio can be told, and such a value is no
part of the course either. What is on the side that `direction` does not name has a score of 0.
Source: Hunter 1986 (EWMA charts), but tested before the update: a mean that has moved by the value already
can hide any spike.
Guarantee: of 10,000 values in which nothing happens are flagged, once 10,000 were seen: of normal noise 0.05,
of normal noise with an autocorrelation of 0.9 none, of t with 3 degrees of freedom 1.7, of lognormal noise on
the linear scale 2.0 (20 series of 20,000 values). A step of 8 deviations is found at the first value in
each of 300 series, one of 6 within three values in 85 %.
Warm-up: 30 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.ewma import EWMA
>>> loss = np.exp(-0.01 * np.arange(60)) * (1 + 0.01 * np.cos(np.arange(60)))
>>> loss[50] *= 3
>>> none = np.zeros(60, np.int64)
>>> values = Values(none, none, loss, none, none, none == 0, (none + 1).astype(np.int8), none + 1.0)
>>> found = EWMA.score(np.zeros(1, EWMA.record), values)
>>> np.flatnonzero(found.score > 1.0).tolist()
[50]
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.detect.detector import I8, Records, Scored, Severities, Severity, Values
from crucible_collector.detect.scale import below, not_below, off_scale, on_scale
from crucible_collector.kernels import inlined, kernel

WARM_UP = 30
_LIMIT = 5.0
_MEAN_WEIGHT = 0.1
_VARIANCE_WEIGHT = 0.02
_CLIP = 4.0

_DISTANCE_WEIGHT = 0.0005
_DISTANCE_PART = 0.25
# A distance that was seen before counts in full, another moves the mean of distances by at most a scale: one
# spike of any height at most doubles the band, and the scale of a series that is 1 rarely is right after two ones.
_DISTANCE_CLIP = 2000.0

_SCALE_MIN = 1e-12
_SCALE_MIN_OF_MEAN = 1e-6  # what differs by less is rounding, of single-precision numbers too

_FENCE_UP = 0.5
_FENCE_DOWN = 0.5 / 5000  # at most one false alarm in 5,000 values, in the long run
_LOG_FENCE_MAX = math.log(1000.0)  # forgotten after 69,000 values: nothing blinds for longer

_LINEAR, _LOG = 1, 2


class Ewma:
    """The distance to the mean of the values before."""

    name: ClassVar[str] = "ewma"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("mean", np.float64),
            ("variance", np.float64),
            ("distance", np.float64),  # a
            ("flag_distance", np.float64),  # of the last flag
            ("log_fence", np.float32),  # ln q
            ("count", np.int16),  # up to the warm-up's end
            ("mode", np.int8),  # scale that all of this is in
            ("was_flag", np.int8),  # the value before
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 10
    # Of clean heavy-tailed noise one flag in ten is twice as far as the fence.
    severities: ClassVar[Severities] = Severities(
        least=Severity.INFO, warning_score=2.0, warning_count=3, critical_score=10.0
    )

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        _score(
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


@inlined
def _scale(s: Any) -> Any:
    floor = _SCALE_MIN_OF_MEAN * (1.0 if s.mode == _LOG else abs(s.mean))
    return max(math.sqrt(s.variance), _DISTANCE_PART * s.distance, floor, _SCALE_MIN)


@inlined
def _learn(s: Any, x: float) -> None:
    """Mean, variance and mean distance of the warm-up, by Welford's recursion."""
    s.count += 1
    d = x - s.mean
    s.mean += d / s.count
    s.variance += (d * (x - s.mean) - s.variance) / s.count
    if s.count == WARM_UP:
        s.distance = math.sqrt(s.variance)


@inlined
def _follow(s: Any, d: float, scale: float, is_flag: bool) -> None:
    clipped = min(max(d, -_CLIP * scale), _CLIP * scale)
    s.mean += _MEAN_WEIGHT * clipped
    s.variance += _VARIANCE_WEIGHT * (clipped * clipped - s.variance)
    counts_max = max(_DISTANCE_CLIP * scale, s.flag_distance)
    s.distance += _DISTANCE_WEIGHT * (min(abs(d), counts_max) - s.distance)
    if not is_flag:
        s.log_fence = max(s.log_fence - _FENCE_DOWN, 0.0)
    elif s.was_flag == 0:
        s.log_fence = min(s.log_fence + _FENCE_UP, _LOG_FENCE_MAX)
    if is_flag:
        s.flag_distance = abs(d)
    s.was_flag = 1 if is_flag else 0


@kernel
def _score(
    records: Records,
    number: I64,
    value: F64,
    is_log: Bool,
    direction: I8,
    sensitivity: F64,
    score: F64,
    expected: F64,
    lower: F64,
    upper: F64,
) -> None:
    for row in range(len(number)):
        x = on_scale(value[row], is_log[row])
        if math.isnan(x):
            continue
        s = records[number[row]]
        mode = _LOG if is_log[row] else _LINEAR
        if s.mode != mode:
            s.mode = mode
            s.mean = s.variance = s.log_fence = s.flag_distance = 0.0
            s.count = s.was_flag = 0
        if s.count < WARM_UP:
            _learn(s, x)
            continue
        scale = _scale(s)
        half = _LIMIT * scale * math.exp(s.log_fence) / sensitivity[row]
        d = x - s.mean
        told = d * direction[row] if direction[row] != 0 else abs(d)
        score[row] = max(told, 0.0) / half
        is_flag = score[row] > 1.0
        expected[row] = off_scale(s.mean, is_log[row])
        if direction[row] >= 0:
            bound = off_scale(s.mean + half, is_log[row])
            is_above = is_flag and d > 0.0
            upper[row] = below(bound, value[row]) if is_above else not_below(bound, value[row])
        if direction[row] <= 0:
            bound = off_scale(s.mean - half, is_log[row])
            is_below = is_flag and d < 0.0
            lower[row] = -(
                below(-bound, -value[row]) if is_below else not_below(-bound, -value[row])
            )
        _follow(s, d, scale, is_flag)


EWMA = Ewma()

"""Drift: a training's course turns, and its mean leaves the best that it had been: loss up, accuracy down.

Assumption: m, what remains of the noise aside, gets better or stays. Formula: y = ln(max(x, 0) + 0.02 M)
on the log scale, M the median of the warm-up, else y = x (so, too, where M is not above 0); with -y where
low is bad. d = y - m, clipped to 4 scales; m <- m + 0.1 d; e = d - c is noise without the course,
c <- c + 0.1 e; v <- v + 0.02 (e^2 - v); scale = max(sqrt(v), floor / 2.5), floor = ln 1.1 on the log
scale, else 0.02 max(1, |best m|). score = sensitivity * (m - best m) / limit, at most 1 until that has
been above 1 for 10 values in a row. limit = 2.5 scale * sqrt((1 + r) / (1 - r)), r in [0, 0.8] the
correlation of an e with the one before, as far as neither is beyond 2 scales: a loss that is reported
smoothed wanders. It is at least 1.25 times the highest rise that ended with a new best: a schedule's warm
restarts rise again and again. 0.02 M keeps the ratios of a loss near 0 from being taken for a rise.
The value told is m, what was expected the best m, both in the number's own terms. A direction of 0 is
taken for "high is bad". Where the step goes back by more than 30 within an epoch, a training was resumed:
what it gets within 30 values is its best from then on.
Source: the rule for trends that this project's statistics have; r, rises that end, the floor for what is
larger than 1 and resumed runs are added to it.
Guarantee: a loss that grows by 1 % a step is found after 31, 45 and 94 steps where the noise of ln x is 0.03,
0.1 and 0.3; an accuracy that falls from 0.9 to 0.7 after 15, 20 and 98 where its noise is 0.02, 0.05 and 0.1
(medians of 200). None of a million independent values (normal or t3) alarms. A restart that doubles the loss
is told, once a run.
Warm-up: 16 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import NO_STEP, Values
>>> from crucible_collector.detect.detectors.drift import DRIFT
>>> step = np.arange(400)
>>> loss = np.exp(-0.01 * np.minimum(step, 600 - 2 * step))
>>> none = np.zeros(400, np.int64)
>>> up = (none + 1).astype(np.int8)
>>> values = Values(none, step, loss, step, none + NO_STEP, none == 0, up, none + 1.0)
>>> int(np.argmax(DRIFT.score(np.zeros(1, DRIFT.record), values).score > 1.0)) - 200
31
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.detect.detector import (
    I8,
    NO_STEP,
    Records,
    Scored,
    Severities,
    Severity,
    Values,
)
from crucible_collector.kernels import Int, inlined, kernel

WARM_UP = 16
_MEAN_WEIGHT = 0.1
_VARIANCE_WEIGHT = 0.02
_CLIP = 4.0
_LIMIT = 2.5
_CORRELATION_MAX = 0.8
_NOISE_MAX = 2.0
_RISE_GROWTH = 1.25
_OFFSET = 0.02  # of the warm-up's median
_LOG_FLOOR = math.log(1.1)
_LINEAR_FLOOR = 0.02
_BEYOND_MIN = 10
# A step further back than this, without a new epoch, is a training resumed from a checkpoint. Ranks that
# report into one series are fewer steps apart.
_BACK_MIN = 30
_RESUMED = 30  # values
_LINEAR_MAX = 1e18  # its square is finite in single precision
_SINGLE_MAX = 3.4e38  # of a single-precision number


class Drift:
    """The smoothed course against the best that it was."""

    name: ClassVar[str] = "drift"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("mean", np.float64),
            ("variance", np.float64),
            ("best", np.float64),
            ("step_max", np.int64),
            ("epoch", np.int64),
            ("rise", np.float32),  # largest distance from the best since it was reached
            ("rise_survived", np.float32),  # largest rise that a new best followed
            ("trend", np.float32),  # mean of d
            ("last", np.float32),  # e
            ("covariance", np.float32),  # of e with the one before
            ("offset", np.float32),  # 0: the linear scale
            ("beyond_count", np.int32),
            ("count", np.int16),  # up to the warm-up's end
            ("resumed_count", np.int16),  # values until the best counts again
            ("mode", np.int16),  # scale and direction that all of this is in
            ("warm", np.float32, (WARM_UP,)),
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 20
    # What still rises after 50 values, or has risen to four times the limit, does not come back by itself.
    severities: ClassVar[Severities] = Severities(
        least=Severity.WARNING, critical_score=4.0, critical_count=50
    )

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        course = values.value.copy()
        _score(
            records,
            values.number,
            values.value,
            values.step,
            values.epoch,
            values.is_log,
            values.direction,
            values.sensitivity,
            found.score,
            found.expected,
            found.lower,
            found.upper,
            course,
        )
        found.value = course
        return found


@inlined
def _median(warm: Any) -> float:
    """The lower median, without memory of its own."""
    for row in range(WARM_UP):
        below = 0
        equal = 0
        for other in range(WARM_UP):
            if warm[other] < warm[row]:
                below += 1
            elif warm[other] == warm[row]:
                equal += 1
        if below <= (WARM_UP - 1) // 2 < below + equal:
            return float(warm[row])
    return 0.0


@inlined
def _course(s: Any, x: float) -> float:
    """What is better the lower it is."""
    y = (
        math.log(max(x, 0.0) + s.offset)
        if s.offset > 0.0
        else min(max(x, -_LINEAR_MAX), _LINEAR_MAX)
    )
    return -y if s.mode < 0 else y


@inlined
def _raw(s: Any, y: float) -> float:
    x = -y if s.mode < 0 else y
    return float(math.exp(x) - s.offset if s.offset > 0.0 else x)


@inlined
def _begin(s: Any, is_log: bool) -> None:
    """Mean and variance of the warm-up, in the terms that its median says."""
    median = _median(s.warm)
    s.offset = _OFFSET * median if is_log and median > 0.0 else 0.0
    s.mean = 0.0
    s.variance = 0.0
    s.covariance = 0.0
    s.last = 0.0
    s.trend = 0.0
    s.rise = 0.0
    s.rise_survived = 0.0
    for row in range(WARM_UP):
        y = _course(s, float(s.warm[row]))
        moved = y - s.mean
        s.mean += moved / (row + 1)
        s.variance += (moved * (y - s.mean) - s.variance) / (row + 1)
    s.best = s.mean


@inlined
def _scale(s: Any) -> float:
    floor = _LOG_FLOOR if s.offset > 0.0 else _LINEAR_FLOOR * max(1.0, abs(s.best))
    return float(max(math.sqrt(s.variance), floor / _LIMIT))


@inlined
def _limit(s: Any) -> float:
    """The distance from the best that has a score of 1."""
    scale = _scale(s)
    r = min(max(s.covariance / (scale * scale), 0.0), _CORRELATION_MAX)
    wandering = math.sqrt((1.0 + r) / (1.0 - r))
    return float(max(_LIMIT * scale * wandering, _RISE_GROWTH * s.rise_survived))


@inlined
def _follow_step(s: Any, step: Int, epoch: Int) -> None:
    """Notice a training that was resumed."""
    if step == NO_STEP:
        return
    if s.count == 0 or epoch > s.epoch or step > s.step_max:
        s.step_max = step
    elif s.step_max - step > _BACK_MIN:
        s.step_max = step
        s.resumed_count = _RESUMED
    s.epoch = epoch


@inlined
def _follow(s: Any, y: float) -> None:
    """Remember a value."""
    scale = _scale(s)
    if s.resumed_count == _RESUMED:
        s.mean = y
    d = min(max(y - s.mean, -_CLIP * scale), _CLIP * scale)
    s.mean += _MEAN_WEIGHT * d
    e = d - s.trend
    s.trend += _MEAN_WEIGHT * e
    e = min(max(e, -_CLIP * scale), _CLIP * scale)
    s.variance += _VARIANCE_WEIGHT * (e * e - s.variance)
    # What is further out is a change, not noise: a step down in accuracy would pass for correlation, and
    # be found after 90 values instead of 20.
    if max(abs(e), abs(s.last)) <= _NOISE_MAX * scale:
        s.covariance += _VARIANCE_WEIGHT * (e * s.last - s.covariance)
    s.last = e
    if s.mean < s.best or s.resumed_count > 0:
        s.best = s.mean
        s.rise_survived = max(s.rise_survived, s.rise)
        s.rise = 0.0
    s.rise = max(s.rise, s.mean - s.best)
    s.resumed_count = max(s.resumed_count - 1, 0)


@inlined
def _drifted(s: Any, y: float, sensitivity: float) -> float:
    """Score of a value, which is remembered."""
    limit = _limit(s)
    _follow(s, y)
    score = sensitivity * (s.mean - s.best) / limit
    s.beyond_count = s.beyond_count + 1 if score > 1.0 else 0
    return float(score if s.beyond_count >= _BEYOND_MIN else min(score, 1.0))


@kernel
def _score(
    records: Records,
    number: I64,
    value: F64,
    step: I64,
    epoch: I64,
    is_log: Bool,
    direction: I8,
    sensitivity: F64,
    score: F64,
    expected: F64,
    lower: F64,
    upper: F64,
    course: F64,
) -> None:
    for row in range(len(number)):
        s = records[number[row]]
        mode = (2 if is_log[row] else 1) * (-1 if direction[row] < 0 else 1)
        if s.mode != mode:
            s.mode = mode
            s.count = 0
        _follow_step(s, step[row], epoch[row])
        if s.count < WARM_UP:
            s.warm[s.count] = min(max(value[row], -_SINGLE_MAX), _SINGLE_MAX)
            s.count += 1
            if s.count == WARM_UP:
                _begin(s, is_log[row])
            continue
        expected[row] = _raw(s, s.best)
        bound = _raw(s, s.best + _limit(s) / sensitivity[row])
        if mode < 0:
            lower[row] = bound
        else:
            upper[row] = bound
        score[row] = _drifted(s, _course(s, value[row]), sensitivity[row])
        course[row] = _raw(s, s.mean)


DRIFT = Drift()

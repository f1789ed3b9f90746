"""Plateau: a training has not got better for half as long again as it had taken. For information only.

Assumption: what still learns improves by more than its noise while its age grows by half. Formula: y is
ln x on the log scale (values of 0 or less are passed over), else x, and -y where low is bad; m and v are
exponential mean and variance as in `drift`. r is the m of the last improvement; there is a new one where
r - m > max(0.5 sqrt(v), ln 1.02), on the linear scale max(0.5 sqrt(v), 0.005 max(1, |r|)). With c values
since then, n before, score = sensitivity * c / max(200, n / 2); it is told as above 1 with the first
value that is, and then once in 200, so that one plateau is one period.
Source: the patience and the relative threshold of schedules that reduce the rate on a plateau.
Guarantee: at most one flag in 200 values. Of 400 flat curves of 2,000 values, noise in ln x of 0.03 to 1, each
had one period or two; of 200 of exp(-t / 50 .. 800) with noise of up to 0.1, one in seven, where it had ended.
With noise of 0.4 and more, what still improves slowly (t^-0.1 .. t^-0.6) has flags, too.
Warm-up: 30 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.plateau import PLATEAU
>>> loss = np.exp(-0.01 * np.minimum(np.arange(800), 300))
>>> none = np.zeros(800, np.int64)
>>> up = (none + 1).astype(np.int8)
>>> values = Values(none, none, loss, none, none, none == 0, up, none + 1.0)
>>> found = PLATEAU.score(np.zeros(1, PLATEAU.record), values)
>>> np.flatnonzero(found.score > 1.0).tolist()
[554, 754]
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.detect.detector import (
    I8,
    Records,
    Scored,
    Severities,
    Severity,
    Values,
)
from crucible_collector.kernels import inlined, kernel

WARM_UP = 30
PATIENCE_MIN = 200
_PATIENCE = 0.5  # of the values that came before
_MEAN_WEIGHT = 0.1
_VARIANCE_WEIGHT = 0.02
_CLIP = 4.0
_NOISE = (
    0.5  # the noise of m, 0.23 sqrt(v), reaches this once or twice on a flat series, not for ever
)
_LOG_FLOOR = math.log(1.02)
_LINEAR_FLOOR = 0.005
_LINEAR_MAX = 1e18  # its square is finite in single precision


class Plateau:
    """How long ago the smoothed course got better."""

    name: ClassVar[str] = "plateau"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("mean", np.float64),
            ("variance", np.float32),
            ("reference", np.float32),
            ("count", np.uint32),
            ("better_at", np.uint32),  # count at the last improvement
            ("told_at", np.uint32),  # count at the last flag since then; 0: none
            ("mode", np.int32),  # scale and direction that all of this is in
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    # The flags of one plateau are less far apart than that.
    quiet_max: ClassVar[int] = PATIENCE_MIN + 1
    severities: ClassVar[Severities] = Severities(least=Severity.INFO)

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
        )
        return found


@inlined
def _follow(s: Any, y: float) -> None:
    """Remember a value; after the warm-up, too, whether it makes an improvement."""
    s.count += 1
    d = y - s.mean
    if s.count <= WARM_UP:
        s.mean += d / s.count
        s.variance += (d * (y - s.mean) - s.variance) / s.count
        s.reference = s.mean
        s.better_at = s.count
        return
    floor = _LOG_FLOOR if abs(s.mode) == 2 else _LINEAR_FLOOR * max(1.0, abs(s.reference))
    better = max(_NOISE * math.sqrt(s.variance), floor)
    d = min(max(d, -_CLIP * better / _NOISE), _CLIP * better / _NOISE)
    s.mean += _MEAN_WEIGHT * d
    s.variance += _VARIANCE_WEIGHT * (d * d - s.variance)
    if s.reference - s.mean > better:
        s.reference = s.mean
        s.better_at = s.count
        s.told_at = 0


@inlined
def _patience(s: Any, sensitivity: float) -> float:
    return float(max(PATIENCE_MIN, _PATIENCE * s.better_at) / sensitivity)


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
) -> None:
    for row in range(len(number)):
        s = records[number[row]]
        sign = -1 if direction[row] < 0 else 1
        mode = sign * (2 if is_log[row] else 1)
        if s.mode != mode:
            s.mode = mode
            s.count = 0
            s.mean = 0.0
            s.variance = 0.0
            s.told_at = 0
        if is_log[row] and value[row] <= 0.0:
            continue
        if s.count >= WARM_UP:
            expected[row] = math.exp(sign * s.mean) if is_log[row] else sign * s.mean
        x = math.log(value[row]) if is_log[row] else min(max(value[row], -_LINEAR_MAX), _LINEAR_MAX)
        _follow(s, sign * x)
        if s.count <= WARM_UP:
            continue
        patience = _patience(s, sensitivity[row])
        reached = (s.count - s.better_at) / patience
        if reached > 1.0 and (s.told_at == 0 or s.count - s.told_at >= PATIENCE_MIN):
            s.told_at = s.count
            score[row] = reached
        else:
            score[row] = min(reached, 1.0)


PLATEAU = Plateau()

"""Proportion: a rate of errors above (or below) what it has been, by how improbable that would be.

Assumption: values are 0 or 1 and independent, with a rate p that changes slowly. Formula: p = (sum + 1/2) /
(count + 1) of values that count (1 - 1/5000)^age; each is the longer window's rate then, so that p lags
behind what is tested against it. Over each of two windows, in which a value counts
(1 - lambda)^age with lambda = 1/50 and 1/500, z = sum w x / W, W = sum w, and Bennett's inequality bounds the
probability of such a z: ln P <= -V / b^2 h(b W (z - p) / V), h(u) = (1 + u) ln(1 + u) - u, b = 1 - p,
V = p (1 - p) (sum w^2 + W^2 sum w_p^2 / W_p^2), the last term for what is not known of p. score = sensitivity
-ln P / 9 of the window where it is larger; value, expected and bounds are that window's z, p, and the z with a
score of 1. Too few errors are the same with x and p from the other end. What is not between 0 and 1 is taken
for the nearer of these; the scale is linear whatever `is_log`.
Source: Bennett 1962, "Probability inequalities for the sum of independent random variables", for weighted
sums with weights of at most 1.
Guarantee: of three times a million values at each of the rates 1e-4, 0.001, 0.01, 0.1, 0.3, 0.5 and 0.9 at
most 11 of a million are flagged, of most none; of a rate of 0 none can be. After 2,000 values, a step from 1 %
to 20 % is found within 28 values in half of 200 series and within 56 in 95 %, one from 0.1 % to 5 % within 73
and 248. A rate that stays is the usual one after some thousands of values.
Warm-up: 100 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.proportion import PROPORTION
>>> failed = np.where(np.arange(2200) < 2000, np.arange(2200) % 100 == 0, np.arange(2200) % 5 == 0)
>>> none = np.zeros(2200, np.int64)
>>> values = Values(none, none, failed + 0.0, none, none, none > 0, (none + 1).astype(np.int8), none + 1.0)
>>> found = PROPORTION.score(np.zeros(1, PROPORTION.record), values)
>>> int(np.argmax(found.score > 1.0)) - 2000
30
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import I8, Records, Scored, Severities, Severity, Values
from crucible_collector.detect.scale import below, not_below
from crucible_collector.kernels import inlined, kernel

WARM_UP = 100
_BASE = 1.0 / 5000.0
_SHORT = 1.0 / 50.0
_LONG = 1.0 / 500.0
# -ln of a probability of 1.2e-4 a value. The bound is wide: of a million of one rate at most 11 came so near.
_SURPRISE = 9.0
_NEWTON_STEPS = 4  # from above, where it converges: what is left is less than 1e-6 of the root


class Proportion:
    """Recent rates against the rate so far."""

    name: ClassVar[str] = "proportion"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("base_sum", np.float64),
            ("base_weight", np.float64),
            ("short_sum", np.float64),
            ("short_weight", np.float64),
            ("long_sum", np.float64),
            ("long_weight", np.float64),
            ("values", np.int64),  # up to the warm-up's end
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 50
    severities: ClassVar[Severities] = Severities(least=Severity.WARNING, critical_score=5.0)

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        found.value = np.full(len(values), np.nan)
        _score(
            records,
            values.number,
            values.value,
            values.direction,
            values.sensitivity,
            found.score,
            found.expected,
            found.lower,
            found.upper,
            found.value,
        )
        return found


@inlined
def _squares(weight: float, decay: float) -> float:
    """Sum of the squares of weights that decay from 1 and whose sum this is."""
    newest = 1.0 - decay
    left = 1.0 - decay * weight  # newest to the power of how many there are
    return (1.0 - left * left) / (1.0 - newest * newest)


@inlined
def _spread(p: float, weight: float, decay: float, base_weight: float) -> float:
    """Variance of a weighted sum of 0 and 1 minus that many times what p is taken for."""
    of_base = _squares(base_weight, _BASE) / (base_weight * base_weight)
    return p * (1.0 - p) * (_squares(weight, decay) + weight * weight * of_base)


@inlined
def _surprise(z: float, p: float, weight: float, spread: float) -> float:
    """-ln of what Bennett's inequality says of a rate of z or more; 0 for what is not above p."""
    if z <= p:
        return 0.0
    b = 1.0 - p
    u = b * weight * (z - p) / spread
    return spread / (b * b) * ((1.0 + u) * math.log1p(u) - u)


@inlined
def _rate_of(surprise: float, p: float, weight: float, spread: float) -> float:
    """The rate that is so surprising: Newton's method, from Bernstein's inequality, which is weaker."""
    b = 1.0 - p
    h = surprise * b * b / spread
    u = h / 3.0 + math.sqrt(h * h / 9.0 + 2.0 * h)
    for _ in range(_NEWTON_STEPS):
        slope = math.log1p(u)
        u -= ((1.0 + u) * slope - u - h) / slope
    return p + u * spread / (b * weight)


@inlined
def _add(s: Any, x: float) -> None:
    """Let everything age by one value, and count one."""
    s.short_sum = s.short_sum * (1.0 - _SHORT) + x
    s.short_weight = s.short_weight * (1.0 - _SHORT) + 1.0
    s.long_sum = s.long_sum * (1.0 - _LONG) + x
    s.long_weight = s.long_weight * (1.0 - _LONG) + 1.0


@inlined
def _side(s: Any, p: float, is_up: bool, limit: float) -> tuple[float, float, float]:
    """Of too many (or of too few, seen from the other end): the larger surprise, its rate and bound."""
    far = p if is_up else 1.0 - p
    short, long = s.short_sum / s.short_weight, s.long_sum / s.long_weight
    if not is_up:
        short, long = 1.0 - short, 1.0 - long
    short_spread = _spread(far, s.short_weight, _SHORT, s.base_weight)
    long_spread = _spread(far, s.long_weight, _LONG, s.base_weight)
    of_short = _surprise(short, far, s.short_weight, short_spread)
    of_long = _surprise(long, far, s.long_weight, long_spread)
    if of_short >= of_long:
        return of_short, short, _rate_of(limit, far, s.short_weight, short_spread)
    return of_long, long, _rate_of(limit, far, s.long_weight, long_spread)


@kernel
def _score(
    records: Records,
    number: I64,
    value: F64,
    direction: I8,
    sensitivity: F64,
    score: F64,
    expected: F64,
    lower: F64,
    upper: F64,
    rate: F64,
) -> None:
    for row in range(len(number)):
        s = records[number[row]]
        x = min(max(value[row], 0.0), 1.0)
        _add(s, x)
        if s.values < WARM_UP:
            s.values += 1
        else:
            p = (s.base_sum + 0.5) / (s.base_weight + 1.0)
            limit = _SURPRISE / sensitivity[row]
            surprise, z, bound = 0.0, math.nan, math.nan
            is_up = direction[row] >= 0
            if is_up:
                surprise, z, bound = _side(s, p, True, limit)
            if direction[row] < 0 or (direction[row] == 0 and surprise == 0.0):
                is_up = False
                surprise, z, bound = _side(s, p, False, limit)
            score[row] = surprise * sensitivity[row] / _SURPRISE
            expected[row] = p
            rate[row] = z if is_up else 1.0 - z
            bound, at = (bound, rate[row]) if is_up else (bound - 1.0, -rate[row])
            bound = below(bound, at) if score[row] > 1.0 else not_below(bound, at)
            if is_up:
                upper[row] = bound
            else:
                lower[row] = -bound
        s.base_sum = s.base_sum * (1.0 - _BASE) + s.long_sum / s.long_weight
        s.base_weight = s.base_weight * (1.0 - _BASE) + 1.0


PROPORTION = Proportion()

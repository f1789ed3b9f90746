"""Shift: a latency, a cost or a gradient norm has become worse for good, by values none of which shows it.

Assumption: the logarithm of a level scatters about a place, widely perhaps: answers of a language model
differ in length, and in cost, by factors. Formula (`detect.slowing` has the rule): u = ln x, -ln x where
low is bad; score = sensitivity * (f - s) / max(ln 1.5, 3 sqrt(v)), at most 1 until that has been above 1
for 20 values in a row. A value that is not above 0 is passed over. A direction of 0 is taken for "high is
bad"; distances are ratios whatever the scale. The value told is the mean e^f (or e^-f).
Source: two exponential means of different memory (the MACD of charts), on the scale of logarithms.
Guarantee: that of `throughput` without its 15 s: at a deviation of ln x of 0.2, a doubled level is found
after 27 values; where it is 0.5, a level eight times as high after 21. False alarms in 100,000 values (ten
series), with deviations of 0.05 to 1.2: none where values
are independent, at most 0.1 and 1.1 periods with autocorrelations of 0.5 and 0.8.
Warm-up: 30 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.shift import SHIFT
>>> cost = np.repeat([0.001, 0.003], 60)
>>> none = np.zeros(len(cost), np.int64)
>>> up = (none + 1).astype(np.int8)
>>> values = Values(none, none, cost, none, none, none == 0, up, none + 1.0)
>>> int(np.argmax(SHIFT.score(np.zeros(1, SHIFT.record), values).score > 1.0)) - 60
23
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import (
    I8,
    Records,
    Scored,
    Severities,
    Severity,
    Values,
)
from crucible_collector.detect.slowing import (
    VALUES_MIN,
    WARM_UP,
    beyond,
    follow_slowly,
    limit_of,
    warm_up,
)
from crucible_collector.kernels import kernel


class Shift:
    """A level that has moved to a worse place."""

    name: ClassVar[str] = "shift"
    # Single precision: of logarithms seven digits are more than enough, and every event has one of these.
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("fast", np.float32),
            ("slow", np.float32),
            ("variance", np.float32),
            ("count", np.int16),  # up to the warm-up's end
            ("slow_count", np.int16),  # up to VALUES_MIN
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 20
    # One and a half times as slow is worth a warning if it stays, e^0.8 times at once.
    severities: ClassVar[Severities] = Severities(
        least=Severity.INFO, warning_score=2.0, warning_count=30
    )

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        mean = values.value.copy()
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
            mean,
        )
        found.value = mean
        return found


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
    mean: F64,
) -> None:
    for row in range(len(number)):
        if value[row] <= 0.0:
            continue
        s = records[number[row]]
        sign = -1.0 if direction[row] < 0 else 1.0
        u = sign * math.log(value[row])
        if s.count < WARM_UP:
            warm_up(s, u)
            continue
        expected[row] = math.exp(sign * s.slow)
        bound = math.exp(sign * (s.slow + limit_of(s, sensitivity[row])))
        if sign > 0.0:
            upper[row] = bound
        else:
            lower[row] = bound
        reached = beyond(s, u, sensitivity[row])
        mean[row] = math.exp(sign * s.fast)
        s.slow_count = min(s.slow_count + 1, VALUES_MIN) if reached > 1.0 else 0
        is_told = s.slow_count >= VALUES_MIN
        if is_told or s.slow_count == 0:
            follow_slowly(s, u)
        score[row] = reached if is_told else min(max(reached, 0.0), 1.0)


SHIFT = Shift()

"""Throughput: a reported rate, or a reported duration of a step, has become worse for good.

Assumption: the logarithm of a rate scatters about a level. Formula (`detect.slowing` has the rule):
u = -ln(value) for a rate, u = ln(value) where the direction says that too high is bad;
score = sensitivity * (f - s) / max(ln 1.5, 3 sqrt(v)), at most 1 until f - s has been beyond the limit
for 20 values and 15 s. Distances are ratios whatever the scale; a direction of 0 is taken for a rate. A
rate of 0 or less is as slow as one value counts. The value told is the mean e^-f (e^f of a duration).
Source: two exponential means of different memory (the MACD of charts), on the scale of logarithms.
Guarantee: with a deviation of ln x of at most 0.2, a rate that falls to a half is found after 27 values (99
of 100 times within 32), to a third after 23 (25); less than a factor of 1.5 never for long. False alarms in
100,000 values (ten series), with deviations of 0.05 to 1.2: none where values
are independent, at most 0.1 and 1.1 periods with autocorrelations of 0.5 and 0.8.
Warm-up: 30 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.throughput import THROUGHPUT
>>> rate = np.repeat([1000.0, 1000.0, 400.0], 60)
>>> time_ns = np.arange(len(rate)) * 1_000_000_000
>>> none = np.zeros(len(rate), np.int64)
>>> values = Values(none, time_ns, rate, none, none, none == 0, (none - 1).astype(np.int8), none + 1.0)
>>> found = THROUGHPUT.score(np.zeros(1, THROUGHPUT.record), values)
>>> int(np.argmax(found.score > 1.0)) - 120
24
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
from crucible_collector.detect.slowing import FIELDS, STEP_MAX, WARM_UP, limit_of, slowing
from crucible_collector.kernels import kernel


class Throughput:
    """A reported rate that falls, a reported duration that rises."""

    name: ClassVar[str] = "throughput"
    record: ClassVar[np.dtype[Any]] = np.dtype(FIELDS)
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 20
    severities: ClassVar[Severities] = Severities(least=Severity.WARNING)

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        mean = values.value.copy()
        _score(
            records,
            values.number,
            values.time_ns,
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
    time_ns: I64,
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
        s = records[number[row]]
        sign = 1.0 if direction[row] > 0 else -1.0
        if value[row] > 0.0:
            u = sign * math.log(value[row])
        elif s.count >= WARM_UP:
            u = s.fast - sign * STEP_MAX
        else:
            continue
        is_tested = s.count >= WARM_UP
        if is_tested:
            expected[row] = math.exp(sign * s.slow)
            bound = math.exp(sign * (s.slow + limit_of(s, sensitivity[row])))
            if sign > 0.0:
                upper[row] = bound
            else:
                lower[row] = bound
        score[row] = slowing(s, u, time_ns[row], sensitivity[row])
        if is_tested:
            mean[row] = math.exp(sign * s.fast)


THROUGHPUT = Throughput()

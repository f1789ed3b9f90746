"""Zero: a learning rate that was above 0 has become exactly 0 and stays it, so that nothing is learned.

Assumption: no schedule holds a rate of 0 for longer than 10 values; many reach it with their last ones,
and a warm-up may begin with it for as long as it likes. Formula: with z the values of exactly 0 in a row
since the last that was not, score = sensitivity * z / 10; 0 for a value that is not 0.
Source: statistics, "learning rate": not watched; exactly 0 warns. The patience is ours.
Guarantee: flagged with the 11th value of 0 in a row and never before, whatever the curve.
Warm-up: until the first value that is not 0.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.zero import ZERO
>>> rate = np.repeat([0.0, 0.1, 0.0], 40)
>>> none = np.zeros(len(rate), np.int64)
>>> values = Values(none, none, rate, none, none, none > 0, none.astype(np.int8), none + 1.0)
>>> int(np.argmax(ZERO.score(np.zeros(1, ZERO.record), values).score > 1.0)) - 80
10
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import Records, Scored, Severities, Severity, Values
from crucible_collector.kernels import kernel

ZEROS_MAX = 10


class Zero:
    """A learning rate that has died."""

    name: ClassVar[str] = "zero"
    record: ClassVar[np.dtype[Any]] = np.dtype([("last", np.float64), ("zero_count", np.int64)])
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 1
    severities: ClassVar[Severities] = Severities(least=Severity.WARNING)

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        _score(
            records, values.number, values.value, values.sensitivity, found.score, found.expected
        )
        return found


@kernel
def _score(
    records: Records, number: I64, value: F64, sensitivity: F64, score: F64, expected: F64
) -> None:
    for row in range(len(number)):
        s = records[number[row]]
        if value[row] != 0.0:
            s.last = value[row]
            s.zero_count = 0
            score[row] = 0.0
        elif s.last != 0.0:
            s.zero_count += 1
            score[row] = sensitivity[row] * s.zero_count / ZEROS_MAX
            expected[row] = s.last


ZERO = Zero()

"""What counters grew by: cumulative sums as amounts, whatever restarts in between.

A counter began anew where its start time moved on or its value fell; the amount since then is the value
itself (OTLP, "Sums: resets"). Of a counter's first number nothing can be told, nor of one that follows
one that is not finite.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.detect.detector import Records
from crucible_collector.kernels import kernel

RECORD = np.dtype([("value", "f8"), ("start_ns", "i8"), ("is_known", "i8")], align=True)


@kernel
def amounts(records: Records, number: I64, start_ns: I64, value: F64, has_amount: Bool) -> None:
    """Replace each value by what its counter grew by; `has_amount` is False where that is unknown."""
    for row in range(len(number)):
        last = records[number[row]]
        now = value[row]
        is_finite = np.isfinite(now)
        has_amount[row] = last.is_known == 1 or not is_finite
        if last.is_known == 1 and is_finite:
            is_anew = now < last.value or (start_ns[row] > last.start_ns and last.start_ns > 0)
            value[row] = now if is_anew else now - last.value
        last.value = now if is_finite else 0.0
        last.start_ns = start_ns[row]
        last.is_known = 1 if is_finite else 0

"""Periods of flags: when one begins, goes on and ends, by series and detector.

A period is open from its first flag until `quiet_max` values in a row were tested and not flagged. Flags
below the least severity that is wanted count all the same: where severity rises with their number, the
period is told from then on.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import F64, I64, U8
from crucible_collector.detect.detector import Records, Severities
from crucible_collector.kernels import Int, inlined, kernel

# What a value is to its period.
NOTHING, GOES_ON, OPENS, ENDS = 0, 1, 2, 3

RECORD = np.dtype([("count", "u4"), ("quiet", "u2"), ("is_told", "u2")], align=True)
_COUNT_MAX = 2**32 - 1


def thresholds(severities: Severities) -> F64:
    """As the kernel takes them."""
    return np.array(
        [
            float(severities.least),
            severities.warning_score,
            severities.warning_count,
            severities.critical_score,
            severities.critical_count,
        ]
    )


@inlined
def _severity(score: float, count: Int, thresholds: F64) -> Int:
    if score >= thresholds[3] or count >= thresholds[4]:
        return 2.0
    if score >= thresholds[1] or count >= thresholds[2]:
        return max(thresholds[0], 1.0)
    return float(thresholds[0])


@kernel
def follow(
    records: Records,
    number: I64,
    score: F64,
    thresholds: F64,
    severity_min: I64,
    quiet_max: Int,
    became: U8,
    severity: U8,
) -> None:
    """Say of each score (NaN: not tested) what it is to its period, and how severe a flag is."""
    for row in range(len(number)):
        became[row] = NOTHING
        severity[row] = 0
        if np.isnan(score[row]):
            continue
        period = records[number[row]]
        if score[row] > 1.0:
            period.count = min(period.count + 1, _COUNT_MAX)
            period.quiet = 0
            found = _severity(score[row], period.count, thresholds)
            severity[row] = np.uint8(found)
            if period.is_told == 1:
                became[row] = GOES_ON
            elif found >= severity_min[row]:
                period.is_told = 1
                became[row] = OPENS
        elif period.count > 0:
            period.quiet += 1
            if period.quiet >= quiet_max:
                if period.is_told == 1:
                    became[row] = ENDS
                period.count = 0
                period.quiet = 0
                period.is_told = 0

"""Which numbers come too late: a series is looked at in its own order, and nothing twice.

By its step where numbers have one, else by its time. A number that is not newer than the newest of its
series is late: it was resent, overtaken by others, or taken by a clock that is behind. It is neither
tested nor learned from. Where a series goes on behind its newest number (its clock was set back, or a
training was taken up again from a checkpoint), so many late ones in so many windows say that it does,
and it is followed from there. One resent request is one window, and changes nothing.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I64, Bool
from crucible_collector.detect.detector import NO_STEP, Records
from crucible_collector.kernels import Int, kernel

LATE_MAX = 16  # numbers in a row
LATE_WINDOWS_MAX = 3
_DIGITS = 2**32 - 1

RECORD = np.dtype(
    [
        ("newest_ns", "i8"),
        ("newest_step", "i8"),
        ("late_tick", "u4"),  # the last digits of it
        ("late_count", "u1"),
        ("late_windows", "u1"),
        ("is_known", "u1"),
    ],
    align=True,
)


@kernel
def late(
    records: Records,
    number: I64,
    time_ns: I64,
    step: I64,
    is_ordered: Bool,
    tick: Int,
    is_late: Bool,
) -> None:
    """Say which numbers are late, and remember the others' times. `tick`: which window it is."""
    for row in range(len(number)):
        is_late[row] = False
        if not is_ordered[row]:
            continue
        last = records[number[row]]
        with_steps = step[row] != NO_STEP and last.newest_step != NO_STEP
        is_newer = (
            last.is_known == 0
            or (with_steps and step[row] > last.newest_step)
            or (not (with_steps and step[row] < last.newest_step) and time_ns[row] > last.newest_ns)
        )
        if not is_newer:
            digits = tick & _DIGITS
            if last.late_count == 0 or last.late_tick != digits:
                last.late_tick = digits
                last.late_windows = min(last.late_windows + 1, LATE_WINDOWS_MAX)
            last.late_count = min(last.late_count + 1, LATE_MAX)
            if last.late_count < LATE_MAX or last.late_windows < LATE_WINDOWS_MAX:
                is_late[row] = True
                continue
        last.is_known = 1
        last.newest_ns = time_ns[row]
        last.newest_step = step[row]
        last.late_count = 0
        last.late_windows = 0

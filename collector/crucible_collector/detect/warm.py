"""Compiling, or loading, every kernel of detection before the first window has to wait for it."""

from __future__ import annotations

import numpy as np

from crucible_collector.detect import counters, follow, order
from crucible_collector.detect.detector import NO_STEP, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.numbering import SCATTERED_MIN, Numbering

_ROWS = 2


def warm_up() -> None:
    """Make every kernel ready."""
    numbering = Numbering()
    numbering.take(np.arange(SCATTERED_MIN + 1), tick=0, room=SCATTERED_MIN + 1)
    few, _ = numbering.take(np.arange(_ROWS), tick=0, room=0)
    numbering.by_memory(few)
    number = few.astype(np.int64)
    values = Values(
        number=number,
        time_ns=np.arange(_ROWS),
        value=np.ones(_ROWS),
        step=np.full(_ROWS, NO_STEP),
        epoch=np.full(_ROWS, NO_STEP),
        is_log=np.zeros(_ROWS, np.bool_),
        direction=np.zeros(_ROWS, np.int8),
        sensitivity=np.ones(_ROWS),
    )
    flags = np.zeros(_ROWS, np.bool_)
    order.late(
        np.zeros(_ROWS, order.RECORD), number, values.time_ns, values.step, flags, 0, flags.copy()
    )
    counters.amounts(
        np.zeros(_ROWS, counters.RECORD), number, values.time_ns, values.value, flags.copy()
    )
    for detector in DETECTORS.values():
        detector.score(np.zeros(_ROWS, detector.record), values)
        follow.follow(
            np.zeros(_ROWS, follow.RECORD),
            *(number, np.zeros(_ROWS), follow.thresholds(detector.severities)),
            *(np.zeros(_ROWS, np.int64), detector.quiet_max),
            *(np.zeros(_ROWS, np.uint8), np.zeros(_ROWS, np.uint8)),
        )

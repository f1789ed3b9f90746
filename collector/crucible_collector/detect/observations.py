"""What detectors look at: the numbers of one signal of a window, each with its series, in columns.

A series here is what is watched as one: a stored series (a measurement of a run, an OTLP metric), or,
where numbers stay on their spans, one event of one run, condition and model. Its key is a 63-bit hash.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import F64, I32, I64, Bool, Signal
from crucible_collector.candidates import Columns
from crucible_collector.detect.detector import NO_STEP

__all__ = ["NO_SERIES", "NO_STEP", "Observations", "Source", "Subject"]

NO_SERIES = 0  # the number is no point of a stored series


class Source(enum.StrEnum):
    """Where a number comes from."""

    POINT = "point"  # a measurement of an event that is a point of its series
    SPAN = "span"  # a measurement that stays on its span
    DURATION = "duration"  # of an event, ms
    STATUS = "status"  # of an event: 1 an error, 0 none
    STEP = "step"  # a step of a training was done: the number is 1, its time is what counts
    METRIC = "metric"  # a number of an OTLP gauge or sum


class Subject(NamedTuple):
    """What a number is, of whomever."""

    source: Source
    event: str  # empty for OTLP metrics
    metric: str  # duration_ms, error_rate and steps_per_second for what is no measurement


@dataclass(slots=True)
class Observations:
    """Numbers of one signal; each array has one entry a number, those of one series in order of time."""

    signal: Signal
    columns: Columns  # of the records: whose they are
    record_count: int
    subjects: list[Subject]
    subject: I32  # index into `subjects`
    key: I64  # of the series
    series_id: I64  # of the stored series, NO_SERIES where the number is none of one
    time_ns: I64
    value: F64
    step: I64  # NO_STEP where it has none
    epoch: I64  # NO_STEP where it has none
    is_ordered: Bool  # numbers of the series come one after the other: an older one is late
    is_cumulative: Bool  # a counter: what it grew by is watched
    start_ns: I64  # of a counter, when it began to count; else 0
    record: I64  # row of the record in `columns`
    request: I32  # of the window
    index: I32  # of the record in its request
    trace_id: npt.NDArray[np.uint8]  # (numbers, 16); zero where there is none
    span_id: I64  # 0 where there is none

    def __len__(self) -> int:
        return len(self.key)

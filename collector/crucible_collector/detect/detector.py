"""What every detector is: numbers of series in; score, expected value and bounds out, one of each a number.

A score above 1 is anomalous. A value is tested against what was remembered before it, and remembered
after: a baseline that has already moved by the value can hide any spike (statistics: |x - m_new| can never
exceed 1/sqrt(lambda) of its own deviation).

What is remembered of a series is one record of the detector's `record` type, all zeros before its first
value. The engine owns the records: it makes room, forgets series and keeps checkpoints, so that a
detector is nothing but its record and a kernel. What chunks the values come in changes nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import F64, I64, Bool

I8 = npt.NDArray[np.int8]
Records = npt.NDArray[np.void]

NO_STEP = -(1 << 63)  # the value has no step; so for its epoch


class Severity(enum.IntEnum):
    """How much somebody should care."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2

    @property
    def label(self) -> str:
        """As it is stored."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Severities:
    """When flags of a detector are how severe: by their score, or by how many their period has by then.

    A period is as severe as the most severe of its flags. Infinity: never.
    """

    least: Severity = Severity.INFO
    warning_score: float = float("inf")
    warning_count: float = float("inf")
    critical_score: float = float("inf")
    critical_count: float = float("inf")

    def of(self, score: float, count: int) -> Severity:
        """Of a flag with this score, the `count`th of its period."""
        if score >= self.critical_score or count >= self.critical_count:
            return Severity.CRITICAL
        if score >= self.warning_score or count >= self.warning_count:
            return max(self.least, Severity.WARNING)
        return self.least


@dataclass(slots=True)
class Values:
    """Numbers of several series, in the order in which they are to be looked at; one entry a number."""

    number: I64  # which of the records is the series'
    time_ns: I64
    value: F64  # as it was sent; finite, but for detectors that take what is not
    step: I64  # NO_STEP where it has none
    epoch: I64  # NO_STEP where it has none
    is_log: Bool  # distances are ratios
    direction: I8  # 1: only what is too high is anomalous, -1: too low, 0: both
    sensitivity: F64  # what is a score of 1 otherwise is this score; above 0

    def __len__(self) -> int:
        return len(self.number)


@dataclass(slots=True)
class Scored:
    """One entry a number, NaN where there is nothing to tell (a warm-up has no scores).

    `value` is what the rest is about where that is not the number itself: a rate made of times, a mean.
    """

    score: F64
    expected: F64  # in the number's own terms, whatever the scale
    lower: F64  # flagged is only what is below it; NaN: no such bound
    upper: F64
    value: F64 | None = None

    @classmethod
    def of(cls, count: int) -> Scored:
        """Nothing told of `count` numbers."""
        return cls(*(np.full(count, np.nan) for _ in range(4)))


class Detector(Protocol):
    """Without state of its own; one for all series. Cost and guarantees are told by each."""

    name: ClassVar[str]
    record: ClassVar[np.dtype[Any]]  # what is remembered of a series; all zeros: never seen
    takes_non_finite: ClassVar[bool]  # only these, or only what is finite
    quiet_max: ClassVar[int]  # so many values in a row without a flag end a period
    severities: ClassVar[Severities]

    def score(self, records: Records, values: Values) -> Scored:
        """Test each number, then remember it, in order: `records[values.number]` are changed."""
        ...

"""Pace: the steps of a training come more slowly than they did, or one was waited for.

Assumption: within an epoch, the logarithm of the time between steps scatters about a level. Numbers are
those of `Source.STEP`: only when they come counts. An interval t is the time since the step before,
divided by the steps in between where steps are numbered. Where the epoch has changed (validation and
checkpoints happen there) only pauses are told: such as are longer than 1 s and than ten times the longest
there was between epochs, once three have been seen. Nothing is said where the step went back (a resumed run).
Formula: with u = ln t, the larger of `detect.slowing`'s score, and for a stall ln(t / e^s) / ln 10 where
t > 1 s and t is more than twice the longest pause there was; times the sensitivity. A pause is
t > 10 e^s and t > 1 s: what happens within epochs again and again (a validation every 500 steps) is
told once. The value told is the rate in steps a second: 1 / t, and e^-f where the mean is what is slow.
Source: `detect.slowing`; a stall is an outlier of the interval, by a factor instead of deviations.
Guarantee: a step that takes ten times the usual and more than a second is flagged with the step that ends
it, a pace that falls to a half after 27 steps where these take about a second (see `throughput`, whose false
alarms it shares).
Warm-up: 30 intervals, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import NO_STEP, Values
>>> from crucible_collector.detect.detectors.pace import PACE
>>> step = np.arange(100)
>>> time_ns = (step + np.where(step < 70, 0, 30)) * 1_000_000_000
>>> none = np.zeros(100, np.int64)
>>> values = Values(none, time_ns, none + 1.0, step, none, none > 0, (none - 1).astype(np.int8), none + 1.0)
>>> found = PACE.score(np.zeros(1, PACE.record), values)
>>> np.flatnonzero(found.score > 1.0).tolist(), round(float(found.value[70]), 3)
([70], 0.032)
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import (
    NO_STEP,
    Records,
    Scored,
    Severities,
    Severity,
    Values,
)
from crucible_collector.detect.slowing import FIELDS, WARM_UP, limit_of, slowing
from crucible_collector.kernels import Int, inlined, kernel

_PAUSE = math.log(10.0)
_PAUSE_S_MIN = 1.0
_PAUSE_GROWTH = 2.0
_BETWEEN_MIN = 3
_NS = 1e-9


class Pace:
    """The steps of a training, by their times."""

    name: ClassVar[str] = "pace"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("last_ns", np.int64),
            ("last_step", np.int64),
            ("last_epoch", np.int64),
            ("pause_s_max", np.float64),
            ("between_s_max", np.float64),  # between epochs
            ("between_count", np.int32),
            ("is_begun", np.int32),
            *FIELDS,
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = 20
    severities: ClassVar[Severities] = Severities(least=Severity.WARNING)

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        rate = np.full(len(values), np.nan)
        _score(
            records,
            values.number,
            values.time_ns,
            values.step,
            values.epoch,
            values.sensitivity,
            rate,
            found.score,
            found.expected,
            found.lower,
        )
        found.value = rate
        return found


@inlined
def _interval_s(s: Any, time_ns: Int, step: Int) -> float:
    """Time a step took; 0 where there is nothing to tell."""
    is_numbered = min(step, s.last_step) != NO_STEP
    steps = step - s.last_step if is_numbered else 1
    return (time_ns - s.last_ns) * _NS / steps if s.is_begun == 1 and steps > 0 else 0.0


@inlined
def _remember(s: Any, time_ns: Int, step: Int, epoch: Int) -> None:
    s.is_begun = 1
    s.last_ns = time_ns
    s.last_step = step
    s.last_epoch = epoch


@inlined
def _stall_between(s: Any, interval_s: float) -> float:
    """Score of a pause between epochs."""
    score = 0.0
    if s.between_count >= _BETWEEN_MIN and interval_s > _PAUSE_S_MIN:
        score = math.log(interval_s / s.between_s_max) / _PAUSE
    s.between_s_max = max(s.between_s_max, interval_s)
    s.between_count = min(s.between_count + 1, _BETWEEN_MIN)
    return max(score, 0.0)


@inlined
def _stall(s: Any, interval_s: float, u: float) -> float:
    """Score of a pause that is longer than others were; 0 where it is none."""
    beyond = (u - s.slow) / _PAUSE
    if s.count < WARM_UP or beyond <= 1.0 or interval_s <= _PAUSE_S_MIN:
        return 0.0
    before_s = s.pause_s_max
    s.pause_s_max = max(before_s, interval_s)
    return beyond if interval_s > _PAUSE_GROWTH * before_s else 0.0


@kernel
def _score(
    records: Records,
    number: I64,
    time_ns: I64,
    step: I64,
    epoch: I64,
    sensitivity: F64,
    rate: F64,
    score: F64,
    expected: F64,
    lower: F64,
) -> None:
    for row in range(len(number)):
        s = records[number[row]]
        if s.is_begun == 1 and time_ns[row] == s.last_ns:
            continue
        interval_s = _interval_s(s, time_ns[row], step[row])
        is_between = epoch[row] != s.last_epoch
        _remember(s, time_ns[row], step[row], epoch[row])
        if interval_s <= 0.0:
            continue
        if is_between:
            score[row] = sensitivity[row] * _stall_between(s, interval_s)
            rate[row] = 1.0 / interval_s
            continue
        u = math.log(interval_s)
        rate[row] = 1.0 / interval_s
        if s.count >= WARM_UP:
            expected[row] = math.exp(-s.slow)
            lower[row] = math.exp(-s.slow - limit_of(s, sensitivity[row]))
        stalled = sensitivity[row] * _stall(s, interval_s, u)
        slow = slowing(s, u, time_ns[row], sensitivity[row])
        score[row] = slow if stalled == 0.0 else max(slow, stalled)
        if slow > 1.0 and slow >= stalled:
            rate[row] = math.exp(-s.fast)


PACE = Pace()

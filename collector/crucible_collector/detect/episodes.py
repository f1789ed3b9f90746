"""What a window adds to periods, made of the numbers that a detector flagged.

Work is done by array until it is known which few numbers are told one by one: in a flood of NaN every
number of a window is a flag.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from crucible_collector.batch import I32, I64
from crucible_collector.detect import follow
from crucible_collector.detect.detector import NO_STEP, Severity
from crucible_collector.detect.found import FLAGS_MAX, Episode, Flag
from crucible_collector.detect.groups import Looked
from crucible_collector.detect.names import names_of
from crucible_collector.detect.observations import Observations
from crucible_collector.detect.plans import Plan

# Of one window; what is beyond is counted, and told by the periods' next flags. A thousand series that
# go wrong in half a second are one thing that happened.
EPISODES_MAX = 1000


def episodes_of(
    observations: Observations, looked: Looked, plan: I32, plans: Sequence[Plan], room: int
) -> tuple[list[Episode], int]:
    """The episodes of one detector, series by series, each in order, but no more than there is room for.

    `plan` is one an observation. Second, how many beginnings and ends of periods are left out.
    """
    at = np.flatnonzero(looked.became != follow.NOTHING)
    if not len(at):
        return [], 0
    key = observations.key[looked.rows[at]]
    order = np.argsort(key, kind="stable")
    at, key = at[order], key[order]
    is_end = looked.became[at] == follow.ENDS
    begins = np.flatnonzero((key[1:] != key[:-1]) | is_end[:-1]) + 1
    parts = np.split(at, begins[:room])[:room]
    left_out = looked.became[at[sum(map(len, parts)) :]]
    return (
        [
            _episode(observations, looked, part, plans[int(plan[looked.rows[part[0]]])])
            for part in parts
        ],
        int(((left_out == follow.OPENS) | (left_out == follow.ENDS)).sum()),
    )


def _episode(observations: Observations, looked: Looked, part: I64, plan: Plan) -> Episode:
    """`part`: what a detector told of one period, in order."""
    watched = names_of(observations, int(looked.rows[part[-1]]))
    episode = Episode(watched, looked.detector.name, plan)
    if looked.became[part[-1]] == follow.ENDS:
        episode.ended_ns = int(observations.time_ns[looked.rows[part[-1]]])
        part = part[:-1]  # what ended it is no flag
    if len(part):
        episode.opens = bool(looked.became[part[0]] == follow.OPENS)
        episode.flags = [_flag(observations, looked, each) for each in _told(looked, part)]
        request, count = np.unique(observations.request[looked.rows[part]], return_counts=True)
        episode.counts = dict(zip(request.tolist(), count.tolist(), strict=True))
    return episode


def _told(looked: Looked, part: I64) -> list[int]:
    """Which flags are stored: the first, the peak and the last, by which their period is known."""
    if len(part) <= FLAGS_MAX:
        return cast("list[int]", part.tolist())
    told = {int(part[np.argmax(looked.scored.score[part])]), int(part[-1])}
    first = [each for each in part[:FLAGS_MAX].tolist() if each not in told]
    return sorted({*told, *first[: FLAGS_MAX - len(told)]})


def _flag(observations: Observations, looked: Looked, at: int) -> Flag:
    row, scored = int(looked.rows[at]), looked.scored
    step, span = int(observations.step[row]), int(observations.span_id[row])
    trace = observations.trace_id[row]
    return Flag(
        time_ns=int(observations.time_ns[row]),
        value=float(looked.value[at]),
        expected=_told_number(scored.expected[at]),
        lower=_told_number(scored.lower[at]),
        upper=_told_number(scored.upper[at]),
        score=float(scored.score[at]),
        severity=Severity(int(looked.severity[at])),
        step=None if step == NO_STEP else step,
        trace_id=trace.tobytes() if trace.any() else None,
        span_id=span or None,
        request=int(observations.request[row]),
        index=int(observations.index[row]),
    )


def _told_number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)

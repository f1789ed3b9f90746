"""What else changed in a run just before a period of anomalies began: where its cause may lie.

Nothing of the detectors is used: of each other series of the run, its latest numbers up to the first
flag are held against those before them, and the most abrupt change is told first. A learning rate that
was constant and then was not stands far above a gradient norm that has always varied.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from crucible_collector.batch import F64
from crucible_collector.store.read import Reads

# What is looked at of a series: a detector of slow changes flags some ten values after the first.
RECENT_COUNT = 20
BEFORE_COUNT = 60
BEFORE_COUNT_MIN = 12
SERIES_MAX = 200
CAUSES_MAX = 3
# From here on a number is a change. Of 3,000 stretches of 80 numbers without one, normal noise had none
# beyond it (at 4: 1.4 %), a random walk 6 %, t noise with 3 degrees of freedom 14 %: only the most
# abrupt are told, each with its score.
SCORE_MIN = 6.0
SCORE_MAX = 1000.0  # what became NaN has no distance; what was constant has any
# A scale is never less than this part of the level: rounding is no change.
SCALE_MIN = 0.01
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


@dataclass(frozen=True, slots=True)
class Cause:
    """One change, most abrupt first in what `causes_of` returns.

    `before` is the median of what came before, `after` the first number that departed from it (NaN and
    infinity included), at `step` (None where it has none) and `time` (RFC 3339). `score` is their
    distance in deviations of what came before, at most SCORE_MAX. `says` is the sentence for people.
    """

    metric: str
    event_name: str | None
    rank: int | None
    before: float
    after: float
    step: int | None
    time: str
    score: float

    @property
    def says(self) -> str:
        """As in "learning_rate went from 0.05 to 1.5 at step 811"."""
        where = f"at step {self.step}" if self.step is not None else f"at {self.time}"
        of_rank = f" of rank {self.rank}" if self.rank is not None else ""
        if not math.isfinite(self.after):
            return (
                f"{self.metric}{of_rank} became {self.after:g} {where} (it was {self.before:.4g})"
            )
        return f"{self.metric}{of_rank} went from {self.before:.4g} to {self.after:.4g} {where}"


def causes_of(reads: Reads, period_id: UUID) -> list[Cause]:
    """At most CAUSES_MAX changes, none for a period without a run; errors are those of `reads`."""
    rows = reads.json_rows(
        "anomaly_surroundings",
        period=period_id,
        points=RECENT_COUNT + BEFORE_COUNT,
        series=SERIES_MAX,
    )
    found = [cause for row in rows if (cause := _change(json.loads(row))) is not None]
    # Of several ranks, or of a batch and its epoch, the one that shows it best.
    best: dict[str, Cause] = {}
    for cause in sorted(found, key=lambda each: (-each.score, each.time)):
        best.setdefault(cause.metric, cause)
    return list(best.values())[:CAUSES_MAX]


def _change(series: Mapping[str, Any]) -> Cause | None:
    values = np.array([float(value) for value in series["values"]])
    place, before, score = departure(values)
    if place is None:
        return None
    return Cause(
        metric=series["metric"],
        event_name=series["event_name"],
        rank=series["rank"],
        before=before,
        after=float(values[place]),
        step=series["steps"][place],
        time=series["times"][place],
        score=score,
    )


def departure(values: Sequence[float] | F64) -> tuple[int | None, float, float]:
    """Where the latest of these numbers first depart from those before: place, median before, score.

    On the log scale where all before are positive, else as they are. None where nothing departs, or
    where there is too little before to tell.
    """
    numbers = np.asarray(values, np.float64)
    split = max(len(numbers) - RECENT_COUNT, min(len(numbers), BEFORE_COUNT_MIN))
    earlier, recent = numbers[:split], numbers[split:]
    earlier = earlier[np.isfinite(earlier)]
    if len(earlier) < BEFORE_COUNT_MIN or not len(recent):
        return None, math.nan, 0.0
    distance = np.minimum(_distances(earlier, recent), SCORE_MAX)
    beyond = np.flatnonzero(distance > SCORE_MIN)
    if not len(beyond):
        return None, math.nan, 0.0
    first = int(beyond[0])
    return split + first, float(np.median(earlier)), float(distance[first])


def _distances(earlier: F64, recent: F64) -> F64:
    """Of each recent number, in deviations of the earlier ones; infinite where it is not finite."""
    is_log = bool((earlier > 0).all())
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.log(earlier) if is_log else earlier
        seen = np.where(recent > 0, np.log(recent), -np.inf) if is_log else recent
    level = np.median(known)
    deviation = _MAD_TO_DEVIATION * np.median(np.abs(known - level))
    least = SCALE_MIN if is_log else SCALE_MIN * float(np.abs(known).max())
    scale = max(float(deviation), least, 1e-12)
    distance: F64 = np.abs(seen - level) / scale
    return np.where(np.isfinite(distance), distance, np.inf)

"""What detectors found in a window: episodes, each of which begins, goes on with or ends one period.

A period is stored by (watched series, detector); which one an episode belongs to is settled in the
window's transaction, where several collectors may write to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crucible_collector.batch import F64
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.plans import Plan

# Flags of one episode that are stored as rows; the rest is counted on the period. A flood of NaN would
# otherwise write a row a value.
FLAGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched as one series, by names."""

    key: int  # 63-bit hash
    series_id: int | None  # of the stored series
    metric: str
    event_name: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Flag:
    """One value that was flagged; None where there is nothing to tell."""

    time_ns: int
    value: float | None  # may be NaN or infinite
    expected: float | None
    lower: float | None
    upper: float | None
    score: float  # above 1; infinite for a value that is not finite
    severity: Severity
    step: int | None
    trace_id: bytes | None
    span_id: int | None
    request: int  # of the window
    index: int  # of the record in its request


@dataclass(slots=True)
class Episode:
    """What a window adds to one period.

    `opens`: by what this collector knows, the period begins here. `ended_ns`: the series was back by
    then, after these flags; an episode without flags does nothing but end.
    """

    watched: Watched
    detector: str
    plan: Plan
    flags: list[Flag] = field(
        default_factory=list
    )  # in order, at most FLAGS_MAX: the first, the peak and the last
    counts: dict[int, int] = field(default_factory=dict)  # request -> flags, the unstored included
    opens: bool = False
    ended_ns: int | None = None

    @property
    def flag_count(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class Found:
    """Of one window."""

    episodes: list[Episode] = field(default_factory=list)  # in order
    # Per Observations that were looked at: the largest score of each record, 0 where nothing was
    # scored, or where the plan does not have more sampled.
    scores: list[F64] = field(default_factory=list)

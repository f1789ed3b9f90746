"""What a simulation found: figures for programs (`as_json`); `told` has them in lines for people."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one rule would do with one signal. `rule` None: no rule is about these records."""

    rule: str | None
    signal: str
    seen_count: int
    kept_count: int
    seen_bytes: int  # of rows as PostgreSQL sizes them, without indexes
    kept_bytes: int
    seen_per_s_max: int  # in the busiest second
    kept_per_s_max: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number that the API answers: as it is, and as it would have been."""

    name: str
    stored: float | None
    estimate: float | None
    relative_error: float | None  # of the estimate against what is stored
    relative_standard_error: float | None  # that the answer itself would have told
    low: float | None  # its 95 % interval; None: it has no such end
    high: float | None
    covers: bool | None  # whether the interval holds what is stored


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """The aggregates of one event's spans; of all where `event` is None."""

    event: str | None
    seen_count: int
    kept_count: int
    interval_reliable: bool
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What settings would have done with what is stored of a period."""

    from_time: dt.datetime
    to_time: dt.datetime
    until_time: dt.datetime | None  # the last end; None where there was no record
    experiment: str | None
    span_count: int
    log_count: int
    thinned_count: int  # of both: rows that sampling had thinned before, which stand for more
    is_complete: bool
    stopped_because: str | None
    decided_early_count: int  # records that could not be held for as long as the rules wait
    took_s: float
    rules: tuple[RuleOutcome, ...]
    totals: tuple[RuleOutcome, ...]  # by signal, all rules together
    events: tuple[EventOutcome, ...] = field(default=())  # all together, then the most frequent

    def as_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            **asdict(self),
            "from_time": _rfc3339(self.from_time),
            "to_time": _rfc3339(self.to_time),
            "until_time": None if self.until_time is None else _rfc3339(self.until_time),
        }


def _rfc3339(time: dt.datetime) -> str:
    """As the API writes times: in UTC, with nine digits."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"

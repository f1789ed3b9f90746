"""Periods of anomalies as the database has them, and the one lock under which they change.

What a reader could not guess: whoever writes a period takes the lock of the feed first, and holds it
until the COMMIT. So several collectors never deadlock over periods that do not exist yet (of which no row
can be locked), what was read of a period is still so when it is written, and entries of the feed are
committed in the order of their ids. Flags are rare, and the lock is held for as long as they take to
write: 5 ms for one period, 20 for a hundred, 0.17 s for the thousand that a window has at most (the best
of eight on two busy cores). It is taken after every other lock of a window but those on its own journal's rows.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import psycopg
from psycopg.rows import kwargs_row

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.found import Episode, Flag
from crucible_collector.store.ingest import statement, timestamp

Connection = psycopg.Connection[tuple[Any, ...]]

LOCK_KEY = int.from_bytes(b"anomaly")
LOCK = "select pg_advisory_xact_lock(%s)"
# Another collector's flags of a run come so much later at most, by the database's clock, than what ended
# their period; those of before its end are part of it.
LATE = dt.timedelta(minutes=10)

# Of a period with more flags than these a window stores the worst alone: a training that has diverged goes
# on for days, and 50 series of it would add 2,000 rows a second.
FLAGS_FULL = 1_000

RESOLVED, SILENCED, ACTIVE, ACKNOWLEDGED = "resolved", "silenced", "active", "acknowledged"
BACK = "the series is back"
HEARD_AGAIN = "the run is heard of again"


@dataclass(slots=True)
class Period:
    """A row of crucible.anomaly_periods, but for who changed its state, and when."""

    period_id: uuid.UUID
    watch_key: int
    detector: str
    label: str
    series_id: int | None
    metric: str
    event_name: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    model: str | None
    rule: str
    trace_id: uuid.UUID | None
    span_id: int | None
    started_at: dt.datetime
    first_step: int | None
    first_value: float | None
    last_flag_at: dt.datetime
    last_step: int | None
    flag_count: int
    severity: str
    peak_score: float
    peak_at: dt.datetime | None
    peak_value: float | None
    peak_expected: float | None
    peak_lower: float | None
    peak_upper: float | None
    state: str
    state_reason: str | None
    ended_at: dt.datetime | None

    @classmethod
    def opened(cls, episode: Episode, label: str) -> Period:
        """The period that begins with an episode's first flag, of which nothing is counted yet."""
        watched, first = episode.watched, episode.flags[0]
        names = ("metric", "event_name", "experiment_id", "run_id", "condition", "model")
        rule = episode.plan.rule
        return cls(
            period_id=uuid.uuid4(),
            watch_key=watched.key,
            detector=episode.detector,
            label=label,
            series_id=watched.series_id,
            **{name: getattr(watched, name) for name in names},
            rule=rule,
            trace_id=None if first.trace_id is None else uuid.UUID(bytes=first.trace_id),
            span_id=first.span_id,
            started_at=timestamp(first.time_ns),
            first_step=first.step,
            first_value=first.value,
            last_flag_at=timestamp(first.time_ns),
            last_step=first.step,
            flag_count=0,
            severity=first.severity.label,
            **_peak(first),
            state=SILENCED if episode.plan.is_silenced else ACTIVE,
            state_reason=f"rule {rule}" if episode.plan.is_silenced else None,
            ended_at=None,
        )

    @property
    def is_open(self) -> bool:
        return self.state != RESOLVED

    def took(self, episode: Episode) -> Sequence[Flag]:
        """Add the flags of an episode, which has some; returns those that are stored one by one."""
        before, flags = self.flag_count, episode.flags
        count = max(episode.flag_count, len(flags))
        peak = max(flags, key=attrgetter("score"))
        severity = max(flag.severity for flag in flags)
        if episode.detector in DETECTORS:
            severities = DETECTORS[episode.detector].severities
            severity = max(severity, severities.of(peak.score, before + count))
        self.add(flags, count, severity)
        return [peak] if before >= FLAGS_FULL else flags

    def add(self, flags: Sequence[Flag], count: int, severity: Severity) -> None:
        """`count` values more were flagged, of which these are told; `severity` is the least it has now."""
        self.flag_count += count
        self.severity = max(severity, Severity[self.severity.upper()]).label
        times = [timestamp(flag.time_ns) for flag in flags]
        self.started_at = min(self.started_at, *times)
        self.last_flag_at = max(self.last_flag_at, *times)
        steps = [flag.step for flag in flags if flag.step is not None]
        self.last_step = max(
            (*steps, *(() if self.last_step is None else (self.last_step,))), default=None
        )
        peak = max(flags, key=lambda flag: flag.score)
        if peak.score > self.peak_score:
            for name, value in _peak(peak).items():
                setattr(self, name, value)

    def end(self, ended_at: dt.datetime) -> None:
        """The series was back by then."""
        self.state, self.state_reason = RESOLVED, BACK
        self.ended_at = max(ended_at, self.last_flag_at)


_COLUMNS = tuple(field.name for field in dataclasses.fields(Period))


def _peak(flag: Flag) -> dict[str, Any]:
    return {
        "peak_score": flag.score,
        "peak_at": timestamp(flag.time_ns),
        "peak_value": flag.value,
        "peak_expected": flag.expected,
        "peak_lower": flag.lower,
        "peak_upper": flag.upper,
    }


def known(connection: Connection, keys: Iterable[tuple[int, str]], label: str) -> list[Period]:
    """Periods of these (watched series, detector): the open ones, and what was over a moment ago."""
    asked = sorted(set(keys))
    with connection.cursor(row_factory=kwargs_row(_period)) as cursor:
        return cursor.execute(
            statement("anomaly_periods_known"),
            {
                "keys": [key for key, _ in asked],
                "detectors": [detector for _, detector in asked],
                "label": label,
                "late": LATE,
            },
        ).fetchall()


def _period(**row: Any) -> Period:
    return Period(**{name: row[name] for name in _COLUMNS})


def write(connection: Connection, periods: Sequence[Period]) -> None:
    """Have the database's rows be these; one statement."""
    connection.execute(
        statement("anomaly_periods"),
        {"periods": as_json([_row(each) for each in periods])},
    )


def _row(period: Period) -> dict[str, Any]:
    return {name: getattr(period, name) for name in _COLUMNS}


def as_json(rows: Sequence[Any]) -> str:
    """Rows for jsonb_populate_record: what JSON has no number for is a text, as PostgreSQL reads it."""
    return json.dumps([_told(row) for row in rows], default=str, allow_nan=False)


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _told(each) for key, each in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value

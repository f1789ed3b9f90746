"""What a scan found, in as much room whatever it found: totals, and the worst periods and series."""

from __future__ import annotations

import datetime as dt
import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crucible_collector.detect.detector import Severity
from crucible_collector.store.periods import Period

PERIODS_MAX = 200  # that are told one by one
SERIES_MAX = 200
# Series with periods that are told apart while a scan goes on; what is beyond is in the totals only.
TRACKED_MAX = 20_000


@dataclass(slots=True)
class Count:
    """Flags and periods of something."""

    flag_count: int = 0
    period_count: int = 0
    peak_score: float = 0.0

    def add(self, period: Period) -> None:
        self.flag_count += period.flag_count
        self.period_count += 1
        self.peak_score = max(self.peak_score, period.peak_score)

    def as_json(self) -> dict[str, Any]:
        return {
            "flag_count": self.flag_count,
            "period_count": self.period_count,
            "peak_score": number(self.peak_score),
        }


@dataclass(slots=True)
class Report:
    """What there is to tell so far; one scan's."""

    value_count: int = 0
    series_count: int = 0
    late_count: int = 0
    unstored_count: int = 0  # beginnings and ends of periods beyond what one batch tells
    thinned_count: int = 0  # events that stand for others, which sampling left out
    all: Count = field(default_factory=Count)
    _of_detector: dict[str, Count] = field(default_factory=dict)
    _of_series: dict[int, tuple[Period, Count]] = field(default_factory=dict)
    _worst: list[tuple[tuple[int, float], int, dict[str, Any]]] = field(default_factory=list)

    def add(self, periods: Iterable[Period]) -> None:
        """Take periods that are over into account."""
        for period in periods:
            self.all.add(period)
            self._of_detector.setdefault(period.detector, Count()).add(period)
            key = period.watch_key
            if key in self._of_series or len(self._of_series) < TRACKED_MAX:
                self._of_series.setdefault(key, (period, Count()))[1].add(period)
            rank = int(Severity[period.severity.upper()]), period.peak_score
            if len(self._worst) < PERIODS_MAX:
                heapq.heappush(self._worst, (rank, -self.all.period_count, _told(period)))
            elif rank > self._worst[0][0]:
                heapq.heapreplace(self._worst, (rank, -self.all.period_count, _told(period)))

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON can say it."""
        series = sorted(
            self._of_series.values(),
            key=lambda each: (-each[1].flag_count, each[0].metric, each[0].watch_key),
        )
        is_complete = (
            self.all.period_count <= PERIODS_MAX
            and len(series) <= SERIES_MAX
            and not self.unstored_count
        )
        return {
            "value_count": self.value_count,
            "series_count": self.series_count,
            "late_count": self.late_count,
            "unstored_count": self.unstored_count,
            "thinned_count": self.thinned_count,
            **self.all.as_json(),
            "detectors": [
                {"detector": name, **count.as_json()}
                for name, count in sorted(self._of_detector.items())
            ],
            "series": [
                {**_named(period), **count.as_json()} for period, count in series[:SERIES_MAX]
            ],
            "periods": [told for _, _, told in sorted(self._worst, reverse=True, key=_by_rank)],
            "is_complete": is_complete,
        }


def _by_rank(entry: tuple[tuple[int, float], int, dict[str, Any]]) -> tuple[tuple[int, float], int]:
    return entry[:2]


def _named(period: Period) -> dict[str, Any]:
    """What is watched, by names."""
    names = ("metric", "event_name", "experiment_id", "run_id", "condition", "model")
    return {
        **{name: getattr(period, name) for name in names},
        "series_id": _hex(period.series_id),
        "watch_id": _hex(period.watch_key),
    }


def _told(period: Period) -> dict[str, Any]:
    peak = ("score", "value", "expected", "lower", "upper")
    return {
        **_named(period),
        "detector": period.detector,
        "severity": period.severity,
        "period_id": str(period.period_id),
        "started_at": rfc3339(period.started_at),
        "ended_at": None if period.ended_at is None else rfc3339(period.ended_at),
        "last_flag_at": rfc3339(period.last_flag_at),
        "first_step": period.first_step,
        "last_step": period.last_step,
        "flag_count": period.flag_count,
        "peak_at": None if period.peak_at is None else rfc3339(period.peak_at),
        **{f"peak_{name}": number(getattr(period, f"peak_{name}")) for name in peak},
    }


def number(value: float | None) -> float | str | None:
    """A number as the API writes it: what JSON does not know is a text."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def rfc3339(time: dt.datetime) -> str:
    """A time as the API writes it: in UTC, with nine digits."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def _hex(key: int | None) -> str | None:
    return None if key is None else f"{key:016x}"

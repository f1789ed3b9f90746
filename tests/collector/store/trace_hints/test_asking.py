"""Periods: the days of a hint and all from the horizon on, within what was asked, few branches."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from crucible_collector.store.trace_hints.asking import PERIODS_MAX, periods

TRACE = uuid.UUID(int=7)
HORIZON = dt.date(2026, 11, 22)


@dataclass
class Hinting:
    """`Reads` of a store that hints at these days."""

    days: list[int]  # of November
    has_hints: bool = True
    asked: list[str] = field(default_factory=list)

    def json_rows(self, question: str, /, **_parameters: object) -> list[str]:
        self.asked.append(question)
        days = [dt.date(2026, 11, day).isoformat() for day in self.days]
        hint = {"covered_until": HORIZON.isoformat(), "days": days}
        return [json.dumps(hint)] if self.has_hints else []


def november(day: float) -> dt.datetime:
    return dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(days=day - 1)


def asked(
    reads: Hinting, start: dt.datetime | None = None, end: dt.datetime | None = None
) -> list[Any]:
    found = periods(
        reads, trace=TRACE, correlation=None, correlation_trace=None, start=start, end=end
    )
    assert all(piece.level is None for piece in found)
    return [(piece.start, piece.end) for piece in found]


def test_without_a_hint_all_that_was_asked_for_is_looked_into() -> None:
    start, end = november(2), november(20)
    assert asked(Hinting([], has_hints=False)) == [(None, None)]
    assert asked(Hinting([], has_hints=False), start, end) == [(start, end)]


def test_days_that_touch_are_one_period_and_the_rest_begins_at_the_horizon() -> None:
    rest = (november(22), None)
    assert asked(Hinting([])) == [rest]
    assert asked(Hinting([3, 4, 9])) == [
        (november(3), november(5)),
        (november(9), november(10)),
        rest,
    ]
    assert asked(Hinting([20, 21])) == [(november(20), None)]


def test_a_given_period_narrows_what_is_looked_into() -> None:
    reads = Hinting([3, 9])
    assert asked(reads, november(3.5), november(9.25)) == [
        (november(3.5), november(4)),
        (november(9), november(9.25)),
    ]
    assert asked(reads, november(4), november(9)) == []
    assert asked(reads, november(10)) == [(november(22), None)]
    assert asked(reads, november(25)) == [(november(25), None)]


def test_a_narrow_period_needs_no_hint_and_an_empty_one_no_question() -> None:
    reads = Hinting([])
    assert asked(reads, november(3), november(4)) == [(november(3), november(4))]
    assert asked(reads, november(4), november(4)) == []
    assert reads.asked == []


def test_what_lies_between_the_nearest_is_looked_into_where_there_are_many() -> None:
    found = asked(Hinting([1, 3, 7, 9, 14, 16]))
    assert len(found) == PERIODS_MAX
    assert found == [
        (november(1), november(4)),
        (november(7), november(10)),
        (november(14), november(17)),
        (november(22), None),
    ]

"""Where a period cuts a minute, or an hour of percentiles, what is told is as unsure as it is.

The term of a trace's variance is on the first of its spans in a minute (in an hour, of durations), which
may lie on the other side of the cut. On both kinds of database.
"""

from __future__ import annotations

import math
import random
import uuid
from collections import defaultdict
from typing import Any

import pytest

import sampled
from rolled import put
from stored import Api, at

Row = dict[str, Any]
P = 0.3
MEASURES = {
    "count": ("count", 1.0),
    "duration_total_ms": ("duration", 1e-12),
    "cost_usd": ("cost", 1.0),
}
FRACTIONS = {"p50_ms": 0.5, "p90_ms": 0.9}


def traces(seed: int, count: int, over_s: float, start_s: float = 20) -> list[Row]:
    """Of ten spans each, alike and one after the other; the first three are of a run `early`."""
    chance = random.Random(seed)
    lengths = [int(chance.lognormvariate(16, 1)) for _ in range(count)]
    return [
        {
            "time": at(start_s + over_s * (place + chance.random()) / 10),
            "trace_id": uuid.UUID(int=number + 1),
            "duration_ns": lengths[number],
            "name": "ask",
            "event_name": ("ask", "embed")[place % 2],
            "experiment_id": "sweep",
            "run_id": "early" if place < 3 else f"run-{number % 2}",
            "model": "tiny",
            "status_code": 0 if number % 10 else 2,
            "input_tokens": 3,
            "output_tokens": None,
            "cost_usd": 0.01 * place,
        }
        for number in range(count)
        for place in range(10)
    ]


def store(database: str, everything: list[Row]) -> list[Row]:
    rows = sampled.kept(everything, lambda _row: P)
    put(database, "spans", sampled.batch(rows))
    return rows


def within(rows: list[Row], start: float, end: float) -> list[Row]:
    return [row for row in rows if at(start) <= row["time"] < at(end)]


def asked(start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"from_": at(start).isoformat(), "to": at(end).isoformat(), **more}


PERIODS = [(30.0, 3_600.0), (30.0, 31.0), (0.0, 30.0), (29.5, 90.0)]


@pytest.mark.parametrize("period", PERIODS)
def test_a_cut_minute_s_standard_errors_are_not_too_small(
    database: str, api: Api, period: tuple[float, float]
) -> None:
    rows = within(store(database, traces(1, 400, 20)), *period)
    for group, column in (("", "model"), ("run", "run_id"), ("event", "event_name")):
        by_group: defaultdict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            by_group[row[column] if group else None].append(row)
        answers = api.ask("/events/aggregate", **asked(*period, group_by=group))
        assert {answer[column] for answer in answers} == set(
            by_group
        )  # none of the rest of a minute
        for answer in answers:
            of_group = by_group[answer[column]]
            assert answer["stored_count"] == len(of_group)
            for name, (what, factor) in MEASURES.items():
                truth = sampled.variance_of(of_group, sampled.SUMS[what]) * factor
                assert answer[f"{name}_standard_error"] ** 2 >= truth * (1 - 1e-9) > 0, (
                    group,
                    name,
                )
            errors = sampled.variance_of(of_group, sampled.is_error)
            assert answer["error_count_standard_error"] ** 2 >= errors * (1 - 1e-9)
            assert answer["interval_reliable"] is True
    for answer in api.ask("/events/counts", **asked(*period)):
        of_event = [row for row in rows if row["event_name"] == answer["event_name"]]
        truth = sampled.variance_of(of_event, sampled.SUMS["count"])
        assert answer["count_standard_error"] ** 2 >= truth * (1 - 1e-9)
        assert answer["stored_count"] == len(of_event)


def test_what_was_asked_before_changes_no_answer(database: str, api: Api) -> None:
    """Whether variances are wanted is guessed by the answer before."""
    everything = traces(2, 60, 20)
    put(
        database,
        "spans",
        sampled.batch(
            sampled.kept(everything, lambda row: 1.0 if row["event_name"] == "ask" else P)
        ),
    )
    questions: list[tuple[str, dict[str, str]]] = [
        ("/events/aggregate", {"group_by": "event"}),
        ("/events/counts", {}),
    ]
    for path, more in questions:
        cut = asked(30, 50, **more)
        nobody = asked(-7_200, -3_600, **more)
        api.ask(path, **nobody)
        after_none = api.ask(path, **cut)
        assert api.ask(path, **cut) == after_none
        by_name = {row["event_name"]: row for row in after_none}
        assert by_name["ask"]["estimated"] is False
        assert by_name["ask"]["count_standard_error"] == 0
        assert by_name["embed"]["count_standard_error"] > 0


def test_what_is_certain_beside_what_is_not_stays_exact(database: str, api: Api) -> None:
    """Before the cut a run was sampled, after it no longer; the answer before was of sampled events."""
    rows = traces(3, 80, 20)
    put(
        database,
        "spans",
        sampled.batch(sampled.kept(rows, lambda row: P if row["time"] < at(30) else 1.0)),
    )
    assert api.ask("/events/aggregate")[0]["estimated"] is True
    [row] = api.ask("/events/aggregate", **asked(30, 50))
    assert (row["estimated"], row["interval_reliable"]) == (False, True)
    assert row["count_interval"] == [row["count"]] * 2
    assert row["count_standard_error"] == row["duration_total_ms_standard_error"] == 0


def woodruff(rows: list[Row], fraction: float) -> tuple[float, float]:
    """The interval by the variance over all pairs of rows."""
    ordered = sorted(rows, key=lambda row: row["duration_ns"])
    durations = [row["duration_ns"] / 1e6 for row in ordered]
    total = len(rows) / P
    reached = durations[math.ceil(fraction * len(rows)) - 1]
    variance = sampled.variance_of(
        rows, lambda row: 1 - fraction if row["duration_ns"] / 1e6 <= reached else -fraction
    )
    margin = 1.96 * math.sqrt(variance)
    places = [math.ceil((fraction * total + off) * P) - 1 for off in (-margin, margin)]
    return durations[max(places[0], 0)], durations[min(places[1], len(rows) - 1)]


def assert_as_wide(answer: Row, rows: list[Row]) -> None:
    for name, fraction in FRACTIONS.items():
        low, high = woodruff(rows, fraction)
        told_low, told_high = answer[f"{name}_interval"]
        assert told_low <= low * 1.011, name
        assert told_high is None or told_high >= high * 0.989, name


def test_percentiles_by_the_minute_are_as_unsure_as_their_rows(database: str, api: Api) -> None:
    """Traces lie over three minutes, so two of them have no first span."""
    rows = store(database, traces(4, 300, 180, start_s=0))
    answers = api.ask("/events/aggregate", **asked(0, 180, interval="1m", percentiles=True))
    assert len(answers) == 3
    for minute, answer in enumerate(answers):
        assert_as_wide(answer, within(rows, 60 * minute, 60 * minute + 60))
        assert answer["p50_ms_interval"][1] is not None


@pytest.mark.parametrize("period", [(1_800.0, 3_600.0), (0.0, 1_800.0), (1_700.25, 1_950.5)])
@pytest.mark.parametrize("group", ["", "event"])
def test_percentiles_of_a_cut_hour_are_as_unsure_as_their_rows(
    database: str, api: Api, period: tuple[float, float], group: str
) -> None:
    rows = within(store(database, traces(5, 300, 1_000, start_s=1_300)), *period)
    for answer in api.ask("/events/aggregate", **asked(*period, group_by=group)):
        of_group = [row for row in rows if answer["event_name"] in (None, row["event_name"])]
        assert_as_wide(answer, of_group)
        assert answer["p50_ms_interval"][1] is not None

"""What aggregates say of sampled events: right within their error bars, which are never too narrow.

What is stored is a part of a population that the test knows, each row with the terms that the collector
would write, computed over all pairs. On both kinds of database, roll-ups and raw rows at the ends.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import sampled
from rolled import put
from stored import Api, Stored, at

Row = dict[str, Any]
GROUPS = {"run": "run_id", "event": "event_name", "model": "model", "status": "status_code"}
STATUSES = ("unset", "ok", "error")
MEASURES = {
    "count": ("count", 1.0),
    "duration_total_ms": ("duration", 1e-12),
    "input_tokens": ("input_token", 1.0),
    "cost_usd": ("cost", 1.0),
}
PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
PERIODS: list[dict[str, float]] = [{}, {"from_": 1_800.5, "to": 5_400.25}]


def by_status(row: Row) -> float:
    return {0: 0.2, 1: 0.3, 2: 1.0}[row["status_code"]]


def alike(row: Row) -> float:
    return 0.3


DESIGNS: dict[str, Callable[[Row], float]] = {"alike": alike, "by status": by_status}


def store(database: str, rows: list[Row]) -> None:
    put(database, "spans", sampled.batch(rows))


def groups(rows: list[Row], names: list[str]) -> dict[tuple[Any, ...], list[Row]]:
    found: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[GROUPS[name]] for name in names)].append(row)
    return found


def key_of(answer: Row, names: list[str]) -> tuple[Any, ...]:
    told = {**answer, "status_code": answer["status"] and STATUSES.index(answer["status"])}
    return tuple(told[GROUPS[name]] for name in names)


def within(rows: list[Row], period: dict[str, float]) -> list[Row]:
    start, end = period.get("from_", -1e9), period.get("to", 1e9)
    return [row for row in rows if at(start) <= row["time"] < at(end)]


def as_asked(period: dict[str, float]) -> dict[str, str]:
    return {name: at(second).isoformat() for name, second in period.items()}


def holds(interval: list[float | None], value: float) -> bool:
    low, high = interval
    assert low is not None
    return low <= value * (1 + 1e-9) + 1e-9 and (high is None or value <= high * (1 + 1e-9) + 1e-9)


@pytest.mark.parametrize("design", DESIGNS)
def test_standard_errors_are_never_too_small_and_exact_for_whole_traces(
    database: str, api: Api, design: str
) -> None:
    rows = sampled.kept(sampled.population(5, 150), DESIGNS[design])
    store(database, rows)
    for period in PERIODS:
        for names in ([], ["event"], ["run", "event"], ["model"], ["status", "event"]):
            answers = api.ask("/events/aggregate", group_by=",".join(names), **as_asked(period))
            expected = groups(within(rows, period), names)
            assert {key_of(answer, names) for answer in answers} == set(expected)
            # Runs are whole traces here, and an event's part of a trace has terms of its own.
            is_whole = not period and names in ([], ["event"], ["run", "event"])
            for answer in answers:
                assert_sure(answer, expected[key_of(answer, names)], exactly=is_whole)


def assert_sure(answer: Row, rows: list[Row], *, exactly: bool) -> None:
    for name, (what, factor) in MEASURES.items():
        if answer[name] is None:
            continue
        told = answer[f"{name}_standard_error"] ** 2
        truth = sampled.variance_of(rows, sampled.SUMS[what]) * factor
        assert told >= truth * (1 - 1e-9), name
        assert not exactly or told == pytest.approx(truth), name
        assert holds(answer[f"{name}_interval"], answer[name]), name
    errors = sampled.variance_of(rows, sampled.is_error)
    assert answer["error_count_standard_error"] ** 2 >= errors * (1 - 1e-9)
    for name in ("error_count", "error_rate", "duration_mean_ms"):
        assert holds(answer[f"{name}_interval"], answer[name]), name
    assert answer["estimated"] is any(row["sample_probability"] < 1 for row in rows)


def test_intervals_hold_what_is_true_of_all_that_there_was(database: str, api: Api) -> None:
    """One sample, so its seed is chosen: of 49 intervals at 95 % all hold the truth."""
    everything = sampled.population(6, 500)
    store(database, sampled.kept(everything, by_status, seed=2))
    for names in ([], ["run"], ["event"]):
        answers = api.ask("/events/aggregate", group_by=",".join(names))
        truths = groups(everything, names)
        for answer in answers:
            rows = truths[key_of(answer, names)]
            durations = sorted(row["duration_ns"] / 1e6 for row in rows)
            errors = sum(row["status_code"] == 2 for row in rows)
            truth = {
                "count": len(rows),
                "error_count": errors,
                "error_rate": errors / len(rows),
                "duration_total_ms": sum(durations),
                "duration_mean_ms": sum(durations) / len(rows),
                "input_tokens": sum(row["input_tokens"] or 0 for row in rows),
                "cost_usd": sum(row["cost_usd"] or 0 for row in rows),
            }
            assert answer["interval_reliable"] is True
            for name, value in truth.items():
                assert holds(answer[f"{name}_interval"], value), (names, name)
            if names == ["run"]:
                continue
            for name, fraction in PERCENTILES.items():
                exact = durations[math.ceil(fraction * len(durations)) - 1]
                low, high = answer[f"{name}_interval"]
                assert low * 0.99 <= exact <= (high or math.inf) * 1.01, name


def test_traces_are_counted_once_and_few_are_not_to_be_relied_on(database: str, api: Api) -> None:
    rows = sampled.kept(sampled.population(7, 120), alike)
    traces = len({row["trace_id"] for row in rows})
    of_rank = len({row["trace_id"] for row in rows if row["event_name"] == "rank"})
    store(database, rows)
    [whole] = api.ask("/events/aggregate")
    [rank] = api.ask("/events/aggregate", event="rank")
    assert of_rank < 30 <= traces
    assert (whole["interval_reliable"], rank["interval_reliable"]) == (True, False)
    by_name = {each["event_name"]: each for each in api.ask("/events/counts")}
    assert by_name["rank"]["interval_reliable"] is False
    names = ("count", "error_count")
    assert [by_name["rank"][f"{name}_interval"] for name in names] == [
        rank[f"{name}_interval"] for name in names
    ]
    assert by_name["rank"]["count_standard_error"] == rank["count_standard_error"]


def ledger(stored: Stored, second: float = 0, **values: Any) -> None:
    row = {
        "time": at(second).replace(second=0, microsecond=0),
        "journal_id": uuid.UUID(int=1),
        "rule": "rule-1",
        "signal": "spans",
        "seen_count": 1_000,
        "kept_count": 10,
        "probability_min": 0.01,
    }
    stored.insert("sampling_ledger", {**row, **values})


def test_where_nothing_was_kept_one_row_says_how_much_there_may_have_been(
    stored: Stored, api: Api
) -> None:
    hour = {"from_": at(0).isoformat(), "to": at(3_600).isoformat()}
    assert api.ask("/events/aggregate", **hour) == []
    ledger(stored, 60, error_seen_count=0)
    [row] = api.ask("/events/aggregate", **hour)
    assert (row["count"], row["estimated"], row["interval_reliable"]) == (0, True, False)
    assert row["count_interval"] == [0, math.ceil(-math.log(0.025) * 99)]
    assert row["error_count_interval"] == [0, 0]
    assert row["duration_total_ms_interval"] == [0, None]
    assert {row[name] for name in ("duration_mean_ms", "p50_ms", "error_rate", "cost_usd")} == {
        None
    }
    for nobody in ({"group_by": "event"}, {"interval": "1h"}):
        assert api.ask("/events/aggregate", **hour, **nobody) == []
    before = {"from_": at(-7_200).isoformat(), "to": at(-3_600).isoformat()}
    assert api.ask("/events/aggregate", **before) == []
    assert api.ask("/events/counts", **hour) == []
    # One that was not kept may have been a trace of fifty, as another was.
    ledger(stored, 61, rule="rule-2", error_seen_count=0, trace_count_max=50)
    [row] = api.ask("/events/aggregate", **hour)
    assert row["count_interval"] == [0, math.ceil(-math.log(0.025) * 99 * 50)]


def test_a_period_in_which_everything_was_kept_has_no_row_where_there_was_nothing(
    stored: Stored, api: Api
) -> None:
    ledger(stored, probability_min=1)
    assert api.ask("/events/aggregate") == []


def test_the_ledger_knows_of_errors_that_nobody_kept(
    stored: Stored, database: str, api: Api
) -> None:
    rows = [row for row in sampled.population(8, 200) if row["status_code"] != 2]
    store(database, sampled.kept(rows, lambda _row: 0.5))
    [unknown] = api.ask("/events/aggregate")
    # One more that was missed with p = 0.5 is all that the rows allow for.
    assert unknown["error_count_interval"] == [0, 4]
    ledger(stored, kept_count=10_000, probability_min=0.5, error_seen_count=0)
    [none] = api.ask("/events/aggregate")
    assert (none["error_count_interval"], none["error_rate_interval"]) == ([0, 0], [0, 0])
    ledger(stored, rule="rule-2", error_seen_count=7, error_probability_min=0.05)
    [some] = api.ask("/events/aggregate")
    assert some["error_count_interval"] == [0, math.ceil(-math.log(0.025) * 19)]
    assert 0 < some["error_rate_interval"][1] < 1
    [fine] = api.ask("/events/aggregate", status="ok")
    assert (fine["error_count_interval"], fine["error_rate_interval"]) == ([0, 0], [0, 0])


def test_a_ledger_that_counted_less_than_was_kept_is_not_about_these_spans(
    stored: Stored, database: str, api: Api
) -> None:
    """They were received at another time, such as in an import."""
    rows = [row for row in sampled.population(8, 200) if row["status_code"] != 2]
    store(database, sampled.kept(rows, lambda _row: 0.5))
    ledger(stored, kept_count=3, error_seen_count=0, probability_min=0.5)
    [row] = api.ask("/events/aggregate")
    assert row["error_count_interval"] == [0, 4]


def test_an_event_named_like_an_answer_does_not_pass_for_one(database: str, api: Api) -> None:
    name = '","estimated":false,"x":"'
    rows = sampled.kept(sampled.population(9, 40), alike)
    store(database, [row | {"name": name, "event_name": name} for row in rows])
    for path, asked in (("/events/counts", {}), ("/events/aggregate", {"group_by": "event"})):
        [row] = api.ask(path, **asked)
        assert (row["event_name"], row["estimated"]) == (name, True)
        assert row["count_interval"][0] < row["count"] < row["count_interval"][1]


def test_sampled_groups_page_by_page_are_as_in_one_answer(database: str, api: Api) -> None:
    store(database, sampled.kept(sampled.population(10, 80), by_status))
    asked = {"group_by": "event,model,status", "percentiles": True}
    whole = api.ask("/events/aggregate", **asked, limit=1000)
    pages = list(api.pages("/events/aggregate", **asked, limit=4))
    assert [row for page in pages for row in page] == whole
    assert {row["estimated"] for row in whole} == {True, False}


def test_only_sampled_rows_make_further_questions(stored: Stored, api: Api, database: str) -> None:
    """Without sampling the ledger is not even read."""
    stored.span()
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("alter table crucible.sampling_ledger rename to hidden")
        [row] = api.ask("/events/aggregate")
        assert (row["count_interval"], row["estimated"]) == ([1, 1], False)
        assert api.ask("/events/counts")[0]["estimated"] is False
        conn.execute("alter table crucible.hidden rename to sampling_ledger")

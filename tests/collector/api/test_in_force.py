"""Rows that were all kept for certain are not all there was where a rule may have dropped others."""

from __future__ import annotations

import math
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

import sampled
from crucible_collector.api.in_force import About
from crucible_collector.sample.rules import Rules
from rolled import put
from stored import Api, Stored, at

Row = dict[str, Any]
RUNS, ERRORS, OTHERS = 40, 3, 40
P = 0.01
# Of p = 0.01 nothing is kept of so many in one sample of forty.
UNSEEN_MAX = math.ceil(-math.log(0.025) * (1 - P) / P)
MEASURES = ("count", "error_count", "error_rate", "duration_total_ms", "duration_mean_ms")


def by_status(row: Row) -> float:
    return 1.0 if row["status_code"] == 2 else P


def of_runs() -> list[Row]:
    """Of each run three errors and forty others, each span a trace of its own, within a minute."""
    chance = np.random.default_rng(11)
    return [
        {
            "time": at(number % 50),
            "trace_id": uuid.UUID(int=number * RUNS + run + 1),
            "duration_ns": int(chance.integers(8, 13)) * 1_000_000,
            "name": "ask",
            "event_name": "ask",
            "experiment_id": "sweep",
            "run_id": f"run-{run:02}",
            "model": "tiny",
            "status_code": 2 if number < ERRORS else 1,
            "input_tokens": 7,
            "output_tokens": None,
            "cost_usd": None,
        }
        for run in range(RUNS)
        for number in range(ERRORS + OTHERS)
    ]


def rule(**about: list[str]) -> Row:
    rates = {"error": 1.0, "success": P}
    return {"name": "thin", "strategy": "stratified", "rates": rates, **about}


def settings(stored: Stored, *rules: Row, second: float = -7_200) -> None:
    parsed = Rules.parse({"rules": rules})
    told = {"settings": parsed.as_json(), "digest": parsed.digest(), "origin": "api"}
    stored.insert("sampling_settings", {**told, "changed_at": at(second)})


def ledger(stored: Stored, second: float = 0, **values: Any) -> None:
    row = {
        "time": at(second).replace(second=0),
        "journal_id": uuid.UUID(int=1),
        "rule": "thin",
        "signal": "spans",
        "seen_count": RUNS * (ERRORS + OTHERS),
        "kept_count": RUNS * ERRORS + 20,
        "probability_min": P,
        "error_seen_count": RUNS * ERRORS,
        "error_kept_count": RUNS * ERRORS,
    }
    stored.insert("sampling_ledger", {**row, **values})


def certain(stored: Stored, database: str) -> None:
    """What is left of `of_runs` is its errors."""
    for run in range(RUNS):
        stored.run(f"run-{run:02}", experiment_id="sweep")
    rows = [row for row in of_runs() if row["status_code"] == 2]
    put(database, "spans", sampled.batch(sampled.kept(rows, by_status)))


def holds(row: Row, name: str, truth: float) -> bool:
    low, high = row[f"{name}_interval"]
    return low <= truth * (1 + 1e-9) and (high is None or truth <= high * (1 + 1e-9))


def test_groups_of_which_only_the_certain_are_left_say_what_may_be_missing(
    stored: Stored, database: str, api: Api
) -> None:
    everything = of_runs()
    put(database, "spans", sampled.batch(sampled.kept(everything, by_status)))
    settings(stored, rule())
    ledger(stored)
    rows = api.ask("/events/aggregate", group_by="run", percentiles=True)
    left_alone = [row for row in rows if row["stored_count"] == ERRORS]
    assert RUNS / 4 < len(left_alone) < RUNS
    held = []
    for row in rows:
        assert row["estimated"] is True
        assert row["interval_reliable"] is False
        assert row["error_count_interval"] == [ERRORS, ERRORS]
        of_run = [each for each in everything if each["run_id"] == row["run_id"]]
        total = sum(each["duration_ns"] for each in of_run) / 1e6
        truth = (len(of_run), ERRORS, ERRORS / len(of_run), total, total / len(of_run))
        held.append([holds(row, *each) for each in zip(MEASURES, truth, strict=True)])
        assert all(held[-1]) or row not in left_alone
    assert np.mean(held) >= 0.93
    for row in left_alone:
        assert row["count_interval"] == [ERRORS, ERRORS + UNSEEN_MAX]
        assert row["error_rate_interval"] == [
            pytest.approx(ERRORS / (ERRORS + UNSEEN_MAX), 0.01),
            1,
        ]
        assert row["p50_ms_interval"] == row["p99_ms_interval"] == [0, None]
        assert row["input_tokens_interval"][1] > (ERRORS + OTHERS) * 7
        assert row["count_standard_error"] == 0


def test_errors_that_are_all_kept_are_exact_by_themselves(
    stored: Stored, database: str, api: Api
) -> None:
    certain(stored, database)
    settings(stored, rule())
    ledger(stored)
    [by_filter] = api.ask("/events/aggregate", status="error", percentiles=True)
    [by_group] = api.ask("/events/aggregate", group_by="status", percentiles=True)
    for row in (by_filter, by_group):
        assert (row["estimated"], row["interval_reliable"]) == (False, True)
        assert row["count_interval"] == row["error_count_interval"] == [RUNS * ERRORS] * 2
        assert row["p50_ms_interval"] == [row["p50_ms"]] * 2
    ledger(stored, 60, error_probability_min=0.5)
    [thinned] = api.ask("/events/aggregate", status="error")
    assert thinned["estimated"] is True
    assert thinned["error_count_interval"] == [120, 120 + math.ceil(-math.log(0.025))]


ABOUT: dict[str, tuple[dict[str, list[str]], dict[str, str]]] = {
    # what a rule is about, and questions that it cannot have to do with
    "experiments": ({"experiments": ["other"]}, {"experiment": "sweep"}),
    "grouped experiments": ({"experiments": ["other"]}, {"group_by": "experiment"}),
    "events": ({"events": ["answer", "as"]}, {"event": "ask"}),
    "grouped events": ({"events": ["answer"]}, {"group_by": "event,run"}),
    "models": ({"models": ["large"]}, {"model": "tiny"}),
}


@pytest.mark.parametrize("kind", ABOUT)
def test_groups_that_no_rule_can_be_about_stay_exact(
    stored: Stored, database: str, api: Api, kind: str
) -> None:
    about, asked = ABOUT[kind]
    certain(stored, database)
    settings(stored, rule(**about))
    ledger(stored)
    for row in api.ask("/events/aggregate", **asked, percentiles=True):
        assert (row["estimated"], row["interval_reliable"]) == (False, True)
        assert row["count_interval"] == [row["count"]] * 2
        assert row["p50_ms_interval"] == [row["p50_ms"]] * 2
    # Of all of them together, or by run, it is not known.
    for row in api.ask("/events/aggregate", group_by="run"):
        assert row["estimated"] is True


def test_counts_by_name_say_the_same(stored: Stored, database: str, api: Api) -> None:
    certain(stored, database)
    settings(stored, rule(experiments=["other"]))
    ledger(stored)
    [every] = api.ask("/events/counts")
    assert every["count_interval"] == [120, 120 + UNSEEN_MAX]
    assert (every["error_count_interval"], every["estimated"]) == ([120, 120], True)
    [of_one] = api.ask("/events/counts", experiment="sweep")
    assert (of_one["count_interval"], of_one["estimated"]) == ([120, 120], False)


def test_what_a_rule_is_about_is_that_of_the_versions_of_the_time(
    stored: Stored, database: str, api: Api
) -> None:
    certain(stored, database)
    period = {"from_": at(0).isoformat(), "to": at(600).isoformat(), "experiment": "sweep"}
    settings(stored, rule(), second=-86_400)
    settings(stored, rule(experiments=["other"]), second=-43_200)
    settings(stored, rule(), second=43_200)
    ledger(stored)
    [row] = api.ask("/events/aggregate", **period)
    assert row["estimated"] is False
    settings(stored, rule(experiments=["sweep"]), second=300)
    [row] = api.ask("/events/aggregate", **period)
    assert row["estimated"] is True


def test_a_rule_of_which_no_version_tells_may_be_about_anything(
    stored: Stored, database: str, api: Api
) -> None:
    certain(stored, database)
    settings(stored, rule(experiments=["other"]))
    ledger(stored, rule="forgotten")
    [row] = api.ask("/events/aggregate", experiment="sweep")
    assert row["estimated"] is True


def test_without_anything_kept_only_a_rule_that_may_be_about_it_makes_a_row(
    stored: Stored, api: Api
) -> None:
    settings(stored, rule(experiments=["other"]))
    ledger(stored)
    assert api.ask("/events/aggregate", experiment="sweep") == []
    assert api.ask("/events/aggregate", experiment="other", status="error") == []
    [row] = api.ask("/events/aggregate", experiment="other")
    assert row["count_interval"] == [0, UNSEEN_MAX]


def test_what_took_long_is_looked_for_as_long_after_it_began(stored: Stored, api: Api) -> None:
    """A span is received after its end, an hour after its start or more."""
    hour = {"from_": at(0).isoformat(), "to": at(60).isoformat()}
    settings(stored, rule())
    ledger(stored, 3_600)
    stored.span(time=at(1), duration_ns=1_000_000)
    [short] = api.ask("/events/aggregate", **hour)
    assert short["estimated"] is False
    stored.span(time=at(1), duration_ns=3_600_000_000_000, name="epoch")
    [both] = api.ask("/events/aggregate", **hour)
    assert both["estimated"] is True
    assert both["count_interval"] == [2, 2 + UNSEEN_MAX]
    rows = api.ask("/events/aggregate", **hour, group_by="event")
    assert {row["event_name"]: row["estimated"] for row in rows} == {"epoch": True, "work": False}


def test_a_duration_of_ages_asks_for_no_time_beyond_the_calendar(stored: Stored, api: Api) -> None:
    settings(stored, rule())
    stored.span(time=at(1), duration_ns=2**63 - 1)
    period = {"from_": at(0).isoformat(), "to": (at(0) + timedelta(days=1)).isoformat()}
    [row] = api.ask("/events/aggregate", **period)
    assert row["estimated"] is False


def test_rules_fit_by_names_of_events_and_their_beginnings_up_to_a_dot() -> None:
    about = About(events=("crucible_train.batch",))
    names = {
        "crucible_train.batch": True,
        "crucible_train.batch.stop": True,
        "crucible_train": False,
    }
    names["crucible_train.batches"] = False
    assert {name: about.may_fit({"event": name}) for name in names} == names
    assert about.may_fit({"model": "tiny"})
    assert not about.may_fit({"event": None})
    assert not About(models=("tiny",)).may_fit({"model": None})

"""Anomalies over REST: flags, periods, how many, and what people make of them."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest

from crucible_collector.api.anomalies import AnomalyPeriod
from crucible_collector.api.models import Failure, One
from stored import TRACE, Api, Stored, at

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)
OF_ONE = {
    "run_id": "run-1",
    "experiment_id": "sweep",
    "condition": "warm",
    "event_name": "crucible_train.batch.stop",
    "model": "tiny",
}


def test_a_flag_tells_what_was_expected_and_whose_it_is(stored: Stored, api: Api) -> None:
    numbers = {"value": 12.5, "expected": 0.5, "lower": 0.25, "upper": 0.75, "score": 4.5}
    stored.anomaly(
        ONE,
        **OF_ONE,
        **numbers,
        time_ns_rest=7,
        step=812,
        starts_period=True,
        series_id=-1,
        watch_key=255,
        trace_id=TRACE,
        span_id=16,
    )
    assert api.ask("/anomalies") == [
        {
            **OF_ONE,
            **numbers,
            "time": "2026-11-23T10:00:00.000000007Z",
            "severity": "warning",
            "metric": "loss",
            "detector": "ewma",
            "label": "",
            "step": 812,
            "starts_period": True,
            "period_id": str(ONE),
            "watch_id": f"{255:016x}",
            "series_id": "f" * 16,
            "trace_id": TRACE.hex,
            "span_id": f"{16:016x}",
        }
    ]


def test_numbers_that_json_does_not_know_are_texts(stored: Stored, api: Api) -> None:
    stored.anomaly(ONE, value=math.nan, score=math.inf)
    stored.period(1, first_value=math.nan, peak_value=-math.inf, peak_score=math.inf)
    [flag], [period] = api.ask("/anomalies"), api.ask("/anomalies/periods")
    assert (flag["value"], flag["score"]) == ("NaN", "Infinity")
    assert (period["first_value"], period["peak_value"]) == ("NaN", "-Infinity")


FILTERS: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"run": "run-1"}, {"run_id": "run-1"}),
    ({"experiment": "sweep"}, {"experiment_id": "sweep"}),
    ({"condition": "warm"}, {"condition": "warm"}),
    ({"event": "a.b"}, {"event_name": "a.b"}),
    ({"metric": "accuracy"}, {"metric": "accuracy"}),
    ({"model": "tiny"}, {"model": "tiny"}),
    ({"detector": "drift"}, {"detector": "drift"}),
    ({"severity": "critical"}, {"severity": "critical"}),
    ({"series": f"{7:016x}"}, {"series_id": 7}),
    ({"label": "scan"}, {"label": "scan"}),
]


@pytest.mark.parametrize(("asked", "has"), FILTERS, ids=[next(iter(asked)) for asked, _ in FILTERS])
def test_filters_narrow_flags_and_periods(
    stored: Stored, api: Api, asked: dict[str, str], has: dict[str, Any]
) -> None:
    stored.anomaly(ONE)
    stored.anomaly(TWO, **has)
    stored.period(1)
    stored.period(2, **has)
    assert [each["period_id"] for each in api.ask("/anomalies", **asked)] == [str(TWO)]
    assert [each["period_id"] for each in api.ask("/anomalies/periods", **asked)] == [str(TWO)]
    everything = {str(ONE), str(TWO)} if asked.get("label") is None else {str(ONE)}
    assert {each["period_id"] for each in api.ask("/anomalies")} == everything


def test_a_severity_means_that_or_worse(stored: Stored, api: Api) -> None:
    for number, severity in enumerate(("info", "warning", "critical"), 1):
        stored.period(number, severity=severity)
        stored.anomaly(uuid.UUID(int=number), severity=severity)
    for path in ("/anomalies", "/anomalies/periods"):
        found = [
            {each["severity"] for each in api.ask(path, severity=least)}
            for least in ("info", "warning", "critical")
        ]
        assert found == [{"info", "warning", "critical"}, {"warning", "critical"}, {"critical"}]


def test_a_period_of_time_has_the_flags_in_it_and_the_periods_that_touch_it(
    stored: Stored, api: Api
) -> None:
    stored.period(1, started_at=at(10), ended_at=at(20))
    stored.period(2, started_at=at(15))
    for second in (10, 20, 30):
        stored.anomaly(ONE, time=at(second), value=second)

    def times(**period: str) -> tuple[list[int], list[int]]:
        flags = [each["value"] for each in api.ask("/anomalies", **period)]
        periods = [int(each["period_id"][-1]) for each in api.ask("/anomalies/periods", **period)]
        return flags, periods

    assert times(from_=at(20).isoformat()) == ([30, 20], [2, 1])
    assert times(from_=at(21).isoformat()) == ([30], [2])
    assert times(to=at(15).isoformat()) == ([10], [1])
    assert times(from_=at(11).isoformat(), to=at(16).isoformat()) == ([], [2, 1])


def test_open_are_all_that_are_not_resolved(stored: Stored, api: Api) -> None:
    states = ("active", "acknowledged", "silenced", "resolved")
    for number, state in enumerate(states, 1):
        stored.period(number, state=state)

    def found(state: str) -> set[str]:
        return {each["state"] for each in api.ask("/anomalies/periods", state=state)}

    assert found("open") == set(states) - {"resolved"}
    assert [found(state) for state in states] == [{state} for state in states]


@pytest.mark.parametrize("path", ["/anomalies", "/anomalies/periods"])
def test_page_by_page_all_come_once_newest_first(stored: Stored, api: Api, path: str) -> None:
    for number in range(1, 8):
        stored.period(number, started_at=at(number // 3))
        stored.anomaly(uuid.UUID(int=number), time=at(number // 3))
    # Two flags of one time and one period: nothing but the number of them tells them apart.
    stored.anomaly(uuid.UUID(int=7), time=at(2))
    pages = list(api.pages(path, limit=2))
    found = [int(each["period_id"][-2:], 16) for page in pages for each in page]
    assert found == [7, *([7] if path == "/anomalies" else []), 6, 5, 4, 3, 2, 1]
    assert {len(page) for page in pages[:-1]} == {2}


def test_a_period_is_told_in_full(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1", unit="1", rank=3)
    stored.series(2, "learning_rate", run_id="run-1")
    stored.points(2, [0.05] * 50 + [1.5])
    band = {"peak_value": 12.3, "peak_expected": 0.52, "peak_lower": 0.41, "peak_upper": 0.62}
    stored.period(1, started_at=at(51), series_id=1, first_step=51, flag_count=5, **OF_ONE, **band)
    stored.period(2, started_at=at(52), metric="gradient_norm", **OF_ONE)
    stored.period(3, started_at=at(-7200), ended_at=at(-7000), metric="old", **OF_ONE)
    for step in range(51, 54):
        stored.anomaly(ONE, time=at(step), step=step, series_id=1, **OF_ONE)

    found = api.ask(f"/anomalies/periods/{ONE}")
    assert found["text"] == (
        "loss was anomalous 5 times from step 51 on, at worst 12.3, expected 0.52 (0.41 to 0.62)"
    )
    assert found["rank"] == 3
    assert [each["step"] for each in found["flags"]] == [53, 52, 51]
    [cause] = found["causes"]
    assert cause["says"] == "learning_rate went from 0.05 to 1.5 at step 50"
    assert [each["metric"] for each in found["beside"]] == ["gradient_norm"]


def test_a_cause_that_is_not_finite_is_told_as_text(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(2, "gradient_norm", run_id="run-1")
    stored.points(2, [1.0] * 50 + [math.nan])
    stored.period(1, started_at=at(51), run_id="run-1")
    [cause] = api.ask(f"/anomalies/periods/{ONE}")["causes"]
    assert cause["after"] == "NaN"


def test_a_period_that_is_not_there_is_not_found(api: Api) -> None:
    answer = api.get(f"/api/v1/anomalies/periods/{TWO}")
    assert answer.status_code == 404
    assert Failure.model_validate(answer.json()).error.message == f"no period '{TWO}'"
    assert api.get("/api/v1/anomalies/periods/7").status_code == 422


def test_flags_are_counted_by_metric_and_severity(stored: Stored, api: Api) -> None:
    for score in (2.0, 3.0):
        stored.anomaly(ONE, run_id="run-1", score=score, starts_period=score == 2.0)
    stored.anomaly(TWO, run_id="run-1", severity="critical", score=math.inf, experiment_id="sweep")
    stored.anomaly(TWO, label="scan")
    stored.anomaly(TWO, time=at(7200), metric="accuracy")

    def counts(**filters: Any) -> list[tuple[Any, ...]]:
        return [tuple(each.values()) for each in api.ask("/anomalies/counts", **filters)]

    assert counts() == [
        ("accuracy", "warning", 1, 0, 2.0),
        ("loss", "critical", 1, 0, "Infinity"),
        ("loss", "warning", 2, 1, 3.0),
    ]
    assert counts(run="run-1", experiment="sweep") == [("loss", "critical", 1, 0, "Infinity")]
    assert counts(label="scan") == [("loss", "warning", 1, 0, 2.0)]
    assert counts(from_=at(3600).isoformat()) == [("accuracy", "warning", 1, 0, 2.0)]
    assert len(counts(to=at(3600).isoformat())) == 2


SAID = {"state": "acknowledged", "by": "ada", "reason": "the loader was restarted"}


def change(api: Api, period_id: uuid.UUID = ONE, **said: Any) -> Any:
    return api.client.post(f"/api/v1/anomalies/periods/{period_id}/state", json=SAID | said)


def test_a_person_changes_the_state_of_a_period_and_says_why(stored: Stored, api: Api) -> None:
    stored.period(1, run_id="run-1", severity="critical")
    stored.run("run-1")
    for state in ("acknowledged", "silenced", "resolved", "active"):
        answer = change(api, state=state)
        assert answer.status_code == 200, answer.text
        One[AnomalyPeriod].model_validate_json(answer.content, strict=True)
        found = answer.json()["data"]
        assert (found["state"], found["state_by"], found["state_reason"]) == (
            state,
            "ada",
            "the loader was restarted",
        )
        verdict = api.ask("/runs/run-1/health")["verdict"]
        assert verdict == (
            "critical" if state == "active" else "unknown" if state == "resolved" else "healthy"
        )


def test_a_period_with_a_newer_one_stays_resolved(stored: Stored, api: Api) -> None:
    stored.period(1, state="resolved")
    stored.period(2, watch_key=1)
    answer = change(api)
    assert answer.status_code == 409
    assert "a newer one" in Failure.model_validate(answer.json()).error.message


@pytest.mark.parametrize(
    "wrong",
    [{"by": ""}, {"by": "  "}, {"reason": ""}, {"reason": None}, {"state": "over"}, {"why": "x"}],
)
def test_who_and_why_are_asked_for(stored: Stored, api: Api, wrong: dict[str, Any]) -> None:
    stored.period(1)
    answer = change(api, **wrong)
    assert answer.status_code == 422
    [detail] = Failure.model_validate(answer.json()).error.details
    assert detail["parameter"] == next(iter(wrong))
    assert api.ask("/anomalies/periods")[0]["state"] == "active"


def test_a_change_needs_its_period_and_a_body_of_json(api: Api) -> None:
    assert change(api, TWO).status_code == 404
    path = f"/api/v1/anomalies/periods/{ONE}/state"
    assert api.client.post(path, content=b"{}").status_code == 415
    json_type = {"Content-Type": "application/json"}
    assert api.client.post(path, content=b"{", headers=json_type).status_code == 400


def test_a_silence_is_told_by_when_it_was_noticed(stored: Stored, api: Api) -> None:
    """It began half a minute before that, at least."""
    stored.run("run-1")
    told = {"metric": "heartbeat", "detector": "stall", "peak_value": None}
    stored.period(1, started_at=at(7), **{**OF_ONE, **told})
    found = api.ask(f"/anomalies/periods/{ONE}")["text"]
    assert found == "heartbeat has stopped, as was noticed at 2026-11-23T10:00:07.000000000Z"


def test_a_plateau_is_told_as_one(stored: Stored, api: Api) -> None:
    """Its value is as expected: "at worst 2.303, expected 2.303" says nothing."""
    stored.run("run-1")
    told = {"detector": "plateau", "peak_value": 2.303, "peak_expected": 2.303}
    stored.period(1, first_step=426, flag_count=2, **{**OF_ONE, **told})
    found = api.ask(f"/anomalies/periods/{ONE}")["text"]
    assert found == "loss had not got better for long at step 426, a mean of 2.303"


def test_a_mean_is_told_as_one(stored: Stored, api: Api) -> None:
    """Nobody finds it among the numbers that were sent."""
    stored.run("run-1")
    told = {"metric": "accuracy", "detector": "drift", "peak_value": 0.6, "peak_lower": 0.8}
    stored.period(1, started_at=at(51), first_step=51, flag_count=5, **{**OF_ONE, **told})
    found = api.ask(f"/anomalies/periods/{ONE}")["text"]
    assert found == (
        "accuracy was anomalous 5 times from step 51 on, at worst a mean of 0.6, expected at least 0.8"
    )

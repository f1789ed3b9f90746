"""One verdict on a run or an experiment: what counts for it, and what only is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crucible_collector.api.health import NON_FINITE_FLAGS_MIN
from crucible_collector.api.models import Failure
from stored import Api, Stored, at

NAN: dict[str, Any] = {
    "detector": "non_finite",
    "severity": "critical",
    "first_value": math.nan,
    "peak_value": math.nan,
    "peak_score": math.inf,
}


def health(api: Api, of: str = "runs/run-1") -> dict[str, Any]:
    found: dict[str, Any] = api.ask(f"/{of}/health")
    return found


def told(found: dict[str, Any]) -> tuple[str, bool, list[str]]:
    return found["verdict"], found["should_stop"], [each["text"] for each in found["reasons"]]


def test_a_run_of_which_nothing_is_watched_is_unknown(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    assert told(health(api)) == ("unknown", False, [])
    # Marks of a start and heartbeats have no duration, and are not watched either.
    stored.span(run_id="run-1")
    assert health(api)["verdict"] == "unknown"
    stored.span(run_id="run-1", time=at(1), duration_ns=1000)
    assert health(api)["verdict"] == "healthy"


def test_a_run_with_a_curve_and_without_a_period_is_healthy(stored: Stored, api: Api) -> None:
    stored.run("run-1", status="completed")
    stored.series(1, "loss", run_id="run-1")
    assert told(health(api)) == ("healthy", False, [])


def test_with_detection_switched_off_nobody_knows(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    for enabled, verdict in ((False, "unknown"), (True, "healthy")):
        stored.insert(
            "detection_settings",
            {"origin": "api", "settings": {"enabled": enabled}, "digest": str(NIL)},
        )
        assert health(api)["verdict"] == verdict


NIL = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("severity", "verdict"), [("info", "healthy"), ("warning", "warning"), ("critical", "critical")]
)
def test_the_worst_period_that_is_active_is_the_verdict(
    stored: Stored, api: Api, severity: str, verdict: str
) -> None:
    stored.run("run-1")
    stored.period(1, run_id="run-1", severity="info", metric="throughput_tflops")
    period = stored.period(2, run_id="run-1", severity=severity, first_step=7, peak_expected=1.0)
    stored.period(3, run_id="run-2", severity="critical")
    stored.period(4, run_id="run-1", severity="critical", label="scan")
    found = health(api)
    assert found["verdict"] == verdict
    assert not found["should_stop"]
    assert found["reasons"][1] == {
        "period_id": str(period),
        "run_id": "run-1",
        "severity": severity,
        "metric": "loss",
        "detector": "ewma",
        "since": "2026-11-23T10:00:02.000000000Z",
        "text": "loss was 5 at step 7, expected 1",
        "state": "active",
    }


def test_what_somebody_knows_of_is_told_and_does_not_count(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    for number, state in enumerate(("acknowledged", "silenced", "resolved"), 1):
        stored.period(number, run_id="run-1", state=state, flag_count=1000, **NAN)
    found = health(api)
    assert (found["verdict"], found["should_stop"]) == ("healthy", False)
    assert [each["state"] for each in found["reasons"]] == ["acknowledged", "silenced"]


def test_the_end_of_a_run_is_no_cure(stored: Stored, api: Api) -> None:
    """A canary that asks after the run is told what was wrong until its end, unless a person resolved it."""
    stored.run("run-1", status="completed", ended_at=at(100))
    until_its_end: dict[str, Any] = {"run_id": "run-1", "state": "resolved", "ended_at": at(100)}
    stored.period(1, **until_its_end, severity="critical", state_by="ada")
    stored.period(2, **until_its_end | {"ended_at": at(99)}, severity="critical")
    stored.series(1, "loss", run_id="run-1")
    assert told(health(api)) == ("healthy", False, [])
    stored.period(3, **until_its_end, flag_count=20, first_step=80, **NAN)
    assert told(health(api)) == (
        "critical",
        False,
        ["loss was not finite 20 times from step 80 on, first NaN"],
    )
    assert api.get("/api/v1/runs/run-1/health", fail_on="critical").status_code == 503


@pytest.mark.parametrize("status", ["failed", "stalled"])
def test_a_run_that_failed_or_stalled_is_critical(stored: Stored, api: Api, status: str) -> None:
    stored.run("run-1", status=status, stalled_at=at(8), ended_at=at(8))
    found = health(api)
    assert found["verdict"] == "critical"
    [reason] = found["reasons"]
    assert (reason["period_id"], reason["since"]) == (None, "2026-11-23T10:00:08.000000000Z")


STOPS: list[tuple[dict[str, Any], bool]] = [
    ({**NAN, "flag_count": NON_FINITE_FLAGS_MIN}, True),
    ({**NAN, "flag_count": NON_FINITE_FLAGS_MIN, "metric": "val_loss"}, True),
    # Mixed precision overflows for a step or a few; a norm of gradients may, without harm.
    ({**NAN, "flag_count": NON_FINITE_FLAGS_MIN - 1}, False),
    ({**NAN, "flag_count": 1000, "metric": "gradient_norm"}, False),
    ({"detector": "drift", "severity": "critical"}, True),
    ({"detector": "drift", "severity": "warning"}, False),
    # A model that over-fits has a checkpoint that does not.
    ({"detector": "drift", "severity": "critical", "metric": "val_loss"}, False),
    ({"detector": "ewma", "severity": "critical", "flag_count": 1000}, False),
]


@pytest.mark.parametrize(("period", "stops"), STOPS)
def test_only_what_no_training_recovers_from_stops_it(
    stored: Stored, api: Api, period: dict[str, Any], stops: bool
) -> None:
    stored.run("run-1")
    stored.period(1, run_id="run-1", **period)
    assert health(api)["should_stop"] is stops
    stored.conn.execute("update crucible.runs set status = 'early_stopped'")
    assert not health(api)["should_stop"]


def test_a_loss_that_is_not_finite_is_told_with_its_count(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.period(1, run_id="run-1", flag_count=41, first_step=812, **NAN)
    stored.period(2, run_id="run-1", flag_count=1, first_step=3, **NAN)
    assert told(health(api)) == (
        "critical",
        True,
        [
            "loss was not finite 41 times from step 812 on, first NaN",
            "loss was NaN at step 3",
        ],
    )


def test_whoever_looks_at_the_status_only_is_told_by_it(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    path = "/api/v1/runs/run-1/health"

    def statuses() -> list[int]:
        return [api.get(path, fail_on=each).status_code for each in ("warning", "critical")]

    assert statuses() == [200, 200]
    stored.period(1, run_id="run-1", severity="warning")
    assert statuses() == [503, 200]
    stored.period(2, run_id="run-1", severity="critical")
    assert statuses() == [503, 503]
    error = Failure.model_validate(api.get(path, fail_on="critical").json()).error
    assert error.code == "unhealthy"
    assert error.message == "critical: loss was 5; loss was 5"
    assert error.details["verdict"] == "critical"
    assert api.get(path).status_code == 200
    assert api.get(path, fail_on="info").status_code == 422


def test_an_answer_is_the_same_until_something_changes(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    path = "/api/v1/runs/run-1/health"
    first = api.client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    again = api.client.get(path, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    stored.period(1, run_id="run-1")
    changed = api.client.get(path, headers=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_an_experiment_is_as_well_as_all_of_its_runs(stored: Stored, api: Api) -> None:
    stored.experiment("sweep")
    assert health(api, "experiments/sweep")["verdict"] == "healthy"
    stored.period(1, run_id="run-1", experiment_id="sweep", severity="warning")
    stored.period(2, run_id="run-2", experiment_id="sweep", severity="critical")
    stored.period(3, run_id="run-3", experiment_id="other", severity="critical")
    found = health(api, "experiments/sweep")
    assert found["verdict"] == "critical"
    assert [each["run_id"] for each in found["reasons"]] == ["run-1", "run-2"]
    failing = api.get("/api/v1/experiments/sweep/health", fail_on="critical")
    assert failing.status_code == 503


@pytest.mark.parametrize("path", ["runs/nobody", "experiments/nobody"])
def test_nobody_has_no_health(api: Api, path: str) -> None:
    assert api.get(f"/api/v1/{path}/health").status_code == 404

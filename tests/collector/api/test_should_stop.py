"""What the API says of a run is what `should_stop()` tells the training: SDK and API, over a socket."""

from __future__ import annotations

import math

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults, health
from sdk.verdicts import wait_for
from stored import Api, Stored

TEXT = "loss was not finite 41 times from step 812 on, first NaN"


def test_a_training_is_told_what_the_api_answers(
    stored: Stored, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "INTERVAL_S", 0.01)
    stored.run("run-1")
    faults.reset()
    crucible.configure(
        "t", endpoint="http://127.0.0.1:1", spool_dir="", api=str(api.client.base_url)
    )
    try:
        with crucible.training(run_id="run-1") as training:
            assert not training.should_stop()
            stored.period(
                1,
                run_id="run-1",
                detector="non_finite",
                severity="critical",
                flag_count=41,
                first_step=812,
                first_value=math.nan,
                peak_value=math.nan,
                peak_score=math.inf,
            )
            wait_for(training)
            told = training.should_stop()
        assert "health" not in faults.counts()
    finally:
        crucible.shutdown(timeout_s=0.1)
    asked = api.ask("/runs/run-1/health")
    assert (told.verdict, told.should_stop) == (asked["verdict"], asked["should_stop"])
    assert [reason.text for reason in told.reasons] == [TEXT]
    (reason,) = asked["reasons"]
    assert told.reasons[0].period_id == reason["period_id"]
    assert told.reasons[0].since == reason["since"]

"""Pipelines that do not complete, or not at once: failed, tried again, skipped, cancelled."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.trace import StatusCode

import crucible_telemetry as crucible
from crucible_telemetry.testing import capture
from sdk.registered import assert_registered, only
from sdk.staged import PIPELINE, STAGE, stages


def test_a_stage_that_is_tried_again_after_a_failure_counts_its_attempts() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        for _ in range(3):
            try:
                with pipeline.stage("download") as stage:
                    if stage.attempt < 3:
                        raise OSError("connection reset")
            except OSError:
                continue
        with pipeline.stage("download"):
            pass
    assert stages(captured) == [
        ("download", 0, 1, "error"),
        ("download", 0, 2, "error"),
        ("download", 0, 3, "ok"),
        ("download", 0, 1, "ok"),
    ]
    assert only(captured, f"{PIPELINE}.stop").attributes["crucible.status"] == "completed"


def test_an_exception_fails_the_stage_and_the_pipeline_which_says_where() -> None:
    with (
        capture() as captured,
        crucible.experiment("sweep"),
        pytest.raises(ValueError, match="boom"),
        crucible.pipeline("p") as pipeline,
    ):
        with pipeline.stage("load"):
            pass
        with pipeline.stage("train"), crucible.stage("inner"):
            raise ValueError("boom")
    assert_registered(captured)
    assert [event.name for event in captured.events[-4:-1]] == [
        f"{STAGE}.exception",
        f"{STAGE}.exception",
        f"{PIPELINE}.exception",
    ]
    failed = only(captured, f"{PIPELINE}.exception")
    assert failed.attributes["crucible.pipeline.failed_stage"] == "train"
    assert failed.attributes["crucible.error.reason"] == "boom"
    assert failed.attributes["crucible.status"] == "failed"
    assert failed.measurements["stages_completed"] == 1


def test_an_exception_outside_the_stages_names_none_of_them() -> None:
    with capture() as captured, pytest.raises(KeyError), crucible.pipeline("p") as pipeline:
        with pytest.raises(ValueError, match="boom"), pipeline.stage("train"):
            raise ValueError("boom")
        raise KeyError("elsewhere")
    failed = only(captured, f"{PIPELINE}.exception")
    assert "crucible.pipeline.failed_stage" not in failed.attributes


def test_a_stage_can_say_that_it_failed_and_then_so_did_the_pipeline() -> None:
    with capture() as captured, crucible.experiment("e"), crucible.pipeline("p") as pipeline:
        with pipeline.stage("load") as stage:
            stage.fail("no rows")
    stop, end = only(captured, f"{STAGE}.stop"), only(captured, f"{PIPELINE}.stop")
    assert_registered(captured)
    assert stop.span.status.status_code is StatusCode.UNSET
    assert (stop.attributes["crucible.status"], end.attributes["crucible.status"]) == (
        "error",
        "failed",
    )
    assert end.attributes["crucible.pipeline.failed_stage"] == "load"
    assert end.attributes["crucible.error.reason"] == "no rows"


def test_a_later_attempt_that_succeeds_makes_up_for_a_failure() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        for _ in range(2):
            with pipeline.stage("load") as stage:
                if stage.attempt == 1:
                    stage.fail(OSError("connection reset"))
    assert stages(captured) == [("load", 0, 1, "error"), ("load", 0, 2, "ok")]
    first = captured.named(f"{STAGE}.stop")[0]
    assert first.attributes["crucible.error.reason"] == "OSError: connection reset"
    assert only(captured, f"{PIPELINE}.stop").attributes["crucible.status"] == "completed"


def test_a_pipeline_can_say_that_it_failed() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        pipeline.fail("accuracy below 0.9")
    end = only(captured, f"{PIPELINE}.stop")
    assert end.attributes["crucible.status"] == "failed"
    assert end.attributes["crucible.error.reason"] == "accuracy below 0.9"


def test_a_skipped_stage_says_why_and_is_not_completed() -> None:
    with capture() as captured, crucible.experiment("e"), crucible.pipeline("p") as pipeline:
        with pipeline.stage("download") as stage:
            stage.skip("it is in the cache")
    assert_registered(captured)
    stop = only(captured, f"{STAGE}.stop")
    assert stop.attributes["crucible.status"] == "skipped"
    assert stop.attributes["crucible.error.reason"] == "it is in the cache"
    assert only(captured, f"{PIPELINE}.stop").measurements["stages_completed"] == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(0)])
def test_what_is_cancelled_has_not_failed(error: BaseException) -> None:
    with (
        capture() as captured,
        crucible.experiment("e"),
        pytest.raises(type(error)),
        crucible.pipeline("p") as pipeline,
    ):
        with pipeline.stage("train"):
            raise error
    ends = [only(captured, f"{scope}.stop") for scope in (STAGE, PIPELINE)]
    assert_registered(captured)
    for end in ends:
        assert end.attributes["crucible.status"] == "cancelled"
        assert end.attributes["crucible.error.reason"].endswith(type(error).__name__)

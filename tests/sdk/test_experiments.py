"""Experiments: what is known of them, pauses, and being given up."""

from __future__ import annotations

import json
import threading

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import Captured, capture
from sdk.registered import assert_registered, only

START, STOP = "crucible_telemetry.experiment.start", "crucible_telemetry.experiment.stop"
PAUSED, RESUMED = "crucible_telemetry.experiment.paused", "crucible_telemetry.experiment.resumed"


def course(captured: Captured) -> list[tuple[str, str]]:
    return [
        (event.name.rpartition(".")[2], event.attributes["crucible.experiment.status"])
        for event in captured.events
        if event.name.startswith("crucible_telemetry.experiment")
    ]


def test_an_experiment_tells_what_is_known_of_it_at_once() -> None:
    with capture() as captured:
        with crucible.experiment(
            "sweep",
            hypothesis="it helps",
            condition="a",
            tags=["mlp"],
            owner="vision",
            experiment_type="ablation",
            metadata={"ticket": "ML-42"},
        ):
            pass
    assert_registered(captured)
    for event in captured.events:
        assert event.attributes["crucible.experiment.hypothesis"] == "it helps"
        assert event.attributes["crucible.experiment.tags"] == ("mlp",)
        assert event.attributes["crucible.experiment.owner"] == "vision"
        assert event.attributes["crucible.experiment.type"] == "ablation"
        assert json.loads(event.attributes["crucible.experiment.metadata"]) == {"ticket": "ML-42"}


def test_pauses_are_told_and_time_is_told_apart_by_them() -> None:
    with capture() as captured, crucible.experiment("e") as experiment:
        for reason in ("the GPU is needed elsewhere", None):
            experiment.pause(reason)
            assert experiment.is_paused
            experiment.resume()
        with experiment.paused("lunch"):
            assert experiment.is_paused
        assert not experiment.is_paused
    assert_registered(captured)
    assert course(captured) == [
        ("start", "running"),
        *(("paused", "paused"), ("resumed", "running")) * 3,
        ("stop", "stopped"),
    ]
    reasons = [
        event.attributes.get("crucible.experiment.pause_reason") for event in captured.named(PAUSED)
    ]
    assert reasons == ["the GPU is needed elsewhere", None, "lunch"]
    assert [event.measurements["pause_count"] for event in captured.named(PAUSED)] == [1, 2, 3]
    stop = only(captured, STOP)
    each = [event.measurements["paused_duration"] for event in captured.named(RESUMED)]
    assert stop.measurements["paused_duration"] == sum(each) > 0
    assert stop.measurements["pause_count"] == 3
    total = stop.measurements["active_duration"] + stop.measurements["paused_duration"]
    # The clock of `capture` moves a millisecond at each reading, and is read once more for the span.
    assert abs(total - stop.duration_ns) <= 1_000_000
    for event, lasted in zip(captured.named(RESUMED), each, strict=True):
        paused = captured.named(PAUSED)[event.measurements["pause_count"] - 1]
        assert (event.span.start_time or 0) - (paused.span.start_time or 0) == lasted


def test_an_experiment_that_ends_while_paused_was_paused_to_its_end() -> None:
    with capture() as captured, crucible.experiment("e") as experiment:
        experiment.pause()
        experiment.log(score=1.0)
    stop = only(captured, STOP)
    assert stop.measurements["paused_duration"] >= 1_000_000
    assert stop.attributes["crucible.experiment.status"] == "stopped"


def test_what_comes_out_of_order_is_counted_and_changes_nothing() -> None:
    experiment = crucible.experiment("e")
    with capture() as captured:
        experiment = crucible.experiment("e")
        experiment.pause()
        with experiment:
            experiment.resume()
            experiment.pause()
            experiment.pause()
            with experiment.paused():
                pass
            assert experiment.is_paused  # not the block's to end
        experiment.resume()
        experiment.abort()
    assert [name for name, _ in course(captured)] == ["start", "paused", "stop"]
    assert crucible.counts()["fault.out_of_order"] == 6


def test_an_aborted_experiment_ends_with_all_that_is_open_in_it() -> None:
    seen = []
    with capture() as captured, crucible.experiment("e") as experiment:
        with experiment.pipeline("p") as pipeline, pipeline.stage("train"):
            with experiment.training() as training:
                for epoch in training.epochs(5):
                    seen.append(epoch.index)
                    with epoch.batch():
                        experiment.abort("the data set was wrong")
    assert seen == [0]
    assert_registered(captured, but=frozenset())
    ends = {
        event.name: event.attributes.get("crucible.status")
        for event in captured.events
        if not event.name.endswith(".start")
    }
    assert ends == {
        "crucible_train.batch.stop": "cancelled",
        "crucible_train.epoch.stop": "cancelled",
        "crucible_train.training.stop": "cancelled",
        "crucible_framework.stage.stop": "cancelled",
        "crucible_framework.pipeline.stop": "cancelled",
        STOP: None,
    }
    stop = only(captured, STOP)
    assert stop.attributes["crucible.experiment.aborted"] is True
    assert stop.attributes["crucible.experiment.abort_reason"] == "the data set was wrong"
    assert stop.attributes["crucible.experiment.status"] == "stopped"
    for name in ("crucible_train.training.stop", "crucible_framework.pipeline.stop"):
        assert only(captured, name).attributes["crucible.error.reason"] == "the data set was wrong"


def test_another_thread_may_abort() -> None:
    with capture() as captured, crucible.experiment("e") as experiment:
        with crucible.training() as training:
            watchdog = threading.Thread(target=experiment.abort, args=("out of budget",))
            for epoch in training.epochs(100):
                if epoch.index == 2:
                    watchdog.start()
                    watchdog.join()
    assert epoch.index == 2
    assert only(captured, STOP).attributes["crucible.experiment.abort_reason"] == "out of budget"
    assert len(captured.named("crucible_train.epoch.stop")) == 3


def test_an_experiment_that_was_not_aborted_does_not_say_so() -> None:
    with capture() as captured, pytest.raises(ValueError, match="boom"), crucible.experiment("e"):
        raise ValueError("boom")
    (end,) = captured.named("crucible_telemetry.experiment.exception")
    assert "crucible.experiment.aborted" not in end.attributes
    assert end.measurements["pause_count"] == 0


def test_another_experiment_inside_the_same_story_does_not_take_over_its_condition() -> None:
    with capture(), crucible.extract({"baggage": "crucible.experiment.id=a,crucible.condition=x"}):
        assert crucible.experiment("a")._inherited["crucible.condition"] == "x"
        assert "crucible.condition" not in crucible.experiment("b")._inherited

"""What stages are given: metrics and options, names and reasons, and what cannot be used."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import capture
from sdk.registered import only
from sdk.staged import PIPELINE, STAGE, ends


def test_the_numbers_that_a_stage_changed_are_told_with_their_difference() -> None:
    metrics: dict[str, Any] = {"accuracy": 0.5, "steps": 10, "kept": 1.0, "note": "text"}
    with capture() as captured, crucible.stage("train", metrics=metrics):
        metrics |= {"accuracy": 0.75, "steps": 30, "loss": 0.125, "note": "more"}
    stop = only(captured, f"{STAGE}.stop")
    assert stop.measurements == {"accuracy": 0.75, "steps": 30, "loss": 0.125}
    delta = json.loads(stop.attributes["crucible.stage.metrics_delta"])
    assert delta == {"accuracy": 0.25, "steps": 20, "loss": 0.125}


def test_the_mapping_may_be_another_one_each_time() -> None:
    ctx = SimpleNamespace(metrics={"loss": 1.0})
    with capture() as captured, crucible.stage("train", metrics=lambda: ctx.metrics):
        ctx = SimpleNamespace(metrics={"loss": 0.5})
    assert only(captured, f"{STAGE}.stop").measurements == {"loss": 0.5}


def test_a_metric_that_is_no_number_any_more_says_so() -> None:
    metrics = {"loss": 1.0}
    with capture() as captured, crucible.stage("train", metrics=metrics):
        metrics["loss"] = math.nan
    stop = only(captured, f"{STAGE}.stop")
    assert math.isnan(stop.measurements["loss"])
    assert json.loads(stop.attributes["crucible.stage.metrics_delta"]) == {"loss": "NaN"}


def test_a_stage_that_changes_nothing_tells_of_no_metrics() -> None:
    with capture() as captured, crucible.stage("train", metrics={"loss": 1.0}):
        pass
    stop = only(captured, f"{STAGE}.stop")
    assert stop.measurements == {}
    assert "crucible.stage.metrics_delta" not in stop.attributes


def test_metrics_that_cannot_be_read_disturb_nothing() -> None:
    def broken() -> dict[str, float]:
        raise RuntimeError("no metrics")

    with capture() as captured, crucible.stage("train", metrics=broken) as stage:
        stage.log(loss=1.0)
    assert only(captured, f"{STAGE}.stop").measurements == {"loss": 1.0}
    assert crucible.counts()["fault.error"] >= 1


def test_only_options_that_are_allowed_are_sent() -> None:
    options = {"lowercase": True, "api_key": "secret"}
    with capture() as captured:
        with crucible.stage("a", options=options, allowed_options=["lowercase", "missing"]):
            pass
        with crucible.stage("b", options=options):
            pass
    told = [event.attributes.get("crucible.stage.options") for event in captured.events]
    assert told == ['{"lowercase":true}'] * 2 + [None] * 2


def test_a_decorated_functions_options_are_its_arguments_and_those_in_opts() -> None:
    @crucible.stage(allowed_options=["vocabulary", "lowercase"])
    def tokenise(text: str, vocabulary: int = 100, opts: dict[str, Any] | None = None) -> None:
        pass

    with capture() as captured:
        tokenise("private", opts={"lowercase": True, "api_key": "secret"})
    options = only(captured, f"{STAGE}.stop").attributes["crucible.stage.options"]
    assert json.loads(options) == {"vocabulary": 100, "lowercase": True}


def test_names_and_reasons_of_any_size_fit_their_columns() -> None:
    with capture() as captured, crucible.pipeline("p" * 500) as pipeline:
        with pipeline.stage("é" * 500) as stage:
            stage.skip("r" * 5000)
    stop = only(captured, f"{STAGE}.stop")
    assert len(stop.attributes["crucible.stage.name"].encode()) <= 256
    assert len(stop.attributes["crucible.pipeline.id"]) <= 256
    assert len(stop.attributes["crucible.error.reason"]) <= 1024


@pytest.mark.parametrize("wrong", [5, object(), b"bytes", [1, 2], lambda: 1])
def test_arguments_of_the_wrong_kind_lose_themselves_and_nothing_else(wrong: Any) -> None:
    with capture() as captured, crucible.pipeline("p", stages=wrong, metrics=wrong) as pipeline:
        for options in ({"metrics": wrong}, {"index": wrong}, {"attempt": wrong}):
            with pipeline.stage("a", **options):
                pass
        with pipeline.stage("b", options=wrong, allowed_options=wrong) as stage:
            stage.skip(wrong)
        with pipeline.stage("c") as stage:
            stage.fail(wrong)
    assert [name for _, name, _ in ends(captured)] == ["a", "a", "a", "b", "c"]
    assert only(captured, f"{PIPELINE}.stop").attributes["crucible.status"] == "failed"


def test_a_name_need_not_be_a_text() -> None:
    with capture() as captured, crucible.pipeline(7), crucible.stage(8):  # type: ignore[call-overload]
        pass
    assert ends(captured) == [("stop", "8", "ok")]


class Unreadable:
    """Raises whatever it is asked."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __iter__(self) -> Any:
        raise RuntimeError("no items")


def test_names_that_cannot_be_read_are_left_out_and_nothing_else() -> None:
    wrong: Any = Unreadable()
    with capture() as captured, crucible.pipeline(wrong, stages=wrong) as pipeline:
        for _, wrong_too in pipeline.loop(wrong, [wrong]):
            with pipeline.stage(wrong_too, allowed_options=wrong):
                pass
        with crucible.stage(wrong):
            pass
    assert [name for _, name, _ in ends(captured)] == ["stage", "stage"]

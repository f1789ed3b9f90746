"""What an instrumented training sends, in memory: names, numbers, steps, traces and links."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import crucible_telemetry as crucible
from crucible_schema import EVENTS, AttributeType, Requirement
from crucible_telemetry.testing import START_UNIX_NS, Captured, Event, capture


def train(*, epochs: int = 2, batches: int = 3, **metadata: Any) -> Captured:
    with capture() as captured, crucible.experiment("sweep", condition="a") as experiment:
        with experiment.training(model_name="mlp", **metadata) as training:
            for epoch in training.epochs(epochs):
                for batch in epoch.batches(range(batches)):
                    batch.log(loss=1.0 / (1 + batch.step), gradient_norm=2.0)
                epoch.log(loss=1.0 / (1 + epoch.index), val_accuracy=0.5 + epoch.index / 10)
            training.checkpoint("model.pt", metrics={"accuracy": 0.97}, size_bytes=12)
    return captured


def only(captured: Captured, name: str) -> Event:
    (event,) = captured.named(name)
    return event


def test_a_training_sends_each_of_its_events_in_order() -> None:
    batch, start, stop = (
        f"crucible_train.{end}" for end in ("batch.stop", "epoch.start", "epoch.stop")
    )
    assert [event.name for event in train(epochs=2, batches=2).events] == [
        "crucible_telemetry.experiment.start",
        "crucible_train.training.start",
        *(start, batch, batch, stop),
        *(start, batch, batch, stop),
        "crucible_train.checkpoint.saved",
        "crucible_train.training.stop",
        "crucible_telemetry.experiment.stop",
    ]


def fail() -> Captured:
    with (
        capture() as captured,
        pytest.raises(ValueError, match="boom"),
        crucible.experiment("sweep"),
    ):
        with crucible.training() as training:
            for epoch in training.epochs(1):
                for batch in epoch.batches(range(3)):
                    batch.log({"optim/entropy": 0.5}, loss=1.0)
                    if batch.step == 1:
                        raise ValueError("boom")
    return captured


PYTHON_TYPES: dict[AttributeType, type] = {
    AttributeType.STRING: str,
    AttributeType.INT: int,
    AttributeType.DOUBLE: float,
    AttributeType.BOOLEAN: bool,
    AttributeType.STRINGS: tuple,
}


@pytest.mark.parametrize("scenario", ["completed", "failed"])
def test_everything_sent_is_in_the_registry_with_its_type_and_nothing_required_is_missing(
    scenario: str,
) -> None:
    metadata: dict[str, Any] = {
        "dataset_name": "digits", "learning_rate": 1, "seed": 3, "early_stopping": {"patience": 2},
        "mixed_precision": False, "metrics": ["loss"], "config": {"hidden": 64},
    }  # fmt: skip
    captured = train(**metadata) if scenario == "completed" else fail()
    for event in captured.events:
        definition = EVENTS[event.name]
        uses = {use.attribute.key: use for use in definition.attributes}
        attributes = {**(event.span.resource.attributes or {}), **event.attributes}
        for key, value in attributes.items():
            assert isinstance(value, PYTHON_TYPES[uses[key].attribute.type]), (event.name, key)
        for exception in event.span.events:
            attributes |= exception.attributes or {}
        required = {key for key, use in uses.items() if use.requirement is Requirement.REQUIRED}
        assert required <= set(attributes), event.name
        measured = {
            use.measurement.name
            for use in definition.measurements
            if use.requirement is Requirement.REQUIRED
        }
        assert measured <= set(event.measurements), event.name


def test_steps_count_through_the_run_and_batches_through_the_epoch() -> None:
    batches = train(epochs=2, batches=3).named("crucible_train.batch.stop")
    assert [batch.attributes["crucible.step"] for batch in batches] == [0, 1, 2, 3, 4, 5]
    assert [batch.attributes["crucible.batch.index"] for batch in batches] == [0, 1, 2, 0, 1, 2]
    assert [batch.attributes["crucible.epoch"] for batch in batches] == [0, 0, 0, 1, 1, 1]


def test_a_resumed_run_goes_on_counting() -> None:
    with capture() as captured, crucible.training(first_step=100) as training:
        for epoch in training.epochs(6, start=5):
            for _ in epoch.batches("ab"):
                pass
            with epoch.batch(step=500):
                pass
            with epoch.batch():
                pass
    batches = captured.named("crucible_train.batch.stop")
    assert [batch.attributes["crucible.step"] for batch in batches] == [100, 101, 500, 501]
    assert only(captured, "crucible_train.epoch.stop").attributes["crucible.epoch"] == 5


def test_an_epoch_has_the_step_of_its_last_batch_so_that_curves_share_an_axis() -> None:
    epochs = train(epochs=2, batches=3).named("crucible_train.epoch.stop")
    assert [epoch.attributes["crucible.step"] for epoch in epochs] == [2, 5]
    assert [epoch.measurements["steps"] for epoch in epochs] == [3, 3]


def test_epochs_without_batches_are_their_own_axis() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(2):
            epoch.log(loss=1.0)
    epochs = captured.named("crucible_train.epoch.stop")
    assert [epoch.attributes["crucible.step"] for epoch in epochs] == [0, 1]


def test_each_batch_carries_what_the_loader_gave() -> None:
    with capture(), crucible.training() as training:
        for epoch in training.epochs(1):
            assert [batch.data for batch in epoch.batches(["x", "y"])] == ["x", "y"]


def test_training_and_epochs_have_traces_of_their_own_joined_by_links_and_ids() -> None:
    captured = train(epochs=2, batches=1)
    experiment = only(captured, "crucible_telemetry.experiment.stop").span
    training = only(captured, "crucible_train.training.stop").span
    epochs = [event.span for event in captured.named("crucible_train.epoch.stop")]
    batches = [event.span for event in captured.named("crucible_train.batch.stop")]
    roots = [experiment, training, *epochs]
    assert all(span.parent is None for span in roots)
    assert len({span.context.trace_id for span in roots}) == 4
    assert [link.context for link in training.links] == [experiment.context]
    assert [[link.context for link in epoch.links] for epoch in epochs] == [[training.context]] * 2
    assert [batch.parent for batch in batches] == [epoch.context for epoch in epochs]
    assert only(captured, "crucible_train.checkpoint.saved").span.parent == training.context
    correlation = f"{experiment.context.trace_id:032x}"
    for event in captured.events:
        assert event.attributes["crucible.correlation.id"] == correlation
        assert event.attributes["crucible.experiment.id"] == "sweep"
        assert event.attributes["crucible.condition"] == "a"
    assert {event.attributes.get("crucible.run.id") for event in captured.events} == {None, "run-1"}


def test_a_start_marker_is_sent_before_anything_happens_inside() -> None:
    with capture() as captured, crucible.training(model_name="mlp") as training:
        marker = only(captured, "crucible_train.training.start")
        assert marker.duration_ns == 0
        assert marker.attributes["crucible.model.name"] == "mlp"
        assert marker.attributes["crucible.run.id"] == training.run_id


def test_durations_are_the_spans_and_times_are_the_clocks() -> None:
    captured = train(epochs=1, batches=1)
    assert only(captured, "crucible_telemetry.experiment.stop").span.start_time == START_UNIX_NS
    assert only(captured, "crucible_train.batch.stop").duration_ns > 0
    for event in captured.events:
        assert not any("duration" in key for key in event.attributes), event.name
    training = only(captured, "crucible_train.training.stop")
    epoch = only(captured, "crucible_train.epoch.stop")
    assert training.duration_ns > epoch.duration_ns > 0


def test_a_training_ends_with_its_summary() -> None:
    stop = only(train(epochs=3, batches=2), "crucible_train.training.stop")
    assert stop.attributes["crucible.status"] == "completed"
    assert stop.measurements == {
        "total_epochs": 3,
        "total_steps": 6,
        "final_loss": pytest.approx(1 / 3),
    }
    assert stop.attributes["crucible.training.best_epoch"] == 2
    assert stop.attributes["crucible.training.best_metrics"].startswith('{"loss":0.333')
    assert stop.attributes["crucible.training.checkpoint_uris"] == ("model.pt",)


def test_the_best_epoch_is_the_first_best_by_validation_and_never_a_nan() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch, val_loss in zip(training.epochs(4), [math.nan, 0.2, 0.2, 0.3], strict=False):
            epoch.log(val_loss=val_loss, loss=-epoch.index)
    stop = only(captured, "crucible_train.training.stop")
    assert stop.attributes["crucible.training.best_epoch"] == 1


def test_the_final_loss_is_the_last_batchs_where_epochs_log_none() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            for batch in epoch.batches(range(3)):
                batch.log(loss=batch.index, accuracy=0.5)
    stop = only(captured, "crucible_train.training.stop")
    assert stop.measurements["final_loss"] == 2
    assert stop.measurements["final_accuracy"] == 0.5


def test_a_checkpoint_tells_its_size_step_epoch_and_metrics(tmp_path: Any) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"12345")
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            with epoch.batch():
                pass
            training.checkpoint(
                file, name="best", kind="state", metrics={"accuracy": 0.9}, duration_s=0.5
            )
    saved = only(captured, "crucible_train.checkpoint.saved")
    assert saved.measurements == {"model_size_bytes": 5, "accuracy": 0.9}
    assert saved.duration_ns == 500_000_000
    expected = {
        "crucible.checkpoint.path": str(file),
        "crucible.checkpoint.name": "best",
        "crucible.checkpoint.kind": "state",
        "crucible.step": 0,
        "crucible.epoch": 0,
    }
    assert saved.attributes | expected == saved.attributes


def test_what_is_known_late_can_be_told_late() -> None:
    with capture() as captured, crucible.training() as training:
        training.describe(final_model_version=4, patience=3)
    stop = only(captured, "crucible_train.training.stop")
    assert stop.attributes["crucible.training.final_model_version"] == "4"
    assert stop.attributes["crucible.training.patience"] == 3


def test_the_rank_comes_from_torchruns_environment_unless_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "3")
    with capture() as alone, crucible.training():
        pass
    monkeypatch.setenv("WORLD_SIZE", "8")
    with capture() as launched, crucible.training():
        pass
    with capture() as given, crucible.training(rank=5):
        pass
    ranks = [run.spans[-1].attributes or {} for run in (alone, launched, given)]
    assert [rank.get("crucible.rank") for rank in ranks] == [None, 3, 5]


def test_processes_that_name_one_experiment_share_its_id_unless_told_otherwise() -> None:
    with capture():
        assert crucible.experiment("lr-sweep").experiment_id == "lr-sweep"
        assert crucible.experiment("lr-sweep", experiment_id="e-7").experiment_id == "e-7"


def test_a_training_anywhere_inside_an_experiment_belongs_to_it() -> None:
    with capture() as captured, crucible.experiment("outer"), crucible.training() as training:
        with training.epoch() as epoch, epoch.batch(), crucible.training(run_id="inner"):
            pass
    inner = captured.named("crucible_train.training.stop")[0]
    assert inner.attributes["crucible.run.id"] == "inner"
    assert inner.attributes["crucible.experiment.id"] == "outer"
    assert "crucible.epoch" not in inner.attributes


def test_a_training_needs_no_experiment() -> None:
    with capture() as captured, crucible.training():
        pass
    stop = only(captured, "crucible_train.training.stop")
    assert "crucible.experiment.id" not in stop.attributes
    assert stop.attributes["crucible.correlation.id"] == f"{stop.span.context.trace_id:032x}"


def test_numpy_counts_are_sent_as_what_they_are() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(np.int64(2)):  # type: ignore[arg-type]
            epoch.log(loss=1.0)
    for name in ("crucible_train.epoch.stop", "crucible_train.training.stop"):
        assert {event.attributes["crucible.training.epochs"] for event in captured.named(name)} == {
            2
        }


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1, "long", object()])
def test_a_checkpoint_of_no_known_length_is_sent(wrong: Any) -> None:
    with capture() as captured, crucible.training() as training:
        training.checkpoint(b"model.pt", duration_s=wrong)  # type: ignore[arg-type]
    assert only(captured, "crucible_train.checkpoint.saved").measurements.get("duration", 0) == 0

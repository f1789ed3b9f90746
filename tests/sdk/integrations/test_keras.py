"""The Keras callback, on a dense model and made-up numbers, with PyTorch beneath Keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crucible_telemetry as crucible
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import (
    ITS_OWN_WARNINGS,
    adapter,
    assert_measured,
    check_run,
    library,
    only,
)
from sdk.verdicts import hopeless, statuses, wait_for

library("torch")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = library("keras")
adapted = adapter("keras")

pytestmark = ITS_OWN_WARNINGS

INPUTS = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
TARGETS = INPUTS.sum(axis=1, keepdims=True)


def model() -> Any:
    keras.utils.set_random_seed(0)
    built = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)], name="linear")
    built.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return built


def fit(built: Any, **options: Any) -> Any:
    settings = {"epochs": 2, "batch_size": 4, "verbose": 0, "validation_data": (INPUTS, TARGETS)}
    return built.fit(INPUTS, TARGETS, **(settings | options))


def fitted(**options: Any) -> Captured:
    with capture() as captured:
        fit(instrument(model()), **options)
    return captured


class Fails(keras.callbacks.Callback):  # type: ignore[name-defined]
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1:
            raise RuntimeError("boom")


def test_a_fit_is_told_step_by_step() -> None:
    captured = fitted()
    check_run(
        captured,
        epochs=2,
        batches=6,
        batch_numbers=("loss", "mean_absolute_error"),
        epoch_numbers=("loss", "val_loss", "val_mean_absolute_error", "learning_rate"),
    )
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.model.name"] == "linear"
    assert start.attributes["crucible.training.loss_function"] == "mse"
    assert start.attributes["crucible.training.learning_rate"] == pytest.approx(0.1)


def test_the_callback_by_itself_tells_the_same() -> None:
    with capture() as captured:
        fit(model(), callbacks=[adapted.CrucibleCallback()])
    assert [event.name for event in captured.events] == [event.name for event in fitted().events]


def test_a_callback_that_is_there_is_not_joined_by_another() -> None:
    with capture() as captured:
        fit(instrument(model()), callbacks=[adapted.CrucibleCallback(run_id="mine")])
    assert check_run(captured, epochs=2, batches=6).attributes["crucible.run.id"] == "mine"


def own_list(watched: Any, *callbacks: Any) -> Any:
    return keras.callbacks.CallbackList(list(callbacks), add_history=True, model=watched, epochs=2)


def test_a_list_of_callbacks_of_keras_own_tells_if_ours_is_in_it() -> None:
    watched = instrument(model())
    with capture() as captured:
        fit(watched, callbacks=own_list(watched, adapted.CrucibleCallback()))
    check_run(captured, epochs=2, batches=6)


def test_a_list_of_callbacks_of_keras_own_without_ours_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = instrument(model())
    with capture() as captured:
        fit(watched, callbacks=own_list(watched))
    assert captured.events == []
    assert "CallbackList without a CrucibleCallback" in caplog.text


def test_checkpoints_are_told_with_where_they_are(tmp_path: Path) -> None:
    full = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    weights = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True
    )
    saved = fitted(callbacks=[full, weights]).named("crucible_train.checkpoint.saved")
    told = {
        Path(event.attributes["crucible.checkpoint.path"]).name: event.attributes[
            "crucible.checkpoint.kind"
        ]
        for event in saved
    }
    assert told == {
        "1.keras": "state", "2.keras": "state",
        "1.weights.h5": "sampler", "2.weights.h5": "sampler",
    }  # fmt: skip
    assert all(event.measurements["model_size_bytes"] > 100 for event in saved)


def test_a_failure_is_told_and_raised() -> None:
    with capture() as captured, pytest.raises(RuntimeError, match="boom"):
        fit(instrument(model()), callbacks=[Fails()])
    end = check_run(captured, epochs=1, batches=2, batch_numbers=(), status="failed")
    assert end.attributes["crucible.error.reason"] == "boom"


def test_a_fit_that_is_asked_to_stop_has_stopped_early() -> None:
    stops = keras.callbacks.EarlyStopping("loss", mode="max")  # it falls
    captured = fitted(epochs=5, callbacks=[stops])
    check_run(captured, epochs=2, batches=6, status="early_stopped")


def test_fit_returns_what_it_always_did_and_comes_to_the_same() -> None:
    plain = fit(model())
    with capture():
        watched = fit(instrument(instrument(model())))
    assert watched.history == plain.history


def test_wrong_arguments_get_the_words_of_keras() -> None:
    with capture() as captured, pytest.raises(TypeError, match="no_such_argument"):
        instrument(model()).fit(INPUTS, no_such_argument=1)
    assert captured.events == []


def test_nothing_is_left_on_the_model_but_the_watch_on_fit(tmp_path: Path) -> None:
    with capture():
        watched = instrument(model())
        fit(watched)
    assert not {"save", "save_weights"} & set(vars(watched))
    watched.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").name == "linear"


def test_an_open_training_is_filled_in_and_left_open() -> None:
    with capture() as captured, crucible.training(run_id="mine", model_name="linear") as training:
        fit(instrument(model()))
        training.log(perplexity=3.0)
    end = check_run(captured, epochs=2, batches=6)
    assert end.attributes["crucible.run.id"] == "mine"
    assert_measured(end, ("perplexity",))


@pytest.mark.parametrize("stops_early", [True, False])
def test_a_fit_that_nothing_can_save_ends_where_that_was_asked_for(stops_early: bool) -> None:
    callback = adapted.CrucibleCallback(stops_early=stops_early)

    class Waits(keras.callbacks.Callback):  # type: ignore[name-defined]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            wait_for(callback.run.training)

    with hopeless() as received:
        history = fit(model(), callbacks=[Waits(), callback])
    assert len(history.epoch) == (1 if stops_early else 2)
    assert received.names.count("crucible_train.batch") == (1 if stops_early else 6)
    assert statuses(received) == ["early_stopped" if stops_early else "completed"]

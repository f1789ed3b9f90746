"""What all adapters share: callbacks, a logger, the names of numbers, methods under watch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.logger import CrucibleLogger
from crucible_telemetry.integrations.metric_names import standard_name, standard_names
from crucible_telemetry.integrations.watched import is_watched, watch, watching
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import assert_measured, check_run, only


def train(callbacks: TrainingCallbacks, **options: Any) -> None:
    callbacks.on_train_start({"hidden": 8}, epochs=2, **options)
    for epoch in range(2):
        callbacks.on_epoch_start(epoch)
        for index in range(3):
            callbacks.on_batch_start()
            callbacks.on_batch_end(None, {"train_loss": 1.0 / (1 + index)})
        callbacks.on_epoch_end({"val_loss": 0.5})
    callbacks.on_checkpoint("model.pt", size_bytes=12)
    callbacks.on_train_end()


def trained(**options: Any) -> Captured:
    with capture() as captured:
        train(TrainingCallbacks(model_name="mlp"), **options)
    return captured


def test_callbacks_tell_a_training() -> None:
    captured = trained()
    end = check_run(captured, epochs=2, batches=6)
    assert end.measurements["total_steps"] == 6
    assert only(captured, "crucible_train.checkpoint.saved")
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.training.config"] == '{"hidden":8}'


def test_an_epoch_without_a_loss_has_the_mean_of_its_batches() -> None:
    epochs = trained().named("crucible_train.epoch.stop")
    assert epochs[0].measurements["loss"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_one_object_tells_one_training_after_another() -> None:
    callbacks = TrainingCallbacks()
    with capture() as captured:
        train(callbacks)
        train(callbacks)
    runs = {
        end.attributes["crucible.run.id"] for end in captured.named("crucible_train.training.stop")
    }
    assert len(runs) == 2


def test_a_training_that_nobody_ended_was_cancelled_when_the_next_begins() -> None:
    callbacks = TrainingCallbacks()
    with capture() as captured:
        callbacks.on_train_start()
        callbacks.on_epoch_start()
        train(callbacks)
    ends = captured.named("crucible_train.training.stop")
    assert [end.attributes["crucible.status"] for end in ends] == ["cancelled", "completed"]


def test_one_training_may_be_filled_in_by_several() -> None:
    with capture() as captured, crucible.training(model_name="mlp"):
        train(TrainingCallbacks())
        train(TrainingCallbacks(), first_step=100)
        callbacks = TrainingCallbacks()
        callbacks.on_train_start()
        callbacks.on_epoch_start(0)
        for step in range(3):
            callbacks.on_batch_end(step, {"loss": 1.0})
        callbacks.on_epoch_end({"val_loss": 0.5})
        callbacks.on_train_end()
    check_run(captured, epochs=5, batches=15)


def test_an_error_ends_everything_that_is_open() -> None:
    callbacks = TrainingCallbacks(model_name="mlp")
    with capture() as captured, pytest.raises(ValueError, match="boom"), callbacks:
        callbacks.on_train_start()
        callbacks.on_batch_start()
        raise ValueError("boom")
    check_run(captured, epochs=1, batches=1, batch_numbers=(), status="failed")


def test_calls_out_of_order_are_no_faults() -> None:
    callbacks = TrainingCallbacks()
    with capture() as captured:
        callbacks.on_epoch_end({"loss": 1.0})
        callbacks.on_batch_end(3, {"loss": 1.0})
        callbacks.on_checkpoint("model.pt")
        callbacks.on_train_end()
        callbacks.on_train_error(ValueError())
    assert captured.events == []
    assert faults.counts() == {}


def test_only_rank_0_tells_what_is_true_of_the_run_as_a_whole() -> None:
    captured = trained(rank=1)
    assert captured.named("crucible_train.checkpoint.saved") == []
    for epoch in captured.named("crucible_train.epoch.stop"):
        assert "val_loss" not in epoch.measurements
        assert epoch.attributes["crucible.rank"] == 1
    with capture() as told:
        train(TrainingCallbacks(all_ranks=True), rank=1)
    assert_measured(told.named("crucible_train.epoch.stop")[0], ("val_loss",))


def test_without_configuration_callbacks_do_nothing() -> None:
    callbacks = TrainingCallbacks()
    train(callbacks)
    assert callbacks.training is None


def test_the_logger_tells_a_run() -> None:
    with capture() as captured, CrucibleLogger(model_name="mlp") as logger:
        logger.log_hparams({"learning_rate": 0.1})
        for step in range(6):
            logger.log_metrics(step, {"train/loss": 1.0, "epoch": step // 3})
        assert logger.run_id == "run-1"
    check_run(captured, epochs=2, batches=6, epoch_numbers=("loss",))
    logger.log_metrics(6, {"loss": 1.0})
    assert len(captured.named("crucible_train.training.start")) == 1


def test_a_number_of_an_epoch_is_the_epochs() -> None:
    with capture() as captured, CrucibleLogger(model_name="mlp") as logger:
        logger.log_metrics(0, {"loss": 1.0, "epoch": 0})
        logger.log_metrics(0, {"train_loss_epoch": 3.0, "epoch": 0})
    assert only(captured, "crucible_train.epoch.stop").measurements["loss"] == 3.0
    assert len(captured.named("crucible_train.batch.stop")) == 1


def test_the_logger_takes_step_and_numbers_in_either_order() -> None:
    logger = CrucibleLogger(model_name="mlp")
    with capture() as captured:
        logger.log_metrics({"loss": 1.0}, 0)
        logger.log_metrics(1, {"loss": 1.0})
        logger.log_metrics({"loss": 1.0})
        logger.close()
    check_run(captured, epochs=1, batches=3, epoch_numbers=("loss",))


def test_a_logger_that_is_closed_with_an_error_tells_a_failure() -> None:
    logger = CrucibleLogger(model_name="mlp")
    with capture() as captured:
        logger.log_metrics(0, {"loss": 1.0})
        logger.close(ValueError("boom"))
    check_run(captured, epochs=1, batches=1, status="failed")


@pytest.mark.parametrize(("name", "standard"), [
    ("train_loss", "loss"), ("train/acc", "accuracy"), ("training_loss", "loss"),
    ("train_loss_step", "loss"), ("train_loss_epoch", "loss"), ("loss", "loss"),
    ("eval_loss", "val_loss"), ("val/loss", "val_loss"), ("valid_acc", "val_accuracy"),
    ("validation.f1", "val_f1"), ("test_loss", "test_loss"), ("lr", "learning_rate"),
    ("grad_norm", "gradient_norm"), ("train_", "train_"), ("optim/entropy", "optim/entropy"),
    ("validity", "validity"), ("epoch", "epoch"),
])  # fmt: skip
def test_frameworks_names_become_the_registrys(name: str, standard: str) -> None:
    assert standard_name(name) == standard


def test_of_two_names_for_one_number_the_second_stays_as_it_was() -> None:
    assert standard_names({"loss": 1, "train_loss": 2}) == {"loss": 1, "train_loss": 2}


class Owner:
    def __init__(self) -> None:
        self.calls: list[int] = []

    def act(self, number: int) -> int:
        self.calls.append(number)
        return number


def test_a_watched_method_is_called_through_what_watches_it() -> None:
    owner = Owner()
    assert watch(owner, "act", lambda plain, number: plain(number + 1))
    assert not watch(owner, "act", lambda plain, number: plain(number + 100))
    assert owner.act(1) == 2
    assert owner.act.__name__ == "act"


def test_a_copy_of_a_watched_object_is_not_watched() -> None:
    owner = Owner()
    watch(owner, "act", lambda plain, number: plain(number + 1))
    for copied in (copy.copy(owner), copy.deepcopy(owner), pickle.loads(pickle.dumps(owner))):
        assert vars(copied).keys() == {"calls"}
        assert copied.act(1) == 1
    assert owner.calls == [1]  # that of the shallow copy, which shares the list


def test_a_method_may_be_watched_for_a_while() -> None:
    owner = Owner()
    with watching(owner, "act", lambda plain, number: plain(number + 1)):
        assert is_watched(owner, "act")
    assert owner.act(1) == 1


def test_what_callbacks_record_belongs_to_the_experiment_around_them() -> None:
    with capture() as captured, crucible.experiment("sweep"):
        train(TrainingCallbacks())
    stop = only(captured, "crucible_train.training.stop")
    assert stop.attributes["crucible.experiment.id"] == "sweep"

"""The Hugging Face callback, on a GPT-2 of two layers trained from scratch on made-up tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import adapter, assert_measured, check_run, library, only
from sdk.verdicts import hopeless, statuses, wait_for

transformers = library("transformers")
torch = library("torch")
library("accelerate")
hf = adapter("transformers")

EXAMPLES = 12  # of batches of 4: 3 steps an epoch


def trainer(tmp_path: Path, *, model: Any = None, callbacks: Any = (), **arguments: Any) -> Any:
    config = transformers.GPT2Config(
        vocab_size=32,
        n_positions=16,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    tokens = torch.randint(0, 32, (EXAMPLES, 8), generator=torch.Generator().manual_seed(0))
    examples = [{"input_ids": row, "labels": row} for row in tokens]
    settings = {
        "output_dir": str(tmp_path), "num_train_epochs": 2, "per_device_train_batch_size": 4,
        "logging_steps": 1, "eval_strategy": "epoch", "save_strategy": "epoch",
        "report_to": [], "use_cpu": True, "disable_tqdm": True, "seed": 7, "max_grad_norm": 1.0,
    }  # fmt: skip
    return transformers.Trainer(
        model=transformers.GPT2LMHeadModel(config) if model is None else model,
        args=transformers.TrainingArguments(**(settings | arguments)),
        train_dataset=examples,
        eval_dataset=examples[:4],
        callbacks=list(callbacks),
    )


def run(tmp_path: Path, **arguments: Any) -> Captured:
    with capture() as captured:
        instrument(trainer(tmp_path, **arguments)).train()
    return captured


def test_a_training_is_told_step_by_step(tmp_path: Path) -> None:
    captured = run(tmp_path)
    end = check_run(
        captured, epochs=2, batches=6, batch_numbers=("loss", "gradient_norm", "learning_rate")
    )
    assert end.measurements["total_steps"] == 6
    assert_measured(end, ("final_loss",))
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.training.seed"] == 7
    assert start.attributes["crucible.training.batch_size"] == 4


def test_checkpoints_are_told_with_their_size(tmp_path: Path) -> None:
    saved = run(tmp_path).named("crucible_train.checkpoint.saved")
    paths = [Path(event.attributes["crucible.checkpoint.path"]) for event in saved]
    # Before version 5 the last one is saved twice, at the end of the step and of the epoch.
    assert list(dict.fromkeys(paths)) == [tmp_path / "checkpoint-3", tmp_path / "checkpoint-6"]
    assert all(event.measurements["model_size_bytes"] > 1000 for event in saved)


def test_numbers_come_as_often_as_the_trainer_logs(tmp_path: Path) -> None:
    captured = run(tmp_path, logging_steps=2)
    measured = [
        "loss" in event.measurements for event in captured.named("crucible_train.batch.stop")
    ]
    assert measured == [False, True] * 3


def test_a_failure_is_told_and_raised(tmp_path: Path) -> None:
    class Fails(transformers.TrainerCallback):  # type: ignore[name-defined]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2:
                raise RuntimeError("boom")

    with capture() as captured, pytest.raises(RuntimeError, match="boom"):
        instrument(trainer(tmp_path, callbacks=[Fails()])).train()
    end = check_run(captured, epochs=1, batches=2, batch_numbers=(), status="failed")
    assert end.attributes["crucible.error.reason"] == "boom"


def test_a_training_that_is_asked_to_stop_has_stopped_early(tmp_path: Path) -> None:
    class Stops(transformers.TrainerCallback):  # type: ignore[name-defined]
        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = True

    with capture() as captured:
        instrument(trainer(tmp_path, callbacks=[Stops()])).train()
    check_run(captured, epochs=1, batches=3, status="early_stopped")


def test_an_open_training_is_filled_in_and_left_open(tmp_path: Path) -> None:
    with capture() as captured, crucible.training(run_id="mine", model_name="gpt") as training:
        instrument(trainer(tmp_path)).train()
        training.log(perplexity=3.0)
    end = check_run(captured, epochs=2, batches=6)
    assert end.attributes["crucible.run.id"] == "mine"
    assert_measured(end, ("perplexity",))


def test_training_comes_to_the_same_with_and_without(tmp_path: Path) -> None:
    transformers.set_seed(3)
    plain = trainer(tmp_path / "plain", eval_strategy="no", save_strategy="no").train()
    transformers.set_seed(3)
    with capture():
        watched = instrument(
            trainer(tmp_path / "watched", eval_strategy="no", save_strategy="no")
        ).train()
    assert watched.training_loss == plain.training_loss


def test_it_is_added_once(tmp_path: Path) -> None:
    with capture():
        built = trainer(tmp_path)
        assert instrument(instrument(built)) is built
    mine = [
        known
        for known in built.callback_handler.callbacks
        if isinstance(known, hf.CrucibleCallback)
    ]
    assert len(mine) == 1


@pytest.mark.parametrize("stops_early", [True, False])
def test_a_training_that_nothing_can_save_ends_where_that_was_asked_for(
    tmp_path: Path, stops_early: bool
) -> None:
    callback = hf.CrucibleCallback(stops_early=stops_early)

    class Waits(transformers.TrainerCallback):  # type: ignore[name-defined]
        def on_step_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
            wait_for(callback.run.training)

    with hopeless() as received:
        trainer(tmp_path, callbacks=[Waits(), callback]).train()
    assert received.names.count("crucible_train.batch") == (1 if stops_early else 6)
    assert statuses(received) == ["early_stopped" if stops_early else "completed"]

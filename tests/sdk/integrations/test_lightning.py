"""The Lightning callback and logger, on a linear model and made-up numbers, under both its names."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

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

torch = library("torch")
lightning = library("lightning.pytorch")
adapted = adapter("lightning")

pytestmark = ITS_OWN_WARNINGS


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request: pytest.FixtureRequest) -> Any:
    return library(request.param)


def module(pl: Any, *, fails_at: int | None = None) -> Any:
    class Linear(pl.LightningModule):
        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(4, 1)

        def loss(self, batch: Any) -> Any:
            return (self.layer(batch[0]) - batch[1]).pow(2).mean()

        def training_step(self, batch: Any, index: int) -> Any:
            if self.global_step == fails_at:
                raise RuntimeError("boom")
            loss = self.loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams["learning_rate"])

    torch.manual_seed(0)
    return Linear()


def loader(count: int = 12) -> Any:
    inputs = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    dataset = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    return torch.utils.data.DataLoader(dataset, batch_size=4)


def trainer(pl: Any, tmp_path: Path, **options: Any) -> Any:
    settings = {
        "max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": tmp_path,
    }  # fmt: skip
    return pl.Trainer(**(settings | options))


def fit(pl: Any, tmp_path: Path, **options: Any) -> Captured:
    with capture() as captured:
        instrument(trainer(pl, tmp_path, **options), gradient_norms=True).fit(
            module(pl), loader(), loader(4)
        )
    return captured


def test_a_fit_is_told_step_by_step(pl: Any, tmp_path: Path) -> None:
    captured = fit(pl, tmp_path)
    check_run(
        captured, epochs=2, batches=6, batch_numbers=("loss", "learning_rate", "gradient_norm")
    )
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.model.name"] == "Linear"
    assert start.attributes["crucible.training.config"] == '{"learning_rate":0.1}'
    assert start.attributes["crucible.training.optimizer"] == "SGD"


def test_the_seed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "")  # put back afterwards, whatever Lightning makes of it
    lightning.seed_everything(7)
    start = only(fit(lightning, tmp_path), "crucible_train.training.start")
    assert start.attributes["crucible.training.seed"] == 7


def test_batches_do_not_repeat_the_validation_before_them(tmp_path: Path) -> None:
    for batch in fit(lightning, tmp_path).named("crucible_train.batch.stop"):
        assert set(batch.measurements) == {"loss", "learning_rate", "gradient_norm"}


def test_every_so_many_steps_are_logged(tmp_path: Path) -> None:
    with capture() as captured:
        instrument(trainer(lightning, tmp_path), every=3).fit(module(lightning), loader())
    batches = captured.named("crucible_train.batch.stop")
    assert ["loss" in batch.measurements for batch in batches] == [True, False, False] * 2


def test_checkpoints_are_told_with_where_they_are(pl: Any, tmp_path: Path) -> None:
    saves = pl.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    captured = fit(pl, tmp_path, enable_checkpointing=True, callbacks=[saves])
    saved = captured.named("crucible_train.checkpoint.saved")
    names = [Path(event.attributes["crucible.checkpoint.path"]).name for event in saved]
    assert names == ["epoch=0.ckpt", "epoch=1.ckpt"]
    assert all(event.measurements["model_size_bytes"] > 100 for event in saved)


def test_a_failure_is_told_and_raised(pl: Any, tmp_path: Path) -> None:
    with capture() as captured, pytest.raises(RuntimeError, match="boom"):
        instrument(trainer(pl, tmp_path)).fit(module(pl, fails_at=2), loader())
    end = check_run(captured, epochs=1, batches=3, batch_numbers=(), status="failed")
    assert end.attributes["crucible.error.reason"] == "boom"


def test_a_fit_that_is_asked_to_stop_has_stopped_early(tmp_path: Path) -> None:
    stops = lightning.callbacks.EarlyStopping("val_loss", stopping_threshold=1e9)
    captured = fit(lightning, tmp_path, callbacks=[stops])
    check_run(captured, epochs=1, batches=3, status="early_stopped")


def test_the_callbacks_of_others_keep_their_order(tmp_path: Path) -> None:
    others = [lightning.callbacks.EarlyStopping("val_loss"), lightning.callbacks.Timer()]
    built = trainer(lightning, tmp_path, callbacks=others, enable_checkpointing=True)
    before = list(built.callbacks)
    instrument(instrument(built))
    mine = [known for known in built.callbacks if isinstance(known, adapted.CrucibleCallback)]
    assert len(mine) == 1
    assert [known for known in built.callbacks if known not in mine] == before
    assert isinstance(built.callbacks[-1], lightning.callbacks.ModelCheckpoint)


def test_a_fit_comes_to_the_same_with_and_without(tmp_path: Path) -> None:
    models = [module(lightning), module(lightning)]
    trainer(lightning, tmp_path).fit(models[0], loader(), loader(4))
    with capture():
        instrument(trainer(lightning, tmp_path)).fit(models[1], loader(), loader(4))
    for plain, watched in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(plain, watched)


def test_an_open_training_is_filled_in_and_left_open(tmp_path: Path) -> None:
    with capture() as captured, crucible.training(run_id="mine", model_name="linear"):
        instrument(trainer(lightning, tmp_path)).fit(module(lightning), loader(), loader(4))
    assert check_run(captured, epochs=2, batches=6).attributes["crucible.run.id"] == "mine"


def test_a_rank_above_zero_tells_its_batches_and_nothing_of_the_run_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = lightning.Trainer
    monkeypatch.setattr(kind, "global_rank", property(lambda _: 1))
    monkeypatch.setattr(kind, "world_size", property(lambda _: 2))
    captured = fit(lightning, tmp_path)
    batches = captured.named("crucible_train.batch.stop")
    assert [batch.attributes["crucible.rank"] for batch in batches] == [1] * 6
    for epoch in captured.named("crucible_train.epoch.stop"):
        assert not any(name.startswith("val_") for name in epoch.measurements)


def test_a_callback_in_use_can_be_copied_as_launchers_do(tmp_path: Path) -> None:
    with capture():
        callback = adapted.CrucibleCallback(run_id="mine")
        callback._run.on_train_start()
        for copied in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
            assert copied._run.training is None
        callback._run.on_train_end()


def test_the_logger_takes_what_lightning_logs(tmp_path: Path) -> None:
    logger = adapted.CrucibleLogger()
    with capture() as captured:
        trainer(lightning, tmp_path, logger=logger, log_every_n_steps=1).fit(
            module(lightning), loader()
        )
    end = only(captured, "crucible_train.training.stop")
    assert end.attributes["crucible.status"] == "completed"
    batches = captured.named("crucible_train.batch.stop")
    assert [batch.attributes["crucible.epoch"] for batch in batches] == [0, 0, 0, 1, 1, 1]
    for event in (*batches, *captured.named("crucible_train.epoch.stop")):
        assert_measured(event, ("loss",))
        assert event.attributes["crucible.run.id"] == logger.version


@pytest.mark.parametrize(
    ("stops_early", "world_size", "batch_count"), [(True, 1, 1), (False, 1, 6), (True, 2, 3)]
)
def test_a_fit_that_nothing_can_save_ends_where_that_was_asked_for(
    pl: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops_early: bool,
    world_size: int,
    batch_count: int,
) -> None:
    class Waits(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            scope = crucible.scope.current_scope.get()
            while not isinstance(scope, crucible.Training):
                assert scope is not None
                scope = scope.parent
            wait_for(scope)

    with hopeless() as received:
        watched = instrument(trainer(pl, tmp_path, callbacks=[Waits()]), stops_early=stops_early)
        if world_size > 1:  # several processes decide together, once an epoch
            monkeypatch.setattr(type(watched), "world_size", property(lambda _: world_size))
        watched.fit(module(pl), loader(), loader(4))
    assert received.names.count("crucible_train.batch") == batch_count
    assert statuses(received) == ["early_stopped" if stops_early else "completed"]

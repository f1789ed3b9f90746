"""PyTorch Lightning: a callback for the Trainer, and a logger for those who log through one.

    trainer = Trainer(callbacks=[CrucibleCallback()])     # or crucible.instrument(trainer)

What a reader could not guess: Lightning keeps the last value of every number it was ever told, so a
batch would repeat the validation before it; what has not changed since then is left out. Steps
count batches, also where gradients are accumulated over several. Checkpoints are noticed at
`Trainer.save_checkpoint`, through which every checkpoint goes, whoever asks for it. Asking Lightning
for what was logged is the dear part of a step, 0.13 of 0.16 ms; `every=50` leaves 0.03. Ranks that
Lightning starts itself share a run only where `run_id=` is given; those of a torchrun job that has an
id share it anyway.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from typing import Any

try:
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:  # the same library under its older name
    import pytorch_lightning as pl
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only

from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.gradients import gradient_norm
from crucible_telemetry.integrations.logger import CrucibleLogger as PlainLogger
from crucible_telemetry.integrations.metric_names import is_of_validation, standard_name
from crucible_telemetry.integrations.watched import unwatch, watch


class CrucibleCallback(pl.Callback):
    """Tells of a fit: `gradient_norms=True` measures those, too; the rest is `TrainingCallbacks`'."""

    def __init__(self, *, gradient_norms: bool = False, **options: Any) -> None:
        super().__init__()
        self._run = TrainingCallbacks(**options)
        self._measures_gradients = gradient_norms
        self._gradient_norm: Any = None
        self._stale: dict[str, Any] = {}

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._stale = {}
        self._run.on_train_start(
            _hyperparameters(pl_module),
            first_step=trainer.fit_loop.total_batch_idx + 1,
            rank=trainer.global_rank if trainer.world_size > 1 else None,
            **_metadata(trainer, pl_module),
        )
        watch(trainer, "save_checkpoint", self._save)

    @guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._stale = dict(trainer.callback_metrics)
        self._run.on_epoch_start(trainer.current_epoch)

    @guarded
    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self._gradient_norm = None
        self._run.on_batch_start(trainer.fit_loop.total_batch_idx)

    @guarded
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if self._measures_gradients and self._run.logs(trainer.fit_loop.total_batch_idx):
            self._gradient_norm = gradient_norm(pl_module.parameters())

    @guarded
    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.fit_loop.total_batch_idx
        numbers = self._of_batch(trainer, outputs) if self._run.logs(step) else None
        self._run.on_batch_end(step, numbers)
        if trainer.world_size == 1 and self._run.should_stop():
            trainer.should_stop = True

    def _of_batch(self, trainer: Any, outputs: Any) -> dict[str, Any]:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        numbers = {"loss": loss, "gradient_norm": self._gradient_norm}
        numbers["learning_rate"] = _learning_rate(trainer)
        numbers = {name: value for name, value in numbers.items() if value is not None}
        for name, value in trainer.callback_metrics.items():
            is_old = self._stale.get(name) is value
            if not is_old and not name.endswith("_epoch") and not is_of_validation(name):
                numbers.setdefault(standard_name(name), value)  # Lightning has some under two
        return numbers

    @guarded
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._run.log(
            {name: value for name, value in self._new(trainer).items() if is_of_validation(name)}
        )
        self._stale = dict(trainer.callback_metrics)

    @guarded
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        numbers = {"learning_rate": _learning_rate(trainer)}
        for name, value in self._new(trainer).items():
            if not name.endswith("_step"):
                numbers.setdefault(standard_name(name), value)
        self._run.on_epoch_end(numbers)
        if trainer.world_size > 1 and self._run.stops_early:
            # All of them or none, or those that go on wait for the others for ever.
            stops = trainer.strategy.reduce_boolean_decision(self._run.should_stop(), all=False)
            trainer.should_stop = trainer.should_stop or stops

    def _new(self, trainer: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in trainer.callback_metrics.items()
            if self._stale.get(name) is not value
        }

    @guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        # Lightning stops at max_epochs by its own rule; what asks for an earlier end sets this.
        self._run.on_train_end(stopped_early=bool(trainer.should_stop))

    @guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._run.on_train_error(exception)

    @guarded
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        unwatch(trainer, "save_checkpoint")

    def _save(self, plain: Any, filepath: Any, *arguments: Any, **options: Any) -> Any:
        start_s = time.perf_counter()
        result = plain(filepath, *arguments, **options)
        self._run.on_checkpoint(filepath, kind="state", duration_s=time.perf_counter() - start_s)
        return result


class CrucibleLogger(Logger):
    """Lightning's logger shape: `Trainer(logger=CrucibleLogger())`, with or without others."""

    def __init__(self, *, run_id: str | None = None, **options: Any) -> None:
        super().__init__()
        # Lightning makes directories by it before there is a run.
        self._run_id = run_id or str(uuid.uuid4())
        self._logger = PlainLogger(run_id=self._run_id, **options)

    @property
    def name(self) -> str:
        return "crucible"

    @property
    def version(self) -> str:
        return self._run_id

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        self._logger.log_hparams(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        self._logger.log_metrics(step, metrics)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self._logger.close(RuntimeError("the fit failed") if status == "failed" else None)


def instrument(trainer: Any, **options: Any) -> Any:
    """Add the callback, in front of those that save checkpoints, which Lightning keeps last."""
    callbacks = trainer.callbacks
    if not any(isinstance(known, CrucibleCallback) for known in callbacks):
        is_last = [isinstance(known, pl.callbacks.Checkpoint) for known in callbacks]
        place = is_last.index(True) if True in is_last else len(callbacks)
        callbacks.insert(place, CrucibleCallback(**options))
    return trainer


def _metadata(trainer: Any, module: Any) -> dict[str, Any]:
    epochs = trainer.max_epochs
    return {
        "model_name": type(module).__name__,
        "epochs": epochs if epochs is not None and epochs > 0 else None,
        "batch_size": getattr(trainer.train_dataloader, "batch_size", None),
        "learning_rate": _learning_rate(trainer),
        "optimizer": type(trainer.optimizers[0]).__name__ if trainer.optimizers else None,
        "seed": int(seed) if (seed := os.environ.get("PL_GLOBAL_SEED", "")).isdecimal() else None,
        "device": str(module.device),
        "mixed_precision": "mixed" in str(trainer.precision),
        "gradient_clipping": trainer.gradient_clip_val,
    }


def _hyperparameters(module: Any) -> dict[str, Any] | None:
    return dict(module.hparams) or None


def _learning_rate(trainer: Any) -> Any:
    return trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else None

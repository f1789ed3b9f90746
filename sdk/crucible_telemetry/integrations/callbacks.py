"""What trainers with callbacks call: a training run by its beginnings and ends.

    callbacks = TrainingCallbacks(model_name="mlp")
    callbacks.on_train_start(config, epochs=10)
    ...
    callbacks.on_epoch_start(0)
    callbacks.on_batch_end(step, {"loss": loss})
    callbacks.on_epoch_end({"val_loss": val_loss})
    callbacks.on_train_end()

Every adapter to a framework speaks through these. What a reader could not guess: inside a
`crucible.training()` that the user has opened they fill in that one, go on with its count of epochs
and steps and leave its end to him; elsewhere they make a run of their own. Of a distributed run every rank tells its own batches; what
is true of the run as a whole, validation and checkpoints, rank 0 alone tells. An epoch whose
trainer tells no loss of it has the mean of those that its batches told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from crucible_telemetry import values
from crucible_telemetry.epoch import Batch, Epoch
from crucible_telemetry.experiment import training as new_training
from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.metric_names import is_of_validation, standard_names
from crucible_telemetry.ranks import rank_of_environment
from crucible_telemetry.scope import Scope, surrounding
from crucible_telemetry.training import Training


class TrainingCallbacks:
    """One training at a time; the same object may be used for another one afterwards."""

    def __init__(
        self,
        *,
        run_id: str | None = None,
        rank: int | None = None,
        every: int = 1,
        all_ranks: bool = False,
        stops_early: bool = False,
        **metadata: Any,
    ) -> None:
        """Take what `crucible.training()` takes, which wins over what a framework knows.

        every: log the numbers of every so many steps. A number on an accelerator is copied to the
            host when it is logged, which waits for the device; the steps between do not wait.
        all_ranks: let ranks above 0 tell validation and checkpoints, too.
        stops_early: end the training where `Training.should_stop()` says that nothing can save it.
        """
        self.every = max(1, values.whole(every))
        self._run_id, self._rank, self._all_ranks = run_id, rank, all_ranks
        self.stops_early = stops_early
        self._metadata = metadata
        self._forget()

    def _forget(self) -> None:
        self.training: Training | None = None
        self.epoch: Epoch | None = None
        self.batch: Batch[None] | None = None
        self._is_own = self._tells_shared = True
        self._step_count = 0
        self._steps_before = self._epochs_before = 0  # in a training that was there already
        self._loss_sum, self._loss_count = 0.0, 0  # of the batches of the epoch that is open

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is open where it is open: launchers pickle callbacks for their processes."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._forget()
        return copy.__dict__

    def logs(self, step: int) -> bool:
        """Whether the numbers of this step are asked for."""
        return step % self.every == 0

    def should_stop(self) -> bool:
        """Whether the training is to end now; never unless `stops_early` says to heed it."""
        training = self.training if self.stops_early else None
        return training is not None and bool(training.should_stop())

    @guarded
    def on_train_start(
        self,
        config: Any = None,
        *,
        first_step: int = 0,
        rank: int | None = None,
        **metadata: Any,
    ) -> None:
        """Begin; `config` is a mapping, dataclass or namespace, sent as JSON."""
        self.on_train_error(GeneratorExit())  # one that nobody ended was left, not failed
        rank = rank if self._rank is None else self._rank
        described = {**metadata, **self._metadata}
        if config is not None:
            described.setdefault("config", config)
        around = surrounding()
        self._is_own = not isinstance(around, Training)
        if isinstance(around, Training):
            self.training = around
            self._steps_before = around.steps.next - first_step
            self._epochs_before = around._next_epoch
            around.describe(**described)
        else:
            self.training = new_training(
                run_id=self._run_id, first_step=first_step, rank=rank, **described
            )
            self.training.open()
        known_rank = rank_of_environment() if rank is None else rank
        self._tells_shared = self._all_ranks or not known_rank
        self._step_count = values.whole(first_step)

    @guarded
    def on_epoch_start(self, epoch: int | None = None) -> None:
        if self.training is not None:
            self._close_epoch(None)
            self._loss_sum, self._loss_count = 0.0, 0
            self.epoch = self.training.epoch(None if epoch is None else self._epochs_before + epoch)
            self.epoch.open()

    @guarded
    def on_batch_start(self, step: int | None = None) -> None:
        """Begin a step, where the trainer tells it; without, a batch begins with its end."""
        if self.training is None:
            return
        if self.epoch is None:
            self.on_epoch_start()
        if self.epoch is not None:
            self._close_batch(None)
            self.batch = self.epoch.batch(step=None if step is None else self._steps_before + step)
            self.batch.open()

    @guarded
    def on_batch_end(
        self, step: int | None = None, metrics: Mapping[str, Any] | None = None
    ) -> None:
        if self.batch is None:
            self.on_batch_start(step)
        if metrics and self.logs(self._step_count if step is None else step):
            self.log(metrics)
        self._step_count = 1 + (self._step_count if step is None else step)
        self._close_batch(None)

    on_step_end = on_batch_end

    @guarded
    def on_batch_error(self, error: BaseException) -> None:
        """End a step that failed in a training that may go on."""
        self._close_batch(error)

    @guarded
    def on_epoch_end(self, metrics: Mapping[str, Any] | None = None) -> None:
        self._close_batch(None)
        self.log(metrics or {})
        self._close_epoch(None)

    @guarded
    def log(self, metrics: Mapping[str, Any]) -> None:
        """Record numbers with the batch that is open, else the epoch, else the training."""
        scope: Scope | None = self.batch or self.epoch or self.training
        told = self._tells_shared
        named = {
            name: value
            for name, value in standard_names(metrics).items()
            if told or not is_of_validation(name)
        }
        if scope is self.batch and "loss" in named:
            loss = named["loss"] = values.number(named["loss"])
            if loss is not None:
                self._loss_sum, self._loss_count = self._loss_sum + loss, self._loss_count + 1
        if scope is not None and named:
            scope.log(named)

    @guarded
    def on_checkpoint(self, path: Any, **details: Any) -> None:
        """Tell of a checkpoint; `details` are those of `Training.checkpoint()`."""
        if self.training is not None and self._tells_shared:
            self.training.checkpoint(path, **details)

    @guarded
    def on_train_end(
        self, result: Mapping[str, Any] | None = None, *, stopped_early: bool = False
    ) -> None:
        """End well; `result` holds last numbers of the run as a whole."""
        self._close_epoch(None)
        if self.training is not None:
            self.log(result or {})
            if stopped_early:
                self.training.stop_early()
        self._close(None)

    @guarded
    def on_train_error(self, error: BaseException) -> None:
        """End with the exception that ended the training."""
        self._close(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace_back: object) -> None:
        if self.training is not None and error is not None:
            self.on_train_error(error)
        elif self.training is not None:
            self.on_train_end()

    def _close(self, error: BaseException | None) -> None:
        self._close_epoch(error)
        training, is_own = self.training, self._is_own
        self._forget()
        if training is not None and is_own:
            training.close(error)

    def _close_epoch(self, error: BaseException | None) -> None:
        self._close_batch(error)
        epoch, self.epoch = self.epoch, None
        if epoch is not None:
            if self._loss_count:
                epoch._measurements.setdefault("loss", self._loss_sum / self._loss_count)
            epoch.close(error)

    def _close_batch(self, error: BaseException | None) -> None:
        batch, self.batch = self.batch, None
        if batch is not None:
            batch.close(error)

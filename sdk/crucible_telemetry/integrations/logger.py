"""A logger for trainers that take one: `log_hparams`, `log_metrics(step, metrics)`, `close`.

    logger = CrucibleLogger(model_name="mlp")
    logger.log_hparams({"learning_rate": 1e-3})
    logger.log_metrics(step, {"loss": 0.3})
    logger.close()

The run begins with the first call. What a reader could not guess: a logger is told of steps when
they are over, so their durations are not known here, and a step logged twice (its loss, then its
validation) is two events with one step. A number named `epoch` says which epoch a step is in, and
numbers whose names end in `_epoch` are that epoch's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from crucible_telemetry import telemetry, values
from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.metric_names import standard_names


class CrucibleLogger:
    """One run; the options are those of `TrainingCallbacks`."""

    def __init__(self, **options: Any) -> None:
        self._run = TrainingCallbacks(**options)
        self._epoch_index: int | None = None
        self._is_over = False

    @property
    def run_id(self) -> str:
        """Empty until the run has begun."""
        return "" if self._run.training is None else self._run.training.run_id

    @guarded
    def log_hparams(self, hparams: Any) -> None:
        """Record the configuration: a mapping, dataclass or namespace. Once, before the numbers."""
        if self._run.training is None:
            self._begin(hparams)
        elif not self._is_over:
            self._run.training.describe(config=hparams)

    @guarded
    def log_metrics(
        self, step: int | Mapping[str, Any] | None, metrics: Mapping[str, Any] | int | None = None
    ) -> None:
        """Record the numbers of a step; `log_metrics(metrics, step)` is understood as well."""
        if isinstance(step, Mapping):
            step, metrics = metrics if not isinstance(metrics, Mapping) else None, step
        if not isinstance(metrics, Mapping):
            return
        if self._run.training is None:
            self._begin(None)
        numbers = dict(metrics)
        epoch = values.number(numbers.pop("epoch", None))
        if epoch is not None and math.isfinite(epoch) and int(epoch) != self._epoch_index:
            self._epoch_index = int(epoch)
            self._run.on_epoch_start(self._epoch_index)
        self._log_epoch({name: numbers.pop(name) for name in list(numbers) if _is_of_epoch(name)})
        if numbers:
            self._run.on_batch_end(None if step is None else values.whole(step), numbers)

    @guarded
    def log_long_text(self, name: str, text: str) -> None:
        """Add a text to the run, cut to what a field holds."""
        if self._run.training is not None:
            self._run.training.describe(**{name: text})

    @guarded
    def sync(self, timeout_s: float = 5.0) -> None:
        """Wait until everything logged so far is sent, for so long at most."""
        telemetry.flush(timeout_s)

    @guarded
    def close(self, error: BaseException | None = None) -> None:
        """End the run, with the exception that ended it if one did."""
        self._is_over = True
        if error is not None:
            self._run.on_train_error(error)
        else:
            self._run.on_train_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace_back: object) -> None:
        self.close(error)

    def _log_epoch(self, numbers: Mapping[str, Any]) -> None:
        if numbers and self._run.epoch is None:
            self._run.on_epoch_start()
        if numbers and self._run.epoch is not None:
            self._run.epoch.log(standard_names(numbers))

    def _begin(self, config: Any) -> None:
        if not self._is_over:
            self._run.on_train_start(config)


def _is_of_epoch(name: object) -> bool:
    return str(name).endswith(("_epoch", "/epoch"))

"""Keras 3: a callback for `fit()`.

    model.fit(x, y, callbacks=[CrucibleCallback()])     # or crucible.instrument(model)

What a reader could not guess: the numbers that Keras hands to callbacks after a batch are the means
since the epoch began, not the batch's own. It tells callbacks nothing of an exception;
`crucible.instrument(model)` watches `fit()` for one. Checkpoints are noticed at `model.save` and
`model.save_weights`, through which every checkpoint goes, whoever asks for it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

import keras

from crucible_telemetry import faults
from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.watched import unwatch, watch

_SAVES = {"save": "state", "save_weights": "sampler"}


class CrucibleCallback(keras.callbacks.Callback):
    """Tells of `fit()`; the options are those of `TrainingCallbacks`."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.run = TrainingCallbacks(**options)

    @guarded
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.run.on_train_start(**_metadata(self.model, self.params))
        for name, kind in _SAVES.items():
            watch(self.model, name, self._saving(kind))

    @guarded
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.run.on_epoch_start(epoch)

    @guarded
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.run.on_batch_start()

    @guarded
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.run.on_batch_end(metrics=logs)
        if self.run.should_stop():
            self.model.stop_training = True

    @guarded
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        rate = {"learning_rate": _learning_rate(self.model)}
        self.run.on_epoch_end({**(logs or {}), **rate})

    @guarded
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._unwatch()
        self.run.on_train_end(stopped_early=bool(self.model.stop_training))

    def fit(self, plain: Any, *arguments: Any, **options: Any) -> Any:
        """Fit with this callback, unless one is there already, and tell what exception comes out."""
        try:
            call = inspect.signature(plain).bind(*arguments, **options)
        except (TypeError, ValueError):  # Keras' own words for it are better
            return plain(*arguments, **options)
        callback = self._add_to(call)
        try:
            return plain(*call.args, **call.kwargs)
        except BaseException as error:
            callback.end_with(error)
            raise

    def _add_to(self, call: inspect.BoundArguments) -> CrucibleCallback:
        given: Any = call.arguments.get("callbacks")
        is_list = isinstance(given, keras.callbacks.CallbackList)
        listed = given.callbacks if is_list else list(keras.tree.flatten(given or []))
        for known in listed:
            if isinstance(known, CrucibleCallback):
                return known
        if is_list:  # which has decided already whether callbacks run in threads
            message = "fit() has a CallbackList without a CrucibleCallback: it is not told"
            faults.note(faults.Fault.ERROR, message)
        else:
            call.arguments["callbacks"] = [*listed, self]
        return self

    @guarded
    def end_with(self, error: BaseException) -> None:
        self._unwatch()
        self.run.on_train_error(error)

    def _saving(self, kind: str) -> Any:
        def save(plain: Any, filepath: Any, *arguments: Any, **options: Any) -> Any:
            start_s = time.perf_counter()
            result = plain(filepath, *arguments, **options)
            self.run.on_checkpoint(filepath, kind=kind, duration_s=time.perf_counter() - start_s)
            return result

        return save

    @guarded
    def _unwatch(self) -> None:
        for name in _SAVES:
            unwatch(self.model, name)


def instrument(model: Any, **options: Any) -> Any:
    """Watch `fit()`, which from now on has the callback; returns the model."""
    watch(model, "fit", CrucibleCallback(**options).fit)
    return model


def _metadata(model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    optimizer = model.optimizer
    return {
        "model_name": model.name,
        "epochs": params.get("epochs"),
        "optimizer": None if optimizer is None else type(optimizer).__name__,
        "learning_rate": _learning_rate(model),
        "gradient_clipping": getattr(optimizer, "global_clipnorm", None),
        "loss_function": _loss_name(model.loss),
        "keras_backend": keras.backend.backend(),
    }


def _loss_name(loss: Any) -> str | None:
    if loss is None or isinstance(loss, str):
        return loss
    return getattr(loss, "name", None) or getattr(loss, "__name__", None)


def _learning_rate(model: Any) -> float | None:
    optimizer = model.optimizer
    return None if optimizer is None else float(optimizer.learning_rate)

"""`instrument()`: finds the adapter for an object by its type.

What a reader could not guess: it looks only among the libraries that are imported already, since an
object of any other cannot exist; nothing is imported to find out what an object is not.
"""

from __future__ import annotations

import importlib
import sys
from types import FunctionType, MethodType
from typing import Any

from crucible_telemetry import faults

ACCEPTED = (
    "a Trainer of Lightning or transformers, a Keras model, a PyTorch DataLoader or Optimizer, a "
    "scikit-learn estimator or search, a Kedro session or plugin manager, or a function"
)
_ADAPTERS = "crucible_telemetry.integrations."
# The module whose class an object may be of, the class, the adapter and what there takes it. The
# modules are those that define the classes where their packages import lazily.
_KINDS = (
    ("lightning.pytorch", "Trainer", "lightning", "instrument"),
    ("pytorch_lightning", "Trainer", "lightning", "instrument"),
    ("transformers.trainer", "Trainer", "transformers", "instrument"),
    ("keras", "Model", "keras", "instrument"),
    ("torch.utils.data", "DataLoader", "torch", "instrument_loader"),
    (_ADAPTERS + "torch", "Loader", "torch", "instrument_loader"),
    ("torch.optim", "Optimizer", "gradients", "instrument_optimizer"),
    ("sklearn.model_selection._search", "BaseSearchCV", "sklearn_search", "instrument"),
    ("sklearn.base", "BaseEstimator", "sklearn", "instrument"),
    ("kedro.framework.session", "KedroSession", "kedro", "instrument"),
    ("pluggy", "PluginManager", "kedro", "instrument"),
)


def instrument(target: Any, /, **options: Any) -> Any:
    """Let a framework's object report what it does, and return what to use in its place.

    That is the object itself, save for a DataLoader (which comes back as one whose items are
    batches) and a function (which comes back as a stage). options: what the adapter in
    `crucible_telemetry.integrations` takes, e.g. `every=10`, `run_id=...` or `model_name=...`.

    Raises TypeError for an object of any other kind, as `configure()` does for a wrong argument,
    and for an option that the adapter does not have; whatever else goes wrong is counted, and the
    object comes back as it was. A second time does nothing.
    """
    if isinstance(target, FunctionType | MethodType):
        return _stage(target, **options)
    for module_name, class_name, adapter, function in _KINDS:
        kind = getattr(sys.modules.get(module_name), class_name, None)
        if isinstance(kind, type) and isinstance(target, kind):
            return _adapt(adapter, function, target, options)
    message = f"instrument({type(target).__qualname__} object): expected {ACCEPTED}"
    raise TypeError(message)


def _adapt(adapter: str, function: str, target: Any, options: dict[str, Any]) -> Any:
    try:
        return getattr(importlib.import_module(_ADAPTERS + adapter), function)(target, **options)
    except TypeError:
        raise
    except Exception:  # noqa: BLE001 - a library of another version must not stop a training
        faults.note(faults.Fault.ERROR, "%s is not instrumented", type(target), exc_info=True)
        return target


def _stage(function: Any, **options: Any) -> Any:
    return importlib.import_module("crucible_telemetry.stage").stage(**options)(function)

"""From the names under which frameworks log their numbers to the registry's.

`train_loss_step` is `loss`, `eval_loss` and `val/loss` are `val_loss`, `valid_acc` is
`val_accuracy`: runs of different frameworks share their charts. Two names of one set that come to
the same: the first has it, the other one stays as it was.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

_PHASE = re.compile(r"(train|training|val|valid|validation|eval|test)[_/.](?=.)", re.IGNORECASE)
_FORK = re.compile(r"(?<=.)[_/](step|epoch)$")  # what Lightning appends when it logs both
_PREFIXES = {"train": "", "training": "", "test": "test_"}  # every other phase is validation
_SYNONYMS = {
    "acc": "accuracy",
    "grad_norm": "gradient_norm",
    "lr": "learning_rate",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
}


@functools.lru_cache(maxsize=4096)
def standard_name(name: str) -> str:
    """Return the registry's name of a number, or the name as it is where there is none."""
    phase = _PHASE.match(name)
    prefix = "" if phase is None else _PREFIXES.get(phase[1].lower(), "val_")
    rest = _FORK.sub("", name if phase is None else name[phase.end() :])
    return prefix + _SYNONYMS.get(rest, rest)


def is_of_validation(name: str) -> bool:
    return standard_name(name).startswith(("val_", "test_"))


def standard_names(metrics: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the same numbers under the registry's names."""
    named: dict[str, Any] = {}
    for name, value in metrics.items():
        standard = standard_name(str(name))
        named[str(name) if standard in named else standard] = value
    return named

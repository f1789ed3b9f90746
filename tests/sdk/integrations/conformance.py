"""What every adapter has to do, whichever framework it is for."""

from __future__ import annotations

import importlib
import math
import warnings
from typing import Any

import pytest

from crucible_telemetry import faults
from crucible_telemetry.scope import surrounding
from crucible_telemetry.testing import Captured, Event

# What a library warns of in its own code is its own affair.
ITS_OWN_WARNINGS = pytest.mark.filterwarnings("ignore")
_ENDS = ("crucible_train.training.stop", "crucible_train.training.exception")


def library(name: str) -> Any:
    """Import what an adapter is for, or skip with its name; what it warns of is its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(name, reason=f"{name} is not installed (make integrations)")
        return importlib.import_module(name)


def adapter(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"crucible_telemetry.integrations.{name}")


def only(captured: Captured, name: str) -> Event:
    (event,) = captured.named(name)
    return event


def check_run(
    captured: Captured,
    *,
    epochs: int,
    batches: int,
    status: str = "completed",
    batch_numbers: tuple[str, ...] = ("loss",),
    epoch_numbers: tuple[str, ...] = ("loss", "val_loss"),
) -> Event:
    """Check the story of one training, and return its end."""
    (end,) = [event for event in captured.events if event.name in _ENDS]
    assert end.attributes["crucible.status"] == status
    run_id = end.attributes["crucible.run.id"]
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.run.id"] == run_id
    assert start.attributes["crucible.model.name"]
    ended = _epochs(captured)
    assert [event.attributes["crucible.epoch"] for event in ended] == list(range(epochs))
    for event in ended:
        if event.attributes["crucible.status"] == "completed":
            assert_measured(event, epoch_numbers)
    steps = captured.named("crucible_train.batch.stop")
    assert [event.attributes["crucible.step"] for event in steps] == list(range(batches))
    for event in steps:
        assert event.attributes["crucible.run.id"] == run_id
        assert_measured(event, batch_numbers)
    assert faults.counts() == {}
    assert surrounding() is None
    return end


def _epochs(captured: Captured) -> list[Event]:
    ends = ("crucible_train.epoch.stop", "crucible_train.epoch.exception")
    return [event for event in captured.events if event.name in ends]


def assert_measured(event: Event, numbers: tuple[str, ...]) -> None:
    assert set(numbers) <= set(event.measurements), (event.name, event.measurements)
    assert all(math.isfinite(event.measurements[name]) for name in numbers)

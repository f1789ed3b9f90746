"""Every test here begins with an unconfigured SDK and an environment that says nothing about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_telemetry import faults, telemetry

_OURS = {"RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "TRACEPARENT", "TRACESTATE", "BAGGAGE"}


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "CRUCIBLE_")) or name in _OURS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRUCIBLE_HEARTBEAT_S", "0")  # or every test that counts would count them
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # where spools go
    monkeypatch.setattr(telemetry, "_is_silenced", False)
    faults.reset()
    yield
    telemetry.shutdown(timeout_s=0.1)
    faults.reset()

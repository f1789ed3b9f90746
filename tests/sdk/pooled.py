"""What processes of a pool run in the tests: it has to be importable there."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible


def record_nowhere() -> None:
    crucible.configure(exporter=InMemorySpanExporter(), heartbeat_s=0, handle_sigterm=False)


def told_here(item: int) -> dict[str, Any]:
    """Return the story that this process is in."""
    return {"item": item, "pid": os.getpid(), **crucible.current_context()}

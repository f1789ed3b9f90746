"""Tells of what is over already, at the times when it happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from crucible_telemetry.ids import Clock
from crucible_telemetry.scope import Scope


class PastClock:
    """A clock that stands until it is set."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def read(self) -> int:
        return self.now_ns


@contextmanager
def in_the_past(scope: Scope, start_ns: int) -> Iterator[PastClock]:
    """Let a scope's beginning, end and children happen at the times of the clock it yields."""
    present = scope._telemetry
    clock = PastClock(start_ns)
    scope._telemetry = dataclasses.replace(
        present, clock=Clock(wall_ns=clock.read, monotonic_ns=clock.read)
    )
    try:
        yield clock
    finally:
        scope._telemetry = present

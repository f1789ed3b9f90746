"""A store with hints of its traces, as an hour of upkeep leaves it; and one that lost them."""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import closing
from typing import Any

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.trace_hints.building import TraceHints
from rows_of import execute, row_of
from stored import T0

DAY = dt.timedelta(days=1)
# Days before it are over for 25 hours at T0.
DUE = dt.date(2026, 11, 22)


def builder(now: dt.datetime = T0) -> TraceHints:
    return TraceHints(logging.getLogger("tests.hinted"), now=lambda: now)


def build(dsn: str, now: dt.datetime = T0) -> None:
    """Have all hints made that are due at `now`."""
    hints = builder(now)
    with closing(connect(dsn, MAINTENANCE)) as conn:
        while not hints.build(conn):
            pass


def forget(dsn: str) -> None:
    """Have every question look into everything."""
    execute(dsn, "update crucible.trace_horizon set covered_until = null")


def horizon(dsn: str) -> dict[str, Any]:
    return row_of(dsn, "trace_horizon")

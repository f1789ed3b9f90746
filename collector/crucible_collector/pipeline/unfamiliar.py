"""What committed windows held that the registry does not know: counted, and each new name told once.

Names come from outside, so what is remembered of them is bounded: beyond that they are only counted.
"""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet

from crucible_collector import metrics
from crucible_collector.batch import Signal
from crucible_collector.rows import WindowRows

log = logging.getLogger("crucible.pipeline")

NAMES_MAX = 1_000
_SHOWN_MAX = 200  # characters of a name in the log


class Unfamiliar:
    """The unknown event names that were told already. Used by the thread that writes windows."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def committed(self, rows: WindowRows, duplicates: AbstractSet[int]) -> None:
        """Count what a window stored; its duplicate requests were counted before."""
        for (request, name), count in rows.unknown.items():
            if request not in duplicates:
                metrics.UNKNOWN_EVENT_RECORDS.labels(_signal(rows, request)).inc(count)
                self._tell(name)
        for request, count in rows.foreign.items():
            if request not in duplicates:
                metrics.FOREIGN_RECORDS.labels(_signal(rows, request)).inc(count)

    def _tell(self, name: str) -> None:
        if name in self._told or len(self._told) >= NAMES_MAX:
            return
        self._told.add(name)
        log.info("an event that the registry does not know is stored: %.*r", _SHOWN_MAX, name)
        if len(self._told) == NAMES_MAX:
            log.warning("%d unknown events were told; further ones are only counted", NAMES_MAX)


def _signal(rows: WindowRows, request: int) -> str:
    return Signal(int(rows.requests.signal[request])).label

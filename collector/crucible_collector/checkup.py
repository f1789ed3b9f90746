"""What a running collector finds about its own database and disk, when somebody asks.

The command (`doctor`) looks at the same and, besides, whether the collector answers.
"""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from crucible_collector.findings import Finding
from crucible_collector.settings import Settings
from crucible_collector.store.examine import examine

# An examination takes a connection and up to a second of the database's time.
FRESH_S = 15.0
FREE_BYTES_MIN = 256 * 1024 * 1024
MIB = 1024 * 1024


class Checkup:
    """What is found in the database and on the disk of a running collector, for whoever asks, from any thread."""

    def __init__(self, settings: Settings, dsn: Callable[[], str]) -> None:
        self._settings = settings
        self._dsn = dsn
        self._lock = threading.Lock()
        self._found: list[Finding] = []
        self._found_at = -FRESH_S

    def findings(self) -> list[Finding]:
        """In the order in which things are looked at; up to FRESH_S old, however many ask."""
        with self._lock:
            if time.monotonic() - self._found_at >= FRESH_S:
                past = dt.timedelta(days=self._settings.past_days)
                self._found = [*examine(self._dsn(), past=past), disk(self._settings)]
                self._found_at = time.monotonic()
            return self._found


def disk(settings: Settings) -> Finding:
    """Whether the journal can grow to its limit where it lies."""
    directory = settings.data_dir
    if not directory.is_dir():
        says = f"{directory} is not here: the collector may run elsewhere"
        return Finding(
            "disk", "skipped", says, "run this beside the collector, with its --data-dir"
        )
    free = shutil.disk_usage(directory).free
    used = sum(_bytes_of(path) for path in (directory / "journal").glob("*"))
    facts = {"free_bytes": free, "journal_disk_bytes": used}
    says = f"{free / MIB:,.0f} MiB free where the journal lies, which takes {used / MIB:,.0f}"
    if free < FREE_BYTES_MIN:
        return Finding("disk", "wrong", says, "make room: a full disk turns clients away", facts)
    if free + used < settings.journal_bytes_max:
        limit = f"{settings.journal_bytes_max / MIB:,.0f} MiB"
        says += f" and may grow to {limit}"
        remedy = "make room, or lower --journal-bytes-max: it is what outlasts an outage"
        return Finding("disk", "warning", says, remedy, facts)
    return Finding("disk", "ok", says, facts=facts)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a segment that went meanwhile
        return 0

"""Sets bytes aside that could not be read, for a person to look at.

A stretch is kept and counted once, however often it is read again: its file's name says where it
lay. What is kept is bounded; beyond that it is only counted.
"""

from __future__ import annotations

import logging
from pathlib import Path

from crucible_collector import metrics
from crucible_collector.journal import files
from crucible_collector.journal.entry import Damage

_LOG = logging.getLogger("crucible.journal")

# One segment's worth: evidence, not an archive.
_KEPT_BYTES_MAX = 16 << 20


class DamagedBytes:
    """The directory `damaged/` of one journal. Used by its reader, and at opening."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: set[str] = set()
        self._kept_bytes = 0

    def open(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for path in self._directory.iterdir():
            self._known.add(path.name)
            self._kept_bytes += path.stat().st_size

    def set_aside(self, damage: Damage, content: memoryview | bytes) -> None:
        """Keep, count and log a damaged stretch, unless that was done before."""
        name = f"{damage.position:020d}-{damage.length}.{damage.kind}"
        if name in self._known:
            return
        self._known.add(name)
        metrics.JOURNAL_DAMAGED_RECORDS.labels(damage.kind).inc()
        _LOG.warning(
            "journal damaged (%s): %d bytes at position %d, records known to be lost: %d",
            damage.kind,
            damage.length,
            damage.position,
            damage.record_count,
        )
        content = content[: max(0, _KEPT_BYTES_MAX - self._kept_bytes)]
        try:
            files.write_new_file(self._directory / name, content)
        except OSError as error:
            _LOG.warning("the damaged bytes could not be kept: %s", error.strerror or error)
        else:
            self._kept_bytes += len(content)

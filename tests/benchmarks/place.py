"""Where a benchmark works: a directory on the clone's own disk, with room enough, gone afterwards."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import DIRECTORY

# A span takes about 1 kB of tables and indexes, 0.5 kB of the journal and its share of the
# database's log, which is 2 GB at most.
SPAN_BYTES = 1_800
LOG_BYTES = 3 * 1024**3
_GB = 1_000_000_000


@contextmanager
def work_directory(spans: int) -> Iterator[Path]:
    """A directory for a benchmark that has at most `spans` spans on disk at once.

    SystemExit with one line where there is too little room for them.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    wanted, free = spans * SPAN_BYTES + LOG_BYTES, shutil.disk_usage(DIRECTORY).free
    if free < wanted:
        sys.exit(
            f"bench: about {wanted / _GB:.0f} GB of room are needed in {DIRECTORY}, and"
            f" {free / _GB:.0f} GB are free; a shorter --soak-s or --quick needs less"
        )
    with tempfile.TemporaryDirectory(
        prefix="work-", dir=DIRECTORY, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def title(what: str, *, quick: bool) -> str:
    """What was measured, where, and whether the figures can be relied on."""
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    warning = "\nQUICK: a tenth of the load; these figures only show that it works" if quick else ""
    return f"{what}; everything on one machine ({where}){warning}"

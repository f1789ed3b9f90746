"""How fast `crucible-collector export` takes rows to Parquet, and how much memory it holds while it does.

The command runs as a user's does, in a process of its own beside PostgreSQL. Two sizes tell whether memory
grows with what is taken.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from benchmarks.storage_keep import Kept

POLL_S = 0.05
TIMEOUT_S = 900.0
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Exported:
    """One export; seconds from the command's start to its end."""

    of: str
    rows: int
    seconds: float
    rss_max_mb: float
    file_mb: float

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.seconds


def export(kept: Kept, directory: Path, of: str, days: int) -> Exported:
    """Take the newest so many days of the story. RuntimeError where the command fails."""
    end = kept.story.end
    out = directory / f"{of}.parquet"
    out.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "crucible_collector", "export", "--of", of, "--out", str(out)),
        *("--database-url", kept.dsn, "--data-dir", str(directory / "data")),
        *("--from", _text(end - dt.timedelta(days=days)), "--to", _text(end)),
    ]
    began_s = time.monotonic()
    rss_max = 0
    with (directory / "export.log").open("w+") as log:
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                rss_max = max(rss_max, _rss(watched))
                if time.monotonic() - began_s > TIMEOUT_S:
                    process.kill()
                    raise RuntimeError(f"no end after {TIMEOUT_S:.0f} s: {' '.join(command)}")
                time.sleep(POLL_S)
        seconds = time.monotonic() - began_s
        log.seek(0)
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}: {log.read()[-2000:]}")
    rows, size = pq.ParquetFile(out).metadata.num_rows, out.stat().st_size
    out.unlink()
    return Exported(of, rows, seconds, rss_max / _MB, size / _MB)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def _text(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Exports for the API: each a job, its files in a directory of its own until they are no longer kept.

    <data-dir>/exports/<id>.part   being written; whoever finds one at a start has been killed, and removes it
    <data-dir>/exports/<id>        whole

A directory gets its name when all in it is written, so that nobody downloads half of an export.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from crucible_collector.api.exports import ExportRequest
from crucible_collector.errors import ExportError
from crucible_collector.export.kinds import KINDS, parameters_of
from crucible_collector.export.outputs import OneFile, Output, Partitions
from crucible_collector.export.run import run
from crucible_collector.export.shown import Shown
from crucible_collector.export.writers import SUFFIXES
from crucible_collector.jobs import Jobs, Progress, Report

log = logging.getLogger("crucible.export")

SWEEP_S = 60.0
STOP_TIMEOUT_S = 5.0
_PART = ".part"


class Exports:
    """Api.routes.exports.Exporting of a collector; any thread may ask. Stop the jobs before it."""

    def __init__(
        self,
        dsn: Callable[[], str],
        jobs: Jobs,
        collector: str,
        directory: Path,
        *,
        bytes_max: int,
        keep_s: float,
    ) -> None:
        self.collector = collector
        self._dsn = dsn
        self._jobs = jobs
        self._directory = directory
        self._bytes_max = bytes_max
        self._keep_s = keep_s
        self._room = threading.Lock()
        self._kept_bytes = 0  # of whole exports, when the last one began or ended
        self._writing_bytes: dict[uuid.UUID, int] = {}  # by those that run
        self._stopping = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_on, name="exports", daemon=True)

    def begin(self) -> None:
        """Remove what a killed collector left half written, and from now on what is no longer kept."""
        for left in self._found():
            if left.suffix == _PART:
                shutil.rmtree(left, ignore_errors=True)
        self._sweeper.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._sweeper.is_alive():
            self._sweeper.join(STOP_TIMEOUT_S)

    def start(self, asked: ExportRequest, asked_by: str) -> uuid.UUID:
        """See api.routes.exports.Exporting."""
        parameters_of(asked)

        def work(job_id: uuid.UUID, progress: Progress) -> Report:
            return self._work(asked, job_id, progress)

        return self._jobs.start("export", asked.told(), work, asked_by, undo=self._remove)

    def cancel(self, job_id: uuid.UUID) -> None:
        """See api.routes.exports.Exporting."""
        self._jobs.cancel(job_id)
        self._remove(job_id)

    def file(self, job_id: uuid.UUID, name: str) -> Path | None:
        """See api.routes.exports.Exporting."""
        directory = self._directory / str(job_id)
        parts = name.split("/")
        if not name or any(part in {"", ".", ".."} for part in parts) or "\0" in name:
            return None
        path = directory.joinpath(*parts)
        with suppress(OSError):  # a name longer than the file system takes
            return path if path.is_file() else None
        return None

    def _remove(self, job_id: uuid.UUID) -> None:
        shutil.rmtree(self._directory / str(job_id), ignore_errors=True)

    def _work(self, asked: ExportRequest, job_id: uuid.UUID, progress: Progress) -> Report:
        part = self._directory / f"{job_id}{_PART}"

        def counted(share: float, report: Report | None = None) -> None:
            self._take(job_id, 0 if report is None else report["byte_count"])
            progress(share, report)

        self._begin(job_id)
        try:
            part.mkdir(parents=True)
            report = _written(self._dsn(), asked, part, counted)
            self._keep(job_id, part, report["byte_count"])
        except OSError as error:
            raise ExportError(f"the export cannot be written: {error.strerror or error}") from error
        finally:
            with self._room:
                self._writing_bytes.pop(job_id, None)
            shutil.rmtree(part, ignore_errors=True)
        return report

    def _begin(self, job_id: uuid.UUID) -> None:
        """ExportError where there is no room for a byte."""
        with self._room:
            if self._others_bytes(measured=True) >= self._bytes_max:
                raise ExportError(
                    f"exports take all of the {self._bytes_max} bytes that they may (exports_bytes_max): delete some"
                )
            self._writing_bytes[job_id] = 0

    def _take(self, job_id: uuid.UUID, byte_count: int) -> None:
        """Count what was written; ExportError where all of them together have become too large."""
        with self._room:
            self._writing_bytes[job_id] = byte_count
            fits = self._others_bytes(job_id) + byte_count <= self._bytes_max
            # Some may have been removed since they were measured.
            if not fits and (others := self._others_bytes(job_id, measured=True)) + byte_count > (
                self._bytes_max
            ):
                room = max(self._bytes_max - others, 0)
                raise ExportError(
                    f"the export is more than the {room} bytes that there is room for"
                )

    def _others_bytes(self, job_id: uuid.UUID | None = None, *, measured: bool = False) -> int:
        """What all but this one take; the lock is held."""
        if measured:
            whole = [each for each in self._found() if each.suffix != _PART]
            self._kept_bytes = sum(map(_size, whole))
        writing = sum(count for each, count in self._writing_bytes.items() if each != job_id)
        return self._kept_bytes + writing

    def _keep(self, job_id: uuid.UUID, part: Path, byte_count: int) -> None:
        """Give it its name, and its time: that of a directory is when its first file was begun."""
        os.utime(part)
        with self._room:
            part.rename(self._directory / str(job_id))
            del self._writing_bytes[job_id]
            self._kept_bytes += byte_count

    def _sweep_on(self) -> None:
        while True:
            self._sweep()
            if self._stopping.wait(SWEEP_S):
                return

    def _sweep(self) -> None:
        oldest = time.time() - self._keep_s
        for found in self._found():
            with suppress(OSError):  # somebody else has just removed it
                if found.suffix != _PART and found.stat().st_mtime < oldest:
                    log.info("the export %s is no longer kept", found.name)
                    shutil.rmtree(found, ignore_errors=True)

    def _found(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):  # nobody has exported anything
            yield from list(self._directory.iterdir())


def _written(dsn: str, asked: ExportRequest, directory: Path, progress: Progress) -> Report:
    if asked.partition:
        day_of = KINDS[asked.of].day_of
        return run(dsn, asked, lambda shown: Partitions(directory, shown, day_of), progress)
    name = f"{asked.of}.{SUFFIXES[asked.format]}"
    with (directory / name).open("wb") as file:

        def opens(shown: Shown) -> Output:
            return OneFile(file, asked.format, shown, name, is_stream=False)

        return run(dsn, asked, opens, progress)


def _size(found: Path) -> int:
    """Bytes of a file, or of all in a directory; what vanishes meanwhile has none."""
    total = 0
    for path in (found, *found.rglob("*")):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total

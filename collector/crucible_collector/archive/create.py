"""Write an archive and read all of it back; go on with one that was interrupted.

Files first, their manifest last: what has no manifest is no archive. A file that was written is not written
again by who goes on, and all are read back, whoever wrote them. What rows refer to is read after these, so
that none of it is missing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from crucible_collector.archive import manifest as manifests
from crucible_collector.archive import parquet
from crucible_collector.archive.destination import Destination
from crucible_collector.archive.manifest import Manifest
from crucible_collector.archive.work import Progress, Report, Steps, claimed
from crucible_collector.errors import ArchiveError
from crucible_collector.store.archives import slices, state
from crucible_collector.store.archives.slices import KEYS, Asked, Slice
from crucible_collector.store.archives.state import KeptArchive, KeptFile
from crucible_collector.store.migrate import migrations
from crucible_collector.store.partitions import RELATIONS, Connection

KEYS_AT_ONCE = 50_000
_REFERRING = {key: relation for relation, key in KEYS.items()} | {"parent_run_id": "runs"}


@dataclass(frozen=True, slots=True)
class NewArchive:
    """What is asked for, and where it is to lie."""

    archive_id: uuid.UUID
    url: str
    asked: Asked
    asked_by: str = ""


def create(
    dsn: str, new: NewArchive, progress: Progress, rows_max: int = slices.ROWS_MAX
) -> Report:
    """Write an archive of what is stored now: `begin` and `resume`."""
    begin(dsn, new)
    return resume(dsn, new.archive_id, progress, rows_max=rows_max)


def begin(dsn: str, new: NewArchive) -> None:
    """Remember what is asked for. SettingsError, DatabaseAwayError, DatabaseError."""
    destination = Destination(new.url, new.archive_id, makes=True)
    kept = KeptArchive(
        new.archive_id,
        dt.datetime.now(dt.UTC),
        "writing",
        destination.url,
        _told(new.asked),
        new.asked_by,
        is_own=True,
        manifest_sha256=None,
        has_dropped=False,
    )
    with state.working(dsn) as conn:
        state.begin(conn, kept)


def resume(
    dsn: str,
    archive_id: uuid.UUID,
    progress: Progress,
    *,
    job_id: uuid.UUID | None = None,
    rows_max: int = slices.ROWS_MAX,
) -> Report:
    """Write an archive that was begun, from where it was interrupted.

    ArchiveError where there is nothing of it, where it is finished, or where files cannot be written, or
    read back otherwise; ChangedMeanwhileError while another works on it; SettingsError, DatabaseAwayError,
    DatabaseError.
    """
    with claimed(dsn, archive_id, job_id) as conn:
        kept = state.find(conn, archive_id)
        if kept is None or not kept.is_own:
            raise ArchiveError(f"this database knows no archive {archive_id} of its own")
        if kept.manifest_sha256 is not None:
            raise ArchiveError(f"archive {archive_id} is finished: it is {kept.state}")
        state.go_on(conn, archive_id, "writing")
        destination = Destination(kept.url, archive_id, makes=True)
        files = _plan(conn, kept, rows_max)
        return _Writing(conn, destination, kept, progress).run(files)


def _plan(conn: Connection, kept: KeptArchive, rows_max: int) -> list[KeptFile]:
    """The files of rows by time, as they were planned when it was first written."""
    archive_id = kept.archive_id
    with conn.transaction():
        files = [each for each in state.files(conn, archive_id) if each.relation in RELATIONS]
        if not files:
            found = slices.slices(conn, asked_of(kept.asked), rows_max)
            files = [_planned(number, each) for number, each in enumerate(found)]
            state.plan(conn, archive_id, files)
    if not files:
        raise ArchiveError("there is nothing to archive: no row is of what was asked for")
    return files


def asked_of(told: dict[str, Any]) -> Asked:
    """What was asked for, as it is kept."""
    times = {
        name: None if told.get(key) is None else dt.datetime.fromisoformat(told[key])
        for name, key in (("start", "from"), ("end", "to"))
    }
    return Asked(told.get("experiment"), **times, relations=tuple(told["relations"]))


def _told(asked: Asked) -> dict[str, Any]:
    given = {
        "experiment": asked.experiment,
        "from": None if asked.start is None else asked.start.isoformat(),
        "to": None if asked.end is None else asked.end.isoformat(),
        "relations": list(asked.relations),
    }
    return {name: value for name, value in given.items() if value is not None}


def _planned(number: int, each: Slice) -> KeptFile:
    return KeptFile(
        number, each.relation, "planned", each.path, each.start, each.end, each.row_count, None
    )


@dataclass(slots=True)
class _Writing:
    """One archive on its way; its files' entries are in the order of their numbers."""

    conn: Connection
    destination: Destination
    kept: KeptArchive
    progress: Progress
    entries: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, set[Any]] = field(default_factory=lambda: {each: set() for each in KEYS})

    def run(self, files: Sequence[KeptFile]) -> Report:
        """Write what is not there yet, and read all of it back."""
        asked = asked_of(self.kept.asked)
        rows = sum(each.row_count or 0 for each in files)
        steps = Steps(self.progress, rows, passes=2)
        for each in files:
            self.entries.append(self._write(asked, each))
            steps.did(each.row_count or 0)
        for each, entry in zip(files, self.entries, strict=True):
            batches = parquet.read_back(self.destination, entry)
            self._refer(batches)
            steps.did(each.row_count or 0)
        if asked.experiment is not None:
            found = slices.keys_of_experiment(self.conn, asked.experiment)
            for relation, keys in found.items():
                self.keys[relation].update(keys)
        self._write_referred_to(len(files))
        return self._finish()

    def _write(self, asked: Asked, file: KeptFile) -> dict[str, Any]:
        """Write one file of rows by time, unless it lies there already; what the manifest says of it."""
        entry = file.entry
        if entry is not None and self.destination.size(file.path) == entry["byte_count"]:
            return entry
        if file.from_time is None or file.to_time is None:
            raise RuntimeError(f"{file.path} has rows by time, and no time")
        bounds = file.from_time, file.to_time
        with self.conn.transaction():
            columns = slices.columns(self.conn, file.relation)
            batches = list(slices.rows_of_slice(self.conn, asked, file.relation, *bounds))
        times = {"from_time": bounds[0].isoformat(), "to_time": bounds[1].isoformat()}
        return self._put(file.number, file.path, file.relation, columns, batches, times)

    def _put(
        self,
        number: int,
        path: str,
        relation: str,
        columns: parquet.Columns,
        batches: Sequence[pa.RecordBatch],
        times: Mapping[str, str | None],
    ) -> dict[str, Any]:
        made = parquet.make(path, relation, columns, batches)
        self.destination.write(path, made.data)
        entry = {**made.entry, **times}
        state.wrote(self.conn, self.kept.archive_id, number, entry)
        return entry

    def _refer(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Remember what these rows refer to."""
        for name, relation in _REFERRING.items():
            found = parquet.unique(batches, name)
            if name == "period_id":
                found = (uuid.UUID(bytes=each) for each in found)
            self.keys[relation].update(found)

    def _write_referred_to(self, number: int) -> None:
        state.forget_referred_to(self.conn, self.kept.archive_id)
        for relation in KEYS:
            columns = slices.columns(self.conn, relation)
            for part, batches in enumerate(self._referred_to(relation)):
                path = f"{relation}/part-{part:05}.parquet"
                planned = KeptFile(number, relation, "planned", path, None, None, None, None)
                state.plan(self.conn, self.kept.archive_id, [planned])
                times = {"from_time": None, "to_time": None}
                entry = self._put(number, path, relation, columns, batches, times)
                parquet.read_back(self.destination, entry)
                self.entries.append(entry)
                number += 1

    def _referred_to(self, relation: str) -> Iterator[list[pa.RecordBatch]]:
        """Rows by their keys, and by those that these refer to in turn."""
        done: set[Any] = set()
        while waiting := sorted(self.keys[relation] - done):
            some = waiting[:KEYS_AT_ONCE]
            done.update(some)
            batches = list(slices.rows_referred_to(self.conn, relation, some))
            if any(each.num_rows for each in batches):
                self._refer(batches)
                yield batches
            self.progress(1.0)

    def _finish(self) -> Report:
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry["relation"]] = counts.get(entry["relation"], 0) + entry["row_count"]
        manifest = Manifest.model_validate(
            {
                "archive_id": self.kept.archive_id,
                "created_at": self.kept.created_at,
                "collector_version": importlib.metadata.version("crucible-telemetry"),
                "schema_version": migrations()[-1].name.removesuffix(".sql"),
                "asked": self.kept.asked,
                "row_counts": counts,
                "sampling": manifests.sampling_of(self.entries),
                "files": self.entries,
            }
        )
        text = manifest.text()
        sha256 = hashlib.sha256(text).hexdigest()
        self.destination.write(manifests.NAME, text)
        if manifests.read(self.destination).sha256 != sha256:
            raise ArchiveError(f"{manifests.NAME} reads back otherwise than it was written")
        archive_id = self.kept.archive_id
        state.go_on(self.conn, archive_id, "written", manifest_sha256=sha256)
        state.mark_verified(self.conn, archive_id)
        return {
            "archive_id": str(archive_id),
            "state": "verified",
            "url": f"{self.destination.url}/{archive_id}",
            "manifest_sha256": sha256,
            "file_count": len(self.entries),
            "byte_count": sum(entry["byte_count"] for entry in self.entries),
            "row_counts": counts,
        }

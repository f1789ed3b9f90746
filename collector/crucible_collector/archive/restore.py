"""Bring back what an archive has and the database has not: twice changes nothing.

It may be another database than the rows were in: a manifest has all that is needed. Rows of any age are
taken; where retention keeps rows for a shorter time than these are old, the report says that they go again.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Iterator

from crucible_collector.archive import manifest as manifests
from crucible_collector.archive import parquet
from crucible_collector.archive.contents import entries, known, manifest_of
from crucible_collector.archive.destination import Destination
from crucible_collector.archive.manifest import Manifest
from crucible_collector.archive.work import Progress, Report, Steps, claimed
from crucible_collector.errors import ArchiveError
from crucible_collector.retention import spelled
from crucible_collector.store.archives import settling, state
from crucible_collector.store.archives.restoring import Restoring
from crucible_collector.store.archives.slices import KEYS
from crucible_collector.store.archives.state import KeptArchive, KeptFile
from crucible_collector.store.partitions import Connection

log = logging.getLogger("crucible.archive")


def adopt(dsn: str, archive_id: uuid.UUID, url: str | None, asked_by: str = "") -> None:
    """Know an archive that lies at `url`; nothing where the database knows it already.

    ArchiveError where there is none; SettingsError, DatabaseAwayError, DatabaseError.
    """
    with state.working(dsn) as conn:
        if state.find(conn, archive_id) is not None:
            return
    with claimed(dsn, archive_id) as conn:
        if url is None:
            raise ArchiveError(f"this database knows no archive {archive_id}: say where it lies")
        destination = Destination(url, archive_id)
        read = manifests.read(destination)
        kept = KeptArchive(
            archive_id,
            read.manifest.created_at,
            "written",
            destination.url,
            read.manifest.asked,
            asked_by,
            is_own=False,
            manifest_sha256=read.sha256,
            has_dropped=False,
        )
        with conn.transaction():
            state.begin(conn, kept)
            state.plan(conn, archive_id, list(_planned(read.manifest)))


def _planned(manifest: Manifest) -> Iterator[KeptFile]:
    for number, (file, entry) in enumerate(entries(manifest)):
        times = file.from_time, file.to_time
        yield KeptFile(number, file.relation, "written", file.path, *times, file.row_count, entry)


def restore(
    dsn: str, archive_id: uuid.UUID, progress: Progress, *, job_id: uuid.UUID | None = None
) -> Report:
    """Bring back an archive that the database knows.

    ArchiveError where it is not as it was written; ChangedMeanwhileError while another works on it;
    SettingsError, DatabaseAwayError, DatabaseError.
    """
    with claimed(dsn, archive_id, job_id) as conn:
        kept = known(conn, archive_id)
        destination, _ = manifest_of(kept)
        kind = settling.kind_of(conn)
        if kept.state != "restoring":
            state.begin_to_restore(conn, archive_id)
        files = state.files(conn, archive_id)
        # What rows refer to comes first, so that nobody sees a row without its name.
        files.sort(key=lambda each: each.relation not in KEYS)
        steps = Steps(progress, sum(each.row_count or 0 for each in files))
        restoring = Restoring(conn, kind, archive_id, is_own=kept.is_own)
        for file in files:
            if file.state != "restored":
                _bring_back(restoring, destination, file)
            steps.did(file.row_count or 0)
        if kept.is_own:
            settling.all_is_back(conn, kind, archive_id, log)
        else:
            settling.sum_up(conn, kind)
        state.go_on(conn, archive_id, "restored")
        return _report(conn, archive_id, files)


def _bring_back(restoring: Restoring, destination: Destination, file: KeptFile) -> None:
    if file.entry is None:
        raise ArchiveError(f"nothing is known of {file.path}")
    batches = parquet.read_back(destination, file.entry)
    columns = parquet.columns_of(file.entry)
    if file.relation in KEYS:
        restoring.referred_to(file, columns, batches)
    else:
        restoring.rows(file, columns, batches)


def _report(conn: Connection, archive_id: uuid.UUID, files: list[KeptFile]) -> Report:
    totals = state.totals(conn, archive_id)
    now = dt.datetime.now(dt.UTC)
    kept = settling.kept_for(conn)
    again = {
        file.relation
        for file in files
        if file.relation in kept
        and file.from_time is not None
        and file.from_time < now - kept[file.relation]
    }
    restored = totals.restored_count or 0
    return {
        "archive_id": str(archive_id),
        "state": "restored",
        "row_count": totals.row_count,
        "restored_count": restored,
        "present_count": totals.row_count - restored,
        "dropped_again": {each: spelled(kept[each]) for each in sorted(again)},
    }

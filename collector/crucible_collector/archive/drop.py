"""Drop the rows that an archive has, file by file, each read back first; roll-ups keep what they have."""

from __future__ import annotations

import logging
import uuid

from crucible_collector.archive import parquet
from crucible_collector.archive.contents import known, manifest_of, verify
from crucible_collector.archive.work import Progress, Report, Steps, claimed
from crucible_collector.errors import ArchiveError
from crucible_collector.store.archives import settling, state
from crucible_collector.store.archives.dropping import drop_empty_parts, drop_slice
from crucible_collector.store.archives.state import KeptFile
from crucible_collector.store.partitions import RELATIONS, Connection

log = logging.getLogger("crucible.archive")

_SHARE_OF_VERIFYING = 0.3


def drop(
    dsn: str, archive_id: uuid.UUID, progress: Progress, *, job_id: uuid.UUID | None = None
) -> Report:
    """Drop what an archive of this database has; whoever was interrupted is gone on with.

    First all of it is read back. ArchiveError where that is not as it was written, or unknown here;
    DatabaseError where rows are too young for their roll-ups to be complete; SettingsError,
    DatabaseAwayError.
    """
    verify(
        dsn,
        archive_id,
        lambda share, report=None: progress(share * _SHARE_OF_VERIFYING, report),
        job_id=job_id,
    )
    with claimed(dsn, archive_id, job_id) as conn:
        kept = known(conn, archive_id)
        destination, _ = manifest_of(kept)
        kind = settling.kind_of(conn)
        files = [each for each in state.files(conn, archive_id) if each.relation in RELATIONS]
        end = max(each.to_time for each in files if each.to_time is not None)
        settling.refuse_unsafe(conn, kind, end)
        state.go_on(conn, archive_id, "dropping")
        settling.settle(conn, kind, archive_id, end, log)
        rows = sum(each.row_count or 0 for each in files)
        rest = 1 - _SHARE_OF_VERIFYING
        steps = Steps(
            lambda share, report=None: progress(_SHARE_OF_VERIFYING + share * rest, report), rows
        )
        for file in files:
            if file.state != "dropped":
                if file.entry is None:
                    raise ArchiveError(f"nothing is known of {file.path}")
                batches = parquet.read_back(destination, file.entry)
                drop_slice(conn, archive_id, file, parquet.columns_of(file.entry), batches)
            steps.did(file.row_count or 0)
        parts = _drop_parts(conn, kind, files)
        state.go_on(conn, archive_id, "dropped")
        totals = state.totals(conn, archive_id)
        dropped = totals.dropped_count or 0
        return {
            "archive_id": str(archive_id),
            "state": "dropped",
            "dropped_count": dropped,
            "not_dropped_count": rows - dropped,
            "dropped_part_count": parts,
        }


def _drop_parts(conn: Connection, kind: settling.Kind, files: list[KeptFile]) -> int:
    """Drop the parts of the store that are empty by now; how many."""
    dropped = 0
    for relation in dict.fromkeys(file.relation for file in files):
        own = [file for file in files if file.relation == relation]
        start = min(file.from_time for file in own if file.from_time is not None)
        end = max(file.to_time for file in own if file.to_time is not None)
        dropped += drop_empty_parts(conn, kind, relation, start, end)
    return dropped

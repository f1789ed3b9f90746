"""Take away what is left of archives that were never finished, of which nothing counts."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from crucible_collector.archive.destination import Destination
from crucible_collector.archive.work import claimed
from crucible_collector.errors import ArchiveError, ChangedMeanwhileError
from crucible_collector.store.archives import state


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of one: how many files were taken away; None where somebody works on it."""

    archive_id: uuid.UUID
    file_count: int | None


def clean(dsn: str, chosen: Collection[uuid.UUID] = ()) -> list[Cleaned]:
    """Clean up after all that were never finished, or after those that are named.

    ArchiveError where one of these is finished or unknown, or its place does not answer; SettingsError,
    DatabaseAwayError, DatabaseError.
    """
    with state.working(dsn) as conn:
        found = {each.archive_id: each for each in state.unfinished(conn)}
    for archive_id in chosen:
        if archive_id not in found:
            raise ArchiveError(f"archive {archive_id} is none that was never finished here")
    return [_clean(dsn, each.archive_id) for each in found.values() if _is_of(chosen, each)]


def _is_of(chosen: Collection[uuid.UUID], kept: state.KeptArchive) -> bool:
    return not chosen or kept.archive_id in chosen


def _clean(dsn: str, archive_id: uuid.UUID) -> Cleaned:
    try:
        with claimed(dsn, archive_id) as conn:
            kept = state.find(conn, archive_id)
            if kept is None or kept.manifest_sha256 is not None:
                return Cleaned(archive_id, None)  # finished, or cleaned, since it was listed
            count = Destination(kept.url, archive_id, makes=True).clear()
            state.forget(conn, archive_id)
    except ChangedMeanwhileError:
        return Cleaned(archive_id, None)
    return Cleaned(archive_id, count)

"""Read an archive back: say whether every file is there, with the values that were written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from crucible_collector.archive import manifest as manifests
from crucible_collector.archive import parquet
from crucible_collector.archive.destination import Destination
from crucible_collector.archive.manifest import File, Manifest
from crucible_collector.archive.work import Progress, Report, Steps, claimed
from crucible_collector.errors import ArchiveError
from crucible_collector.store.archives import state
from crucible_collector.store.archives.state import KeptArchive
from crucible_collector.store.partitions import Connection


def verify_there(url: str, archive_id: uuid.UUID, progress: Progress) -> Report:
    """Read all of an archive that lies at `url`, without any database. ArchiveError, SettingsError."""
    destination = Destination(url, archive_id)
    return _verify(destination, manifests.read(destination), progress)


def verify(
    dsn: str, archive_id: uuid.UUID, progress: Progress, *, job_id: uuid.UUID | None = None
) -> Report:
    """Read all of an archive that the database knows, which then knows that it is right.

    ArchiveError, SettingsError, DatabaseAwayError, DatabaseError.
    """
    with claimed(dsn, archive_id, job_id) as conn:
        kept = known(conn, archive_id)
        destination, read = manifest_of(kept)
        report = _verify(destination, read, progress)
        state.mark_verified(conn, archive_id)
        return report


def known(conn: Connection, archive_id: uuid.UUID) -> KeptArchive:
    """An archive that this database knows and that was finished; ArchiveError."""
    kept = state.find(conn, archive_id)
    if kept is None:
        raise ArchiveError(f"this database knows no archive {archive_id}: say where it lies")
    if kept.manifest_sha256 is None:
        raise ArchiveError(f"archive {archive_id} was never finished: resume it, or clean up")
    return kept


def manifest_of(kept: KeptArchive) -> tuple[Destination, manifests.Read]:
    """Its place and its manifest, which is the one that the database knows; ArchiveError."""
    destination = Destination(kept.url, kept.archive_id)
    read = manifests.read(destination)
    if read.sha256 != kept.manifest_sha256:
        raise ArchiveError(
            f"{manifests.NAME} of archive {kept.archive_id} is not the one that this database knows"
        )
    return destination, read


def entries(manifest: Manifest) -> Iterator[tuple[File, dict[str, object]]]:
    """Each file with its entry as `parquet` takes it."""
    for file in manifest.files:
        yield file, file.model_dump(mode="json")


def _verify(destination: Destination, read: manifests.Read, progress: Progress) -> Report:
    manifest = read.manifest
    steps = Steps(progress, sum(manifest.row_counts.values()))
    counts = dict.fromkeys(manifest.row_counts, 0)
    for file, entry in entries(manifest):
        parquet.read_back(destination, entry)
        counts[file.relation] = counts.get(file.relation, 0) + file.row_count
        steps.did(file.row_count)
    if counts != manifest.row_counts:
        raise ArchiveError(f"{manifests.NAME} counts other rows than its files have")
    return {
        "archive_id": str(manifest.archive_id),
        "state": "verified",
        "url": f"{destination.url}/{manifest.archive_id}",
        "manifest_sha256": read.sha256,
        "file_count": len(manifest.files),
        "byte_count": sum(file.byte_count for file in manifest.files),
        "row_counts": counts,
    }

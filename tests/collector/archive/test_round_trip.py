"""What is dropped into an archive comes back to the last bit, and roll-ups are none the wiser."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

import archived
from archived import BY_TIME, contents, sums
from crucible_collector.archive.create import NewArchive, create
from crucible_collector.archive.drop import drop
from crucible_collector.archive.restore import restore
from crucible_collector.store.archives.slices import Asked


def quiet(share: float, report: Any = None) -> None:
    assert 0 <= share <= 1
    assert report is None


def made(dsn: str, folder: Path, asked: Asked | None = None, rows_max: int = 10) -> uuid.UUID:
    """An archive in `folder`, of everything unless asked otherwise."""
    archive_id = uuid.uuid4()
    create(dsn, NewArchive(archive_id, folder.as_uri(), asked or Asked()), quiet, rows_max)
    return archive_id


@pytest.mark.parametrize("is_packed", [False, True], ids=["rows", "columnstore"])
def test_what_was_dropped_comes_back_to_the_last_bit(
    database: str, tmp_path: Path, is_packed: bool
) -> None:
    with archived.filled(database):
        pass
    archived.refresh(database)
    if is_packed and not archived.pack(database):
        return
    before, summed = contents(database), sums(database)
    archive_id = made(database, tmp_path)
    report = drop(database, archive_id, quiet)
    assert report["not_dropped_count"] == 0
    assert not any(contents(database, BY_TIME).values())
    archived.refresh(database)
    assert sums(database) == summed
    report = restore(database, archive_id, quiet)
    assert report["restored_count"] == report["row_count"] - len(archived.REFERRED_TO) - 4
    assert contents(database) == before
    archived.refresh(database)
    assert sums(database) == summed
    assert restore(database, archive_id, quiet)["restored_count"] == 0
    assert contents(database) == before

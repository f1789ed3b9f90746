"""Two archives as a database remembers them, and what to ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

_FINISHED, _FAILED = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))


def archives(begin: datetime) -> str:
    """The statement that has the database remember them."""
    sha256 = "0" * 64
    first, second = (f"'{begin + timedelta(hours=hour)}'" for hour in (1, 2))
    written = (
        f"{first}, {first}, {first}, {first}, 'verified', true, 's3://bucket/a', '{sha256}', null"
    )
    failed = f"{second}, {second}, null, null, 'failed', true, 's3://bucket/a', null, 'cancelled'"
    return (
        "insert into crucible.archives (archive_id, created_at, updated_at, written_at, verified_at,"
        " state, is_own, url, manifest_sha256, error, asked) values"
        f""" ('{_FINISHED}', {written}, '{{"experiment": "sweep", "relations": ["spans"]}}'),"""
        f""" ('{_FAILED}', {failed}, '{{"relations": ["logs"]}}');"""
        "insert into crucible.archive_files (archive_id, number, relation, state, path, row_count,"
        f" byte_count, dropped_count) values ('{_FINISHED}', 0, 'spans', 'dropped', 'a', 7, 900, 7),"
        f" ('{_FINISHED}', 1, 'runs', 'written', 'b', 1, 300, null)"
    )


def questions() -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Path, what stands in it, parameters."""
    path = "/api/v1/archives"
    yield path, {}, {"limit": 1}
    yield path, {}, {"fields": "archive_id,state,row_counts"}
    for archive in (_FINISHED, _FAILED):
        yield f"{path}/{{archive_id}}", {"archive_id": archive}, {}

"""Two exports as a database remembers them, and what to ask of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

_COMPLETED, _FAILED = (f"00000000-0000-4000-8000-0000000000{number}" for number in (10, 11))
_FILE = {"name": "points.csv", "byte_count": 900, "row_count": 7}
_REPORT = {
    "row_count": 7,
    "row_count_estimated": 9,
    "byte_count": 900,
    "columns": ["time", "value"],
    "columns_left_out_count": 0,
    "files": [_FILE],
    "file_count": 1,
    "hash_key": None,
    "as_of": "2026-11-23T10:00:00.000000Z",
}


def exports(begin: datetime) -> str:
    """The statement that has the database remember them."""
    first, second = (f"'{begin + timedelta(hours=hour)}'" for hour in (1, 2))
    return (
        "insert into crucible.jobs (job_id, created_at, updated_at, finished_at, progress, kind, state,"
        " collector, request, report, error) values"
        f" ('{_COMPLETED}', {first}, {first}, {first}, 1, 'export', 'completed', 'here:/data',"
        f""" '{{"of": "points", "format": "csv"}}', '{json.dumps(_REPORT)}', null),"""
        f" ('{_FAILED}', {second}, {second}, {second}, 0.5, 'export', 'failed', 'here:/data',"
        """ '{"of": "events", "format": "parquet"}', null, 'the disk is full')"""
    )


def questions() -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Path, what stands in it, parameters."""
    yield "/api/v1/exports", {}, {"limit": 1}
    for export in (_COMPLETED, _FAILED):
        yield "/api/v1/exports/{export_id}", {"export_id": export}, {}

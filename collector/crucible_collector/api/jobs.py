"""What routes of jobs have in common: how a job is told, listed and found."""

from __future__ import annotations

import uuid
from typing import Literal

from fastapi.responses import Response

from crucible_collector.api.answer import listed, only
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.places import after_created
from crucible_collector.store.read import Reads

JOB_KEY = ("created_at", "job_id")
JobKind = Literal["export", "archive", "restore", "reprice"]


def job_of(reads: Reads, kind: JobKind, job_id: str) -> Response:
    """One job as it is now; NotFoundError where there is none of that kind."""
    return only(reads.json_rows("job", kind=kind, job=uuid.UUID(job_id)), kind, job_id)


def jobs_of(reads: Reads, kind: JobKind, cursor_text: str | None, limit: int) -> Response:
    """Those of a kind, newest first."""
    cursor = decode_cursor(cursor_text, *JOB_KEY)
    rows = reads.json_rows("jobs", kind=kind, **after_created(cursor), limit=limit + 1)
    return listed(rows, limit, fields(*JOB_KEY), cursor)

"""Jobs as the database keeps them: what was asked, how far each is, how it ended.

Whichever collector is asked, all jobs are seen; who runs one says so every second or so (`renewed`), and
what comes back tells whether somebody wants it to end. Of one that says nothing for five minutes nobody is
left.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.replay import understood

KEPT_MAX = 1000  # the newest of each kind that are at an end

Kind = Literal["export", "archive", "restore", "reprice"]
State = Literal["completed", "failed", "cancelled"]

BEGIN = """
-- Keeps a job, and of those of its kind before it the newest. No index: there are few.
with gone as (
    delete from crucible.jobs
    where kind = %(kind)s and state <> 'running' and job_id not in (
        select job_id from crucible.jobs where kind = %(kind)s order by created_at desc limit %(kept)s - 1)
)
insert into crucible.jobs (job_id, kind, collector, asked_by, request)
values (%(job)s, %(kind)s, %(collector)s, %(asked_by)s, %(request)s)
"""

RENEW = """
-- How far is a job? Nothing comes back where it is to end. The primary key.
update crucible.jobs
set progress = %(progress)s, report = coalesce(%(report)s, report), updated_at = now()
where job_id = %(job)s and state = 'running'
returning 1
"""

FINISH = """
-- How did a job end? One that was cancelled stays so. The primary key.
update crucible.jobs
set
    state = case state when 'running' then %(state)s else state end,
    progress = case when %(state)s = 'completed' then 1 else progress end,
    report = coalesce(%(report)s, report),
    error = %(error)s,
    finished_at = now(),
    updated_at = now()
where job_id = %(job)s
returning state
"""

CANCEL = """
-- Has a job end, whoever runs it. The primary key.
update crucible.jobs set state = 'cancelled', finished_at = now(), updated_at = now()
where job_id = %(job)s and state = 'running'
"""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is kept of a job when it begins; `collector` is who runs it."""

    job_id: uuid.UUID
    kind: Kind
    collector: str
    asked_by: str
    request: Mapping[str, Any]


class KeptJob:
    """One job's row; one thread's."""

    def __init__(self, connection: psycopg.Connection[Any], job_id: uuid.UUID) -> None:
        self._connection = connection
        self._job_id = job_id

    def renewed(self, progress: float, report: Mapping[str, Any] | None = None) -> bool:
        """Say how far it is, from 0 to 1; False where somebody wants it to end."""
        asked = {"job": self._job_id, "progress": progress, "report": _json(report)}
        with understood("job"):
            return self._connection.execute(RENEW, asked).rowcount > 0

    def finish(
        self, state: State, report: Mapping[str, Any] | None = None, error: str | None = None
    ) -> bool:
        """Say how it ended; False where somebody had it end before."""
        asked = {"job": self._job_id, "state": state, "report": _json(report), "error": error}
        with understood("job"):
            row = self._connection.execute(FINISH, asked).fetchone()
        return row is None or row[0] == state


@contextmanager
def kept_job(dsn: str, job_id: uuid.UUID) -> Iterator[KeptJob]:
    """The row of a job. DatabaseAwayError."""
    with _connected(dsn) as connection:
        yield KeptJob(connection, job_id)


def begin(dsn: str, job: NewJob) -> None:
    """Keep a job that is about to run. DatabaseAwayError, DatabaseError."""
    asked = {
        "job": job.job_id,
        "kind": job.kind,
        "collector": job.collector,
        "asked_by": job.asked_by,
        "request": _json(job.request),
        "kept": KEPT_MAX,
    }
    with _connected(dsn) as connection, understood("job"):
        connection.execute(BEGIN, asked)


def cancel(dsn: str, job_id: uuid.UUID) -> None:
    """Have a job end, wherever it runs; nothing where it has. DatabaseAwayError, DatabaseError."""
    with _connected(dsn) as connection, understood("job"):
        connection.execute(CANCEL, {"job": job_id})


def _json(value: Mapping[str, Any] | None) -> Jsonb | None:
    return None if value is None else Jsonb(value)


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with understood("job"):
        connection = connect(dsn, MAINTENANCE)
    with closing(connection):
        yield connection

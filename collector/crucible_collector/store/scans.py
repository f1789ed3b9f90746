"""Scans as the database keeps them: what was asked, how far each is, what it found.

Whichever collector is asked, all scans are seen; who runs one says so after each batch (`renewed`), and
what comes back tells whether somebody wants it to end. Of one that says nothing for five minutes
nobody is left: a batch takes two at most.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.replay import understood

KEPT_MAX = 1000  # the newest; reports are some hundred kilobytes at most

State = Literal["completed", "failed", "cancelled"]

BEGIN = """
-- Keeps a scan, and of those before it the newest. No index: there are few.
with gone as (
    delete from crucible.anomaly_scans
    where state <> 'running' and scan_id not in (
        select scan_id from crucible.anomaly_scans order by created_at desc limit %(kept)s - 1)
)
insert into crucible.anomaly_scans (scan_id, label, request) values (%(scan)s, %(label)s, %(request)s)
"""

RENEW = """
-- How far is a scan? Nothing comes back where it is to end. The primary key.
update crucible.anomaly_scans set progress = %(progress)s, updated_at = now()
where scan_id = %(scan)s and state = 'running'
returning 1
"""

FINISH = """
-- How did a scan end? One that was cancelled stays so. The primary key.
update crucible.anomaly_scans
set
    state = case state when 'running' then %(state)s else state end,
    progress = case when %(state)s = 'completed' then 1 else progress end,
    report = %(report)s,
    error = %(error)s,
    finished_at = now(),
    updated_at = now()
where scan_id = %(scan)s
"""

CANCEL = """
-- Has a scan end, whoever runs it. The primary key.
update crucible.anomaly_scans set state = 'cancelled', finished_at = now(), updated_at = now()
where scan_id = %(scan)s and state = 'running'
"""


class KeptScan:
    """One scan's row; one thread's."""

    def __init__(self, connection: psycopg.Connection[Any], scan_id: uuid.UUID) -> None:
        self._connection = connection
        self._scan_id = scan_id

    def renewed(self, progress: float) -> bool:
        """Say how far it is; False where somebody wants it to end."""
        asked = {"scan": self._scan_id, "progress": progress}
        with understood("scan"):
            return self._connection.execute(RENEW, asked).rowcount > 0

    def finish(
        self, state: State, report: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Say how it ended."""
        with understood("scan"):
            self._connection.execute(
                FINISH,
                {
                    "scan": self._scan_id,
                    "state": state,
                    "report": None if report is None else Jsonb(report),
                    "error": error,
                },
            )


@contextmanager
def kept_scan(dsn: str, scan_id: uuid.UUID) -> Iterator[KeptScan]:
    """The row of a scan. DatabaseAwayError."""
    with _connected(dsn) as connection:
        yield KeptScan(connection, scan_id)


def begin(dsn: str, scan_id: uuid.UUID, label: str, request: Mapping[str, Any]) -> None:
    """Keep a scan that is about to run. DatabaseAwayError, DatabaseError."""
    asked = {"scan": scan_id, "label": label, "request": Jsonb(request), "kept": KEPT_MAX}
    with _connected(dsn) as connection, understood("scan"):
        connection.execute(BEGIN, asked)


def cancel(dsn: str, scan_id: uuid.UUID) -> None:
    """Have a scan end, wherever it runs; nothing where it has. DatabaseAwayError, DatabaseError."""
    with _connected(dsn) as connection, understood("scan"):
        connection.execute(CANCEL, {"scan": scan_id})


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with understood("scan"):
        connection = connect(dsn, MAINTENANCE)
    with closing(connection):
        yield connection

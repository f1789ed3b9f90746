"""What is remembered of archives: how far each is, and its files one by one.

Whoever works on an archive holds an advisory lock for it, which the server lets go when its connection
ends, however that does.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from crucible_collector.errors import ChangedMeanwhileError, DatabaseError
from crucible_collector.store.connect import Intent, connect
from crucible_collector.store.migrate import not_applied
from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import understood

ARCHIVE = Intent(
    "crucible archive",
    {
        "timezone": "UTC",
        "client_min_messages": "warning",
        "lock_timeout": "30s",
        "jit": "off",
        # A slice of some 50,000 rows is sorted, and its digests are compared, in memory.
        "work_mem": "64MB",
        # Deleting from the columnstore unpacks what it looks at; a slice bounds that, not the server's limit.
        "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
    },
)

State = Literal[
    "writing", "written", "verified", "dropping", "dropped", "restoring", "restored", "failed"
]
FileState = Literal["planned", "written", "dropped", "restored"]

LOCK = "select pg_try_advisory_lock(hashtextextended(%s, 7))"

UNLOCK = "select pg_advisory_unlock(hashtextextended(%s, 7))"

WORKS = """
-- Who works on it? The primary key.
update crucible.archives set job_id = %(job)s, updated_at = now() where archive_id = %(archive)s
"""

BEGIN = """
insert into crucible.archives (archive_id, state, url, asked, asked_by, is_own, manifest_sha256)
values (%(archive)s, %(state)s, %(url)s, %(asked)s, %(asked_by)s, %(is_own)s, %(sha256)s)
"""

READ = """
-- What is known of an archive? The primary key.
select archive_id, created_at, state, url, asked, asked_by, is_own, manifest_sha256,
    dropped_at is not null as has_dropped
from crucible.archives where archive_id = %(archive)s
"""

UNFINISHED = """
-- Which archives have no manifest, so that nothing of them counts? No index: archives are few.
select archive_id, created_at, state, url, asked, asked_by, is_own, manifest_sha256,
    dropped_at is not null as has_dropped
from crucible.archives where is_own and written_at is null
order by created_at
"""

LISTED = """
-- Which archives are there, the newest first? No index: archives are few.
select archive_id, created_at, state, url, asked, error,
    coalesce(rows, 0)::bigint as row_count, coalesce(bytes, 0)::bigint as byte_count
from crucible.archives
cross join lateral (
    select sum(row_count) as rows, sum(byte_count) as bytes
    from crucible.archive_files where archive_files.archive_id = archives.archive_id
) files
order by created_at desc, archive_id
"""

GO_ON = """
-- How far is it? What is not given stays. The primary key.
update crucible.archives
set state = %(state)s, error = null, updated_at = now(),
    manifest_sha256 = coalesce(%(sha256)s, manifest_sha256),
    written_at = case when %(state)s = 'written' then now() else written_at end,
    verified_at = case when %(state)s = 'verified' then now() else verified_at end,
    dropped_at = case when %(state)s = 'dropped' then now() else dropped_at end,
    restored_at = case when %(state)s = 'restored' then now() else restored_at end
where archive_id = %(archive)s
"""

VERIFIED = """
-- It was read back; what became of its rows stays as it is. The primary key.
update crucible.archives
set verified_at = now(), updated_at = now(), error = null,
    state = case when state = 'written' then 'verified' else state end
where archive_id = %(archive)s
"""

STOPPED = """
-- Why does it not go on? One that was being written has failed, others stay where they are. The primary key.
update crucible.archives
set error = %(error)s, updated_at = now(),
    state = case when state in ('writing', 'failed') then 'failed' else state end
where archive_id = %(archive)s
"""

FILES = """
-- Which files does an archive have, in their order? The primary key.
select number, relation, state, path, from_time, to_time, row_count, entry
from crucible.archive_files where archive_id = %(archive)s
order by number
"""

PLAN = """
insert into crucible.archive_files
    (archive_id, number, relation, path, from_time, to_time, row_count, byte_count, entry, state)
values (%(archive)s, %(number)s, %(relation)s, %(path)s, %(from)s, %(to)s, %(rows)s, %(bytes)s, %(entry)s,
        %(state)s)
"""

WROTE = """
-- A file is there. The primary key.
update crucible.archive_files
set state = 'written', row_count = %(rows)s, byte_count = %(bytes)s, entry = %(entry)s
where archive_id = %(archive)s and number = %(number)s
"""

FILE_STATE = """
-- What became of the rows of a file? What is not given stays. The primary key.
update crucible.archive_files
set state = %(state)s,
    dropped_count = coalesce(%(dropped)s, dropped_count),
    restored_count = coalesce(%(restored)s, restored_count)
where archive_id = %(archive)s and number = %(number)s
"""

RESTORE_ANEW = """
-- All files are to be looked at. The primary key.
update crucible.archive_files set state = 'written', restored_count = null where archive_id = %(archive)s
"""

TOTALS = """
-- How much of an archive was dropped, and how much came back? The primary key.
select coalesce(sum(row_count), 0)::bigint, coalesce(sum(byte_count), 0)::bigint, count(*),
    sum(dropped_count)::bigint, sum(restored_count)::bigint
from crucible.archive_files where archive_id = %(archive)s
"""


@dataclass(frozen=True, slots=True)
class KeptArchive:
    """One archive as the database has it."""

    archive_id: uuid.UUID
    created_at: dt.datetime
    state: State
    url: str
    asked: dict[str, Any]
    asked_by: str
    is_own: bool
    manifest_sha256: str | None
    has_dropped: bool


@dataclass(frozen=True, slots=True)
class ListedArchive:
    """One archive as lists have it."""

    archive_id: uuid.UUID
    created_at: dt.datetime
    state: State
    url: str
    asked: dict[str, Any]
    error: str | None
    row_count: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file; its rows lie in [from_time, to_time), both None where they have no time.

    `entry` is what the manifest says of it; None until it is written.
    """

    number: int
    relation: str
    state: FileState
    path: str
    from_time: dt.datetime | None
    to_time: dt.datetime | None
    row_count: int | None
    entry: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the files of an archive; None: nothing was dropped, or brought back."""

    row_count: int
    byte_count: int
    file_count: int
    dropped_count: int | None
    restored_count: int | None


@contextmanager
def working(dsn: str) -> Iterator[Connection]:
    """A connection in autocommit for work on archives. DatabaseAwayError, DatabaseError."""
    with understood("archive"):
        connection = connect(dsn, ARCHIVE)
    with closing(connection), understood("archive"):
        if missing := not_applied(connection):
            raise DatabaseError(
                f"the database lacks {', '.join(missing)}: run crucible-collector migrate first"
            )
        yield connection


def claim(conn: Connection, archive_id: uuid.UUID, job_id: uuid.UUID | None) -> None:
    """Be the only one who works on it, until the connection ends. ChangedMeanwhileError."""
    row = conn.execute(LOCK, (str(archive_id),)).fetchone()
    if row is None or not row[0]:
        raise ChangedMeanwhileError(f"archive {archive_id} is being worked on by somebody else")
    works(conn, archive_id, job_id)


def works(conn: Connection, archive_id: uuid.UUID, job_id: uuid.UUID | None) -> None:
    """Say which job works on it; None: a command."""
    conn.execute(WORKS, {"archive": archive_id, "job": job_id})


def release(conn: Connection, archive_id: uuid.UUID) -> None:
    """Let others work on it: at once, and not when the server notices that the connection has ended."""
    conn.execute(UNLOCK, (str(archive_id),))


def begin(conn: Connection, archive: KeptArchive) -> None:
    """Remember an archive that is about to be written, or was found elsewhere."""
    conn.execute(
        BEGIN,
        {
            "archive": archive.archive_id,
            "state": archive.state,
            "url": archive.url,
            "asked": Jsonb(archive.asked),
            "asked_by": archive.asked_by,
            "is_own": archive.is_own,
            "sha256": archive.manifest_sha256,
        },
    )


def find(conn: Connection, archive_id: uuid.UUID) -> KeptArchive | None:
    """What is known of an archive; None: nothing."""
    with conn.cursor(row_factory=class_row(KeptArchive)) as cursor:
        return cursor.execute(READ, {"archive": archive_id}).fetchone()


def job_of(conn: Connection, archive_id: uuid.UUID) -> uuid.UUID | None:
    """The job that last worked on it; None: none did."""
    row = conn.execute(
        "select job_id from crucible.archives where archive_id = %s", (archive_id,)
    ).fetchone()
    return None if row is None else row[0]


def unfinished(conn: Connection) -> list[KeptArchive]:
    """Archives of this database that have no manifest, the oldest first."""
    with conn.cursor(row_factory=class_row(KeptArchive)) as cursor:
        return cursor.execute(UNFINISHED).fetchall()


def listed(conn: Connection) -> list[ListedArchive]:
    """All archives that this database knows, the newest first."""
    with conn.cursor(row_factory=class_row(ListedArchive)) as cursor:
        return cursor.execute(LISTED).fetchall()


def go_on(
    conn: Connection,
    archive_id: uuid.UUID,
    state: State,
    *,
    manifest_sha256: str | None = None,
) -> None:
    """Say how far it is."""
    about = {"archive": archive_id, "state": state, "sha256": manifest_sha256}
    conn.execute(GO_ON, about)


def mark_verified(conn: Connection, archive_id: uuid.UUID) -> None:
    """It was read back and is right."""
    conn.execute(VERIFIED, {"archive": archive_id})


def stopped(conn: Connection, archive_id: uuid.UUID, error: str) -> None:
    """Say why it does not go on."""
    conn.execute(STOPPED, {"archive": archive_id, "error": error})


def files(conn: Connection, archive_id: uuid.UUID) -> list[KeptFile]:
    """Its files in their order."""
    with conn.cursor(row_factory=class_row(KeptFile)) as cursor:
        return cursor.execute(FILES, {"archive": archive_id}).fetchall()


def plan(conn: Connection, archive_id: uuid.UUID, planned: Sequence[KeptFile]) -> None:
    """Remember which files it is to have, within the caller's transaction."""
    with conn.cursor() as cursor:
        cursor.executemany(
            PLAN,
            [
                {
                    "archive": archive_id,
                    "number": each.number,
                    "relation": each.relation,
                    "path": each.path,
                    "from": each.from_time,
                    "to": each.to_time,
                    "rows": each.row_count,
                    "bytes": (each.entry or {}).get("byte_count"),
                    "entry": None if each.entry is None else Jsonb(each.entry),
                    "state": each.state,
                }
                for each in planned
            ],
        )


def wrote(conn: Connection, archive_id: uuid.UUID, number: int, entry: Mapping[str, Any]) -> None:
    """A file is where it belongs."""
    about = {"rows": entry["row_count"], "bytes": entry["byte_count"], "entry": Jsonb(dict(entry))}
    conn.execute(WROTE, {"archive": archive_id, "number": number, **about})


def forget_referred_to(conn: Connection, archive_id: uuid.UUID) -> None:
    """Plan anew the files of what rows refer to: those of an earlier attempt may lack some."""
    conn.execute(
        "delete from crucible.archive_files where archive_id = %s and from_time is null",
        (archive_id,),
    )


def mark_file(
    conn: Connection,
    archive_id: uuid.UUID,
    number: int,
    state: FileState,
    *,
    dropped: int | None = None,
    restored: int | None = None,
) -> None:
    """Say what became of the rows of a file."""
    about = {"state": state, "dropped": dropped, "restored": restored}
    conn.execute(FILE_STATE, {"archive": archive_id, "number": number, **about})


def begin_to_restore(conn: Connection, archive_id: uuid.UUID) -> None:
    """None of its files is restored yet, whatever became of them before."""
    with conn.transaction():
        conn.execute(RESTORE_ANEW, {"archive": archive_id})
        go_on(conn, archive_id, "restoring")


def totals(conn: Connection, archive_id: uuid.UUID) -> Totals:
    """Sums over its files."""
    row = conn.execute(TOTALS, {"archive": archive_id}).fetchone()
    return Totals(*(row or (0, 0, 0, None, None)))


def forget(conn: Connection, archive_id: uuid.UUID) -> None:
    """Know nothing of it any more."""
    conn.execute("delete from crucible.archives where archive_id = %s", (archive_id,))

"""The sampling rules that the database has, version by version, and the ledger of what they kept.

The newest version is in force for every collector of the database. A settings file becomes a version
only where it says something else than the newest file did: a collector that is started again with the
file that it had does not take back what was changed through the API since.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from crucible_collector.candidates import Counted, RuleCount
from crucible_collector.errors import ChangedMeanwhileError, SettingsError
from crucible_collector.store.ingest import statement, timestamp

Connection = psycopg.Connection[tuple[Any, ...]]

# Whoever makes a version waits for whoever else does, so that each knows which one it follows.
LOCK_KEY = int.from_bytes(b"sampling")
LOCK = "select pg_advisory_xact_lock(%s)"

NEWEST = """
-- Which rules are in force? The primary key, from its end.
select version, settings, digest, origin, changed_at, changed_by, reason
from crucible.sampling_settings
order by version desc
limit 1
"""

BY_VERSION = """
-- Which rules were those? The primary key.
select version, settings, digest, origin, changed_at, changed_by, reason
from crucible.sampling_settings
where version = %(version)s
"""

NEWEST_OF_FILES = """
-- What did a file say last? No index: there are as many rows as there were changes.
select digest from crucible.sampling_settings where origin = 'file' order by version desc limit 1
"""

ADD = """
-- Puts other rules in force.
insert into crucible.sampling_settings (origin, changed_by, reason, settings, digest)
values (%(origin)s, %(changed_by)s, %(reason)s, %(settings)s, %(digest)s)
returning version
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One row of crucible.sampling_settings."""

    version: int
    settings: Mapping[str, Any]
    digest: uuid.UUID
    origin: str
    changed_at: dt.datetime
    changed_by: str
    reason: str


def in_force(connection: Connection) -> Version | None:
    """The newest version; None where nobody ever said anything: all is kept."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(NEWEST).fetchone()


def by_version(connection: Connection, version: int) -> Version | None:
    """A version that was in force; None where there never was that one."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(BY_VERSION, {"version": version}).fetchone()


def adopt_file(
    connection: Connection, settings: Mapping[str, Any], digest: uuid.UUID, changed_by: str = ""
) -> int | None:
    """Put in force what a file says; None where the newest file said just that.

    SettingsError where the database cannot keep it; so for `put`.
    """
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        row = connection.execute(NEWEST_OF_FILES).fetchone()
        if row is not None and row[0] == digest:
            return None
        return _add(connection, "file", settings, digest, changed_by, "")


def put(
    connection: Connection,
    settings: Mapping[str, Any],
    digest: uuid.UUID,
    *,
    changed_by: str = "",
    reason: str = "",
    follows: int | None = None,
) -> int:
    """Put rules in force and return their version; that in force where it has the same rules.

    `follows`: the version that was changed, 0 for none; ChangedMeanwhileError where another is in
    force. None asks nothing.
    """
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        newest = in_force(connection)
        version = newest.version if newest else 0
        if follows is not None and follows != version:
            raise ChangedMeanwhileError(
                f"version {version} is in force, not {follows}: somebody changed it meanwhile"
            )
        if newest is not None and newest.digest == digest:
            return version
        return _add(connection, "api", settings, digest, changed_by, reason)


def _add(
    connection: Connection,
    origin: str,
    settings: Mapping[str, Any],
    digest: uuid.UUID,
    changed_by: str,
    reason: str,
) -> int:
    told = {"origin": origin, "changed_by": changed_by, "reason": reason}
    try:
        row = connection.execute(
            ADD, {**told, "settings": Jsonb(dict(settings)), "digest": digest}
        ).fetchone()
    except psycopg.DataError as error:  # a NUL or half a character in some text
        message = error.diag.message_primary
        raise SettingsError(f"sampling: the database cannot keep these: {message}") from None
    if row is None:
        raise RuntimeError("an inserted version has a number")
    return int(row[0])


def write_counts(connection: Connection, journal_id: uuid.UUID, counted: Counted) -> None:
    """Add what a window's decisions counted to the sampling ledger, within its transaction.

    The rows of a journal are written by its one writer, so that nobody waits; sorted all the same.
    """
    if not counted.rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            statement("sampling_ledger"),
            [_as_parameters(journal_id, counted.rows[key]) for key in sorted(counted.rows)],
        )


def _as_parameters(journal_id: uuid.UUID, count: RuleCount) -> dict[str, Any]:
    return {
        "journal_id": journal_id,
        "time": timestamp(count.minute_ns),
        "rule": count.rule,
        "signal": count.signal.label,
        "stratum": count.stratum,
        "seen_count": count.seen_count,
        "kept_count": count.kept_count,
        "weight_sum": count.weight_sum,
        "weight_square_sum": count.weight_square_sum,
        "probability_min": count.probability_min,
        "error_seen_count": count.error_seen_count,
        "error_kept_count": count.error_kept_count,
        "error_probability_min": count.error_probability_min,
    }

"""Settings that the database has, version by version: what is in force, and how it is changed.

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
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from crucible_collector.errors import ChangedMeanwhileError, SettingsError

Connection = psycopg.Connection[tuple[Any, ...]]

LOCK = "select pg_advisory_xact_lock(%s)"

NEWEST = """
-- Which settings are in force? The primary key, from its end.
select version, settings, digest, origin, changed_at, changed_by, reason
from {relation}
order by version desc
limit 1
"""

NEWEST_OF_FILES = """
-- What did a file say last? No index: there are as many rows as there were changes.
select digest from {relation} where origin = 'file' order by version desc limit 1
"""

ADD = """
-- Puts other settings in force.
insert into {relation} (origin, changed_by, reason, settings, digest)
values (%(origin)s, %(changed_by)s, %(reason)s, %(settings)s, %(digest)s)
returning version
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One row."""

    version: int
    settings: Mapping[str, Any]
    digest: uuid.UUID
    origin: str
    changed_at: dt.datetime
    changed_by: str
    reason: str


class Versions:
    """Those of one kind of settings; without state of its own."""

    def __init__(self, kind: str, relation: str, lock_key: int) -> None:
        """`kind` is what they are called in messages; `lock_key` is nobody else's."""
        self.kind = kind
        self.lock_key = lock_key
        name = sql.Identifier("crucible", relation)
        self._newest = sql.SQL(NEWEST).format(relation=name)
        self._newest_of_files = sql.SQL(NEWEST_OF_FILES).format(relation=name)
        self._added = sql.SQL(ADD).format(relation=name)

    def in_force(self, connection: Connection) -> Version | None:
        """The newest version; None where nobody ever said anything."""
        with connection.cursor(row_factory=class_row(Version)) as cursor:
            return cursor.execute(self._newest).fetchone()

    def adopt_file(
        self,
        connection: Connection,
        settings: Mapping[str, Any],
        digest: uuid.UUID,
        changed_by: str = "",
    ) -> int | None:
        """Put in force what a file says; None where the newest file said just that.

        SettingsError where the database cannot keep it; so for `put`.
        """
        with connection.transaction():
            connection.execute(LOCK, (self.lock_key,))
            row = connection.execute(self._newest_of_files).fetchone()
            if row is not None and row[0] == digest:
                return None
            return self._add(connection, "file", settings, digest, changed_by, "")

    def put(
        self,
        connection: Connection,
        settings: Mapping[str, Any],
        digest: uuid.UUID,
        *,
        changed_by: str = "",
        reason: str = "",
        follows: int | None = None,
    ) -> int:
        """Put settings in force and return their version; that in force where it says the same.

        `follows`: the version that was changed, 0 for none; ChangedMeanwhileError where another is in
        force. None asks nothing.
        """
        with connection.transaction():
            connection.execute(LOCK, (self.lock_key,))
            newest = self.in_force(connection)
            version = newest.version if newest else 0
            if follows is not None and follows != version:
                raise ChangedMeanwhileError(
                    f"version {version} is in force, not {follows}: somebody changed it meanwhile"
                )
            if newest is not None and newest.digest == digest:
                return version
            return self._add(connection, "api", settings, digest, changed_by, reason)

    def _add(
        self,
        connection: Connection,
        origin: str,
        settings: Mapping[str, Any],
        digest: uuid.UUID,
        changed_by: str,
        reason: str,
    ) -> int:
        told = {"origin": origin, "changed_by": changed_by, "reason": reason}
        parameters = {**told, "settings": Jsonb(dict(settings)), "digest": digest}
        try:
            row = connection.execute(self._added, parameters).fetchone()
        except psycopg.DataError as error:  # a NUL or half a character in some text
            message = error.diag.message_primary
            raise SettingsError(f"{self.kind}: the database cannot keep these: {message}") from None
        if row is None:
            raise RuntimeError("an inserted version has a number")
        return int(row[0])


# Whoever makes a version waits for whoever else makes one of its kind, so that each knows which one it
# follows.
SAMPLING = Versions("sampling", "sampling_settings", int.from_bytes(b"sampling"))
DETECTION = Versions("detection", "detection_settings", int.from_bytes(b"detects"))
PRICES = Versions("prices", "price_settings", int.from_bytes(b"prices"))

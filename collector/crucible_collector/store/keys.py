"""API keys as the database keeps them: a hash of each, and what it may be used for.

A key is 256 random bits, so one SHA-256 is enough: there is nothing to guess, and a slow hash would only
be one to wait for with every request. For the same reason it harms nobody that readers of the database see
the hashes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from crucible_collector.errors import SettingsError
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import understood

VALID = """
-- Which keys are good for something? No index: they are few.
select key_id, name, digest, scopes, experiment_prefix, expires_at,
    requests_per_minute_max, spans_per_s_max, bytes_per_s_max
from crucible.api_keys
where revoked_at is null and (expires_at is null or expires_at > now())
"""

ADD = """
-- Keeps a new key.
insert into crucible.api_keys (key_id, name, digest, scopes, experiment_prefix, expires_at, created_by,
    requests_per_minute_max, spans_per_s_max, bytes_per_s_max)
values (%(key_id)s, %(name)s, %(digest)s, %(scopes)s, %(experiment_prefix)s, %(expires_at)s, %(by)s,
    %(requests_per_minute_max)s, %(spans_per_s_max)s, %(bytes_per_s_max)s)
"""

CALLED = """
-- Which keys may be meant by this id or name, and which of them are revoked? The primary key and api_keys_name.
select key_id, name, revoked_at is not null
from crucible.api_keys
where key_id = %(key)s or (name = %(key)s and revoked_at is null)
order by key_id
"""

HAS_ID = """
-- Is this the id of a key? The primary key.
select 1 from crucible.api_keys where key_id = %(key)s
"""

REVOKE = """
-- Makes a key good for nothing. The primary key.
update crucible.api_keys
set revoked_at = now(), revoked_by = %(by)s
where key_id = %(key_id)s and revoked_at is null
returning key_id, name
"""

USED = """
-- These keys were used lately. The primary key.
update crucible.api_keys set last_used_at = date_trunc('minute', now())
where key_id = any (%(key_ids)s)
  and (last_used_at is null or last_used_at < date_trunc('minute', now()))
"""

HAS_TABLE = "select to_regclass('crucible.api_keys') is not null"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """One key that is not revoked; limits of None are the settings'."""

    key_id: str
    name: str
    digest: bytes
    scopes: list[str]
    experiment_prefix: str | None
    expires_at: dt.datetime | None
    requests_per_minute_max: int | None
    spans_per_s_max: int | None
    bytes_per_s_max: int | None


class KeptKeys:
    """The keys of one database, over a connection that one thread uses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def valid(self) -> list[KeptKey]:
        """Those that are good for something now. DatabaseAwayError, DatabaseError."""
        with understood("keys"), self._connection.cursor(row_factory=class_row(KeptKey)) as cursor:
            return cursor.execute(VALID).fetchall()

    def add(self, key: KeptKey, by: str) -> None:
        """Keep a new key. SettingsError where a key that is not revoked has its name, or any has that as its id."""
        asked = {name: getattr(key, name) for name in KeptKey.__dataclass_fields__}
        with understood("keys"):
            if self._connection.execute(HAS_ID, {"key": key.name}).fetchone():
                raise SettingsError(f"name: {key.name!r} is the id of a key; choose another name")
            try:
                self._connection.execute(ADD, {**asked, "by": by})
            except psycopg.errors.UniqueViolation:
                raise SettingsError(
                    f"name: there is a key {key.name!r} already; revoke it first, or choose another name"
                ) from None

    def revoke(self, key: str, by: str) -> tuple[str, str] | None:
        """Make a key good for nothing, by its id or name; its id and name, None: there is none.

        A valid key's id wins. SettingsError for a name that is also the id of a key that was revoked.
        """
        with understood("keys"):
            called = self._connection.execute(CALLED, {"key": key}).fetchall()
            key_id = _meant(key, called)
            asked = {"key_id": key_id, "by": by}
            row = self._connection.execute(REVOKE, asked).fetchone() if key_id else None
        return None if row is None else (str(row[0]), str(row[1]))

    def used(self, key_ids: Collection[str]) -> None:
        """Say that these have been used within the last minute."""
        with understood("keys"):
            self._connection.execute(USED, {"key_ids": list(key_ids)})

    def has_table(self) -> bool:
        """Whether the database is of a version that knows keys."""
        with understood("keys"):
            row = self._connection.execute(HAS_TABLE).fetchone()
        return bool(row and row[0])


def _meant(key: str, called: Sequence[tuple[str, str, bool]]) -> str | None:
    """The id of the valid key that is called so; None: there is none. SettingsError where it is not clear."""
    valid = [key_id for key_id, _, is_revoked in called if not is_revoked]
    if key in valid:
        return key
    if valid and len(called) > 1:
        told = ", ".join(
            f"{key_id} {name!r}{' (revoked)' if is_revoked else ''}"
            for key_id, name, is_revoked in called
        )
        raise SettingsError(f"{key!r} may be one of several keys: {told}; give the id of one")
    return valid[0] if valid else None


@contextmanager
def kept_keys(dsn: str) -> Iterator[KeptKeys]:
    """The keys of a database. DatabaseAwayError."""
    with understood("keys"):
        connection = connect(dsn, MAINTENANCE)
    with closing(connection):
        yield KeptKeys(connection)

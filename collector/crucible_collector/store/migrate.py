"""Bring the schema `crucible` up to date: numbered files, once each, in order.

Each migration is a transaction of its own that first takes an advisory lock and then looks again at
what is applied, so any number of collectors may start at once. A file is frozen by its hash, both in
the database that it was applied to and in `migrations/frozen.txt`.

The same files make both kinds of store: where there is no TimescaleDB, the mark
`/* partitioned by time */` becomes a partition clause.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import psycopg
from psycopg import sql

from crucible_collector.errors import DatabaseError, NewerDatabaseError
from crucible_collector.store import columnstore, rollups
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.move import move_to_hypertables
from crucible_collector.store.retention.chosen import choose
from crucible_collector.store.roles import act_as_owner, grant_rights, make_roles, role_state
from crucible_collector.store.servers import (
    Capabilities,
    TimescaleSetting,
    check_server,
    relation_kind,
    relations_are_hypertables,
    timescaledb_is_loaded,
    timescaledb_version,
)

MARK = "/* partitioned by time */"
LOCK_KEY = int.from_bytes(b"crucible")  # any 63-bit number that nobody else is likely to take
LOCK_TIMEOUT = "60s"  # another collector's migration of a large table may take a while
# The rows that remember which functions, views and comments are there. Those that read roll-ups can be
# made only after these, which are no migration, and are the same whichever way the roll-ups are kept.
OBJECTS_NAME, ON_ROLLUPS_NAME = "objects", "objects_on_rollups"


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(
    dsn: str,
    log: logging.Logger,
    *,
    timescaledb: TimescaleSetting = "auto",
    moves: bool = False,
    retention: Mapping[str, dt.timedelta] | None = None,
) -> Capabilities:
    """Apply what is missing and return what the server can do. Safe to call at every start.

    With `moves`, a store on plain PostgreSQL moves to TimescaleDB where that is there by now.
    `retention` is chosen anew for every collector of the database; None leaves it as it is.
    Raises NewerDatabaseError where the database is ahead of this version, and DatabaseError where
    the server, its rights or its contents do not allow it.
    """
    try:
        with connect(dsn, MAINTENANCE) as conn:
            capabilities = check_server(conn)
            conn.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
            capabilities = _choose_timescaledb(conn, capabilities, timescaledb, log)
            may_move = moves and timescaledb == "auto" and not capabilities.timescaledb
            has_timescaledb = may_move and _create_extension(conn, log)
            _make_roles(conn, log)
            applied_count = 0
            while _apply_next(conn, capabilities, log):
                applied_count += 1
            if has_timescaledb:
                capabilities = _move(conn, capabilities, log)
            capabilities = _with_rollups(conn, capabilities, log)
            if retention is not None:
                with conn.transaction():
                    _lock(conn)
                    choose(conn, retention, log)
            _grant_rights(conn, log, tells=moves or applied_count > 0)
            return capabilities
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"the role may not do what the store needs (create a schema and tables): {error}"
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise DatabaseError(f"the database lets this role only read: {error}") from error
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseError(
            f"another session kept the database locked for {LOCK_TIMEOUT}: {error}"
        ) from error


def not_applied(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the names of what a start would apply; NewerDatabaseError or DatabaseError as there."""
    applied = _applied(conn)
    _refuse_strangers(applied)
    missing = [each.name for each in migrations() if each.name not in applied]
    objects = (_objects(), _objects_on_rollups())
    return missing or [each.name for each in objects if applied.get(each.name) != each.sha256]


@cache
def migrations() -> tuple[Migration, ...]:
    """Every numbered migration of this version, in order."""
    return _read("migrations")


def frozen() -> dict[str, str]:
    """Return the hash that each migration must have."""
    text = _folder("migrations").joinpath("frozen.txt").read_text("utf-8")
    return dict(line.split() for line in text.splitlines() if line and not line.startswith("#"))


def _folder(name: str) -> Traversable:
    return resources.files("crucible_collector.store").joinpath(name)


def _read(folder: str) -> tuple[Migration, ...]:
    files = sorted(
        (entry for entry in _folder(folder).iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return tuple(Migration(entry.name, entry.read_text("utf-8")) for entry in files)


@cache
def _objects() -> Migration:
    """Functions, views and comments, as one: they are replaced whenever any of them changed."""
    bootstrap = _folder("bootstrap.sql").read_text("utf-8")
    parts = [bootstrap, *(part.text for part in _read(OBJECTS_NAME))]
    return Migration(OBJECTS_NAME, "\n".join(parts))


@cache
def _objects_on_rollups() -> Migration:
    """The views that read roll-ups, with their comments."""
    return Migration(ON_ROLLUPS_NAME, "\n".join(part.text for part in _read(ON_ROLLUPS_NAME)))


def _choose_timescaledb(
    conn: psycopg.Connection[Any],
    capabilities: Capabilities,
    setting: TimescaleSetting,
    log: logging.Logger,
) -> Capabilities:
    """Use TimescaleDB if it is wanted and there; what an earlier start chose stays chosen."""
    hypertables = relations_are_hypertables(conn)
    if hypertables is None:
        hypertables = setting == "auto" and _create_extension(conn, log)
    elif not hypertables and setting == "auto" and timescaledb_is_loaded(conn):
        log.info(
            "TimescaleDB is there but this store was made without it:"
            " crucible-collector migrate moves it"
        )
    if not hypertables:
        return capabilities
    return replace(capabilities, timescaledb=timescaledb_version(conn))


def _create_extension(conn: psycopg.Connection[Any], log: logging.Logger) -> bool:
    if not timescaledb_is_loaded(conn):
        return False
    try:
        with conn.transaction():
            _lock(conn)
            if timescaledb_version(conn) is None:
                conn.execute("create extension if not exists timescaledb")
    except psycopg.errors.InsufficientPrivilege:
        log.warning(
            "TimescaleDB is there but the role may not create it; going on without: "
            "let an administrator run `create extension timescaledb` in an empty database"
        )
        return False
    return timescaledb_version(conn) is not None


def _make_roles(conn: psycopg.Connection[Any], log: logging.Logger) -> None:
    with conn.transaction():
        _lock(conn)
        make_roles(conn, log)
    act_as_owner(conn)


def _grant_rights(conn: psycopg.Connection[Any], log: logging.Logger, *, tells: bool) -> None:
    """Grant what is due, and say what others have to do where that is of use; ends acting as owner."""
    try:
        with conn.transaction():
            _lock(conn)
            grant_rights(conn)
    except psycopg.errors.InsufficientPrivilege as error:
        log.info("could not grant the roles their rights: %s", error.diag.message_primary)
    conn.execute("reset role")
    state = role_state(conn)
    if tells and not state.is_complete:
        log.info("the roles for people and programs are not complete: %s", state.remedy())


def _move(
    conn: psycopg.Connection[Any], capabilities: Capabilities, log: logging.Logger
) -> Capabilities:
    """Make hypertables of what is partitioned, unless another has by now."""
    with conn.transaction():
        _lock(conn)
        if not relations_are_hypertables(conn):
            move_to_hypertables(conn, _make_objects, log)
    return replace(capabilities, timescaledb=timescaledb_version(conn))


def _make_objects(conn: psycopg.Connection[Any]) -> None:
    conn.execute(_objects().text.encode())
    if rollups.kind_of(conn) is not None:
        conn.execute(_objects_on_rollups().text.encode())


def _apply_next(
    conn: psycopg.Connection[Any], capabilities: Capabilities, log: logging.Logger
) -> bool:
    """Apply the first missing migration, then the objects; return whether there was anything."""
    with conn.transaction():
        _lock(conn)
        applied = _applied(conn)
        _refuse_strangers(applied)
        missing = next((each for each in migrations() if each.name not in applied), None)
        if missing is not None:
            if not applied:
                conn.execute(_folder("bootstrap.sql").read_bytes())
            conn.execute(_for_server(missing, capabilities).encode())
        else:
            missing = _changed_objects(conn, applied)
            if missing is None:
                return False
            conn.execute(missing.text.encode())
        _remember(conn, missing)
    log.info("migrated the database: %s", missing.name)
    return True


def _changed_objects(conn: psycopg.Connection[Any], applied: dict[str, str]) -> Migration | None:
    """What of functions, views and comments is to be made anew; on roll-ups, where there are any."""
    if applied.get(OBJECTS_NAME) != _objects().sha256:
        return _objects()
    if applied.get(ON_ROLLUPS_NAME) == _objects_on_rollups().sha256:
        return None
    return None if rollups.kind_of(conn) is None else _objects_on_rollups()


def _remember(conn: psycopg.Connection[Any], applied: Migration) -> None:
    conn.execute(
        "insert into crucible.migrations (name, sha256) values (%s, %s)"
        " on conflict (name) do update set sha256 = excluded.sha256, applied_at = now()",
        (applied.name, applied.sha256),
    )


def _with_rollups(
    conn: psycopg.Connection[Any], capabilities: Capabilities, log: logging.Logger
) -> Capabilities:
    """Make the roll-ups and the columnstore, which are no migration: the server's licence decides."""
    with conn.transaction():
        _lock(conn)
        is_first = rollups.kind_of(conn) is None
        kind = rollups.ensure(conn, log, has_hypertables=capabilities.timescaledb is not None)
        if is_first:
            conn.execute(_objects_on_rollups().text.encode())
            _remember(conn, _objects_on_rollups())
        if capabilities.timescaledb is not None:
            columnstore.ensure(conn, log)
    return replace(capabilities, rollups=kind)


def _lock(conn: psycopg.Connection[Any]) -> None:
    conn.execute("select pg_advisory_xact_lock(%s)", (LOCK_KEY,))


def _applied(conn: psycopg.Connection[Any]) -> dict[str, str]:
    if relation_kind(conn, "migrations") is None:
        return {}
    return dict(conn.execute("select name, sha256 from crucible.migrations").fetchall())


def _refuse_strangers(applied: dict[str, str]) -> None:
    known = {each.name: each.sha256 for each in migrations()}
    for name, sha256 in applied.items():
        if name in (OBJECTS_NAME, ON_ROLLUPS_NAME):
            continue
        if name not in known:
            raise NewerDatabaseError(
                f"the database has migration {name}, which this version does not know: "
                "it was made by a newer collector; use that one"
            )
        if known[name] != sha256:
            raise DatabaseError(
                f"migration {name} was applied with other contents (sha256 {sha256[:12]}…): "
                "the database was made by a different build"
            )


def _for_server(migration: Migration, capabilities: Capabilities) -> str:
    clause = "" if capabilities.timescaledb else "partition by range (time)"
    return migration.text.replace(MARK, clause)

"""What the connected server is and can do, asked once at start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from crucible_collector.errors import DatabaseError
from crucible_collector.store.binaries import MAJOR_MIN

TimescaleSetting = Literal["auto", "off"]
# The first version that this store was built and measured on; older ones lack what it calls.
TIMESCALEDB_MIN = (2, 28)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`timescaledb` is its version where relations are hypertables, else None.

    `rollups` says who keeps the roll-ups: TimescaleDB, or we in tables of our own.
    """

    server_version: str
    timescaledb: str | None = None
    rollups: Literal["continuous", "portable"] = "portable"


def check_server(conn: psycopg.Connection[Any]) -> Capabilities:
    """Return what the server is, TimescaleDB apart; DatabaseError where it cannot be used."""
    row = conn.execute(
        "select current_setting('server_version'), current_setting('server_version_num')::int,"
        " current_setting('server_encoding'), pg_is_in_recovery(), current_database()"
    ).fetchone()
    if row is None:
        raise DatabaseError("the server does not say what it is")
    version, number, encoding, in_recovery, name = row
    if isinstance(name, bytes):  # what the driver gives in a database without an encoding
        version, encoding, name = version.decode(), encoding.decode(), name.decode()
    if number < MAJOR_MIN * 10_000:
        raise DatabaseError(
            f"the server is PostgreSQL {version}; version {MAJOR_MIN} or newer is needed"
        )
    if encoding != "UTF8":
        raise DatabaseError(
            f"database {name} has the encoding {encoding}; UTF8 is needed: "
            f"create database {name} template template0 encoding 'UTF8'"
        )
    if in_recovery:
        raise DatabaseError(
            f"the server of database {name} is a read-only standby; give the primary's URL"
        )
    return Capabilities(version)


def timescaledb_is_loaded(conn: psycopg.Connection[Any]) -> bool:
    """Say whether the extension can be created: available, and its library preloaded.

    Creating it without the preload ends the connection; the library is recognised by a setting
    that it defines, since shared_preload_libraries is hidden from ordinary roles.
    """
    row = conn.execute(
        "select exists (select from pg_available_extensions where name = 'timescaledb')"
        " and current_setting('timescaledb.max_background_workers', true) is not null"
    ).fetchone()
    return bool(row and row[0])


def timescaledb_version(conn: psycopg.Connection[Any]) -> str | None:
    """Return the version of the extension in this database, None where it is not created.

    Raises DatabaseError where it is too old.
    """
    row = conn.execute(
        "select extversion from pg_extension where extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        return None
    version = str(row[0])
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < TIMESCALEDB_MIN:
        wanted = ".".join(map(str, TIMESCALEDB_MIN))
        raise DatabaseError(
            f"the database has TimescaleDB {version}; {wanted} or newer is needed: "
            "alter extension timescaledb update, or set timescaledb to off"
        )
    return version


def relations_are_hypertables(conn: psycopg.Connection[Any]) -> bool | None:
    """Say what the first migration made of the relations by time; None where they do not exist."""
    kind = relation_kind(conn, "spans")
    return None if kind is None else kind == "r"


def relation_kind(conn: psycopg.Connection[Any], name: str) -> str | None:
    """Return `relkind` of a relation of the schema: r a table, p a partitioned one, None: missing.

    Not to_regclass: after a wait for an advisory lock that still answers from what the session
    remembers, and does not see what the lock's last holder made.
    """
    row = conn.execute(
        "select relkind from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
        " where nspname = 'crucible' and relname = %s",
        (name,),
    ).fetchone()
    return None if row is None else str(row[0])

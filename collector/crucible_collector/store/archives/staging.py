"""The rows of a file in a table of this transaction, to be held against those of the database."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from psycopg import sql

from crucible_collector.errors import DatabaseError
from crucible_collector.store.archives.slices import columns
from crucible_collector.store.copy import copy_into, encode
from crucible_collector.store.partitions import SCHEMA, Connection

TABLE = sql.Identifier("pg_temp", "archived")


def stage(
    conn: Connection,
    relation: str,
    stored: Iterable[tuple[str, str]],
    batches: Iterable[pa.RecordBatch],
) -> None:
    """Put the rows into TABLE, within the caller's transaction.

    `stored`: names and types of the columns that the file has. A column that came since has its default;
    DatabaseError where there is one that this store does not have, or as another type.
    """
    known, given = dict(columns(conn, relation)), dict(stored)
    for name, of_type in given.items():
        if known.get(name) != of_type:
            has = known.get(name, "no such column")
            raise DatabaseError(
                f"the file has {relation}.{name} as {of_type}, this store {has}: the archive is of"
                " another schema; bring the store up to date with crucible-collector migrate"
            )
    conn.execute(
        sql.SQL("create temp table archived (like {} including defaults) on commit drop").format(
            sql.Identifier(SCHEMA, relation)
        )
    )
    jsonb = frozenset(name for name, of_type in given.items() if of_type == "jsonb")
    for batch in batches:
        if batch.num_rows:
            copy_into(conn, TABLE, batch.schema.names, encode(batch, jsonb))
    conn.execute(sql.SQL("analyze {}").format(TABLE))


def listed(names: Iterable[str]) -> sql.Composed:
    """Names of columns for a statement."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def digest(alias: str) -> sql.Composed:
    """What tells one row from another: the text of all of its values."""
    return sql.SQL("sha256(convert_to(({}.*)::text, 'UTF8'))").format(sql.Identifier(alias))

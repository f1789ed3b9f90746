"""Rows out of PostgreSQL as Arrow, however many: what `export` writes and `archive` puts away.

A COPY hands over row after row in the server's own form, some megabytes of which at a time become a batch of
columns (`binary_rows`); neither side ever holds more. What one could not guess: each row is copied into the
piece as soon as it comes. Gathering them first, to join them then, takes twice as long, for the memory of each
is its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, cast

import psycopg
import pyarrow as pa

from crucible_collector.errors import DatabaseError
from crucible_collector.store.binary_rows import decode, field_of, header_bytes
from crucible_collector.store.connect import READ, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import understood

# What a batch is made of: small enough to be few megabytes, large enough that making columns of it is cheap.
PIECE_BYTES = 2 * 1024 * 1024
PIECE_ROWS = 16_384
_TRAILER_BYTES = 2  # and each row has at least four more: it has a column

COPY_OUT = replace(
    READ,
    name="crucible copy out",
    settings={
        **READ.settings,
        # It takes as long as it takes; who waits for it can end it.
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "10min",
        # All rows are read, so the first need not be there soon, nor is reading all of a table a mistake.
        "enable_seqscan": "on",
        "cursor_tuple_fraction": "1",
    },
    autocommit=False,
)

Parameters = Mapping[str, Any]


@contextmanager
def copying(dsn: str, settings: Mapping[str, str] | None = None) -> Iterator[Connection]:
    """A connection that sees the store as it is at its first statement, whatever is written meanwhile.

    So what several statements of it give fits together. DatabaseAwayError, DatabaseError.
    `settings` are the session's, beside those of every such connection.
    """
    intent = replace(COPY_OUT, settings={**COPY_OUT.settings, **(settings or {})})
    with understood("copy out"):
        connection = connect(dsn, intent)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with closing(connection):
        yield connection


def schema_of(
    connection: Connection, statement: str, parameters: Parameters | None = None
) -> pa.Schema:
    """The columns that a statement gives, with the server's type of each as metadata.

    Ids are 16 bytes, times microseconds in UTC, jsonb is text. DatabaseError where a column is of a type that
    the store does not have. Only texts of this package may be statements: what was asked are `parameters`.
    """
    with understood("copy out"):
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(cast("Any", f"select * from (\n{statement}\n) rows limit 0"), parameters)  # noqa: S608
        described = cursor.description or ()
        names = {
            oid: str(name)
            for oid, name in connection.execute(
                "select oid, typname from pg_type where oid = any(%s::oid[])",
                [[column.type_code for column in described]],
            )
        }
    fields = []
    for column in described:
        try:
            fields.append(field_of(column.name, names[column.type_code]))
        except KeyError:
            raise DatabaseError(
                f"the column {column.name} is of the type {names[column.type_code]}, which cannot be taken out"
            ) from None
    return pa.schema(fields)


def copied_out(
    connection: Connection,
    statement: str,
    parameters: Parameters | None = None,
    schema: pa.Schema | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a statement in its order, batch by batch; `schema` is `schema_of` it, where that is known.

    Every value bit for bit. A batch has at most `PIECE_ROWS` rows, of about `PIECE_BYTES` unless one row is
    larger; no rows, no batch. Who stops reading ends the statement at the server. DatabaseAwayError,
    QueryTooSlowError where somebody cancelled it, DatabaseError.
    """
    if schema is None:
        schema = schema_of(connection, statement, parameters)
    text = f"copy (\n{statement}\n) to stdout (format binary)"
    with (
        understood("copy out"),
        psycopg.ClientCursor(connection).copy(cast("Any", text), parameters) as copy,
    ):
        read = copy.read
        first = memoryview(read())
        row = first[header_bytes(first) :]
        piece = memoryview(bytearray(PIECE_BYTES))
        size = count = 0
        while len(row) > _TRAILER_BYTES:
            end = size + len(row)
            if count and (end > PIECE_BYTES or count == PIECE_ROWS):
                yield decode(piece[:size], count, schema)
                size, count, end = 0, 0, len(row)
            if end > len(piece):
                piece = memoryview(bytearray(end))
            piece[size:end] = row
            size = end
            count += 1
            row = memoryview(read())
        if count:
            yield decode(piece[:size], count, schema)
        while read():  # to the end, where the server says whether it all went well
            pass

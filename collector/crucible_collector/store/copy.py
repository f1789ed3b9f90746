"""Arrow batches into PostgreSQL by binary COPY, and the search for the rows it refuses.

Which columns are jsonb is stated here, because Arrow does not have it; 16 bytes are a uuid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import psycopg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import StringEncoderBuilder
from pgpq.schema import Jsonb
from psycopg import errors, sql

from crucible_collector.store import binary_copy

SCHEMA = "crucible"
_JSONB = frozenset({"attributes", "events", "links", "exemplars", "body"})
# COPY takes its data in messages of this size: large enough to be few, small enough to stay in cache.
_MESSAGE_BYTES = 256 * 1024

Stream: TypeAlias = bytes | memoryview  # of a binary COPY, from signature to trailer


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that PostgreSQL will not take, however often it is asked."""

    row: int
    message: str


def encode(batch: pa.RecordBatch, jsonb: frozenset[str] = _JSONB) -> Stream:
    """The whole of a binary COPY stream for the batch; `jsonb` are the columns of that type."""
    encoded = binary_copy.encode(batch, jsonb)
    return encode_any(batch, jsonb) if encoded is None else encoded


def encode_any(batch: pa.RecordBatch, jsonb: frozenset[str] = _JSONB) -> bytes:
    """The same by pgpq, which knows more types (the lists of histograms) and takes longer."""
    encoders = {
        field.name: StringEncoderBuilder.new_with_output(field, Jsonb())
        if field.name in jsonb
        else ArrowToPostgresBinaryEncoder.infer_encoder(field)
        for field in batch.schema
    }
    encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(batch.schema, encoders)
    return encoder.write_header() + encoder.write_batch(batch) + encoder.finish()


def copy(connection: psycopg.Connection, relation: str, columns: list[str], data: Stream) -> None:
    """One COPY of encoded rows; raises what PostgreSQL says."""
    copy_into(connection, sql.Identifier(SCHEMA, relation), columns, data)


def copy_into(
    connection: psycopg.Connection, table: sql.Identifier, columns: list[str], data: Stream
) -> None:
    """The same into any table."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    view = memoryview(data)
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for start in range(0, len(view), _MESSAGE_BYTES):
            stream.write(view[start : start + _MESSAGE_BYTES])


def copy_what_fits(
    connection: psycopg.Connection, relation: str, batch: pa.RecordBatch
) -> list[RefusedRow]:
    """COPY a batch of which some row is refused: halve until each bad row is alone.

    Each try is a savepoint of the caller's transaction. A lasting refusal of a single row is
    returned; anything else (connection, deadlock, disk, a part attached meanwhile) is raised.
    """
    return list(_halve(connection, relation, batch, 0))


def _halve(
    connection: psycopg.Connection, relation: str, batch: pa.RecordBatch, first: int
) -> Iterator[RefusedRow]:
    try:
        with connection.transaction():
            copy(connection, relation, batch.schema.names, encode(batch))
    except psycopg.Error as error:
        if not is_lasting(error) or (batch.num_rows == 1 and _is_of_partition(error)):
            raise
        if batch.num_rows == 1:
            yield RefusedRow(first, message_of(error))
            return
        half = batch.num_rows // 2
        yield from _halve(connection, relation, batch.slice(0, half), first)
        yield from _halve(connection, relation, batch.slice(half), first + half)


# Refusals that the same rows will meet again: bad data, a violated constraint, a limit of the
# server's, a trigger's word. All else (connection, resources, locks, shutdown) may pass.
_LASTING = (
    errors.DataError,
    errors.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.RaiseException,
    errors.NotSupportedError,
)


def is_lasting(error: psycopg.Error) -> bool:
    """Whether trying the same rows again is pointless."""
    return isinstance(error, _LASTING) or (error.sqlstate or "")[:2] in {"22", "23", "54"}


def _is_of_partition(error: psycopg.Error) -> bool:
    """Whether a row was on its way to a default partition as somebody attached its day's.

    PostgreSQL routes, waits for the lock and then checks; another try finds the new part. Only
    constraints that were declared have a name.
    """
    return isinstance(error, errors.CheckViolation) and error.diag.constraint_name is None


def message_of(error: psycopg.Error) -> str:
    """What went wrong in one line: the server's, or the driver's where no server answered.

    Without the details that follow, which may hold a row's content.
    """
    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return f"{error.sqlstate or 'no answer'}: {said or type(error).__name__}"

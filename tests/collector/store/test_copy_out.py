"""What the store has comes out as Arrow, every value as it is, and all of it as of one moment."""

from __future__ import annotations

import datetime as dt
import math
import struct
import sys
import uuid
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg.types.json import Jsonb

from crucible_collector import kernels
from crucible_collector.errors import DatabaseAwayError, DatabaseError, QueryTooSlowError
from crucible_collector.store import binary_rows
from crucible_collector.store import copy_out as module
from crucible_collector.store.binary_copy import HEADER, TRAILER
from crucible_collector.store.copy import encode
from crucible_collector.store.copy_out import copied_out, copying, schema_of
from stored import Stored, at

TIME = pa.timestamp("us", "UTC")
QUIET_NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_BEEF))[0]


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.none() | values, max_size=5)


DOUBLES = st.floats(allow_nan=True, allow_infinity=True)
# The server's name of a type, and values of it.
KINDS: list[tuple[str, st.SearchStrategy[Any]]] = [
    ("bool", st.booleans()),
    ("int2", integers(16)),
    ("int4", integers(32)),
    ("int8", integers(64)),
    ("float8", DOUBLES),
    ("timestamptz", st.integers(-(2**52), 2**52)),
    ("date", st.integers(-700_000, 2_900_000)),
    ("uuid", st.binary(min_size=16, max_size=16)),
    ("text", st.text(max_size=40)),
    ("bytea", st.binary(max_size=40)),
    ("_text", lists_of(st.text(max_size=9))),
    ("_float8", lists_of(DOUBLES)),
    ("_int8", lists_of(integers(64))),
    ("_int4", lists_of(integers(32))),
]


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    row_count = draw(st.integers(0, 12))
    fields, columns = [], []
    chosen = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=14))
    for number, (server_type, values) in enumerate(chosen):
        cells = draw(st.sampled_from([values, st.none(), st.none() | values]))
        given_cells = draw(st.lists(cells, min_size=row_count, max_size=row_count))
        fields.append(binary_rows.field_of(f"{server_type} {number}", server_type))
        columns.append(pa.array(given_cells, fields[-1].type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def bits(batch: pa.RecordBatch) -> list[Any]:
    """The values, doubles by their bits."""

    def of(value: Any) -> Any:
        if isinstance(value, list):
            return [of(each) for each in value]
        return struct.pack("<d", value) if isinstance(value, float) else value

    return [of(column.to_pylist()) for column in batch.columns]


@given(batch=batches())
@settings(max_examples=200, deadline=None)
def test_any_rows_that_another_encoder_writes_are_read_as_they_were(batch: pa.RecordBatch) -> None:
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    stream = encoder.write_header() + encoder.write_batch(batch) + encoder.finish()
    rows = memoryview(stream)[len(HEADER) : -len(TRAILER)]
    found = binary_rows.decode(rows, batch.num_rows, batch.schema)
    found.validate(full=True)
    assert bits(found) == bits(batch)


# A column of each type of the store; and in the order of the columns, rows of values.
COLUMNS = {
    "id": "uuid",
    "n2": "smallint",
    "n4": "int",
    "n8": "bigint",
    "x": "float8",
    "is_on": "boolean",
    "time": "timestamptz",
    "day": "date",
    "name": "text",
    "attributes": "jsonb",
    "bytes": "bytea",
    "texts": "text[]",
    "doubles": "float8[]",
    "counts": "bigint[]",
    "small": "int[]",
}
MOMENT = dt.datetime(2026, 11, 23, 10, 0, 0, 123457, tzinfo=dt.UTC)
ROWS: list[list[Any]] = [
    [
        uuid.UUID("5b8efff798038103d269b633813fc60c"),
        -32768,
        2**31 - 1,
        -(2**63),
        math.nan,
        True,
        MOMENT,
        dt.date(1999, 12, 31),
        "",
        {},
        b"",
        [],
        [],
        [],
        [],
    ],
    [
        uuid.UUID(int=0),
        0,
        -1,
        2**63 - 1,
        -0.0,
        False,
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
        dt.date(2026, 11, 23),
        "ü\U0001f600\x01",
        {"a": [1.0, None, "x"]},
        b"\0\xff",
        ["", None, "ü"],
        [math.inf, None, -0.0],
        [None, -(2**63)],
        [None],
    ],
    [None] * len(COLUMNS),
    [None, None, None, None, 5e-324, *[None] * 10],
    [None, None, None, None, -sys.float_info.max, *[None] * 10],
    [None, None, None, None, QUIET_NAN_WITH_PAYLOAD, *[None] * 10],
]


@pytest.fixture
def every_type(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as conn:
        declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        conn.execute(f"create table every_type (place serial, {declared})".encode())
        places = ", ".join(["%b"] * len(COLUMNS))
        for row in ROWS:
            values = [Jsonb(value) if isinstance(value, dict) else value for value in row]
            statement = f"insert into every_type ({', '.join(COLUMNS)}) values ({places})"
            conn.execute(statement.encode(), values)
    return database


def test_every_type_of_the_store_comes_out_as_it_was_put_in(every_type: str) -> None:
    asked = f"select {', '.join(COLUMNS)} from every_type order by place"
    with copying(every_type) as connection:
        table = pa.Table.from_batches(copied_out(connection, asked))
    table.validate(full=True)
    expected = [
        [each.bytes if isinstance(each, uuid.UUID) else each for each in row] for row in ROWS
    ]
    expected[0][COLUMNS_AT["attributes"]] = "{}"
    expected[1][COLUMNS_AT["attributes"]] = '{"a": [1.0, null, "x"]}'
    found = [list(row.values()) for row in table.to_pylist()]
    x = COLUMNS_AT["x"]
    assert [row[:x] + row[x + 1 :] for row in found] == [row[:x] + row[x + 1 :] for row in expected]
    of_doubles = [
        [None if row[x] is None else struct.pack("<d", row[x]) for row in rows]
        for rows in (found, expected)
    ]
    assert of_doubles[0] == of_doubles[1]
    assert math.copysign(1, found[1][COLUMNS_AT["doubles"]][2]) == -1
    assert table.schema.field("attributes").metadata == {b"postgresql": b"jsonb"}


COLUMNS_AT = {name: place for place, name in enumerate(COLUMNS)}


def test_what_came_out_goes_in_again(database: str) -> None:
    """Points and histograms of the store itself, through the way in that windows take."""
    columns = "series_id, time, value, time_ns_rest, exemplars"
    with psycopg.connect(database, autocommit=True) as conn:
        Stored(conn).points(7, [0.5, math.nan, None, -0.0])
        Stored(conn).point(7, time=at(9), time_ns_rest=999, exemplars=[{"value": 1.0}])
        asked = f"select {columns} from crucible.points order by time"
        with copying(database) as connection:
            batch = (
                pa.Table.from_batches(copied_out(connection, asked))
                .combine_chunks()
                .to_batches()[0]
            )
        conn.execute("create table again (like crucible.points)")
        with conn.cursor().copy(
            f"copy again ({columns}) from stdin (format binary)".encode()
        ) as copy:
            copy.write(encode(batch))
        with copying(database) as connection:
            again = pa.Table.from_batches(
                copied_out(connection, asked.replace("crucible.points", "again"))
            )
    assert bits(again.combine_chunks().to_batches()[0]) == bits(batch)


def test_rows_come_in_pieces_of_bounded_size_and_a_larger_row_alone(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 100)
    monkeypatch.setattr(module, "PIECE_ROWS", 3)
    asked = "select n, repeat('x', case n when 5 then 500 else 1 end) as text from generate_series(1, 8) n"
    with copying(plain_database) as connection:
        found = list(copied_out(connection, asked))
        assert [each.column(0).to_pylist() for each in found] == [[1, 2, 3], [4], [5], [6, 7, 8]]
        assert not list(copied_out(connection, "select 1 as n where false"))


def test_statements_of_one_connection_see_the_store_as_of_one_moment(plain_database: str) -> None:
    asked = "select time from crucible.points"
    with (
        psycopg.connect(plain_database, autocommit=True) as conn,
        copying(plain_database) as reader,
    ):
        Stored(conn).point(1)
        assert sum(each.num_rows for each in copied_out(reader, asked)) == 1
        Stored(conn).point(2)
        assert sum(each.num_rows for each in copied_out(reader, asked)) == 1


def test_who_stops_reading_ends_the_statement(plain_database: str) -> None:
    """Else the server would go on to the end of rows that nobody wants."""
    endless = "select generate_series(1, 10000000000) as n"
    with copying(plain_database) as connection:
        rows = copied_out(connection, endless)
        next(rows)
        rows.close()
        connection.rollback()
        assert [each.num_rows for each in copied_out(connection, "select 1 as n")] == [1]


def test_what_was_asked_travels_as_parameters(plain_database: str) -> None:
    with copying(plain_database) as connection:
        asked = {"text": "it's 100 %"}
        rows = list(copied_out(connection, "select %(text)s::text as text, 7 %% 4 as rest", asked))
    assert rows[0].to_pylist() == [{"text": "it's 100 %", "rest": 3}]


def test_what_cannot_be_taken_out_is_said_before_any_row(plain_database: str) -> None:
    with (
        copying(plain_database) as connection,
        pytest.raises(DatabaseError, match="column width is of the type interval"),
    ):
        schema_of(connection, "select interval '1 day' as width")


def test_a_database_that_is_away_or_stops_a_statement_is_said_to(plain_database: str) -> None:
    with (
        pytest.raises(DatabaseAwayError, match="does not answer"),
        copying("host=127.0.0.1 port=1"),
    ):
        pass
    with (
        copying(plain_database, {"statement_timeout": "20ms"}) as connection,
        pytest.raises(QueryTooSlowError),
    ):
        list(
            copied_out(
                connection, "select n, pg_sleep(1)::text as slept from generate_series(1, 9) n"
            )
        )


def test_an_endless_time_is_the_last_or_the_first(plain_database: str) -> None:
    asked = "select 'infinity'::timestamptz as last, '-infinity'::timestamptz as first"
    with copying(plain_database) as connection:
        (batch,) = copied_out(connection, asked)
    assert [column.cast(pa.int64()).to_pylist() for column in batch.columns] == [
        [2**63 - 1],
        [-(2**63)],
    ]


def test_rows_that_are_not_of_the_schema_are_an_error() -> None:
    schema = pa.schema([binary_rows.field_of("n", "int4")])
    row = b"\0\1" + (4).to_bytes(4, "big") + (5).to_bytes(4, "big")
    assert binary_rows.decode(row, 1, schema).to_pylist() == [{"n": 5}]
    for wrong in (b"\0\2" + row[2:], row + b"\0", row[:-1]):
        with pytest.raises(ValueError, match="not those of its schema"):
            binary_rows.decode(wrong, 1, schema)
    with pytest.raises(ValueError, match="not the beginning"):
        binary_rows.header_bytes(b"no copy")


def test_every_kernel_is_compiled_for_one_set_of_types_whatever_it_is_given() -> None:
    """A second variant would cost a second at the first batch of an export."""
    binary_rows.warm_up()
    own = [entry for entry in kernels.entry_points() if entry.__module__ == binary_rows.__name__]
    ids = pa.schema([binary_rows.field_of("id", "uuid"), binary_rows.field_of("at", "timestamptz")])
    row = b"\0\2" + (16).to_bytes(4, "big") + bytes(16) + (8).to_bytes(4, "big") + bytes(8)
    binary_rows.decode(np.frombuffer(bytearray(row), np.uint8), 1, ids)
    assert own
    assert {len(entry.signatures) for entry in own} == {1}

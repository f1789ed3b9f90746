"""Arrow columns from the rows of a binary COPY: the way back of `binary_copy`, for every type the store has.

What one could not guess: a first pass notes where each value of each row lies, so that what is copied after
it is one column at a time, into places that are allocated once. Bits are kept: NaN with its payload, -0.0,
empty texts and nulls. PostgreSQL's times `infinity` and `-infinity` are Arrow's last and first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I32, I64, U8
from crucible_collector.kernels import Int, inlined, kernel, read_only
from crucible_collector.store.binary_copy import HEADER

# What a field's metadata says of the type that the server has for it.
SERVER_TYPE = b"postgresql"

_TIME = pa.timestamp("us", "UTC")
_2000_US = 946_684_800_000_000  # PostgreSQL counts from 2000, Arrow from 1970
_2000_DAYS = 10_957
_LAST, _FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
_ID_BYTES = 16
# Of an array before its elements: dimensions, whether there are nulls, the elements' type; then, unless it
# is empty, length and lower bound of its one dimension. https://www.postgresql.org/docs/18/protocol-message-formats.html
_ARRAY_HEADER_BYTES = 12
_DIMENSION_BYTES = 8

_WIDTHS: dict[pa.DataType, tuple[int, Any]] = {
    pa.bool_(): (1, np.bool_),
    pa.int16(): (2, np.int16),
    pa.int32(): (4, np.int32),
    pa.date32(): (4, np.int32),
    pa.int64(): (8, np.int64),
    pa.float32(): (4, np.int32),
    pa.float64(): (8, np.int64),
    _TIME: (8, np.int64),
}

# By the server's name of a type.
TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamptz": _TIME,
    "uuid": pa.binary(_ID_BYTES),
    "text": pa.string(),
    "varchar": pa.string(),
    "json": pa.string(),
    "jsonb": pa.string(),
    "bytea": pa.binary(),
}


@inlined
def _number(data: U8, start: Int, width: Int) -> Int:
    """The signed integer of 1, 2, 4 or 8 bytes, the most significant first."""
    cell = data[start : start + width]
    if width == 8:
        high = (
            np.int64(cell[0]) << 24
            | np.int64(cell[1]) << 16
            | np.int64(cell[2]) << 8
            | np.int64(cell[3])
        )
        low = (
            np.int64(cell[4]) << 24
            | np.int64(cell[5]) << 16
            | np.int64(cell[6]) << 8
            | np.int64(cell[7])
        )
        return high << 32 | low
    if width == 4:
        value = (
            np.int64(cell[0]) << 24
            | np.int64(cell[1]) << 16
            | np.int64(cell[2]) << 8
            | np.int64(cell[3])
        )
        return (value ^ 0x80000000) - 0x80000000
    if width == 2:
        value = np.int64(cell[0]) << 8 | np.int64(cell[1])
        return (value ^ 0x8000) - 0x8000
    return np.int64(cell[0])


@kernel
def _find_values(data: U8, position: int, starts: I64, lengths: I32) -> int:
    """Note where each value lies, by column and row; -1 as the length of null.

    Returns where the last row ends, and -1 where a row is not as wide as it should be.
    """
    column_count, row_count = starts.shape
    for row in range(row_count):
        if _number(data, position, 2) != column_count:
            return -1
        position += 2
        for column in range(column_count):
            length = _number(data, position, 4)
            position += 4
            starts[column, row] = position
            lengths[column, row] = length
            if length > 0:
                position += length
    return position


@kernel
def _find_elements(
    data: U8, starts: I64, lengths: I32, ends: I32, element_starts: I64, element_lengths: I32
) -> int:
    """Note where each element of each array lies; `ends` has where each row's end among all.

    Without room for the elements only `ends` is filled. Returns how many there are, -1 where an array has
    more than one dimension.
    """
    count = 0
    has_room = len(element_starts) > 0
    for row in range(len(starts)):
        if lengths[row] > 0:
            dimensions = _number(data, starts[row], 4)
            if dimensions > 1:
                return -1
            if dimensions == 1:
                size = _number(data, starts[row] + _ARRAY_HEADER_BYTES, 4)
                position = starts[row] + _ARRAY_HEADER_BYTES + _DIMENSION_BYTES
                for index in range(size if has_room else 0):
                    length = _number(data, position, 4)
                    position += 4
                    element_starts[count + index] = position
                    element_lengths[count + index] = length
                    if length > 0:
                        position += length
                count += size
        ends[row + 1] = count
    return count


@kernel
def _read_numbers(data: U8, starts: I64, lengths: I32, width: int, out: I64) -> None:
    """Read a number of `width` bytes from each row; 0 for null."""
    for row in range(len(starts)):
        out[row] = _number(data, starts[row], width) if lengths[row] == width else 0


@kernel
def _read_texts(data: U8, starts: I64, skipped: int, ends: I32, out: U8) -> None:
    """Copy the bytes of each row behind those skipped to `out[ends[row]:ends[row + 1]]`."""
    for row in range(len(starts)):
        target = out[ends[row] : ends[row + 1]]
        first = starts[row] + skipped
        source = data[first : first + len(target)]
        if len(source) != len(target):  # checked once, so that the loop is a block move
            raise IndexError("a text goes beyond its row")
        for index in range(len(target)):
            target[index] = source[index]


@kernel
def _read_ids(data: U8, starts: I64, lengths: I32, out: U8) -> None:
    """Copy the 16 bytes of each row that is not null to its place."""
    for row in range(len(starts)):
        if lengths[row] == _ID_BYTES:
            target = out[_ID_BYTES * row : _ID_BYTES * (row + 1)]
            source = data[starts[row] : starts[row] + _ID_BYTES]
            for index in range(len(target)):
                target[index] = source[index]


def decode(rows: Any, row_count: int, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of whole rows, as they follow each other in a COPY without its header.

    ValueError where they are not of the schema, which is as `field_of` makes it.
    """
    data = read_only(np.frombuffer(rows, np.uint8) if row_count else ())
    starts = np.empty((len(schema), row_count), np.int64)
    lengths = np.empty((len(schema), row_count), np.int32)
    if _find_values(data, 0, starts, lengths) != len(data):
        raise ValueError("the rows of a COPY are not those of its schema")
    columns = [
        _array(field, data, starts[index], lengths[index]) for index, field in enumerate(schema)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def elements_of(server_type: str, array: bytes) -> pa.Array:
    """The elements of one array, as the server sends it; `server_type` is of an element.

    KeyError where that is none that the store has, ValueError where the array has several dimensions.
    """
    field = pa.field("array", pa.list_(TYPES[server_type]))
    length = np.array([len(array)], np.int32)
    data = read_only(np.frombuffer(array, np.uint8))
    return _lists(field, data, np.zeros(1, np.int64), length).flatten()


def field_of(name: str, server_type: str) -> pa.Field:
    """The field of a column that has this type at the server, `_` before the name for an array's.

    KeyError where that is none that the store has.
    """
    of_one = TYPES[server_type.removeprefix("_")]
    kind = pa.list_(of_one) if server_type.startswith("_") else of_one
    return pa.field(name, kind, metadata={SERVER_TYPE: server_type.encode()})


def header_bytes(data: Any) -> int:
    """How many bytes there are before the first row. ValueError where it is no binary COPY."""
    if bytes(data[:11]) != HEADER[:11]:
        raise ValueError("not the beginning of a binary COPY")
    return len(HEADER) + int.from_bytes(data[15:19], "big")


def warm_up() -> None:
    """Make the kernels ready: a second or two where no machine code is kept."""
    schema = pa.schema(
        [field_of("number", "int4"), field_of("text", "text"), field_of("list", "_int4")]
    )
    element = (4).to_bytes(4, "big") + (7).to_bytes(4, "big")
    array = b"".join(each.to_bytes(4, "big") for each in (1, 0, 23, 1, 1)) + element
    values = [(5).to_bytes(4, "big"), b"a", array]
    row = b"".join(len(each).to_bytes(4, "big") + each for each in values)
    decode(len(values).to_bytes(2, "big") + row, 1, schema)


def _array(field: pa.Field, data: U8, starts: I64, lengths: I32) -> pa.Array:
    if pa.types.is_list(field.type):
        return _lists(field, data, starts, lengths)
    skipped = 1 if (field.metadata or {}).get(SERVER_TYPE) == b"jsonb" else 0  # its version
    return _values(field.type, data, starts, lengths, skipped)


def _values(kind: pa.DataType, data: U8, starts: I64, lengths: I32, skipped: int = 0) -> pa.Array:
    if kind in _WIDTHS:
        values = _numbers(kind, data, starts, lengths)
    elif kind == pa.binary(_ID_BYTES):
        out = np.zeros(_ID_BYTES * len(starts), np.uint8)
        _read_ids(data, starts, lengths, out)
        values = [pa.py_buffer(out)]
    else:
        ends = _ends(np.maximum(lengths - skipped, 0))
        out = np.empty(int(ends[-1]), np.uint8)
        _read_texts(data, starts, skipped, ends, out)
        values = [pa.py_buffer(ends), pa.py_buffer(out)]
    validity, null_count = _validity(lengths)
    return pa.Array.from_buffers(kind, len(starts), [validity, *values], null_count)


def _numbers(kind: pa.DataType, data: U8, starts: I64, lengths: I32) -> list[pa.Buffer]:
    width, dtype = _WIDTHS[kind]
    cells = np.empty(len(starts), np.int64)
    _read_numbers(data, starts, lengths, width, cells)
    if kind == _TIME:
        is_endless = (cells == _LAST) | (cells == _FIRST)
        cells = np.where(is_endless, cells, cells + _2000_US)
    elif kind == pa.date32():
        cells += _2000_DAYS
    elif kind == pa.bool_():
        return [pa.py_buffer(np.packbits(cells.astype(bool), bitorder="little"))]
    return [pa.py_buffer(cells.astype(dtype, copy=False))]


def _lists(field: pa.Field, data: U8, starts: I64, lengths: I32) -> pa.Array:
    ends = np.zeros(len(starts) + 1, np.int32)
    count = _find_elements(
        data, starts, lengths, ends, np.empty(0, np.int64), np.empty(0, np.int32)
    )
    if count < 0:
        raise ValueError(f"{field.name} has an array of more than one dimension")
    found = np.empty(max(count, 1), np.int64), np.empty(max(count, 1), np.int32)
    _find_elements(data, starts, lengths, ends, *found)
    elements = _values(field.type.value_type, data, found[0][:count], found[1][:count])
    validity, null_count = _validity(lengths)
    buffers = [validity, pa.py_buffer(ends)]
    return pa.Array.from_buffers(field.type, len(starts), buffers, null_count, children=[elements])


def _ends(sizes: I32) -> I32:
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return ends


def _validity(lengths: I32) -> tuple[pa.Buffer | None, int]:
    """The bits of what is there, None where all is; and how many are not."""
    is_there = lengths >= 0
    null_count = len(lengths) - int(np.count_nonzero(is_there))
    if not null_count:
        return None, 0
    return pa.py_buffer(np.packbits(is_there, bitorder="little")), null_count

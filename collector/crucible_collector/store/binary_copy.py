"""The bytes of a binary COPY from the columns that windows have: numbers, times, ids, text and jsonb.

pgpq, which does this for many more types, takes 0.98 µs of the processor for a span of 17 values and
its two points of 5; the kernels here take 0.28 (same run, windows of 16,384 spans). The bytes are the
same.

What one could not guess: each column is written over all rows before the next one is, at places
that the sizes of the rows told before. The cursor of a row is where its next value goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I32, I64, U8
from crucible_collector.kernels import Int, inlined, kernel, read_only

# Signature, flags, length of the header's extension; https://www.postgresql.org/docs/18/sql-copy.html
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_COUNT_BYTES = 2  # before each row: how many values it has
_LENGTH_BYTES = 4  # before each value; -1 for null
_NULL = -1
_JSONB_VERSION = 1
_ID_BYTES = 16
_2000_US = 946_684_800_000_000  # PostgreSQL counts from 2000, Arrow from 1970

# The bytes of so many rows stay in the processor's cache while column after column goes into them:
# 0.28 µs a span, 0.31 with 1,024, and with all 16,384 at a time 0.29 where 260 MB of cache take them.
_ROWS_AT_A_TIME = 4096

_CELLS: dict[pa.DataType, type[Any]] = {
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.float64(): np.int64,
}


@inlined
def _write_int32(out: U8, position: Int, number: Int) -> Int:
    # Here and below the last byte is the first to be written: when its index has been checked, the
    # compiler leaves out the checks of the others.
    cell = out[position : position + 4]
    cell[3] = number
    cell[2] = number >> 8
    cell[1] = number >> 16
    cell[0] = number >> 24
    return position + 4


@inlined
def _write_number(out: U8, position: Int, number: Int, width: Int) -> Int:
    if width == 8:
        cell = out[position : position + 8]
        cell[7] = number
        cell[6] = number >> 8
        cell[5] = number >> 16
        cell[4] = number >> 24
        cell[3] = number >> 32
        cell[2] = number >> 40
        cell[1] = number >> 48
        cell[0] = number >> 56
    elif width == 4:
        _write_int32(out, position, number)
    else:
        cell = out[position : position + 2]
        cell[1] = number
        cell[0] = number >> 8
    return position + width


@kernel
def _begin_rows(size: I64, value_count: Int, start: Int, cursor: I64, out: U8) -> None:
    """Write the count of values before each row, and set the cursors behind it."""
    position = start
    for row in range(len(size)):
        cursor[row] = _write_number(out, position, value_count, 2)
        position += size[row]


@kernel
def _write_numbers(values: I64, width: Int, there: U8, cursor: I64, out: U8) -> None:
    """Write the low `width` bytes (2, 4 or 8) of a number into each row."""
    for row in range(len(cursor)):
        position = cursor[row]
        if there[row]:
            position = _write_int32(out, position, width)
            cursor[row] = _write_number(out, position, values[row], width)
        else:
            cursor[row] = _write_int32(out, position, _NULL)


@kernel
def _write_texts(data: U8, ends: I32, is_jsonb: bool, there: U8, cursor: I64, out: U8) -> None:
    """Write data[ends[row]:ends[row + 1]] into each row, as jsonb after the number of its version."""
    for row in range(len(cursor)):
        position = cursor[row]
        if not there[row]:
            cursor[row] = _write_int32(out, position, _NULL)
            continue
        source = data[ends[row] : ends[row + 1]]
        position = _write_int32(out, position, len(source) + is_jsonb)
        if is_jsonb:
            out[position] = _JSONB_VERSION
            position += 1
        target = out[position : position + len(source)]
        if len(target) != len(source):  # checked once, so that the loop is a block move
            raise IndexError("a text goes beyond the rows' sizes")
        for index in range(len(source)):
            target[index] = source[index]
        cursor[row] = position + len(source)


class _Column(Protocol):
    """One column of a batch, ready to be written."""

    def sizes(self) -> I64:
        """How many bytes each row's value has, without its length; 0 for null."""

    def write(self, rows: slice, cursor: I64, out: U8) -> None:
        """Write the values of some rows where their cursors are, and move these."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    values: I64
    width: int
    there: U8

    def sizes(self) -> I64:
        return np.multiply(self.there, self.width, dtype=np.int64)

    def write(self, rows: slice, cursor: I64, out: U8) -> None:
        _write_numbers(self.values[rows], self.width, self.there[rows], cursor, out)


@dataclass(frozen=True, slots=True)
class _Texts:
    data: U8
    ends: I32
    is_jsonb: bool
    there: U8

    def sizes(self) -> I64:
        lengths: I64 = np.diff(self.ends).astype(np.int64)
        return (lengths + self.is_jsonb) * self.there

    def write(self, rows: slice, cursor: I64, out: U8) -> None:
        ends = self.ends[rows.start : rows.stop + 1]
        _write_texts(self.data, ends, self.is_jsonb, self.there[rows], cursor, out)


def encode(batch: pa.RecordBatch, jsonb: frozenset[str]) -> memoryview | None:
    """Return a whole COPY stream, text columns named in `jsonb` as that type.

    None where some column is of a type, or some time so early, that this does not write.
    """
    if not batch.num_rows:
        return memoryview(HEADER + TRAILER)
    columns = []
    for field, array in zip(batch.schema, batch.columns, strict=True):
        column = _column(array, is_jsonb=field.name in jsonb)
        if column is None:
            return None
        columns.append(column)
    return memoryview(_stream(columns, batch.num_rows).data)


def warm_up() -> None:
    """Make the kernels ready before the first window: a second where no machine code is kept."""
    encode(pa.RecordBatch.from_pydict({"number": [1], "text": ["a"]}), frozenset())


def _stream(columns: list[_Column], row_count: int) -> U8:
    size = np.full(row_count, _COUNT_BYTES + _LENGTH_BYTES * len(columns), np.int64)
    for column in columns:
        size += column.sizes()
    rows_end = len(HEADER) + int(size.sum())
    out = np.empty(rows_end + len(TRAILER), np.uint8)
    out[: len(HEADER)] = np.frombuffer(HEADER, np.uint8)
    out[rows_end:] = np.frombuffer(TRAILER, np.uint8)
    cursor = np.empty(row_count, np.int64)
    _begin_rows(size, len(columns), len(HEADER), cursor, out)
    for rows in _tiles(row_count):
        for column in columns:
            column.write(rows, cursor[rows], out)
    return out


def _tiles(row_count: int) -> Iterator[slice]:
    for start in range(0, row_count, _ROWS_AT_A_TIME):
        yield slice(start, min(start + _ROWS_AT_A_TIME, row_count))


def _column(array: pa.Array, *, is_jsonb: bool) -> _Column | None:
    if pa.types.is_string(array.type):
        ends = _cells(array, np.int32, array.buffers()[1], more=1)
        return _Texts(_bytes(array.buffers()[2]), ends, is_jsonb, _there(array))
    if is_jsonb:
        return None
    if array.type == pa.binary(_ID_BYTES):
        first, end = _ID_BYTES * array.offset, _ID_BYTES * (array.offset + len(array))
        ends = np.arange(0, end - first + 1, _ID_BYTES, dtype=np.int32)
        data = _bytes(array.buffers()[1])[first:end]
        return _Texts(data, _frozen(ends), is_jsonb, _there(array))
    values = _numbers(array)
    if values is None:
        return None
    return _Numbers(_frozen(values), array.type.bit_width // 8, _there(array))


def _numbers(array: pa.Array) -> I64 | None:
    """Return what PostgreSQL has in the place of each number, doubles by their bits."""
    values = array.buffers()[1]
    if pa.types.is_timestamp(array.type) and array.type.unit == "us":
        since_1970 = _cells(array, np.int64, values)
        since_2000 = since_1970 - _2000_US
        has_wrapped = (since_2000 > since_1970).any()
        return None if has_wrapped else since_2000
    cell = _CELLS.get(array.type)
    return None if cell is None else _cells(array, cell, values).astype(np.int64, copy=False)


def _cells(array: pa.Array, dtype: type[Any], buffer: pa.Buffer, more: int = 0) -> Any:
    """Return the slice's own cells of one of its buffers, `more` than it has rows."""
    start = array.offset * np.dtype(dtype).itemsize
    return _frozen(np.frombuffer(buffer, dtype, len(array) + more, start))


def _bytes(buffer: pa.Buffer | None) -> U8:
    return read_only(np.frombuffer(buffer, np.uint8) if buffer else ())


def _there(array: pa.Array) -> U8:
    """Return 0 for each null, 1 for each value."""
    validity = array.buffers()[0] if array.null_count else None
    if validity is None:
        return read_only(np.ones(len(array), np.uint8))
    bits = np.frombuffer(validity, np.uint8)
    end = array.offset + len(array)
    return read_only(np.unpackbits(bits, count=end, bitorder="little")[array.offset :])


def _frozen(array: Any) -> Any:
    """Return the array, read-only as the kernels are compiled for."""
    array.flags.writeable = False
    return array

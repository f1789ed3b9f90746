"""Attributes and values of all rows as JSON, one Arrow array a call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crucible_collector.batch import (
    I32,
    I64,
    LIFTED,
    SLOT,
    U8,
    AttributeKind,
    Attributes,
    Records,
    TextRef,
)
from crucible_collector.decode.json_values import NO_ROOM, write_string, write_value
from crucible_collector.decode.survey import new_stack
from crucible_collector.decode.text import must_fit, string_array, write_text
from crucible_collector.errors import MalformedError
from crucible_collector.kernels import Int, kernel, read_only, writable

# What the kernel writes for a row:
OBJECT = 0  # {"key":value,...}; nothing for a row without attributes
VALUE = 1  # value; nothing for an empty one
FLAT = 2  # key, NUL, value: what attributes are hashed by

_EMPTY = int(AttributeKind.EMPTY)


@kernel
def _write_rows(
    buffer: U8,
    form: Int,
    start: I64,
    key_offset: I64,
    key_length: I32,
    kind: U8,
    number: I64,
    value_offset: I64,
    value_length: I32,
    left_out: U8,
    row: Int,
    out: U8,
    position: Int,
    ends: I32,
    stack: I64,
) -> tuple[Int, Int, Int]:
    """Write rows from `row` on; return (0 or code, first row not written, position)."""
    while row < len(start) - 1:
        after = np.int64(position)
        for index in range(start[row], start[row + 1]):
            if key_length[index] < 0 or left_out[index] != 0:
                continue
            key, size = key_offset[index], key_length[index]
            if len(out) - after < 2:
                return NO_ROOM, row, position
            if form == OBJECT:
                out[after] = 123 if after == position else 44  # { or ,
                after = write_string(buffer, key, size, out, after + 1)
                if after < 0 or after >= len(out):
                    return NO_ROOM, row, position
                out[after] = 58  # :
                after += 1
            elif form == FLAT:
                after = write_text(buffer, key, size, out, after, False)
                if after < 0 or after >= len(out):
                    return NO_ROOM, row, position
                out[after] = 0
                after += 1
            elif kind[index] == _EMPTY:
                continue
            after = write_value(
                buffer,
                np.int64(kind[index]),
                number[index],
                value_offset[index],
                np.int64(value_length[index]),
                out,
                after,
                stack,
            )
            if after < 0:
                return after, row, position
        if form == OBJECT and after > position:
            if after >= len(out):
                return NO_ROOM, row, position
            out[after] = 125  # }
            after += 1
        position = after
        row += 1
        ends[row] = position
    return 0, row, position


def write_rows(
    buffer: npt.ArrayLike, form: int, start: I64, attributes: Attributes, left_out: U8
) -> tuple[U8, I32]:
    """Return (text of all rows, where each begins and ends in it)."""
    start = writable(start, np.int64)
    ends = np.zeros(len(start), dtype=np.int32)
    count = int(start[-1] - start[0])
    first, last = int(start[0]), int(start[-1])
    content = attributes.key.length[first:last].sum(dtype=np.int64) + attributes.value.length[
        first:last
    ].sum(dtype=np.int64)
    # Enough for ordinary numbers and for text that needs few escapes; else it grows.
    out = np.empty(2 * int(content) + 24 * count + 4096, dtype=np.uint8)
    row, position, stack, source = 0, 0, new_stack(), read_only(buffer)
    while True:
        code, row, position = _write_rows(
            source,
            form,
            start,
            attributes.key.offset,
            attributes.key.length,
            attributes.kind,
            attributes.number,
            attributes.value.offset,
            attributes.value.length,
            left_out,
            row,
            out,
            position,
            ends,
            stack,
        )
        if code == 0:
            must_fit(position)
            return out[:position], ends
        if code != NO_ROOM:
            raise MalformedError("an attribute of the window is not what the check let through")
        out = np.concatenate([out[:position], np.empty(2 * len(out) - position, dtype=np.uint8)])


def attributes_json(records: Records, start: I64 | None = None, *, lifted: bool) -> pa.StringArray:
    """Return each row's attributes as one JSON object (see `json_values`), null where there is none.

    `start` slices the attribute table (default: the records' own attributes; those of resources
    and scopes have theirs). With `lifted` the records' attributes that have a column of their own
    (`batch.LIFTED`, of the kind said there) are left out.
    """
    left_out = np.zeros(len(records.attributes.kind), dtype=np.uint8)
    if lifted:
        for key, kind in LIFTED.items():
            index = records.slots[:, SLOT[key]]
            index = index[index >= 0]
            left_out[index] = records.attributes.kind[index] == kind
    text, ends = write_rows(
        records.buffer,
        OBJECT,
        records.attribute_start if start is None else start,
        records.attributes,
        left_out,
    )
    return string_array(text, ends, np.diff(ends) == 0)


def any_value_json(buffer: npt.ArrayLike, kind: U8, number: I64, value: TextRef) -> pa.StringArray:
    """Return values (bodies of log records) as JSON, null where none is set."""
    rows = len(kind)
    no_key = TextRef(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int32))
    attributes = Attributes(
        key=no_key,
        kind=writable(kind, np.uint8),
        number=writable(number, np.int64),
        value=TextRef(writable(value.offset, np.int64), writable(value.length, np.int32)),
    )
    text, ends = write_rows(
        buffer,
        VALUE,
        np.arange(rows + 1, dtype=np.int64),
        attributes,
        np.zeros(rows, dtype=np.uint8),
    )
    return string_array(text, ends, np.diff(ends) == 0)

"""Finding the numbers among the attributes: those whose key begins with MEASUREMENT_PREFIX."""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import (
    F64,
    I32,
    I64,
    MEASUREMENT_PREFIX,
    U8,
    Attributes,
    Measurements,
    TextRef,
)
from crucible_collector.decode.wire import DOUBLE, INT
from crucible_collector.kernels import Int, inlined, kernel

_PREFIX = np.frombuffer(MEASUREMENT_PREFIX.encode(), dtype=np.uint8)
_SIZE = len(_PREFIX)


@inlined
def _has_prefix(buffer: U8, offset: Int) -> bool:
    # From its end: the many keys that begin with "crucible." differ there.
    for index in range(_SIZE - 1, -1, -1):
        if buffer[offset + index] != _PREFIX[index]:
            return False
    return True


@kernel
def _find(
    buffer: U8,
    start: I64,
    key_offset: I64,
    key_length: I32,
    kind: U8,
    number: I64,
    bits: F64,
    row: I32,
    name_offset: I64,
    name_length: I32,
    value: F64,
) -> Int:
    """Write the measurements of all rows; return how many."""
    count = 0
    for record in range(len(start) - 1):
        for index in range(start[record], start[record + 1]):
            is_number = kind[index] == INT or kind[index] == DOUBLE
            if not is_number or key_length[index] <= _SIZE:
                continue
            if not _has_prefix(buffer, key_offset[index]):
                continue
            row[count] = record
            name_offset[count] = key_offset[index] + _SIZE
            name_length[count] = key_length[index] - _SIZE
            value[count] = bits[index] if kind[index] == DOUBLE else np.float64(number[index])
            count += 1
    return count


def find_measurements(buffer: U8, start: I64, attributes: Attributes) -> Measurements:
    """Return the measurements among the rows' own attributes, in row order."""
    size_max = int(start[-1])
    row, name_length = np.empty(size_max, dtype=np.int32), np.empty(size_max, dtype=np.int32)
    name_offset, value = np.empty(size_max, dtype=np.int64), np.empty(size_max)
    count = _find(
        buffer,
        start,
        attributes.key.offset,
        attributes.key.length,
        attributes.kind,
        attributes.number,
        attributes.number.view(np.float64),
        row,
        name_offset,
        name_length,
        value,
    )
    # Copies, since few of the attributes are measurements and the rest need not be kept.
    return Measurements(
        row=row[:count].copy(),
        name=TextRef(name_offset[:count].copy(), name_length[:count].copy()),
        value=value[:count].copy(),
    )

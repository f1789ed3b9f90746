"""Finding the numbers among the attributes: those whose key begins with one of MEASUREMENT_PREFIXES."""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import (
    F64,
    I32,
    I64,
    MEASUREMENT_PREFIX,
    MEASUREMENT_PREFIXES,
    U8,
    Attributes,
    Measurements,
    TextRef,
)
from crucible_collector.decode.wire import DOUBLE, INT
from crucible_collector.kernels import Int, inlined, kernel

_PREFIXES = sorted(prefix.encode() for prefix in MEASUREMENT_PREFIXES)
_TEXT = np.frombuffer(b"".join(_PREFIXES), dtype=np.uint8)
_SIZE = np.array([len(prefix) for prefix in _PREFIXES], dtype=np.int64)
_START = np.cumsum(_SIZE) - _SIZE
# How much of a key with the prefix does not belong to the name.
_LEFT_OFF = np.where([prefix == MEASUREMENT_PREFIX.encode() for prefix in _PREFIXES], _SIZE, 0)
# Those that begin with byte b: _FIRST[b] to _FIRST[b + 1].
_FIRST = np.searchsorted([prefix[0] for prefix in _PREFIXES], np.arange(257)).astype(np.int64)


@inlined
def _has_prefix(buffer: U8, offset: Int, prefix: Int) -> bool:
    # From its end: the many keys that begin with "crucible." differ there.
    for index in range(_SIZE[prefix] - 1, -1, -1):
        if buffer[offset + index] != _TEXT[_START[prefix] + index]:
            return False
    return True


@inlined
def _left_off(buffer: U8, offset: Int, size: Int) -> Int:
    """Return how much of a measurement's key is not its name; -1 where the key is none's."""
    if size < 1:
        return -1
    first = np.int64(buffer[offset])
    for prefix in range(_FIRST[first], _FIRST[first + 1]):
        if size > _SIZE[prefix] and _has_prefix(buffer, offset, prefix):
            return _LEFT_OFF[prefix]
    return -1


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
            if not is_number:
                continue
            left_off = _left_off(buffer, key_offset[index], np.int64(key_length[index]))
            if left_off < 0:
                continue
            row[count] = record
            name_offset[count] = key_offset[index] + left_off
            name_length[count] = key_length[index] - left_off
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

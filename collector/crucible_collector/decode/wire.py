"""Reading protobuf's wire format inside kernels.

Every reader is given where it is and where its message ends, compares a length with what is left
before adding it, and returns the next position, which is never before the one given. A negative
position is a code: BAD (cut off or contradicting itself) or ODD (legal or not, but so unusual that
the official parser shall decide: groups, over-long tags, a known field of another wire type).
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import U8, AttributeKind
from crucible_collector.kernels import Int, inlined

BAD = -1
ODD = -2

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5

STRING = int(AttributeKind.STRING)
BOOL = int(AttributeKind.BOOL)
INT = int(AttributeKind.INT)
DOUBLE = int(AttributeKind.DOUBLE)
BYTES = int(AttributeKind.BYTES)


@inlined
def read_varint(buffer: U8, position: Int, end: Int) -> tuple[Int, Int]:
    """Return (value as int64, next position or code)."""
    value = np.int64(0)
    for shift in range(0, 70, 7):
        if position >= end:
            return value, BAD
        byte = np.int64(buffer[position])
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return value, ODD


@inlined
def read_tag(buffer: U8, position: Int, end: Int) -> tuple[Int, Int]:
    """Return (field number << 3 | wire type, next position or code); fields 1 to 15 and 16 to 2047.

    A tag of more than two bytes is of no field that OTLP has or soon will have.
    """
    tag = np.int64(buffer[position])
    position += 1
    if tag >= 0x80:
        if position >= end:
            return tag, BAD
        byte = np.int64(buffer[position])
        position += 1
        if byte == 0 or byte >= 0x80:
            return tag, ODD
        tag = (tag & 0x7F) | byte << 7
    if tag < 8:
        return tag, BAD
    return tag, position


@inlined
def read_length(buffer: U8, position: Int, end: Int) -> tuple[Int, Int]:
    """Return (length, position of the content or code); the content lies before `end`."""
    length, position = read_varint(buffer, position, end)
    if position >= 0 and (length < 0 or length > end - position):
        return length, BAD
    return length, position


@inlined
def read_fixed64(buffer: U8, position: Int) -> Int:
    """Return 8 little-endian bytes as int64; the caller has made sure that they are there."""
    value = np.int64(0)
    for index in range(8):
        value |= np.int64(buffer[position + index]) << (8 * index)
    return value


@inlined
def read_fixed32(buffer: U8, position: Int) -> Int:
    """Return 4 little-endian bytes, unsigned; the caller has made sure that they are there."""
    value = np.int64(0)
    for index in range(4):
        value |= np.int64(buffer[position + index]) << (8 * index)
    return value


@inlined
def skip(buffer: U8, position: Int, end: Int, wire: Int) -> Int:
    """Return the position after a field's value whose content does not matter, or a code."""
    if wire == VARINT:
        _, position = read_varint(buffer, position, end)
        return position
    if wire == LENGTH:
        length, position = read_length(buffer, position, end)
        return position + length if position >= 0 else position
    width = 8 if wire == FIXED64 else 4
    if wire not in (FIXED64, FIXED32):
        return ODD
    return position + width if width <= end - position else BAD


@inlined
def read_any(buffer: U8, position: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """Read one AnyValue; return (code or 0, kind, number, offset, length) as in `batch.Attributes`."""
    kind = 0
    number = np.int64(0)
    offset = 0
    size = -1
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position, kind, number, offset, size
        field = tag >> 3
        wire = tag & 7
        if wire == LENGTH:
            length, position = read_length(buffer, position, end)
            if position < 0:
                return position, kind, number, offset, size
            if field == STRING or (field >= 5 and field <= BYTES):
                kind, number, offset, size = field, np.int64(0), position, length
            position += length
        elif wire == VARINT:
            value, position = read_varint(buffer, position, end)
            if field == BOOL:
                kind, number, offset, size = BOOL, np.int64(value != 0), 0, -1
            elif field == INT:
                kind, number, offset, size = INT, value, 0, -1
        else:
            start = position
            position = skip(buffer, position, end, wire)
            if position >= 0 and field == DOUBLE and wire == FIXED64:
                kind, number, offset, size = DOUBLE, read_fixed64(buffer, start), 0, -1
        if position < 0:
            return position, kind, number, offset, size
    return 0, kind, number, offset, size


@inlined
def read_attribute(buffer: U8, position: Int, end: Int) -> tuple[Int, Int, Int, Int, Int, Int, Int]:
    """Read one KeyValue; return (code or 0, key offset, key length, kind, number, offset, length)."""
    key, key_size = position, 0
    kind = 0
    number = np.int64(0)
    offset = 0
    size = -1
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position, key, key_size, kind, number, offset, size
        if tag & 7 == LENGTH:
            length, position = read_length(buffer, position, end)
            if position < 0:
                return position, key, key_size, kind, number, offset, size
            if tag >> 3 == 1:
                key, key_size = position, length
            elif tag >> 3 == 2:
                code, kind, number, offset, size = read_any(buffer, position, position + length)
                if code < 0:
                    return code, key, key_size, kind, number, offset, size
            position += length
        else:
            position = skip(buffer, position, end, tag & 7)
            if position < 0:
                return position, key, key_size, kind, number, offset, size
    return 0, key, key_size, kind, number, offset, size

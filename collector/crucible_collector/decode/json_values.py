"""AnyValues as JSON text, inside kernels, so that reading it back gives the same value.

| AnyValue | JSON |
|---|---|
| string | string; U+FFFD for NUL and ill-formed UTF-8 |
| bool, int64 | true, false, integer |
| double | number with a point or a negative exponent: never taken for an integer |
| NaN, ±Infinity, -0.0 | {"$double":"NaN"}, {"$double":"-Infinity"}, {"$double":"-0.0"} |
| bytes | {"$bytes":"<base64>"} |
| array | array |
| kvlist | object; {"$kvlist":{...}} if one of its keys begins with "$" |
| none set | null |

The text is what json.dumps(value, ensure_ascii=False, separators=(",", ":")) would write, but that
doubles of 1e16 and more are written out. Duplicate keys stay; in jsonb the last one counts.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I64, U8, AttributeKind
from crucible_collector.decode.doubles import DOUBLE_TEXT_MAX, write_double, write_integer
from crucible_collector.decode.text import write_text
from crucible_collector.decode.wire import (
    BOOL,
    BYTES,
    DOUBLE,
    INT,
    LENGTH,
    STRING,
    read_any,
    read_attribute,
    read_length,
    read_tag,
    skip,
)
from crucible_collector.kernels import Int, inlined

NO_ROOM = -1
MALFORMED = -2

# Room that is there before anything of fixed size is written: a number, a literal, brackets.
_ROOM = DOUBLE_TEXT_MAX + 32

_ARRAY, _KVLIST = int(AttributeKind.ARRAY), int(AttributeKind.KVLIST)
_WRAPPED = 100  # a kvlist inside {"$kvlist":...}

_MEMBER = 1 << 3 | LENGTH  # the tag of ArrayValue.values and KeyValueList.values


def literal(text: str) -> U8:
    """Return text for `write_literal`, as a constant of the kernel that names it."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


_NULL, _TRUE, _FALSE = literal("null"), literal("true"), literal("false")
_NAN, _INFINITY = literal('{"$double":"NaN"}'), literal('{"$double":"Infinity"}')
_MINUS_INFINITY = literal('{"$double":"-Infinity"}')
_MINUS_ZERO = literal('{"$double":"-0.0"}')
_BYTES_OPEN, _CLOSE_STRING = literal('{"$bytes":"'), literal('"}')
_KVLIST_OPEN = literal('{"$kvlist":{')
_BASE64 = literal("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


@inlined
def write_literal(out: U8, position: Int, text: U8) -> Int:
    for index in range(len(text)):
        out[position + index] = text[index]
    return position + len(text)


@inlined
def write_string(buffer: U8, offset: Int, size: Int, out: U8, position: Int) -> Int:
    """Write a JSON string; return the next position or NO_ROOM."""
    if len(out) - position < _ROOM:
        return NO_ROOM
    out[position] = 34  # "
    position = write_text(buffer, offset, size, out, position + 1, True)
    if position < 0 or position >= len(out):
        return NO_ROOM
    out[position] = 34
    return position + 1


@inlined
def _write_bytes(buffer: U8, offset: Int, size: Int, out: U8, position: Int) -> Int:
    if (size + 2) // 3 * 4 + _ROOM > len(out) - position:
        return NO_ROOM
    position = write_literal(out, position, _BYTES_OPEN)
    for start in range(0, size, 3):
        group = np.int64(0)
        for index in range(3):
            group = group << 8
            if start + index < size:
                group |= np.int64(buffer[offset + start + index])
        for index in range(4):
            missing = start + index > size  # of n bytes left, n + 1 characters say something
            sextet = (group >> (18 - 6 * index)) & 63
            out[position + index] = 61 if missing else _BASE64[sextet]
        position += 4
    return write_literal(out, position, _CLOSE_STRING)


@inlined
def write_number(out: U8, position: Int, bits: Int) -> Int:
    """Write a double as JSON; the room is there."""
    if (bits >> 52) & 0x7FF == 0x7FF:
        if bits & 0xFFFFFFFFFFFFF:
            return write_literal(out, position, _NAN)
        return write_literal(out, position, _MINUS_INFINITY if bits < 0 else _INFINITY)
    if bits < 0 and bits & 0x7FFFFFFFFFFFFFFF == 0:
        return write_literal(out, position, _MINUS_ZERO)
    return write_double(out, position, bits)


@inlined
def _write_scalar(
    buffer: U8, kind: Int, number: Int, offset: Int, size: Int, out: U8, position: Int
) -> Int:
    if kind == STRING:
        return write_string(buffer, offset, size, out, position)
    if kind == BYTES:
        return _write_bytes(buffer, offset, size, out, position)
    if len(out) - position < _ROOM:
        return NO_ROOM
    if kind == INT:
        return write_integer(out, position, number)
    if kind == DOUBLE:
        return write_number(out, position, number)
    if kind == BOOL:
        return write_literal(out, position, _TRUE if number != 0 else _FALSE)
    return write_literal(out, position, _NULL)


@inlined
def _begins_with_dollar(buffer: U8, position: Int, end: Int) -> bool:
    """Tell whether the KeyValue there has a key that begins with "$"."""
    found = False
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return found
        if tag & 7 != LENGTH:
            position = skip(buffer, position, end, tag & 7)
            if position < 0:
                return found
            continue
        size, position = read_length(buffer, position, end)
        if position < 0:
            return found
        if tag >> 3 == 1:
            found = size > 0 and buffer[position] == 36
        position += size
    return found


@inlined
def _mode(buffer: U8, kind: Int, position: Int, size: Int) -> Int:
    """Return which brackets a container gets: _ARRAY, _KVLIST or _WRAPPED."""
    end = position + size
    while kind == _KVLIST and position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return kind
        if tag != _MEMBER:
            position = skip(buffer, position, end, tag & 7)
            if position < 0:
                return kind
            continue
        length, position = read_length(buffer, position, end)
        if position < 0:
            return kind
        if _begins_with_dollar(buffer, position, position + length):
            return _WRAPPED
        position += length
    return kind


@inlined
def _open(out: U8, position: Int, mode: Int) -> Int:
    if mode == _WRAPPED:
        return write_literal(out, position, _KVLIST_OPEN)
    out[position] = 91 if mode == _ARRAY else 123
    return position + 1


@inlined
def _close(out: U8, position: Int, mode: Int) -> Int:
    out[position] = 93 if mode == _ARRAY else 125
    if mode == _WRAPPED:
        out[position + 1] = 125
        return position + 2
    return position + 1


@inlined
def write_value(
    buffer: U8, kind: Int, number: Int, offset: Int, size: Int, out: U8, position: Int, stack: I64
) -> Int:
    """Write one AnyValue, given as in `batch.Attributes`; return the next position or a code."""
    depth = 0
    at, end, mode = np.int64(0), np.int64(0), np.int64(0)
    while True:
        if kind == _ARRAY or kind == _KVLIST:
            if depth == len(stack):
                return MALFORMED
            if len(out) - position < _ROOM:
                return NO_ROOM
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = at, end, mode
            depth += 1
            at, end, mode = offset, offset + size, _mode(buffer, kind, offset, size)
            position = _open(out, position, mode)
        else:
            position = _write_scalar(buffer, kind, number, offset, size, out, position)
            if position < 0:
                return position
        while True:
            if depth == 0:
                return position
            if len(out) - position < _ROOM:
                return NO_ROOM
            if at == end:
                position = _close(out, position, mode)
                depth -= 1
                at, end, mode = stack[depth, 0], stack[depth, 1], stack[depth, 2]
                continue
            tag, at = read_tag(buffer, at, end)
            if at < 0:
                return MALFORMED
            if tag == _MEMBER:
                break
            at = skip(buffer, at, end, tag & 7)
            if at < 0:
                return MALFORMED
        length, at = read_length(buffer, at, end)
        if at < 0:
            return MALFORMED
        if out[position - 1] != 91 and out[position - 1] != 123:  # not the first after [ or {
            out[position] = 44  # ,
            position += 1
        if mode == _ARRAY:
            code, kind, number, offset, size = read_any(buffer, at, at + length)
        else:
            code, key, key_size, kind, number, offset, size = read_attribute(
                buffer, at, at + length
            )
            position = write_string(buffer, key, key_size, out, position)
            if position < 0 or position >= len(out):
                return NO_ROOM
            out[position] = 58  # :
            position += 1
        if code < 0:
            return MALFORMED
        at += length

"""Span events, span links and exemplars: each row's as one JSON array.

They are rare beside spans, so they are decoded like requests of their own (one row each, through
the same two walks) and then put together from columns and from the JSON of their attributes. What
has protobuf's default value is left out, as OTLP/JSON does.

    event     {"time_ns":1,"name":"exception","dropped_attributes_count":2,"attributes":{...}}
    link      {"trace_id":"<hex>","span_id":"<hex>","trace_state":"a=b","flags":1,
               "dropped_attributes_count":2,"attributes":{...}}
    exemplar  {"time_ns":1,"value":0.5,"trace_id":"<hex>","span_id":"<hex>","attributes":{...}}
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I32, I64, U8, Metrics, Spans, TextRef
from crucible_collector.decode.columns import Cells, decode
from crucible_collector.decode.doubles import DOUBLE_TEXT_MAX, write_digits, write_integer
from crucible_collector.decode.envelope import VALUE_DOUBLE, VALUE_INT
from crucible_collector.decode.json_text import OBJECT, write_rows
from crucible_collector.decode.json_values import NO_ROOM, write_number, write_string
from crucible_collector.decode.layouts import EVENTS, EXEMPLARS, LINKS
from crucible_collector.decode.plan import Layout
from crucible_collector.decode.text import string_array
from crucible_collector.kernels import Int, inlined, kernel, read_only, writable

# Forms of a member's value; `a` and `b` are its two columns. Absent where b is negative.
_UNSIGNED = 0  # a
_SIGNED = 1  # a
_DOUBLE = 2  # a: IEEE 754 bits
_TEXT = 3  # a: offset in the buffer, b: length
_HEX = 4  # a: offset in the buffer, b: length
_RAW = 5  # a: offset in the finished JSON beside the buffer, b: length

_ROOM = DOUBLE_TEXT_MAX + 64  # a number or a key; the keys are those above
_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


class _Member(NamedTuple):
    key: str
    form: int
    a: I64
    b: I64


@inlined
def _write_member(
    buffer: U8, finished: U8, form: Int, a: Int, b: Int, out: U8, position: Int
) -> Int:
    """Write a value whose room for a number is there; return the next position or NO_ROOM."""
    if form == _UNSIGNED:
        return write_digits(out, position, np.uint64(a))
    if form == _SIGNED:
        return write_integer(out, position, a)
    if form == _DOUBLE:
        return write_number(out, position, a)
    if form == _TEXT:
        return write_string(buffer, a, b, out, position)
    if 2 * b + _ROOM > len(out) - position:
        return NO_ROOM
    if form == _RAW:
        for index in range(b):
            out[position + index] = finished[a + index]
        return position + b
    out[position] = 34  # "
    for index in range(b):
        byte = buffer[a + index]
        out[position + 1 + 2 * index] = _DIGITS[byte >> 4]
        out[position + 2 + 2 * index] = _DIGITS[byte & 15]
    out[position + 1 + 2 * b] = 34
    return position + 2 + 2 * b


@inlined
def _write_object(
    buffer: U8,
    finished: U8,
    keys: U8,
    key_ends: I64,
    forms: I64,
    a: I64,
    b: I64,
    item: Int,
    out: U8,
    position: Int,
) -> Int:
    first = True
    for member in range(len(forms)):
        if b[member, item] < 0:
            continue
        if len(out) - position < _ROOM:
            return NO_ROOM
        out[position] = 123 if first else 44  # { or ,
        position += 1
        first = False
        for index in range(key_ends[member], key_ends[member + 1]):
            out[position] = keys[index]
            position += 1
        position = _write_member(
            buffer, finished, forms[member], a[member, item], b[member, item], out, position
        )
        if position < 0:
            return NO_ROOM
    if len(out) - position < _ROOM:
        return NO_ROOM
    if first:
        out[position] = 123
        position += 1
    out[position] = 125
    return position + 1


@kernel
def _write_arrays(
    buffer: U8,
    finished: U8,
    keys: U8,
    key_ends: I64,
    forms: I64,
    a: I64,
    b: I64,
    start: I64,
    row: Int,
    out: U8,
    position: Int,
    ends: I32,
) -> tuple[Int, Int]:
    """Write the rows' arrays from `row` on; return (first row without room, position)."""
    while row < len(start) - 1:
        after = np.int64(position)
        for item in range(start[row], start[row + 1]):
            if len(out) - after < _ROOM:
                return row, position
            out[after] = 91 if item == start[row] else 44  # [ or ,
            after = _write_object(
                buffer, finished, keys, key_ends, forms, a, b, item, out, after + 1
            )
            if after < 0:
                return row, position
        if after > position:
            if after >= len(out):
                return row, position
            out[after] = 93  # ]
            after += 1
        position = after
        row += 1
        ends[row] = position
    return row, position


def _arrays(cells: Cells, start: I64, members: list[_Member]) -> pa.StringArray:
    """Return each row's JSON array: of objects with these members, and the attributes last."""
    attribute_start = cells.cell("attribute_start")
    nothing = np.zeros(len(cells.attributes.kind), dtype=np.uint8)
    finished, finished_ends = write_rows(
        cells.buffer, OBJECT, attribute_start, cells.attributes, nothing
    )
    offset, size = finished_ends[:-1].astype(np.int64), np.diff(finished_ends).astype(np.int64)
    members = [*members, _Member("attributes", _RAW, offset, np.where(size > 0, size, -1))]
    keys = [f'"{member.key}":'.encode() for member in members]
    tables = (
        read_only(finished),
        np.frombuffer(b"".join(keys), dtype=np.uint8),
        np.concatenate([[0], np.cumsum([len(key) for key in keys])]).astype(np.int64),
        np.array([member.form for member in members], dtype=np.int64),
        np.array([member.a for member in members], dtype=np.int64),
        np.array([member.b for member in members], dtype=np.int64),
    )
    start = writable(start, np.int64)
    ends = np.zeros(len(start), dtype=np.int32)
    out = np.empty(2 * len(finished) + 256 * len(offset) + 4096, dtype=np.uint8)
    row, position = 0, 0
    while True:
        row, position = _write_arrays(cells.buffer, *tables, start, row, out, position, ends)
        if row == len(start) - 1:
            return string_array(out[:position], ends, np.diff(ends) == 0)
        out = np.concatenate([out[:position], np.empty(2 * len(out) - position, dtype=np.uint8)])


def span_events_json(spans: Spans) -> pa.StringArray:
    """Return each span's events as a JSON array, null where there is none."""
    if not len(spans.event_message.offset):
        return _none(spans.event_start)
    cells = _decode(EVENTS, spans.buffer, spans.event_message)
    members = [
        _number(cells, "time_ns"),
        _bytes(cells, "name", _TEXT),
        _number(cells, "dropped_attributes_count"),
    ]
    return _arrays(cells, spans.event_start, members)


def span_links_json(spans: Spans) -> pa.StringArray:
    """Return each span's links as a JSON array, null where there is none."""
    if not len(spans.link_message.offset):
        return _none(spans.link_start)
    cells = _decode(LINKS, spans.buffer, spans.link_message)
    members = [
        _bytes(cells, "trace_id", _HEX),
        _bytes(cells, "span_id", _HEX),
        _bytes(cells, "trace_state", _TEXT),
        _number(cells, "flags"),
        _number(cells, "dropped_attributes_count"),
    ]
    return _arrays(cells, spans.link_start, members)


def exemplars_json(metrics: Metrics) -> pa.StringArray:
    """Return each data point's exemplars as a JSON array, null where there is none."""
    if not len(metrics.exemplar_message.offset):
        return _none(metrics.exemplar_start)
    cells = _decode(EXEMPLARS, metrics.buffer, metrics.exemplar_message)
    value, kind = cells.cell("value"), cells.cell("value_kind")
    members = [
        _number(cells, "time_ns"),
        _Member("value", _SIGNED, value, np.where(kind == VALUE_INT, 0, -1)),
        _Member("value", _DOUBLE, value, np.where(kind == VALUE_DOUBLE, 0, -1)),
        _bytes(cells, "trace_id", _HEX),
        _bytes(cells, "span_id", _HEX),
    ]
    return _arrays(cells, metrics.exemplar_start, members)


def _decode(layout: Layout, buffer: U8, messages: TextRef) -> Cells:
    return decode(layout, buffer, messages.offset, messages.length.astype(np.int64))


def _number(cells: Cells, name: str) -> _Member:
    values = cells.cell(name)
    return _Member(name, _UNSIGNED, values, np.where(values != 0, 0, -1))


def _bytes(cells: Cells, name: str, form: int) -> _Member:
    ref = cells.text(name)
    return _Member(name, form, ref.offset, ref.length.astype(np.int64))


def _none(start: I64) -> pa.StringArray:
    return pa.nulls(len(start) - 1, pa.string())

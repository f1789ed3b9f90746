"""Tells in one pass over a request of spans, the usual kind, that there is nothing wrong with it.

What a reader could not guess: it never finds anything wrong. Whatever is unusual, in its encoding or
beside the bounds, makes it give up, and the request then goes through `canonical` and the verdicts
on its columns, which alone refuse. Nearly all requests need neither: 0.2 instead of 1.1 µs a span.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, TypeAlias

import numpy as np

from crucible_collector.batch import I64, U8
from crucible_collector.decode.canonical import DECODED_BYTES_MAX, decoded_bytes
from crucible_collector.decode.layouts import SPANS
from crucible_collector.decode.plan import FIELDS, Counter, Entry, Op
from crucible_collector.decode.slots import slot_of
from crucible_collector.decode.survey import digits, new_stack, walk
from crucible_collector.decode.wire import (
    BOOL,
    DOUBLE,
    FIXED64,
    INT,
    LENGTH,
    STRING,
    VARINT,
    read_attribute,
    read_fixed64,
    read_length,
    read_tag,
    read_varint,
    skip,
)
from crucible_collector.kernels import Int, inlined, kernel

# The numbers of SpanBounds, and the least of its slots' limits.
_Scalars: TypeAlias = tuple[Int, Int, Int, Int, Int]


class SpanBounds(NamedTuple):
    """What every span of a request must keep to."""

    start_min_ns: int
    end_min_ns: int  # of the end, or of the start if that is later
    time_max_ns: int
    name_bytes_max: int
    slot_bytes_max: I64  # of the strings under `batch.SLOT_KEYS`


class _Rule(enum.IntEnum):
    """What is asked of a field's value."""

    NONE = 0
    TRACE_ID = 1
    SPAN_ID = 2
    PARENT_ID = 3
    NAME = 4
    ENUM = 5  # fits int16, and is not negative: nobody's enum is
    START = 6
    END = 7


_RULES = {
    "trace_id_length": _Rule.TRACE_ID,
    "span_id": _Rule.SPAN_ID,
    "parent_span_id": _Rule.PARENT_ID,
    "name": _Rule.NAME,
    "kind": _Rule.ENUM,
    "status_code": _Rule.ENUM,
    "start_ns": _Rule.START,
    "end_ns": _Rule.END,
}


def _rules() -> I64:
    """Return the rule of each entry of the plan."""
    rules = np.zeros(len(SPANS.plan), dtype=np.int64)
    for column, rule in _RULES.items():
        rules[SPANS.plan[:, Entry.COLUMN] == SPANS.column_index[column]] = rule
    return rules


_RULE = _rules()
(_SPAN,) = SPANS.plan[SPANS.plan[:, Entry.COUNTER] == Counter.RECORD, Entry.CHILD].tolist()

_OP, _WIRE, _CHILD, _COUNTER = (
    int(Entry.OP),
    int(Entry.WIRE),
    int(Entry.CHILD),
    int(Entry.COUNTER),
)
_BIT, _ONCE = int(Entry.BIT), int(Entry.ONCE)
_SKIP, _SAME, _ROWS, _ATTRIBUTE = int(Op.SKIP), int(Op.SAME), int(Op.ROWS), int(Op.ATTRIBUTE)
_TRACE_ID, _SPAN_ID = int(_Rule.TRACE_ID), int(_Rule.SPAN_ID)
_PARENT_ID, _NAME, _ENUM = int(_Rule.PARENT_ID), int(_Rule.NAME), int(_Rule.ENUM)
_START, _END = int(_Rule.START), int(_Rule.END)
_DIGITS = int(Counter.DIGITS)

_INT16_MAX = (1 << 15) - 1
_IDS = 1 << _TRACE_ID | 1 << _SPAN_ID  # what a span must have

# Whole tags of KeyValue and AnyValue, as they are written nearly always.
_KEY_TAG, _VALUE_TAG = 1 << 3 | LENGTH, 2 << 3 | LENGTH
_STRING_TAG, _DOUBLE_TAG = STRING << 3 | LENGTH, DOUBLE << 3 | FIXED64
_BOOL_TAG, _INT_TAG = BOOL << 3 | VARINT, INT << 3 | VARINT


@inlined
def _plain_digits(buffer: U8, position: Int, end: Int) -> Int:
    """Return the digits, as `survey` counts them, of a KeyValue in its usual form; else -1.

    That is a key and a value of at most 127 bytes each, the value a string, a number, or none.
    """
    if end - position < 4 or buffer[position] != _KEY_TAG:
        return -1
    key_size = np.int64(buffer[position + 1])
    position += 2 + key_size
    size = end - position - 2
    if key_size > 127 or size < 0 or size > 127:
        return -1
    if buffer[position] != _VALUE_TAG or buffer[position + 1] != size:
        return -1
    if size == 0:
        return 0
    position += 2
    tag = buffer[position]
    if tag == _STRING_TAG:
        return 0 if size >= 2 and buffer[position + 1] == size - 2 else -1
    if tag == _DOUBLE_TAG:
        return digits(buffer, position + 1, end) if size == 9 else -1
    if tag == _INT_TAG or tag == _BOOL_TAG:
        _, position = read_varint(buffer, position + 1, end)
        return 0 if position == end else -1
    return -1


@inlined
def _is_long(buffer: U8, position: Int, end: Int, slot_bytes_max: I64) -> bool:
    """Tell whether a KeyValue has more text than its key allows."""
    _, key, key_size, kind, _, _, size = read_attribute(buffer, position, end)
    slot = slot_of(buffer, key, key_size)
    return bool(slot >= 0 and kind == STRING and size > slot_bytes_max[slot])


@inlined
def _is_zero(buffer: U8, position: Int, size: Int) -> bool:
    for index in range(size):
        if buffer[position + index] != 0:
            return False
    return True


@inlined
def _keeps(buffer: U8, position: Int, size: Int, rule: Int, name_bytes_max: Int) -> bool:
    """Tell whether an id or a name is as it must be."""
    if rule == _TRACE_ID:
        return bool(size == 16 and not _is_zero(buffer, position, 16))
    if rule == _SPAN_ID:
        return bool(size == 8 and not _is_zero(buffer, position, 8))
    if rule == _PARENT_ID:
        return bool(size == 8 or size == 0)
    return bool(rule != _NAME or size <= name_bytes_max)


@inlined
def _is_sound(ids: Int, start_ns: Int, end_ns: Int, bounds: _Scalars) -> bool:
    """Tell whether a span has its ids and is of an accepted time; 0 is the time of receipt."""
    start_min_ns, end_min_ns, time_max_ns, _, _ = bounds
    last_ns = max(start_ns, end_ns)
    is_old = start_ns != 0 and (start_ns < start_min_ns or last_ns < end_min_ns)
    is_valid = ids == _IDS and start_ns >= 0 and end_ns >= 0
    return bool(is_valid and not is_old and last_ns <= time_max_ns)


@inlined
def _number(buffer: U8, position: Int, end: Int, wire: Int, rule: Int) -> tuple[Int, Int]:
    """Return (a time or 0, position after a number or -1)."""
    if wire == VARINT:
        value, position = read_varint(buffer, position, end)
        is_odd = rule == _ENUM and (value < 0 or value > _INT16_MAX)
        return np.int64(0), np.int64(-1) if is_odd else position
    after = skip(buffer, position, end, wire)
    if after >= 0 and (rule == _START or rule == _END):
        return read_fixed64(buffer, position), after
    return np.int64(0), after


@kernel
def _are_sound(
    buffer: U8,
    bounds: _Scalars,
    slot_bytes_max: I64,
    plan: I64,
    counts: I64,
    stack: I64,
) -> bool:
    """Count the rows of each kind; False where something is not as usual, or not for certain."""
    _, _, _, name_bytes_max, text_bytes_max = bounds
    position, end, depth = 0, len(buffer), 0
    message, seen = np.int64(0), np.int64(0)
    ids, start_ns, end_ns = np.int64(0), np.int64(0), np.int64(0)  # of the span
    while True:
        if position == end:
            if message == _SPAN and not _is_sound(ids, start_ns, end_ns, bounds):
                return False
            if depth == 0:
                return True
            depth -= 1
            end, message, seen = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            continue
        tag, position = read_tag(buffer, position, end)
        if position < 0 or tag >> 3 >= FIELDS:
            return False
        wire = tag & 7
        entry = message * FIELDS + (tag >> 3)
        op = plan[entry, _OP]
        if op == _SKIP or wire != plan[entry, _WIRE] or seen & plan[entry, _ONCE]:
            return False
        seen |= plan[entry, _BIT]
        rule = _RULE[entry]
        if wire != LENGTH:
            time_ns, position = _number(buffer, position, end, wire, rule)
            if position < 0:
                return False
            if rule == _START:
                start_ns = time_ns
            elif rule == _END:
                end_ns = time_ns
            continue
        size, position = read_length(buffer, position, end)
        if position < 0 or not _keeps(buffer, position, size, rule, name_bytes_max):
            return False
        if rule != 0:
            ids |= (1 << rule) & _IDS
        if plan[entry, _COUNTER] >= 0:
            counts[plan[entry, _COUNTER]] += 1
        child = plan[entry, _CHILD]
        if op == _SAME or op == _ROWS:
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = end, message, seen
            depth += 1
            end, message, seen = position + size, child, np.int64(0)
            if message == _SPAN:
                ids, start_ns, end_ns = np.int64(0), np.int64(0), np.int64(0)
            continue
        start, position = position, position + size
        added = _plain_digits(buffer, start, position) if op == _ATTRIBUTE else -1
        if added >= 0:
            counts[_DIGITS] += added
        elif (
            child >= 0
            and walk(buffer, start, position, child, depth + 1, plan, True, counts, stack) < 0
        ):
            return False
        may_be_long = op == _ATTRIBUTE and size > text_bytes_max
        if may_be_long and _is_long(buffer, start, position, slot_bytes_max):
            return False


def sound_span_count(body: bytes, bounds: SpanBounds, *, records_max: int) -> int | None:
    """Return how many spans a request has if all are sound; None if only a closer look can tell.

    Sound: `canonical` returns `body` itself, and each span has its ids and keeps to the bounds.
    """
    start_min_ns, end_min_ns, time_max_ns, name_bytes_max, slot_bytes_max = bounds
    text_bytes_max = int(slot_bytes_max.min())
    counts = np.zeros(len(Counter), dtype=np.int64)
    are_sound = _are_sound(
        np.frombuffer(body, dtype=np.uint8),
        (start_min_ns, end_min_ns, time_max_ns, name_bytes_max, text_bytes_max),
        slot_bytes_max,
        SPANS.plan,
        counts,
        new_stack(),
    )
    if not are_sound or counts[Counter.RECORD] > records_max:
        return None
    if decoded_bytes(SPANS, counts) > DECODED_BYTES_MAX:
        return None
    return int(counts[Counter.RECORD])

"""The first pass over requests: every byte is checked, and rows of each kind are counted.

`deep` looks into every message, as the official parser would, and is what a request is let through
on. Without it the attributes, events, links and exemplars are only counted, which is all that
sizing the columns needs.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I64, U8
from crucible_collector.decode.plan import FIELDS, Entry, Op
from crucible_collector.decode.wire import (
    BAD,
    LENGTH,
    ODD,
    read_length,
    read_tag,
    read_varint,
    skip,
)
from crucible_collector.kernels import Int, inlined, kernel

DEPTH_MAX = 100  # messages inside the request, as in the official parser

_OP, _WIRE, _CHILD, _COUNTER = (
    int(Entry.OP),
    int(Entry.WIRE),
    int(Entry.CHILD),
    int(Entry.COUNTER),
)
_BIT, _ONCE = int(Entry.BIT), int(Entry.ONCE)
_SKIP, _ATTRIBUTE, _REFS = int(Op.SKIP), int(Op.ATTRIBUTE), int(Op.REFS)
_VALUE = int(Op.VALUE)
_PACKED_FIXED64, _PACKED_VARINT = int(Op.PACKED_FIXED64), int(Op.PACKED_VARINT)


def new_stack() -> I64:
    """Return the scratch memory that a walk needs: kernels allocate nothing themselves."""
    return np.empty((DEPTH_MAX, 3), dtype=np.int64)


@inlined
def _count_varints(buffer: U8, position: Int, end: Int) -> Int:
    """Return how many varints lie there, or a code."""
    count = 0
    while position < end:
        _, position = read_varint(buffer, position, end)
        if position < 0:
            return position
        count += 1
    return count


@inlined
def _added(buffer: U8, position: Int, size: Int, op: Int) -> Int:
    """Return how many rows a length-delimited field makes, or a code."""
    if op == _PACKED_FIXED64:
        return BAD if size & 7 else size >> 3
    if op == _PACKED_VARINT:
        return _count_varints(buffer, position, position + size)
    return 1


@inlined
def digits(buffer: U8, position: Int, end: Int) -> Int:
    """Return how many digits the double there has before its point: log10(2) is 77/256."""
    if end - position < 8:
        return 0
    biased = np.int64(buffer[position + 7] & 0x7F) << 4 | np.int64(buffer[position + 6] >> 4)
    return (biased - 1023) * 77 >> 8 if biased > 1023 and biased < 2047 else 0


@inlined
def walk(
    buffer: U8,
    position: Int,
    end: Int,
    message: Int,
    bottom: Int,
    plan: I64,
    deep: bool,
    counts: I64,
    stack: I64,
) -> Int:
    """Check one message, which lies inside `bottom` others, and count; return 0 or a code."""
    depth = bottom
    seen = np.int64(0)
    while True:
        if position == end:
            if depth == bottom:
                return 0
            depth -= 1
            end, message, seen = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            continue
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position
        wire = tag & 7
        entry = message * FIELDS + (tag >> 3) if tag >> 3 < FIELDS else np.int64(0)
        op = plan[entry, _OP]
        if op != _SKIP:
            if wire != plan[entry, _WIRE]:
                return ODD
            if seen & plan[entry, _ONCE]:
                return ODD
            seen |= plan[entry, _BIT]
        counter = plan[entry, _COUNTER]
        if op == _SKIP or wire != LENGTH:
            if counter >= 0:
                counts[counter] += digits(buffer, position, end)
            position = skip(buffer, position, end, wire)
            if position < 0:
                return position
            continue
        size, position = read_length(buffer, position, end)
        if position < 0:
            return position
        if counter >= 0:
            added = _added(buffer, position, size, op)
            if added < 0:
                return added
            counts[counter] += added
        child = plan[entry, _CHILD]
        if child < 0 or (not deep and (op == _ATTRIBUTE or op == _REFS or op == _VALUE)):
            position += size
            continue
        if depth == DEPTH_MAX:
            return BAD
        stack[depth, 0], stack[depth, 1], stack[depth, 2] = end, message, seen
        depth += 1
        end, message, seen = position + size, child, np.int64(0)


@kernel
def survey(
    buffer: U8, offset: I64, length: I64, plan: I64, deep: bool, counts: I64, stack: I64
) -> tuple[Int, Int]:
    """Add up the rows of each kind into `counts`; return (code or 0, index of the request)."""
    for request in range(len(offset)):
        start = offset[request]
        if start < 0 or length[request] < 0 or length[request] > len(buffer) - start:
            return BAD, request
        end = start + length[request]
        code = walk(buffer, start, end, np.int64(0), 0, plan, deep, counts, stack)
        if code < 0:
            return code, request
    return 0, -1

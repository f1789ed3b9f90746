"""The second pass over surveyed requests: every value into its cell.

A column's cells are `cells[base[column]:base[column + 1]]`. `cursor` holds, for each kind of row,
the index of the next one: it comes with the first rows and leaves with those after the last, which
differ from zero for attributes, since those of records, scopes and resources share one table.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from crucible_collector.batch import I32, I64, U8
from crucible_collector.decode.plan import FIELDS, Counter, Entry, Op, Opening
from crucible_collector.decode.slots import slot_of
from crucible_collector.decode.survey import DEPTH_MAX
from crucible_collector.decode.wire import (
    BAD,
    FIXED64,
    ODD,
    VARINT,
    read_any,
    read_attribute,
    read_fixed32,
    read_fixed64,
    read_length,
    read_tag,
    read_varint,
    skip,
)
from crucible_collector.kernels import Int, inlined, kernel

# Arrays that travel together through the calls below.
Tables: TypeAlias = tuple[I64, I64, I64, I64]  # plan, opens, opens_start, base
Target: TypeAlias = tuple[I64, I64, U8, I32, I32]  # cells, cursor, trace_id, slots, resource_slots
AttributeArrays: TypeAlias = tuple[I64, I32, U8, I64, I64, I32]  # as in batch.Attributes

_OP, _WIRE, _CHILD = int(Entry.OP), int(Entry.WIRE), int(Entry.CHILD)
_COUNTER, _COLUMN = int(Entry.COUNTER), int(Entry.COLUMN)
_MARK, _MARK_VALUE = int(Entry.MARK), int(Entry.MARK_VALUE)

_CHECK, _INT64, _INT32, _UINT32 = int(Op.CHECK), int(Op.INT64), int(Op.INT32), int(Op.UINT32)
_BOOL, _SINT32, _FIXED32 = int(Op.BOOL), int(Op.SINT32), int(Op.FIXED32)
_TEXT, _ID16, _ID8 = int(Op.TEXT), int(Op.ID16), int(Op.ID8)
_SAME, _ROWS, _REFS = int(Op.SAME), int(Op.ROWS), int(Op.REFS)
_ATTRIBUTE, _VALUE = int(Op.ATTRIBUTE), int(Op.VALUE)
_PACKED_FIXED64, _PACKED_VARINT = int(Op.PACKED_FIXED64), int(Op.PACKED_VARINT)

_REQUEST, _INDEX, _RECORD = int(Counter.REQUEST), int(Counter.INDEX), int(Counter.RECORD)
_RECORD_ATTRIBUTE = int(Counter.RECORD_ATTRIBUTE)
_RESOURCE_ATTRIBUTE = int(Counter.RESOURCE_ATTRIBUTE)

_START, _PARENT = int(Opening.START), int(Opening.PARENT)


@inlined
def _scalar(buffer: U8, position: Int, end: Int, op: Int, wire: Int) -> tuple[Int, Int]:
    """Return (value, next position or code) of a number, as its type is on the wire."""
    if wire != VARINT:
        width = 8 if wire == FIXED64 else 4
        if width > end - position:
            return 0, BAD
        if wire == FIXED64:
            return read_fixed64(buffer, position), position + 8
        return read_fixed32(buffer, position), position + 4
    value, position = read_varint(buffer, position, end)
    if op == _INT32:
        value = value << 32 >> 32
    elif op == _UINT32:
        value &= 0xFFFFFFFF
    elif op == _BOOL:
        value = np.int64(value != 0)
    elif op == _SINT32:
        value = ((value & 0xFFFFFFFF) >> 1) ^ -(value & 1)
    return value, position


@inlined
def _packed(buffer: U8, position: Int, end: Int, op: Int, cells: I64, cell: Int) -> tuple[Int, Int]:
    """Store packed numbers from `cell` on; return (how many, 0 or code)."""
    count = 0
    while position < end:
        if op == _PACKED_FIXED64:
            if end - position < 8:
                return count, BAD
            value = read_fixed64(buffer, position)
            position += 8
        else:
            value, position = read_varint(buffer, position, end)
            if position < 0:
                return count, position
        cells[cell + count] = value
        count += 1
    return count, 0


@inlined
def _open_row(counter: Int, size: Int, tables: Tables, target: Target) -> Int:
    """Begin the next row of this kind and return its index."""
    _, opens, opens_start, base = tables
    cells, cursor, _, _, _ = target
    row = cursor[counter]
    cursor[counter] += 1
    if counter == _RECORD:
        cursor[_INDEX] += 1
    for index in range(opens_start[counter], opens_start[counter + 1]):
        opening = opens[index, 1]
        if opening == _START:
            value = cursor[opens[index, 2]]
        elif opening == _PARENT:
            value = cursor[opens[index, 2]] - 1
        else:
            value = np.int64(size)
        cells[base[opens[index, 0]] + row] = value
    return row


@inlined
def _bytes(
    buffer: U8, position: Int, size: Int, op: Int, first: Int, second: Int, row: Int, target: Target
) -> None:
    """Store a byte string in two cells: where it lies, or for ids what it says."""
    cells, _, trace_id, _, _ = target
    if op == _ID16:
        for index in range(16):
            trace_id[row, index] = buffer[position + index] if size == 16 else 0
        cells[first] = size
    elif op == _ID8:
        value = np.int64(0)
        if size == 8:
            for index in range(8):
                value = value << 8 | np.int64(buffer[position + index])
        cells[first] = value
        cells[second] = size
    else:
        cells[first] = position if size > 0 else 0
        cells[second] = size if size > 0 else -1


@inlined
def _attribute(
    buffer: U8,
    position: Int,
    size: Int,
    counter: Int,
    row: Int,
    target: Target,
    attributes: AttributeArrays,
) -> Int:
    """Store one KeyValue; return 0 or a code.

    Of several with one slot's key the last counts; the others get key length -1 (absent).
    """
    _, cursor, _, slots, resource_slots = target
    key_offset, key_length, kind, number, value_offset, value_length = attributes
    code, key, key_size, value_kind, value, offset, length = read_attribute(
        buffer, position, position + size
    )
    if code < 0:
        return code
    index = cursor[counter]
    cursor[counter] = index + 1
    key_offset[index], key_length[index] = key, key_size
    kind[index], number[index] = value_kind, value
    value_offset[index], value_length[index] = offset, length
    if counter == _RECORD_ATTRIBUTE or counter == _RESOURCE_ATTRIBUTE:
        slot = slot_of(buffer, key, key_size)
        if slot >= 0:
            table = slots if counter == _RECORD_ATTRIBUTE else resource_slots
            if table[row, slot] >= 0:
                key_length[table[row, slot]] = -1
            table[row, slot] = index
    return 0


@inlined
def _content(
    buffer: U8,
    position: Int,
    size: Int,
    entry: Int,
    row: Int,
    tables: Tables,
    target: Target,
    attributes: AttributeArrays,
) -> Int:
    """Store a length-delimited field that the walk does not go into; return 0 or a code."""
    plan, _, _, base = tables
    cells, cursor, _, _, _ = target
    op, counter, column = plan[entry, _OP], plan[entry, _COUNTER], plan[entry, _COLUMN]
    if op == _ATTRIBUTE:
        return _attribute(buffer, position, size, counter, row, target, attributes)
    if op <= _ID8:
        first, second = base[column] + row, base[column + 1] + row
        _bytes(buffer, position, size, op, first, second, row, target)
        return 0
    if op == _VALUE:
        code, kind, number, offset, length = read_any(buffer, position, position + size)
        cells[base[column] + row] = kind
        cells[base[column + 1] + row] = number
        cells[base[column + 2] + row] = offset
        cells[base[column + 3] + row] = length
        return code
    if op == _REFS:
        cells[base[column] + cursor[counter]] = position
        cells[base[column + 1] + cursor[counter]] = size
        cursor[counter] += 1
        return 0
    cell = base[column] + cursor[counter]
    count, code = _packed(buffer, position, position + size, op, cells, cell)
    cursor[counter] += count
    return code


@inlined
def _walk(
    buffer: U8,
    position: Int,
    end: Int,
    row: Int,
    tables: Tables,
    target: Target,
    attributes: AttributeArrays,
    stack: I64,
) -> Int:
    plan, _, _, base = tables
    cells, _, _, _, _ = target
    depth = 0
    message = np.int64(0)
    while True:
        if position == end:
            if depth == 0:
                return 0
            depth -= 1
            end, message, row = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            continue
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position
        wire = tag & 7
        entry = message * FIELDS + (tag >> 3) if tag >> 3 < FIELDS else np.int64(0)
        op = plan[entry, _OP]
        if op <= _CHECK:
            position = skip(buffer, position, end, wire)
            if position < 0:
                return position
            continue
        if wire != plan[entry, _WIRE]:
            return ODD
        mark = plan[entry, _MARK]
        if mark >= 0:
            cells[base[mark] + row] = plan[entry, _MARK_VALUE]
        if op <= _FIXED32:
            value, position = _scalar(buffer, position, end, op, wire)
            if position < 0:
                return position
            cells[base[plan[entry, _COLUMN]] + row] = value
            continue
        size, position = read_length(buffer, position, end)
        if position < 0:
            return position
        if op == _SAME or op == _ROWS:
            if depth == DEPTH_MAX:
                return BAD
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = end, message, row
            depth += 1
            end, message = position + size, plan[entry, _CHILD]
            if op == _ROWS:
                row = _open_row(plan[entry, _COUNTER], size, tables, target)
            continue
        code = _content(buffer, position, size, entry, row, tables, target, attributes)
        if code < 0:
            return code
        position += size


@kernel
def fill(
    buffer: U8,
    offset: I64,
    length: I64,
    row_each: bool,
    initial: I64,
    tables: Tables,
    target: Target,
    attributes: AttributeArrays,
    stack: I64,
) -> Int:
    """Fill all columns; return 0 or a code (only where `survey` was not asked before)."""
    _, opens, opens_start, base = tables
    cells, cursor, _, _, _ = target
    for column in range(len(initial)):
        cells[base[column] : base[column + 1]] = initial[column]
    for request in range(len(offset)):
        cursor[_REQUEST] += 1
        cursor[_INDEX] = 0
        row = np.int64(0)
        if row_each:
            row = _open_row(_RECORD, length[request], tables, target)
        end = offset[request] + length[request]
        code = _walk(buffer, offset[request], end, row, tables, target, attributes, stack)
        if code < 0:
            return code
    for counter in range(len(opens_start) - 1):
        for index in range(opens_start[counter], opens_start[counter + 1]):
            if opens[index, 1] == _START:
                cells[base[opens[index, 0] + 1] - 1] = cursor[opens[index, 2]]
    return 0

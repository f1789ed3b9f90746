"""The second pass over surveyed requests: every value into its cell.

`cursor` holds, for each kind of row, the index of the next one; attributes of records, scopes and
resources share one table and begin at different places in it.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I32, I64, U8
from crucible_collector.decode.kernels import Int, inlined, kernel
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
def _open_row(
    counter: Int, size: Int, opens: I64, opens_start: I64, base: I64, cells: I64, cursor: I64
) -> Int:
    """Begin the next row of this kind and return its index."""
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
def _text(
    buffer: U8,
    position: Int,
    size: Int,
    op: Int,
    cell: Int,
    length_cell: Int,
    row: Int,
    cells: I64,
    trace_id: U8,
) -> None:
    """Store a byte string: where it lies, or for ids what it says."""
    if op == _ID16:
        for index in range(16):
            trace_id[row, index] = buffer[position + index] if size == 16 else 0
        cells[cell] = size
    elif op == _ID8:
        value = np.int64(0)
        if size == 8:
            for index in range(8):
                value = value << 8 | np.int64(buffer[position + index])
        cells[cell] = value
        cells[length_cell] = size
    else:
        cells[cell] = position if size > 0 else 0
        cells[length_cell] = size if size > 0 else -1


@inlined
def _attribute(
    buffer: U8,
    position: Int,
    size: Int,
    counter: Int,
    row: Int,
    cursor: I64,
    slots: I32,
    resource_slots: I32,
    key_offset: I64,
    key_length: I32,
    kind: U8,
    number: I64,
    value_offset: I64,
    value_length: I32,
) -> Int:
    """Store one KeyValue; return 0 or a code.

    Of several with one slot's key the last counts; the others get key length -1 (absent).
    """
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
def _walk(
    buffer: U8,
    position: Int,
    end: Int,
    plan: I64,
    opens: I64,
    opens_start: I64,
    base: I64,
    cells: I64,
    cursor: I64,
    row: Int,
    stack: I64,
    trace_id: U8,
    slots: I32,
    resource_slots: I32,
    key_offset: I64,
    key_length: I32,
    kind: U8,
    number: I64,
    value_offset: I64,
    value_length: I32,
) -> Int:
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
        column = plan[entry, _COLUMN]
        mark = plan[entry, _MARK]
        if mark >= 0:
            cells[base[mark] + row] = plan[entry, _MARK_VALUE]
        if op <= _FIXED32:
            value, position = _scalar(buffer, position, end, op, wire)
            if position < 0:
                return position
            cells[base[column] + row] = value
            continue
        size, position = read_length(buffer, position, end)
        if position < 0:
            return position
        counter = plan[entry, _COUNTER]
        if op == _SAME or op == _ROWS:
            if depth == DEPTH_MAX:
                return BAD
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = end, message, row
            depth += 1
            end, message = position + size, plan[entry, _CHILD]
            if op == _ROWS:
                row = _open_row(counter, size, opens, opens_start, base, cells, cursor)
            continue
        code = 0
        if op == _ATTRIBUTE:
            code = _attribute(
                buffer,
                position,
                size,
                counter,
                row,
                cursor,
                slots,
                resource_slots,
                key_offset,
                key_length,
                kind,
                number,
                value_offset,
                value_length,
            )
        elif op <= _ID8:
            length_cell = base[column + 1] + row
            _text(buffer, position, size, op, base[column] + row, length_cell, row, cells, trace_id)
        elif op == _REFS:
            cell = cursor[counter]
            cells[base[column] + cell] = position
            cells[base[column + 1] + cell] = size
            cursor[counter] += 1
        elif op == _VALUE:
            code, kind_, number_, offset, length = read_any(buffer, position, position + size)
            cells[base[column] + row] = kind_
            cells[base[column + 1] + row] = number_
            cells[base[column + 2] + row] = offset
            cells[base[column + 3] + row] = length
        else:
            cell = base[column] + cursor[counter]
            count, code = _packed(buffer, position, position + size, op, cells, cell)
            cursor[counter] += count
        if code < 0:
            return code
        position += size


@kernel
def fill(
    buffer: U8,
    offset: I64,
    length: I64,
    plan: I64,
    opens: I64,
    opens_start: I64,
    initial: I64,
    row_each: bool,
    base: I64,
    cells: I64,
    cursor: I64,
    stack: I64,
    trace_id: U8,
    slots: I32,
    resource_slots: I32,
    key_offset: I64,
    key_length: I32,
    kind: U8,
    number: I64,
    value_offset: I64,
    value_length: I32,
) -> Int:
    """Fill all columns; return 0 or a code (only where `survey` was not asked before).

    `base[column]:base[column + 1]` are a column's cells; `cursor` comes with each kind's first row
    and leaves with the row after its last.
    """
    for column in range(len(initial)):
        cells[base[column] : base[column + 1]] = initial[column]
    for request in range(len(offset)):
        cursor[_REQUEST] += 1
        cursor[_INDEX] = 0
        row = np.int64(0)
        if row_each:
            size = length[request]
            row = _open_row(_RECORD, size, opens, opens_start, base, cells, cursor)
        code = _walk(
            buffer,
            offset[request],
            offset[request] + length[request],
            plan,
            opens,
            opens_start,
            base,
            cells,
            cursor,
            row,
            stack,
            trace_id,
            slots,
            resource_slots,
            key_offset,
            key_length,
            kind,
            number,
            value_offset,
            value_length,
        )
        if code < 0:
            return code
    for counter in range(len(opens_start) - 1):
        for index in range(opens_start[counter], opens_start[counter + 1]):
            if opens[index, 1] == _START:
                cells[base[opens[index, 0] + 1] - 1] = cursor[opens[index, 2]]
    return 0

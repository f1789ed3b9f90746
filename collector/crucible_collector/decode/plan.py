"""What the walking kernels do with each field of each message, as a table they can index.

Field numbers and wire types come from OTLP's descriptors; where a field's value goes is declared in
`layouts` and `metric_layout` by name. A field that nothing is declared for is still checked, and otherwise skipped.

Where things go: a decoded window has *rows* of several kinds (`Counter`), and each column belongs
to one kind. All columns lie in one int64 array ("cells"), one after another; the counting pass says
how many rows there are of each kind, and so where each column begins.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from crucible_collector.batch import I64
from crucible_collector.decode import official
from crucible_collector.decode.wire import FIXED32, FIXED64, LENGTH, VARINT

ROOT = "root"

FIELDS = 32  # no OTLP message has a field number over 16; larger ones are skipped as unknown


class Counter(enum.IntEnum):
    """Kinds of rows, counted by the first pass and used as cursors by the second."""

    REQUEST = 0
    INDEX = 1  # of the record within its request; starts again with each
    RESOURCE = 2
    SCOPE = 3
    METRIC = 4
    RECORD = 5
    RECORD_ATTRIBUTE = 6
    OTHER_ATTRIBUTE = 7  # of scopes, events, links, exemplars: those without slots
    RESOURCE_ATTRIBUTE = 8
    EVENT = 9
    LINK = 10
    EXEMPLAR = 11
    BOUNDS = 12
    COUNTS = 13
    QUANTILE = 14
    NEGATIVE_COUNTS = 15
    DIGITS = 16  # no rows: digits before the point of all attributes that are doubles


class Op(enum.IntEnum):
    """What a kernel does with a field's value. The order is used: see `survey` and `fill`."""

    SKIP = 0  # a field that OTLP does not have: any wire type, content unseen
    CHECK = 1  # a field of OTLP that has no column
    INT64 = 2
    INT32 = 3
    UINT32 = 4
    BOOL = 5
    SINT32 = 6
    FIXED64 = 7
    FIXED32 = 8
    TEXT = 9
    ID16 = 10
    ID8 = 11
    SAME = 12  # a message whose fields are columns of the enclosing row
    ROWS = 13  # a repeated message: a row each
    REFS = 14  # a repeated message kept as bytes: a row each of offset and length
    ATTRIBUTE = 15
    VALUE = 16  # an AnyValue
    PACKED_FIXED64 = 17
    PACKED_VARINT = 18


class Entry(enum.IntEnum):
    """Columns of the plan; its rows are `message * FIELDS + field number`."""

    OP = 0
    WIRE = 1
    CHILD = 2  # index of the message inside, or -1
    COUNTER = 3  # which kind of row this field makes, or -1
    COLUMN = 4  # index of the (first) column written, or -1
    MARK = 5  # index of a column that gets MARK_VALUE, or -1
    MARK_VALUE = 6
    BIT = 7  # this field's bit, where an earlier occurrence matters, else 0
    ONCE = 8  # bits that must not have been seen before: singular messages, members of a oneof


class Place(NamedTuple):
    """Where a field goes: see `Op` for the words."""

    op: Op | None = None  # None: by the field's type
    column: str = ""
    message: str = ""  # SAME, ROWS: which declared message is inside
    counter: Counter | None = None
    mark: str = ""
    mark_value: int = 1


class Column(NamedTuple):
    """One column of int64 cells."""

    rows: Counter
    initial: int = 0
    # What a cell gets when its row begins, where that is not the initial value:
    start_of: Counter | None = None  # the next row of that kind; (rows + 1) cells, for slices
    parent: Counter | None = None  # the current row of that kind
    is_size: bool = False  # the encoded bytes of the row's message


@dataclass(frozen=True)
class Layout:
    """All that the kernels need to know about one signal."""

    root: str  # the message to begin with, as `official.descriptor` names it
    columns: dict[str, Column]
    # declared message (ROOT: the first one) -> (protobuf type, field name -> place); others are only checked
    messages: dict[str, tuple[str, dict[str, Place]]]
    row_each: bool = False  # each request is a record, not an envelope of records
    column_index: dict[str, int] = field(init=False)
    plan: I64 = field(init=False)  # `Entry` a column
    rows: I64 = field(init=False)  # of each column: which counter its rows belong to,
    extra: I64 = field(init=False)  # 1 for a column of slice starts, else 0,
    initial: I64 = field(init=False)  # and what its cells begin with
    # What beginning a row writes: `opens[opens_start[counter]:opens_start[counter + 1]]`, each
    # (column, `Opening`, counter).
    opens: I64 = field(init=False)
    opens_start: I64 = field(init=False)

    def __post_init__(self) -> None:
        columns = list(self.columns.values())
        index = {name: index for index, name in enumerate(self.columns)}
        object.__setattr__(self, "column_index", index)
        opens = sorted(
            (int(column.rows), index, *_opening(column))
            for index, column in enumerate(columns)
            if _opening(column)
        )
        tables = {
            "plan": _Planner(self).table(),
            "rows": [column.rows for column in columns],
            "extra": [column.start_of is not None for column in columns],
            "initial": [column.initial for column in columns],
            "opens": [row[1:] for row in opens],
            "opens_start": np.searchsorted([row[0] for row in opens], range(len(Counter) + 1)),
        }
        for name, table in tables.items():
            object.__setattr__(self, name, np.ascontiguousarray(table, dtype=np.int64))


class Opening(enum.IntEnum):
    """What the cell of a beginning row gets."""

    START = 0
    PARENT = 1
    SIZE = 2


def _opening(column: Column) -> tuple[int, int] | tuple[()]:
    if column.start_of is not None:
        return Opening.START, column.start_of
    if column.parent is not None:
        return Opening.PARENT, column.parent
    return (Opening.SIZE, 0) if column.is_size else ()


class _Planner:
    """Numbers the messages reachable from a root (number 0) and writes their entries."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._column = layout.column_index
        self._number: dict[str, int] = {}
        self._entries: list[I64] = []

    def table(self) -> I64:
        self._visit(ROOT, official.descriptor(self._layout.root))
        return np.concatenate(self._entries)

    def _visit(self, name: str, descriptor: Any) -> int:
        if name in self._number:
            return self._number[name]
        self._number[name] = len(self._entries)
        entries = np.full((FIELDS, len(Entry)), -1, dtype=np.int64)
        entries[:, [Entry.OP, Entry.BIT, Entry.ONCE]] = 0
        self._entries.append(entries)
        type_name, places = self._layout.messages.get(name, (descriptor.name, {}))
        unknown = sorted(places.keys() - descriptor.fields_by_name.keys())
        if descriptor.name != type_name or unknown:
            raise ValueError(
                f"declared for {type_name}: {unknown}; OTLP has {descriptor.full_name}"
            )
        for member in descriptor.fields:
            place = places.get(member.name)
            if place is not None or (member.number < FIELDS and _is_checked(member)):
                entries[member.number] = self._entry(member, place or Place())
        return self._number[name]

    def _entry(self, member: Any, place: Place) -> I64:
        entry = np.full(len(Entry), -1, dtype=np.int64)
        op, wire = _op_and_wire(member)
        entry[Entry.WIRE] = wire
        declared = bool(place.column or place.message or place.counter is not None)
        entry[Entry.OP] = (place.op if place.op is not None else op) if declared else Op.CHECK
        if place.column:
            entry[Entry.COLUMN] = self._column[place.column]
        if place.mark:
            entry[Entry.MARK] = self._column[place.mark]
            entry[Entry.MARK_VALUE] = place.mark_value
        if place.counter is not None:
            entry[Entry.COUNTER] = place.counter
        entry[Entry.BIT], entry[Entry.ONCE] = _bits(member)
        if member.message_type is not None:
            inside = place.message or member.message_type.full_name
            entry[Entry.CHILD] = self._visit(inside, member.message_type)
        return entry


_KINDS: dict[int, tuple[Op, int]] = {
    FieldDescriptor.TYPE_INT64: (Op.INT64, VARINT),
    FieldDescriptor.TYPE_UINT64: (Op.INT64, VARINT),
    FieldDescriptor.TYPE_INT32: (Op.INT32, VARINT),
    FieldDescriptor.TYPE_ENUM: (Op.INT32, VARINT),
    FieldDescriptor.TYPE_UINT32: (Op.UINT32, VARINT),
    FieldDescriptor.TYPE_BOOL: (Op.BOOL, VARINT),
    FieldDescriptor.TYPE_SINT32: (Op.SINT32, VARINT),
    FieldDescriptor.TYPE_DOUBLE: (Op.FIXED64, FIXED64),
    FieldDescriptor.TYPE_FIXED64: (Op.FIXED64, FIXED64),
    FieldDescriptor.TYPE_SFIXED64: (Op.FIXED64, FIXED64),
    FieldDescriptor.TYPE_FIXED32: (Op.FIXED32, FIXED32),
    FieldDescriptor.TYPE_BYTES: (Op.TEXT, LENGTH),
    FieldDescriptor.TYPE_MESSAGE: (Op.SAME, LENGTH),
}


def _is_checked(member: Any) -> bool:
    """Tell whether a field without a place is looked into; OTLP may gain ones of any type."""
    return member.type in _KINDS and (not member.is_repeated or _KINDS[member.type][1] == LENGTH)


def _op_and_wire(member: Any) -> tuple[Op, int]:
    op, wire = _KINDS[member.type]
    if member.is_repeated and wire == FIXED64:
        return Op.PACKED_FIXED64, LENGTH
    if member.is_repeated and wire == VARINT:
        return Op.PACKED_VARINT, LENGTH
    return op, wire


def _bits(member: Any) -> tuple[int, int]:
    """Return (own bit, bits not to be seen before): a second one would have to be merged."""
    own = 1 << member.number
    oneof = member.containing_oneof
    if oneof is not None and len(oneof.fields) > 1:
        return own, sum(1 << other.number for other in oneof.fields)
    if member.message_type is not None and not member.is_repeated:
        return own, own
    return 0, 0

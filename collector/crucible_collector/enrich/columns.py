"""Columns of a window read through its slots: identity, numbers, times; absent stays absent.

A slot of the record wins over the same slot of its resource, so that a run id may be given once for
a process or per span. Values of another kind than the column's stay in the attributes and are not
read here.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

import crucible_schema
from crucible_collector.batch import (
    F64,
    I32,
    I64,
    SLOT,
    SPELLINGS,
    AttributeKind,
    Attributes,
    Bool,
    Records,
    TextRef,
)
from crucible_collector.decode import read_texts, text_array, text_hash
from crucible_collector.enrich.hashing import U64

NS_PER_US = 1_000
_TIMESTAMP = pa.timestamp("us", "UTC")
_R = TypeVar("_R", bound=Records)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def remembered(column: Callable[Concatenate[_R, _P], _T]) -> Callable[Concatenate[_R, _P], _T]:
    """Read a column of a window once, however many stages ask for it (0.05 µs a span each time)."""

    @functools.wraps(column)
    def once(records: _R, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        key = (column.__name__, args, tuple(kwargs.items()))
        if key not in records.memo:
            records.memo[key] = column(records, *args, **kwargs)
        found: _T = records.memo[key]
        return found

    return once


@remembered
def resource_of(records: Records) -> I64:
    """The row of `records.resources` that each record belongs to."""
    if not len(records.scopes.resource):
        return np.zeros(0, np.int64)
    return records.scopes.resource[records.scope].astype(np.int64)


@remembered
def _slots(records: Records) -> tuple[I32, I32]:
    """The slots that any record has, one contiguous row a key; and the row of each slot, -1: none has it.

    Few keys are there at a time: to turn all of them costs 0.1 µs a span.
    """
    there = np.flatnonzero(records.slots.max(axis=0, initial=-1) >= 0)
    place = np.full(records.slots.shape[1], -1, np.int32)
    place[there] = np.arange(len(there), dtype=np.int32)
    return np.ascontiguousarray(records.slots[:, there].T), place


def _slot(records: Records, key: str) -> I32 | None:
    """Where each record's attribute of that key is in the table; None where no record has one."""
    by_key, place = _slots(records)
    at = place[SLOT[key]]
    return None if at < 0 else by_key[at]


def _spelled(keys: tuple[str, ...]) -> Iterator[str]:
    """Every spelling of the keys, in order of preference."""
    return itertools.chain.from_iterable(SPELLINGS[key] for key in keys)


def int_place(records: Records, *keys: str) -> I32 | None:
    """Where in the table each record's integer of these keys is, or -1; None where none has one."""
    found: I32 | None = None
    kinds = records.attributes.kind
    for key in _spelled(keys):
        at = _slot(records, key)
        if at is None:
            continue
        at = np.where(kinds[at] == AttributeKind.INT, at, -1)
        found = at if found is None else np.where(found >= 0, found, at)
    return found


def _text_at(attributes: Attributes, at: I32) -> TextRef:
    """The string values at the given rows of the attribute table; -1 and other kinds are absent."""
    if not len(attributes.kind):
        return absent(len(at))
    rows = len(at)
    offset, length = np.empty(rows, np.int64), np.empty(rows, np.int32)
    read_texts(at, attributes, offset, length)
    return TextRef(offset, length)


def absent(rows: int) -> TextRef:
    """A column in which every text is absent."""
    return TextRef(np.zeros(rows, np.int64), np.full(rows, -1, np.int32))


def unless_empty(ref: TextRef) -> TextRef:
    """Empty texts as absent: proto3 does not tell one from the other."""
    return TextRef(ref.offset, np.where(ref.length == 0, -1, ref.length).astype(np.int32))


def unless_null(column: pa.Array) -> pa.Array | None:
    """None for a column that says nothing at all, so that COPY leaves it out."""
    return None if column.null_count == len(column) else column


def first_text(*refs: TextRef) -> TextRef:
    """The first of several columns that is there, row by row."""
    offset, length = refs[0]
    for other in refs[1:]:
        missing = length < 0
        if not missing.any():
            break
        offset = np.where(missing, other.offset, offset)
        length = np.where(missing, other.length, length)
    return TextRef(offset, length)


@remembered
def slot_text(records: Records, *keys: str, resources: bool = True) -> TextRef:
    """String attribute by key: the record's own, the resource's where it has none; first key first.

    Of a key's spellings, here and below, the registry's own counts first.
    """
    refs = [
        _text_at(records.attributes, at)
        for key in _spelled(keys)
        if (at := _slot(records, key)) is not None
    ]
    if resources and len(records.resources.request):
        for key in _spelled(keys):
            ref = resource_text(records, key)
            if (ref.length >= 0).any():
                rows = resource_of(records)
                refs.append(TextRef(ref.offset[rows], ref.length[rows]))
    return first_text(*refs) if refs else absent(len(records))


@remembered
def slot_hash(records: Records, key: str) -> U64:
    """XXH64 of a string attribute, the record's own or its resource's; of nothing where absent."""
    ref = slot_text(records, key)
    if not (ref.length >= 0).any():
        return np.full(len(records), text_hash(records.buffer, absent(1))[0])
    return text_hash(records.buffer, ref)


def resource_text(records: Records, key: str) -> TextRef:
    """String attribute of the resources, one row a resource."""
    return _text_at(records.attributes, records.resources.slots[:, SLOT[key]])


@remembered
def slot_int(records: Records, *keys: str) -> tuple[I64, Bool]:
    """Integer attribute by key, first key first: values (0 where absent) and where they are."""
    at = int_place(records, *keys)
    if at is None:
        return np.zeros(len(records), np.int64), np.zeros(len(records), np.bool_)
    there = at >= 0
    return np.where(there, records.attributes.number[at], 0), there


@remembered
def slot_float(records: Records, key: str) -> tuple[F64, Bool]:
    """Numeric attribute by key as float64 in the registry's unit, and where it is."""
    values, there = np.zeros(len(records)), np.zeros(len(records), np.bool_)
    attributes = records.attributes
    for spelling in SPELLINGS[key]:
        at = _slot(records, spelling)
        if at is None:
            continue
        kind, number = attributes.kind[at], attributes.number[at]
        is_int = (at >= 0) & (kind == AttributeKind.INT) & ~there
        is_double = (at >= 0) & (kind == AttributeKind.DOUBLE) & ~there
        scale = crucible_schema.measurement_scale(spelling)
        values = np.where(is_int, number.astype(np.float64) * scale, values)
        values = np.where(is_double, number.view(np.float64) * scale, values)
        there |= is_int | is_double
    return values, there


def texts(records: Records, ref: TextRef) -> pa.Array | None:
    """The column as clean UTF-8, or None where no row has one."""
    if not (ref.length >= 0).any():
        return None
    return text_array(records.buffer, ref)


def text_of(records: Records, ref: TextRef, row: int) -> str | None:
    """One cell of a text column, cleaned as `decode.text_array` cleans."""
    length = int(ref.length[row])
    if length < 0:
        return None
    offset = int(ref.offset[row])
    raw = records.buffer[offset : offset + length].tobytes()
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def texts_of(records: Records, ref: TextRef, rows: I64) -> list[str | None]:
    """Some cells of a text column, cleaned as `decode.text_array` cleans."""
    cells: list[str | None] = text_array(
        records.buffer, TextRef(ref.offset[rows], ref.length[rows])
    ).to_pylist()
    return cells


def numbers(
    values: np.ndarray[tuple[int], np.dtype[np.generic]], there: Bool, kind: pa.DataType
) -> pa.Array | None:
    """The column with nulls where `there` is False, or None where it is False everywhere."""
    if not there.any():
        return None
    return pa.array(values, kind, mask=None if there.all() else ~there)


def non_zero(values: I64, kind: pa.DataType) -> pa.Array | None:
    """The column with null for 0 (proto3's "not set"), or None where nothing is set."""
    return numbers(values, values != 0, kind)


def times(ns: I64) -> tuple[pa.Array, pa.Array | None]:
    """Nanoseconds as timestamptz and the rest below a microsecond (None where all are 0)."""
    micro, rest = np.divmod(ns, NS_PER_US)
    rest_array = pa.array(rest.astype(np.int16)) if rest.any() else None
    return pa.array(micro, pa.int64()).view(_TIMESTAMP), rest_array


def optional_times(ns: I64) -> pa.Array | None:
    """Nanoseconds as timestamptz, null for 0, None where all are 0."""
    if not ns.any():
        return None
    return pa.array(ns // NS_PER_US, pa.int64(), mask=ns == 0).view(_TIMESTAMP)


def trace_ids(raw: np.ndarray[tuple[int, int], np.dtype[np.uint8]], there: Bool) -> pa.Array | None:
    """(rows, 16) bytes as FixedSizeBinary(16), null where `there` is False."""
    if not there.any():
        return None
    validity = None if there.all() else pa.array(there).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(raw))
    return pa.Array.from_buffers(pa.binary(16), len(raw), [validity, data])

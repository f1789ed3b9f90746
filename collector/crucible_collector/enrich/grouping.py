"""Rows in groups, by NumPy: what sums over groups are made with, and columns on their way in and out.

Null is the trap here: it is a group of its own among keys, and 0 or no value among numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crucible_collector.batch import F64, I64, Bool

_KEY_MAX = 1 << 62
_TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in an order in which those of one group follow each other; `start`: of each group."""

    order: I64
    start: I64

    @property
    def first(self) -> pa.Array:
        """A row of each group."""
        return pa.array(self.order[self.start])

    def sum(self, values: F64) -> F64:
        found: F64 = np.add.reduceat(values[self.order], self.start)
        return found

    def count(self, chosen: Bool) -> I64:
        found: I64 = np.add.reduceat(chosen[self.order], self.start, dtype=np.int64)
        return found

    def sizes(self) -> I64:
        return np.diff(self.start, append=len(self.order)).astype(np.int64)

    def least(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.minimum.reduceat(values[self.order], self.start)
        return found

    def largest(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.maximum.reduceat(values[self.order], self.start)
        return found


def grouped(*codes: npt.NDArray[Any]) -> Groups:
    """Rows grouped by several columns of small integers, none negative."""
    key, size = np.zeros(len(codes[0]), np.int64), 1
    for code in codes:
        width = int(code.max()) + 1
        if size * width >= _KEY_MAX:
            key, size = code_of(key), len(key)
        key, size = key * width + code, size * width
    order = np.argsort(key, kind="stable")
    begins = np.concatenate(([True], np.diff(key[order]) != 0))
    return Groups(order, np.flatnonzero(begins))


def code_of(values: I64) -> I64:
    """Which of its distinct values each is."""
    least = int(values.min())
    if int(values.max()) - least < len(values):
        return values - least
    codes: I64 = np.unique(values, return_inverse=True)[1]
    return codes


def codes_of(batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A small integer for each distinct value of a column, null included."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int32)
    encoded = batch.column(name).dictionary_encode(null_encoding="encode")
    codes: npt.NDArray[Any] = encoded.indices.to_numpy()
    return codes


def times(batch: pa.RecordBatch) -> I64:
    """Microseconds since the epoch."""
    micro: I64 = batch.column("time").view(pa.int64()).to_numpy()
    return micro


def timestamps(micro: I64, there: Bool | None = None) -> pa.Array:
    mask = None if there is None or there.all() else ~there
    return pa.array(micro, pa.int64(), mask=mask).view(_TIMESTAMP)


def integers(batch: pa.RecordBatch, name: str) -> I64:
    """A column without nulls."""
    values: I64 = batch.column(name).to_numpy()
    return values


def numbers(batch: pa.RecordBatch, name: str, otherwise: float) -> F64:
    """A column of numbers, `otherwise` for null and where the batch does not have it."""
    if name not in batch.schema.names:
        return np.full(batch.num_rows, otherwise)
    values, is_null = floats(batch, name)
    values[is_null] = otherwise
    return values


def floats(batch: pa.RecordBatch, name: str) -> tuple[F64, Bool]:
    """A column as float64, own memory, whatever in the place of nulls; and where it is null."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows), np.ones(batch.num_rows, np.bool_)
    column = batch.column(name)
    is_null: Bool = column.is_null().to_numpy(zero_copy_only=False)
    values: F64 = column.fill_null(0).to_numpy().astype(np.float64)
    return values, is_null


def truths(batch: pa.RecordBatch, name: str) -> Bool:
    """A column of truth values, false for null and where the batch does not have it."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.bool_)
    found: Bool = batch.column(name).fill_null(False).to_numpy(zero_copy_only=False)
    return found


def only_where(values: npt.NDArray[Any], there: Bool) -> pa.Array:
    return pa.array(values, mask=None if there.all() else ~there)


def unless_zero(values: npt.NDArray[Any]) -> pa.Array | None:
    """Null for 0, which takes no room; None where all are."""
    there: Bool = values != 0
    return only_where(values, there) if there.any() else None

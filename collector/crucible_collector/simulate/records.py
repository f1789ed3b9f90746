"""Stored records as sampling saw them when they came: rows of the database to `candidates.Candidates`.

What one could not guess: nothing tells when a row was received, so its end stands for that; a row that
sampling has thinned already comes with its threshold, as from a sender who had sampled; and what the
detectors of anomalies thought of a row when it came is not stored with it: every score is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import F64, I64, U8, Bool, Signal, TextRef
from crucible_collector.candidates import (
    NOT_TOLD,
    U64,
    Candidates,
    probability,
    threshold,
)
from crucible_collector.decode import text_hash
from crucible_collector.enrich.candidates import STATUSES, is_named
from crucible_collector.sample.randomness import randomness

TRACE_BYTES = 16
SCHEMA = pa.schema(
    {
        "start_ns": pa.int64(),
        "duration_ns": pa.int64(),
        "trace_id": pa.binary(TRACE_BYTES),
        "row_hash": pa.int64(),
        "trace_state": pa.string(),
        "sample_probability": pa.float64(),
        "sample_threshold": pa.int64(),
        "event_name": pa.string(),
        "experiment_id": pa.string(),
        "run_id": pa.string(),
        "service_name": pa.string(),
        "condition": pa.string(),
        "model": pa.string(),
        "status_code": pa.int16(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "cost_usd": pa.float64(),
        "row_bytes": pa.int32(),
        "attributes": pa.list_(pa.string()),
    }
)
END = "end_ns"
_KEYS = {
    "event": "event_name",
    "experiment": "experiment_id",
    "run": "run_id",
    "service": "service_name",
    "condition": "condition",
    "model": "model",
}


def table_of(rows: Mapping[str, Sequence[Any]]) -> pa.Table:
    """A batch of rows, by the names of SCHEMA, as columns, and the end of each beside its start."""
    table = pa.table({name: pa.array(rows[name], SCHEMA.field(name).type) for name in SCHEMA.names})
    end = column(table, "start_ns") + column(table, "duration_ns")
    return table.append_column(END, pa.array(end))


def column(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[Any]]:
    """A column of numbers without nulls."""
    found: np.ndarray[tuple[int], np.dtype[Any]] = table.column(name).to_numpy()
    return found


def or_nan(table: pa.Table, name: str) -> F64:
    """A column of numbers as float64, NaN for null."""
    found: F64 = table.column(name).cast(pa.float64(), safe=False).to_numpy()
    return found


def stored_threshold(table: pa.Table) -> I64:
    """The threshold that each row was kept under before, NOT_TOLD where none was."""
    p = column(table, "sample_probability")
    told = table.column("sample_threshold").fill_null(NOT_TOLD).to_numpy()
    found: I64 = np.where((told == NOT_TOLD) & (p < 1), threshold(p), told)
    return found


def stored_probability(table: pa.Table) -> F64:
    """The inclusion probability of what is stored."""
    return probability(np.maximum(stored_threshold(table), 0))


def candidates(signal: Signal, table: pa.Table, attributes: tuple[str, ...]) -> Candidates:
    """Rows as candidates; `attributes` are the keys whose values the column of that name holds."""
    trace_id = trace_ids(table)
    place = np.zeros(len(table), np.int32)  # two rows that are equal in everything share their R
    row = column(table, "row_hash").view(np.uint64)
    random, _ = randomness(*_texts(table, "trace_state"), trace_id, row, place)
    cost = or_nan(table, "cost_usd")
    status = column(table, "status_code").astype(np.int64)
    return Candidates(
        signal=signal,
        columns=_Columns(table, attributes, status),
        wanted=np.ones(len(table), np.bool_),
        received_ns=column(table, END),
        trace_id=trace_id,
        randomness=random,
        upstream=stored_threshold(table),
        status_code=status,
        duration_ns=column(table, "duration_ns"),
        cost_usd=np.where(np.isfinite(cost), cost, 0.0),
        score=np.zeros(len(table)),
    )


def trace_ids(table: pa.Table) -> U8:
    """(rows, 16) bytes, zero where there is none."""
    ids = _whole(table, "trace_id").fill_null(bytes(TRACE_BYTES))
    raw = np.frombuffer(ids.buffers()[1] or b"", np.uint8)
    first, size = ids.offset * TRACE_BYTES, len(ids) * TRACE_BYTES
    return np.array(raw[first : first + size].reshape(len(ids), TRACE_BYTES))


def _texts(table: pa.Table, name: str) -> tuple[U8, TextRef]:
    """A column of texts as the kernels take them: one buffer, and where in it each text lies."""
    return _text_ref(_whole(table, name))


def _text_ref(texts: pa.StringArray) -> tuple[U8, TextRef]:
    _, offsets, data = texts.buffers()
    if data is None:
        nothing = TextRef(np.zeros(len(texts), np.int64), np.full(len(texts), -1, np.int32))
        return np.zeros(0, np.uint8), nothing
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    length = np.where(texts.is_valid().to_numpy(zero_copy_only=False), np.diff(ends), -1)
    ref = TextRef(ends[:-1].astype(np.int64), length.astype(np.int32))
    return np.frombuffer(data, np.uint8), ref


def _whole(table: pa.Table, name: str) -> pa.Array:
    """A column as one array."""
    chunks = table.column(name).chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], table.schema.field(name).type)


@dataclass(slots=True)
class _Columns:
    """See `candidates.Columns`."""

    table: pa.Table
    attributes: tuple[str, ...]
    status: I64
    hashes: dict[str, U64] = field(default_factory=dict)

    def key(self, name: str) -> U64:
        if name not in self.hashes:
            self.hashes[name] = self._hash(name)
        return self.hashes[name]

    def _hash(self, name: str) -> U64:
        if name == "status":
            return text_hash(*_text_ref(pa.array(STATUSES)))[self.status]
        return text_hash(*_texts(self.table, _KEYS[name]))

    def label(self, name: str, row: int) -> str:
        if name == "status":
            return STATUSES[self.status[row]]
        return self.table.column(_KEYS[name])[row].as_py() or ""

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        code, names = codes(self.table, "event_name")
        fitting = [any(is_named(pattern, each) for pattern in patterns) for each in names]
        return np.array(fitting, np.bool_)[code]

    def has(self, attribute: str, value: str) -> Bool:
        at = self.attributes.index(attribute)
        values = self.table.column("attributes").to_pylist()
        return np.array([each[at] == value for each in values], np.bool_)


def codes(table: pa.Table, name: str) -> tuple[I64, list[str]]:
    """A column of texts as numbers of the texts that there are; no text is the empty one."""
    coded = _whole(table, name).fill_null("").dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()

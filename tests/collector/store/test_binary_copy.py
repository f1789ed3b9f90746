"""The bytes of COPY are those that pgpq makes, whatever a batch holds."""

from __future__ import annotations

import math
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_collector import kernels
from crucible_collector.store import binary_copy
from crucible_collector.store.copy import encode, encode_any

TIME = pa.timestamp("us", "UTC")
YEAR_2000_US = 946_684_800_000_000


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


# Name, type and values of a column of each kind that windows have.
KINDS: list[tuple[str, pa.DataType, st.SearchStrategy[Any]]] = [
    ("kind", pa.int16(), integers(16)),
    ("scale", pa.int32(), integers(32)),
    ("span_id", pa.int64(), integers(64)),
    ("value", pa.float64(), st.floats(allow_nan=True, allow_infinity=True)),
    ("time", TIME, st.integers(-(2**63) + YEAR_2000_US, 2**63 - 1)),
    ("local_time", pa.timestamp("us"), st.integers(-(2**40), 2**52)),
    ("trace_id", pa.binary(16), st.binary(min_size=16, max_size=16)),
    ("name", pa.string(), st.text(max_size=40)),
    ("attributes", pa.string(), st.sampled_from(["", "{}", '{"a": "ü"}', "[" + "1," * 99 + "1]"])),
]


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Some columns of some kinds, with nulls, whole or a slice."""
    row_count = draw(st.integers(0, 20))
    columns: dict[str, pa.Array] = {}
    for name, kind, values in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12)):
        cells = draw(
            st.lists(
                draw(st.sampled_from([values, st.none(), st.none() | values])),
                min_size=row_count,
                max_size=row_count,
            )
        )
        columns[name if name not in columns else f"{name} {len(columns)}"] = pa.array(cells, kind)
    batch = pa.RecordBatch.from_pydict(columns)
    start = draw(st.integers(0, row_count))
    return batch.slice(start, draw(st.none() | st.integers(0, row_count)))


@given(batch=batches())
@settings(max_examples=400, deadline=None)
def test_any_batch_has_the_bytes_that_pgpq_makes_of_it(batch: pa.RecordBatch) -> None:
    encoded = binary_copy.encode(batch, frozenset({"attributes"}))
    assert encoded is not None
    assert bytes(encoded) == encode_any(batch)


def test_the_bits_of_a_double_are_kept() -> None:
    values = [math.nan, -math.nan, math.inf, -math.inf, -0.0, 5e-324, sys.float_info.max]
    batch = pa.RecordBatch.from_pydict({"value": pa.array(values)})
    assert encode(batch) == encode_any(batch)


@pytest.mark.parametrize("row_count", [4095, 4096, 4097, 9000])
def test_many_rows_are_written_like_few(row_count: int) -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "series_id": pa.array(range(row_count)),
            "step": pa.array([row if row % 3 else None for row in range(row_count)], pa.int64()),
            "name": pa.array([str(row) if row % 5 else None for row in range(row_count)]),
            "attributes": pa.array([f'{{"row": {row}}}' for row in range(row_count)]),
        }
    )
    assert encode(batch) == encode_any(batch)
    assert encode(batch.slice(7, row_count - 9)) == encode_any(batch.slice(7, row_count - 9))


def test_what_lies_under_a_null_is_not_written() -> None:
    """Arrow lets any cell be under a null, and a text of any length."""
    first_is_null = pa.py_buffer(b"\x02")
    texts = pa.StringArray.from_buffers(
        2, pa.array([0, 6, 8], pa.int32()).buffers()[1], pa.py_buffer(b"hiddenok"), first_is_null
    )
    numbers = pa.Array.from_buffers(pa.int64(), 2, [first_is_null, pa.array([666, 1]).buffers()[1]])
    batch = pa.RecordBatch.from_pydict({"name": texts, "step": numbers})
    encoded = bytes(encode(batch))
    assert encoded == encode_any(batch)
    assert b"hidden" not in encoded


def test_columns_of_nothing_but_nulls_or_empty_texts_are_written() -> None:
    nulls = {kind: pa.nulls(3, kind) for _, kind, _ in KINDS}
    empty = pa.StringArray.from_buffers(3, pa.py_buffer(bytes(16)), pa.py_buffer(b""))
    batch = pa.RecordBatch.from_arrays(
        [*nulls.values(), empty], [str(kind) for kind in nulls] + ["empty"]
    )
    assert encode(batch) == encode_any(batch)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("counts", pa.array([[1, 2], None], pa.list_(pa.int64()))),
        ("bounds", pa.array([[0.5], []], pa.list_(pa.float64()))),
        ("is_monotonic", pa.array([True, None])),
        ("time", pa.array([1, None], pa.timestamp("ms"))),
        ("short", pa.array([1.5, None], pa.float32())),
        ("bytes", pa.array([b"a", None], pa.binary())),
    ],
)
def test_a_batch_with_any_other_type_is_left_to_pgpq(name: str, column: pa.Array) -> None:
    batch = pa.RecordBatch.from_pydict({"series_id": pa.array([1, 2]), name: column})
    assert binary_copy.encode(batch, frozenset()) is None
    assert encode(batch) == encode_any(batch)


def test_jsonb_of_anything_but_text_is_refused() -> None:
    batch = pa.RecordBatch.from_pydict({"attributes": pa.array([1])})
    with pytest.raises(ValueError, match="ColumnTypeMismatch"):
        encode(batch)


def test_a_time_that_postgresql_cannot_count_is_an_error_and_not_another_time() -> None:
    batch = pa.RecordBatch.from_pydict({"time": pa.array([-(2**63) + YEAR_2000_US - 1], TIME)})
    with pytest.raises(ValueError, match="Underflow"):
        encode(batch)


def test_every_kernel_is_compiled_for_one_set_of_types_whatever_it_is_given() -> None:
    """A second variant would cost a second in the middle of the stream."""
    binary_copy.warm_up()
    own = [entry for entry in kernels.entry_points() if entry.__module__ == binary_copy.__name__]
    compiled = [list(entry.signatures) for entry in own]
    mutable = pa.Array.from_buffers(pa.int64(), 2, [None, pa.py_buffer(bytearray(16))])
    text = pa.StringArray.from_buffers(
        2, pa.py_buffer(bytearray(12)), pa.py_buffer(bytearray(8)), pa.py_buffer(bytearray(b"\x02"))
    )
    for column in (mutable, text, *(pa.nulls(2, kind) for _, kind, _ in KINDS)):
        encode(pa.RecordBatch.from_pydict({"attributes" if column is text else "name": column}))
    assert own
    assert [len(signatures) for signatures in compiled] == [1] * len(own)
    assert [list(entry.signatures) for entry in own] == compiled

"""Rows as JSON lines, made column by column: an object a row costs as much as the database takes for it.

As in the API's answers: "NaN", "Infinity" and "-Infinity" are strings, what is absent is null, attributes are
objects.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

# What a JSON text must escape (RFC 8259, section 7). Few columns have any of it.
_ESCAPED = r'["\\\x00-\x1f]'


def lines(batch: pa.RecordBatch, json_columns: frozenset[str]) -> memoryview:
    """The batch's rows, a line each, as UTF-8; texts in `json_columns` are JSON already."""
    pieces: list[pa.Array | str] = []
    for number, (field, column) in enumerate(zip(batch.schema, batch.columns, strict=True)):
        key = json.dumps(field.name, ensure_ascii=False)
        pieces.append(f"{',' if number else '{'}{key}:")
        values = column if field.name in json_columns else _text(column)
        pieces.append(pc.fill_null(values, "null"))
    joined = pc.binary_join_element_wise(*pieces, "}\n", "")
    if isinstance(joined, pa.Scalar) or not len(joined):  # only without columns or rows
        return memoryview(b"")
    whole = joined.buffers()[2]
    return memoryview(whole)[: pa.compute.sum(pc.binary_length(joined)).as_py()]


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return _quoted(values)
    text = pc.cast(values, pa.string())
    if not pa.types.is_floating(values.type):
        return text
    spelled = {"nan": '"NaN"', "-nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
    for name, in_json in spelled.items():
        text = pc.if_else(pc.equal(text, name), in_json, text)
    return text


def _quoted(values: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(values, _ESCAPED)).as_py():
        coded = values.dictionary_encode()
        escaped = [
            None if text is None else json.dumps(text, ensure_ascii=False)
            for text in coded.dictionary.to_pylist()
        ]
        return pa.array(escaped, pa.string()).take(coded.indices)
    return pc.binary_join_element_wise('"', values, '"', "")

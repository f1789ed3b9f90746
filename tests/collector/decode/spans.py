"""Requests by hand: one span with these attributes, or one message around raw bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.decode.generated import field
from collector.decode.observed import decode_bodies
from crucible_collector import decode
from crucible_collector.batch import U8, Signal, Spans, TextRef
from crucible_collector.decode import official

RECORDS_MAX = 100_000


def canonical(body: bytes, signal: Signal = Signal.TRACES) -> bytes:
    return decode.canonical(signal, body, records_max=RECORDS_MAX)


def around_span(*fields: bytes) -> bytes:
    """One request, resource, scope and span with these encoded fields."""
    return field(1, 2, field(2, 2, field(2, 2, b"".join(fields))))


def decoded(*bodies: bytes) -> Spans:
    spans: Spans = decode_bodies(Signal.TRACES, bodies)
    return spans


def span(*pairs: tuple[bytes, Any], **fields: Any) -> bytes:
    """A request with one span; attribute values by their Python type."""
    request = official.REQUEST[Signal.TRACES]()
    one = request.resource_spans.add().scope_spans.add().spans.add(**fields)  # type: ignore[attr-defined]
    for key, value in pairs:
        put(one.attributes.add(key=key).value, value)
    body: bytes = request.SerializeToString()
    return body


def put(any_value: Any, value: Any) -> None:
    """Set an AnyValue: dict to kvlist, list to array, None to nothing."""
    if isinstance(value, bool):
        any_value.bool_value = value
    elif isinstance(value, int):
        any_value.int_value = value
    elif isinstance(value, float):
        any_value.double_value = value
    elif isinstance(value, str):
        any_value.string_value = value.encode()
    elif isinstance(value, bytes):
        any_value.bytes_value = value
    elif isinstance(value, dict):
        any_value.kvlist_value.SetInParent()
        for key, item in value.items():
            put(any_value.kvlist_value.values.add(key=key).value, item)
    elif isinstance(value, list):
        any_value.array_value.SetInParent()
        for item in value:
            put(any_value.array_value.values.add(), item)


def json_of(value: Any) -> str:
    """The JSON text of one attribute value."""
    text = decode.attributes_json(decoded(span((b"k", value))), lifted=False)[0].as_py()
    assert text.startswith('{"k":')
    assert text.endswith("}")
    inside: str = text[5:-1]
    return inside


def places(*rows: bytes) -> tuple[U8, TextRef]:
    """Texts one after another: (buffer, TextRef)."""
    length = np.array([len(row) for row in rows], dtype=np.int64)
    ref = TextRef(np.cumsum(length) - length, length.astype(np.int32))
    return np.frombuffer(b"".join(rows), dtype=np.uint8), ref

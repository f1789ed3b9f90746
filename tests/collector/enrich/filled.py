"""Requests in which every field of OTLP is set, made from the protocol's own descriptors.

So a field that a newer version of the protocol adds is set too, and a test that compares what was
sent with what is stored fails until there is a place for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.enrich.from_rows import NOWHERE
from rows_of import RECEIVED_NS

_F = FieldDescriptor
_REPEATED_COUNT = 2
_ID_BYTES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
# Stored in columns without a place for nanoseconds.
_MICROSECONDS = frozenset({"observed_time_unix_nano", "start_time_unix_nano"})
_LISTED = [
    AnyValue(string_value="two\nlines, «quotes» and a \\"),
    AnyValue(bool_value=True),
    AnyValue(bool_value=False),
    AnyValue(int_value=-(2**63)),
    AnyValue(int_value=2**63 - 1),
    AnyValue(int_value=0),
    *(
        AnyValue(double_value=number)
        for number in (1.0, -0.0, 0.1, 1e300, 5e-324, 1e16, float("nan"), float("inf"))
    ),
    AnyValue(bytes_value=b"\0\xff"),
    AnyValue(),
]
_MEMBERS = [
    KeyValue(key="k", value=AnyValue(int_value=1)),
    KeyValue(key="$bytes", value=AnyValue(string_value="not what it looks like")),
]


def every_value() -> list[AnyValue]:
    """One of each kind, and those that JSON has trouble with."""
    return [
        *_LISTED,
        AnyValue(array_value=ArrayValue(values=_LISTED)),
        AnyValue(kvlist_value=KeyValueList(values=_MEMBERS[:1])),
        AnyValue(kvlist_value=KeyValueList(values=_MEMBERS)),
    ]


def every_attribute() -> list[KeyValue]:
    return [KeyValue(key=f"key.{n}", value=value) for n, value in enumerate(every_value())]


def filled(kind: type[Message], *chosen: str) -> Any:
    """A message in which every field has a value of its own; of a oneof the `chosen` one."""
    message = kind()
    _fill(message, frozenset(chosen), itertools.count(1))
    return message


def _fill(message: Any, chosen: frozenset[str], numbers: Iterator[int]) -> None:
    descriptor: Descriptor = message.DESCRIPTOR
    for field in descriptor.fields:
        if (descriptor.name, field.name) in NOWHERE or not _is_wanted(field, chosen):
            continue
        if field.message_type is None:
            values = [_scalar(field, next(numbers)) for _ in range(_REPEATED_COUNT)]
            if field.is_repeated:
                getattr(message, field.name).extend(values)
            else:
                setattr(message, field.name, values[0])
        elif field.message_type.name == "KeyValue":
            getattr(message, field.name).extend(every_attribute())
        elif field.message_type.name == "AnyValue":
            getattr(message, field.name).CopyFrom(AnyValue(array_value=ArrayValue(values=_LISTED)))
        elif field.is_repeated:
            for _ in range(_REPEATED_COUNT):
                _fill(getattr(message, field.name).add(), chosen, numbers)
        else:
            getattr(message, field.name).SetInParent()
            _fill(getattr(message, field.name), chosen, numbers)


def _is_wanted(field: FieldDescriptor, chosen: frozenset[str]) -> bool:
    oneof = field.containing_oneof
    return oneof is None or len(oneof.fields) == 1 or field.name in chosen


def _scalar(field: FieldDescriptor, number: int) -> Any:  # noqa: PLR0911 - a case a type
    if field.name in _ID_BYTES:
        return (number | 0x80 << 56).to_bytes(_ID_BYTES[field.name])
    if field.name.endswith("time_unix_nano"):
        return RECEIVED_NS - 10**9 + number * (1000 if field.name in _MICROSECONDS else 1001)
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    match field.type:
        case _F.TYPE_STRING:
            return f"{field.name} {number}"
        case _F.TYPE_BYTES:
            return number.to_bytes(4)
        case _F.TYPE_BOOL:
            return True
        case _F.TYPE_DOUBLE:
            return number + 0.1
    return number

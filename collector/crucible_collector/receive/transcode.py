"""OTLP/JSON into the protobuf bytes that the journal holds.

What a reader could not guess: this is not ProtoJSON. Trace and span ids are hex where ProtoJSON says
base64, and enums are integers. The encoder follows the official descriptors, so a field that a newer
opentelemetry-proto brings is read without a change here; it writes the wire form directly, which
costs a fifth of filling in message objects (26 against 132 µs a span of 8 attributes; reading the
JSON takes another 15).

Names may be lowerCamelCase or as in the .proto; unknown ones are ignored. Numbers may be strings.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError, TooLargeError
from crucible_collector.receive.json_values import (
    DELIMITED,
    SCALARS,
    VARINT,
    Encode,
    InvalidValueError,
    delimited,
    enumeration,
    hex_id,
    shown,
    varint,
)

# Objects, arrays and commas in one body, those inside strings included: a bound on what the body
# becomes in memory, which is 7 times a body of spans but 22 times one of "[[],[],…". A million is
# fifty stock batches (25,000 spans, 17 MiB) and at worst some 120 MB.
VALUES_MAX = 1 << 20

# As in the official parsers, counted in messages.
DEPTH_MAX = 100

_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """Read one OTLP/JSON request; its protobuf encoding comes back.

    MalformedError names the position or the path of what is wrong.
    """
    if body.count(b"{") + body.count(b"[") + body.count(b",") > VALUES_MAX:
        raise TooLargeError(f"the JSON body has more than {VALUES_MAX} values")
    try:
        return _REQUESTS[signal].encode(_read(body), 0)
    except InvalidValueError as problem:
        path = problem.path.lstrip(".") or "the request"
        raise MalformedError(f"the JSON body is not OTLP: {path}: {problem.what}") from None


def _read(body: bytes) -> Any:
    # Broken UTF-8 becomes U+FFFD, as it does in a protobuf body.
    text = body.decode("utf-8-sig", "replace")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise MalformedError("the JSON body is nested too deeply") from None
    except ValueError:  # Python refuses integers of thousands of digits
        raise MalformedError("the body is not JSON: an integer has too many digits") from None


class _Field:
    """One field of a message: how its values are written, tag included."""

    __slots__ = ("encode", "oneof")

    def __init__(self, field: FieldDescriptor, messages: dict[str, _Message]) -> None:
        if field.message_type is not None:
            wire_type, one = DELIMITED, _submessage(field.message_type, messages)
        elif field.enum_type is not None:
            wire_type, one = VARINT, enumeration(field.enum_type)
        else:
            wire_type, one = SCALARS[field.type]
        if field.name in _HEX_FIELDS:
            one = hex_id
        packed = field.is_repeated and wire_type != DELIMITED
        tag = varint(field.number << 3 | (DELIMITED if packed else wire_type))
        self.encode: Encode = _once(tag, one)
        if packed:
            self.encode = _packed(tag, one)
        elif field.is_repeated:
            self.encode = _repeated(tag, one)
        self.oneof = field.containing_oneof.name if field.containing_oneof else None


class _Message:
    """One message type: its fields under both of their names."""

    __slots__ = ("fields",)

    def __init__(self, kind: Descriptor, messages: dict[str, _Message]) -> None:
        messages[kind.full_name] = self  # before its fields: AnyValue contains itself
        self.fields: dict[str, _Field] = {}
        for field in kind.fields:
            self.fields[field.name] = self.fields[field.json_name] = _Field(field, messages)

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, dict):
            raise InvalidValueError(f"{shown(value)} is not an object")
        if depth >= DEPTH_MAX:
            raise InvalidValueError(f"nested more than {DEPTH_MAX} deep")
        fields, wire, chosen = self.fields, [], None
        for name, item in value.items():
            field = fields.get(name)
            if field is None or item is None:
                continue
            if field.oneof is not None:
                if field.oneof == chosen:
                    raise InvalidValueError(f"more than one {chosen}")
                chosen = field.oneof
            try:
                encoded = field.encode(item, depth)
            except InvalidValueError as problem:
                problem.path = f".{name}{problem.path}"
                raise
            if encoded is not None:
                wire.append(encoded)
        return b"".join(wire)


def _submessage(kind: Descriptor, messages: dict[str, _Message]) -> Encode:
    encode = (messages.get(kind.full_name) or _Message(kind, messages)).encode
    return lambda value, depth: delimited(encode(value, depth + 1))


def _once(tag: bytes, one: Encode) -> Encode:
    def encode(value: Any, depth: int) -> bytes | None:
        encoded = one(value, depth)
        return None if encoded is None else tag + encoded

    return encode


def _elements(value: Any, depth: int, one: Encode) -> list[bytes]:
    if not isinstance(value, list):
        raise InvalidValueError(f"{shown(value)} is not an array")
    encoded = []
    for index, item in enumerate(value):
        try:
            encoded.append(one(item, depth) or b"")
        except InvalidValueError as problem:
            problem.path = f"[{index}]{problem.path}"
            raise
    return encoded


def _repeated(tag: bytes, one: Encode) -> Encode:
    return lambda value, depth: b"".join([tag + each for each in _elements(value, depth, one)])


def _packed(tag: bytes, one: Encode) -> Encode:
    return lambda value, depth: tag + delimited(b"".join(_elements(value, depth, one)))


_REQUESTS: dict[Signal, _Message] = {
    Signal.TRACES: _Message(ExportTraceServiceRequest.DESCRIPTOR, {}),
    Signal.METRICS: _Message(ExportMetricsServiceRequest.DESCRIPTOR, {}),
    Signal.LOGS: _Message(ExportLogsServiceRequest.DESCRIPTOR, {}),
}

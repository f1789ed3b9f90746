"""The official protobuf parser over OTLP's own descriptors, with one change: strings are bytes.

The stock classes refuse a whole request for one name that is not UTF-8; here such a name is kept
and stored with U+FFFD. The string-table indices of the profiles signal (`*_strindex`) are taken
out, so that whichever version of opentelemetry-proto is installed, they are unknown fields.

This parser takes up to 100 bytes of memory a byte of hostile input (64 MiB of empty spans: 3 GiB
and more), so only `canonical` calls it, and only for small requests that the kernels do not read.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError

_FieldProto = descriptor_pb2.FieldDescriptorProto

_ROOTS: dict[Signal, Descriptor] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest.DESCRIPTOR,
}


def _read_strings_as_bytes(message: descriptor_pb2.DescriptorProto) -> None:
    for index in reversed(range(len(message.field))):
        field = message.field[index]
        if field.name.endswith("_strindex"):
            del message.field[index]
        elif field.type == _FieldProto.TYPE_STRING:
            field.type = _FieldProto.TYPE_BYTES
    for nested in message.nested_type:
        _read_strings_as_bytes(nested)


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, added: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, added)
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    for message in proto.message_type:
        _read_strings_as_bytes(message)
    pool.Add(proto)


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()
    for root in _ROOTS.values():
        _add(pool, root.file, added)
    return pool


_POOL = _pool()


def descriptor(name: str) -> Descriptor:
    """Return OTLP's message of this name (without `opentelemetry.proto.`), strings as bytes."""
    return _POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}")


REQUEST: dict[Signal, type[Message]] = {
    signal: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(root.full_name))
    for signal, root in _ROOTS.items()
}


def parse(signal: Signal, body: bytes) -> Any:
    """Return the request as a protobuf message (string fields as bytes), or raise MalformedError."""
    try:
        return REQUEST[signal].FromString(body)
    except DecodeError as error:
        raise MalformedError(f"not an OTLP {signal.name.lower()} request: {error}") from error

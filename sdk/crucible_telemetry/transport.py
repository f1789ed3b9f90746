"""What a sender is: a request in, and out comes what became of it.

    grpc_sender, http_sender    OTLP, as bytes that somebody else has encoded
    ExporterSender (here)       a user's own exporter, which takes spans

What a reader could not guess: OpenTelemetry's exporters are not used for OTLP. They take spans and
encode them again at each attempt, draw the jitter of their retries from the global `random` that a
training seeds, do not read partial success, and wait within `export` where nothing can stop them.
A sender here makes one attempt; waiting and trying again is `delivery`'s.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from crucible_telemetry.encoding import BatchRecord, Encoded, Item, encode_request, to_readable_span

# OpenTelemetry's own collector takes 4 MiB over gRPC unless told otherwise; a batch of 512 spans is
# 0.2 MB, so only huge attributes come near.
BODY_BYTES_MAX = 4_000_000

# No server may put us off for longer, whatever it asks for.
RETRY_AFTER_S_MAX = 300.0


class Kind(enum.Enum):
    """What became of a request."""

    DELIVERED = "delivered"
    RETRY = "retry"  # the same bytes may be taken later
    REFUSED = "refused"  # they never will be


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one attempt, or what stood in its way."""

    kind: Kind
    message: str = ""
    retry_after_s: float | None = None  # when the server wants to be asked again
    rejected_count: int = 0  # records that were left out of what was delivered


DELIVERED = Outcome(Kind.DELIVERED)


@dataclass(frozen=True, slots=True)
class Spans:
    """What a user's exporter is given in one call."""

    spans: list[ReadableSpan]

    @property
    def count(self) -> int:
        return len(self.spans)


Parcel = Encoded | Spans


class Sender(Protocol):
    """Owned and called by the delivery thread; only `close` may come from another one."""

    def pack(self, items: Sequence[Item], resource: Resource) -> list[Parcel]:
        """Return the requests that the items become, in order. Raises what cannot be encoded."""

    def send(self, parcel: Parcel) -> Outcome:
        """Make one attempt, within the transport's own timeout. Raises nothing that can be told."""

    def close(self) -> None:
        """Let go; breaks off an attempt that is being made."""


def pack_encoded(items: Sequence[Item], resource: Resource) -> list[Parcel]:
    """Return OTLP requests of the items, in their order, each of at most about 4 MB."""
    parcels: list[Parcel] = []
    spans: list[ReadableSpan | BatchRecord] = []
    for item in items:
        if isinstance(item, Encoded):
            parcels += _requests(spans, resource)
            spans = []
            parcels.append(item)
        else:
            spans.append(item)
    return [*parcels, *_requests(spans, resource)]


def _requests(spans: Sequence[ReadableSpan | BatchRecord], resource: Resource) -> list[Encoded]:
    if not spans:
        return []
    body = encode_request(spans, resource)
    if len(body) <= BODY_BYTES_MAX or len(spans) == 1:
        return [Encoded("traces", body, len(spans))]
    half = len(spans) // 2
    return [*_requests(spans[:half], resource), *_requests(spans[half:], resource)]


def outcome_of_answer(body: bytes) -> Outcome:
    """Read an Export*ServiceResponse. The three signals' differ in names only, not in bytes."""
    if not body:
        return DELIVERED
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - 40 ms
        ExportTraceServiceResponse,
    )

    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except Exception:  # noqa: BLE001 - protobuf's DecodeError, or its C parser's own
        return DELIVERED  # a success all the same: the status said so
    return Outcome(Kind.DELIVERED, partial.error_message, rejected_count=partial.rejected_spans)


class ExporterSender:
    """Hands spans to an exporter that is the user's own."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def pack(self, items: Sequence[Item], resource: Resource) -> list[Parcel]:
        """Return one call's worth; what is encoded already stays so, and cannot be sent."""
        spans = [
            to_readable_span(item, resource) if isinstance(item, BatchRecord) else item
            for item in items
            if not isinstance(item, Encoded)
        ]
        encoded = [item for item in items if isinstance(item, Encoded)]
        return [*([Spans(spans)] if spans else []), *encoded]

    def send(self, parcel: Parcel) -> Outcome:
        if isinstance(parcel, Encoded):
            return Outcome(Kind.REFUSED, f"an exporter of spans takes no {parcel.signal}")
        result = self._exporter.export(parcel.spans)
        if result is SpanExportResult.SUCCESS:
            return DELIVERED
        return Outcome(Kind.RETRY, "the exporter reports failure")

    def close(self) -> None:
        self._exporter.shutdown()

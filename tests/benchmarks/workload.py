"""The spans that every benchmark sends: batches of trainings, 331 bytes and 8 attributes a span.

Official protobuf encodes one request, once. All that differs between spans has a fixed width on the
wire, so NumPy writes the rest of the requests over copies of it at fixed offsets: 0.2 µs a span,
where encoding them anew takes 20. Request `index` is the same bytes' content in every process that
asks for it, so that a sender and whoever checks the database need not talk about ids.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]

SPANS = 512  # a request
TRACE_SPANS = 32  # an epoch is a trace, its batches are the spans of it
TRACES = SPANS // TRACE_SPANS
ATTRIBUTES = 8
POINTS = 2  # a span: the measurements that the registry calls series
SPAN_BYTES_MIN, SPAN_BYTES_MAX = 325, 337  # average of a request, everything in it counted

# Numbers whose varints keep their width (3 and 4 bytes) for as long as any benchmark runs.
EPOCH_FIRST, EPOCH_BYTES = 1 << 14, 3
STEP_FIRST, STEP_BYTES = 1 << 21, 4
RUN_DIGITS = 6
SPACING_NS = 10_000  # from one span's start to the next: 100,000 spans/s
DURATION_NS = 7_500_000

_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\xa1" * 16, b"\xa2" * 8, b"\xa3" * 8
_START_NS, _END_NS = 0x1A2B3C4D5E6F7081, 0x1A2B3C4D5E6F7082
_LOSS, _GRADIENT_NORM, _LEARNING_RATE = 0.123456789, 1.23456789, 0.000987654321


@dataclass(frozen=True, slots=True)
class Template:
    """A request whose spans are all alike, and where in a span the changing parts lie."""

    body: bytes
    head_bytes: int  # before the first span
    span_bytes: int  # from one span to the next
    at: dict[str, int]


def _attributes() -> dict[str, KeyValue]:
    values = {
        "crucible.experiment.id": AnyValue(string_value="bench-adam"),
        "crucible.run.id": AnyValue(string_value="run-" + "0" * RUN_DIGITS),
        "crucible.epoch": AnyValue(int_value=EPOCH_FIRST),
        "crucible.step": AnyValue(int_value=STEP_FIRST),
        "crucible.rank": AnyValue(int_value=0),
        "crucible.measurement.loss": AnyValue(double_value=_LOSS),
        "crucible.measurement.gradient_norm": AnyValue(double_value=_GRADIENT_NORM),
        "lr": AnyValue(double_value=_LEARNING_RATE),
    }
    return {key: KeyValue(key=key, value=value) for key, value in values.items()}


@cache
def _template() -> Template:
    attributes = _attributes()
    span = Span(
        trace_id=_TRACE_ID,
        span_id=_SPAN_ID,
        parent_span_id=_PARENT_ID,
        name="crucible_train.batch",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_START_NS,
        end_time_unix_nano=_END_NS,
        attributes=attributes.values(),
    )
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for key, value in (("service.name", "bench"), ("host.name", "localhost")):
        resource.resource.attributes.add(key=key, value=AnyValue(string_value=value))
    scope = resource.scope_spans.add()
    scope.scope.name = "crucible_telemetry"
    scope.spans.extend([span] * SPANS)
    body = request.SerializeToString()
    encoded = span.SerializeToString()
    first, second = places(body, _TRACE_ID)[:2]
    lead = place_of(encoded, _TRACE_ID)
    span_bytes = second - first
    head_bytes = len(body) - SPANS * span_bytes
    # From the start of the span's field (tag and length) to the start of its content.
    prefix = first - head_bytes - lead
    ends = {name: prefix + end_of(encoded, attributes[name]) for name in attributes}
    at = {
        "trace_id": prefix + lead,
        "span_id": prefix + place_of(encoded, _SPAN_ID),
        "parent_span_id": prefix + place_of(encoded, _PARENT_ID),
        "start": prefix + place_of(encoded, _START_NS.to_bytes(8, "little")),
        "end": prefix + place_of(encoded, _END_NS.to_bytes(8, "little")),
        "run": ends["crucible.run.id"] - RUN_DIGITS,
        "epoch": ends["crucible.epoch"] - EPOCH_BYTES,
        "step": ends["crucible.step"] - STEP_BYTES,
        "loss": ends["crucible.measurement.loss"] - 8,
        "gradient_norm": ends["crucible.measurement.gradient_norm"] - 8,
        "learning_rate": ends["lr"] - 8,
    }
    mean_bytes = len(body) / SPANS
    assert SPAN_BYTES_MIN <= mean_bytes <= SPAN_BYTES_MAX, f"{mean_bytes:.1f} bytes a span"
    return Template(body, head_bytes, span_bytes, at)


def places(haystack: bytes, needle: bytes) -> list[int]:
    found = [haystack.find(needle)]
    while found[-1] >= 0:
        found.append(haystack.find(needle, found[-1] + len(needle)))
    return found[:-1]


def place_of(span: bytes, needle: bytes) -> int:
    (only,) = places(span, needle)
    return only


def end_of(span: bytes, attribute: KeyValue) -> int:
    """Where the attribute ends, and with it its value."""
    encoded = attribute.SerializeToString()
    return place_of(span, encoded) + len(encoded)


@dataclass(frozen=True)
class Workload:
    """Requests by index. `start_ns` is when the first span began."""

    run_count: int
    seed: int
    start_ns: int = field(default_factory=time.time_ns)

    @staticmethod
    def prepare() -> None:
        """Encode what every request is a copy of."""
        _template()

    def body(self, index: int, *, now_ns: int | None = None) -> bytes:
        """The request's bytes; with `now_ns` its last span ended just then."""
        template = _template()
        body = np.frombuffer(template.body, np.uint8).copy()
        spans = body[template.head_bytes :].reshape(SPANS, template.span_bytes)
        ids = self._ids(index)
        self._write_ids(spans, template.at, ids)
        self._write_times(spans, template.at, index, now_ns)
        self._write_place(spans, template.at, index)
        self._write_numbers(spans, template.at, index)
        return body.tobytes()

    def span_ids(self, index: int) -> I64:
        """As the database holds them: big-endian, signed."""
        return self._ids(index)[: SPANS * 8].view(">i8").astype(np.int64)

    def trace_id(self, index: int) -> str:
        """Of the request's first trace, in hex."""
        return self._ids(index)[SPANS * 8 :][:16].tobytes().hex()

    def _ids(self, index: int) -> U8:
        """Random bytes: the spans' ids, the traces' ids, the ids of the traces' epochs."""
        random = np.random.default_rng((self.seed, index))
        return np.frombuffer(random.bytes(SPANS * 8 + TRACES * (16 + 8)), np.uint8)

    @staticmethod
    def _write_ids(spans: U8, at: dict[str, int], ids: U8) -> None:
        own, traces, parents = np.split(ids, (SPANS * 8, SPANS * 8 + TRACES * 16))
        write_column(spans, at["span_id"], own.reshape(SPANS, 8))
        write_column(spans, at["trace_id"], traces.reshape(TRACES, 16).repeat(TRACE_SPANS, axis=0))
        write_column(
            spans, at["parent_span_id"], parents.reshape(TRACES, 8).repeat(TRACE_SPANS, axis=0)
        )

    def _write_times(self, spans: U8, at: dict[str, int], index: int, now_ns: int | None) -> None:
        if now_ns is None:
            first_ns = self.start_ns + index * SPANS * SPACING_NS
        else:
            first_ns = now_ns - DURATION_NS - SPANS * SPACING_NS
        start = first_ns + np.arange(SPANS, dtype="<i8") * SPACING_NS
        write_column(spans, at["start"], start.view(np.uint8).reshape(SPANS, 8))
        write_column(spans, at["end"], (start + DURATION_NS).view(np.uint8).reshape(SPANS, 8))

    def _write_place(self, spans: U8, at: dict[str, int], index: int) -> None:
        """Run, epoch and step: each trace is the next epoch of the next run."""
        trace = index * TRACES + np.arange(SPANS, dtype=np.int64) // TRACE_SPANS
        run, epoch = trace % self.run_count, trace // self.run_count
        step = epoch * TRACE_SPANS + np.arange(SPANS, dtype=np.int64) % TRACE_SPANS
        powers = 10 ** np.arange(RUN_DIGITS - 1, -1, -1, dtype=np.int64)
        write_column(spans, at["run"], (run[:, None] // powers % 10 + ord("0")).astype(np.uint8))
        write_column(spans, at["epoch"], varints(EPOCH_FIRST + epoch, EPOCH_BYTES))
        write_column(spans, at["step"], varints(STEP_FIRST + step, STEP_BYTES))

    def _write_numbers(self, spans: U8, at: dict[str, int], index: int) -> None:
        random = np.random.default_rng((self.seed, index, 1))
        for name in ("loss", "gradient_norm", "learning_rate"):
            values = np.exp(random.normal(size=SPANS)).astype("<f8")
            write_column(spans, at[name], values.view(np.uint8).reshape(SPANS, 8))


def write_column(spans: U8, at: int, content: U8) -> None:
    spans[:, at : at + content.shape[1]] = content


def varints(values: I64, width: int) -> U8:
    """Protobuf varints of one width; the values must need exactly that."""
    assert values.min() >= 1 << 7 * (width - 1), "the varint would be shorter than its place"
    assert values.max() < 1 << 7 * width, "the varint would be longer than its place"
    groups = values[:, None] >> 7 * np.arange(width) & 0x7F
    groups[:, :-1] |= 0x80
    return groups.astype(np.uint8)

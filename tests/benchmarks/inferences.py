"""Requests of an endpoint that answers model calls: one inference a trace, about 500 bytes a span.

A benchmark of sampling sends more than fits into memory, so BASES requests are encoded once and every
further one is a copy whose ids are changed by a mask and whose times are moved: 0.1 µs a span, made as
it is sent. Request `index` is the same ids and contents in every process that asks for it, so that
whoever looks into the database can work out what a constant threshold has kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from benchmarks.workload import (
    I64,
    SPANS,
    U8,
    Template,
    end_of,
    place_of,
    places,
    varints,
    write_column,
)

BASES = (
    256  # requests that are encoded: 131,072 spans with durations, models and errors of their own
)
ERROR_SHARE = 0.005
TAIL_SHARE, TAIL_S, LONGEST_S = 0.01, 5.0, 120.0
EVENT = "crucible_deployment.inference"
MODELS = (b"llama-3.1-8b", b"llama-3.2-1b", b"llama-3.2-3b", b"qwen2.5-1.5b")
RUN_DIGITS, REQUEST_DIGITS = 6, 12
TOKENS_MIN, TOKENS_MAX, TOKEN_BYTES = 128, 16_383, 2  # varints of two bytes
SPAN_BYTES_MIN, SPAN_BYTES_MAX = 480, 560

_TRACE_ID, _SPAN_ID = b"\xa1" * 16, b"\xa2" * 8
_START_NS, _END_NS = 0x1A2B3C4D5E6F7081, 0x1A2B3C4D5E6F7082
_TOKENS_IN, _TOKENS_OUT = 0x1234, 0x1235
_COST, _FIRST_MS = 0.123456789, 1.23456789
_MODEL = b"m" * len(MODELS[0])
_NS_S = 1_000_000_000


def _attributes() -> dict[str, KeyValue]:
    values = {
        "crucible.experiment.id": AnyValue(string_value="bench-serving"),
        "crucible.run.id": AnyValue(string_value="run-" + "0" * RUN_DIGITS),
        "crucible.condition": AnyValue(string_value="baseline"),
        "crucible.request.id": AnyValue(string_value="req-" + "0" * REQUEST_DIGITS),
        "gen_ai.operation.name": AnyValue(string_value="chat"),
        "gen_ai.request.model": AnyValue(string_value=_MODEL.decode()),
        "gen_ai.request.max_tokens": AnyValue(int_value=1024),
        "gen_ai.usage.input_tokens": AnyValue(int_value=_TOKENS_IN),
        "gen_ai.usage.output_tokens": AnyValue(int_value=_TOKENS_OUT),
        "crucible.measurement.time_to_first_token_ms": AnyValue(double_value=_FIRST_MS),
        "crucible.measurement.cost_usd": AnyValue(double_value=_COST),
    }
    return {key: KeyValue(key=key, value=value) for key, value in values.items()}


@cache
def _template() -> Template:
    attributes = _attributes()
    span = Span(
        trace_id=_TRACE_ID,
        span_id=_SPAN_ID,
        name=EVENT,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=_START_NS,
        end_time_unix_nano=_END_NS,
        attributes=attributes.values(),
        status=Status(code=Status.STATUS_CODE_OK),
    )
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for key, value in (("service.name", "bench"), ("host.name", "localhost")):
        resource.resource.attributes.add(key=key, value=AnyValue(string_value=value))
    scope = resource.scope_spans.add()
    scope.scope.name = "crucible_telemetry"
    scope.spans.extend([span] * SPANS)
    body, encoded = request.SerializeToString(), span.SerializeToString()
    assert SPAN_BYTES_MIN <= len(body) / SPANS <= SPAN_BYTES_MAX, f"{len(body) / SPANS:.1f} bytes"
    first, second = places(body, _TRACE_ID)[:2]
    span_bytes = second - first
    head_bytes = len(body) - SPANS * span_bytes
    prefix = first - head_bytes - place_of(encoded, _TRACE_ID)
    return Template(body, head_bytes, span_bytes, _places_in(encoded, attributes, prefix))


def _places_in(encoded: bytes, attributes: dict[str, KeyValue], prefix: int) -> dict[str, int]:
    ends = {name: prefix + end_of(encoded, attributes[name]) for name in attributes}
    status = Status(code=Status.STATUS_CODE_OK).SerializeToString()
    assert encoded.endswith(status), "the status is the last field"
    return {
        "trace_id": prefix + place_of(encoded, _TRACE_ID),
        "span_id": prefix + place_of(encoded, _SPAN_ID),
        "start": prefix + place_of(encoded, _START_NS.to_bytes(8, "little")),
        "end": prefix + place_of(encoded, _END_NS.to_bytes(8, "little")),
        "status": prefix + len(encoded) - 1,
        "run": ends["crucible.run.id"] - RUN_DIGITS,
        "request": ends["crucible.request.id"] - REQUEST_DIGITS,
        "model": ends["gen_ai.request.model"] - len(_MODEL),
        "tokens_in": ends["gen_ai.usage.input_tokens"] - TOKEN_BYTES,
        "tokens_out": ends["gen_ai.usage.output_tokens"] - TOKEN_BYTES,
        "first_ms": ends["crucible.measurement.time_to_first_token_ms"] - 8,
        "cost": ends["crucible.measurement.cost_usd"] - 8,
    }


def durations_ns(random: np.random.Generator, count: int) -> I64:
    """A lognormal body and a Pareto tail."""
    seconds = random.lognormal(np.log(0.8), 0.8, size=count)
    seconds += (random.random(count) < TAIL_SHARE) * TAIL_S * random.pareto(1.5, size=count)
    found: I64 = (np.minimum(seconds, LONGEST_S) * _NS_S).astype(np.int64)
    return found


@dataclass(frozen=True)
class Inferences:
    """Requests by index, as `workload.Workload` makes them of trainings."""

    run_count: int
    seed: int
    start_ns: int = field(default_factory=time.time_ns)

    @cached_property
    def _bases(self) -> list[tuple[U8, I64]]:
        """Encoded requests and how long their spans took."""
        return [self._base(number) for number in range(BASES)]

    def prepare(self) -> None:
        """Encode what every request is a copy of; a second that belongs before the clock."""
        assert len(self._bases) == BASES

    def body(self, index: int, *, now_ns: int | None = None) -> bytes:
        """The request's bytes; its spans ended at `now_ns`, else at `start_ns`."""
        template = _template()
        base, took_ns = self._bases[index % BASES]
        body = base.copy()
        spans = body[template.head_bytes :].reshape(SPANS, template.span_bytes)
        traces, ids = self._ids(index)
        write_column(spans, template.at["trace_id"], traces)
        write_column(spans, template.at["span_id"], ids)
        end_ns = np.full(SPANS, now_ns or self.start_ns, "<i8")
        write_column(spans, template.at["end"], end_ns.view(np.uint8).reshape(SPANS, 8))
        start_ns = end_ns - took_ns
        write_column(spans, template.at["start"], start_ns.view(np.uint8).reshape(SPANS, 8))
        return body.tobytes()

    def randomness(self, index: int) -> I64:
        """R of each of the request's traces: the last 7 bytes of its id."""
        words = np.zeros((SPANS, 8), np.uint8)
        words[:, 1:] = self._ids(index)[0][:, 9:]
        return words.view(">i8")[:, 0].astype(np.int64)

    def span_ids(self, index: int) -> I64:
        """As the database holds them: big-endian, signed."""
        return np.ascontiguousarray(self._ids(index)[1]).view(">i8")[:, 0].astype(np.int64)

    def _ids(self, index: int) -> tuple[U8, U8]:
        """Of traces and of spans: those of the base, changed by a mask of the round."""
        mask = np.random.default_rng((self.seed, index // BASES, 2)).bytes(24)
        ids = self._base_ids(index % BASES) ^ np.frombuffer(mask, np.uint8)
        return ids[:, :16], ids[:, 16:]

    @cached_property
    def _all_base_ids(self) -> U8:
        random = np.random.default_rng((self.seed, 0, 1))
        drawn = np.frombuffer(random.bytes(BASES * SPANS * 24), np.uint8)
        return drawn.reshape(BASES, SPANS, 24)

    def _base_ids(self, number: int) -> U8:
        found: U8 = self._all_base_ids[number]
        return found

    def _base(self, number: int) -> tuple[U8, I64]:
        template = _template()
        random = np.random.default_rng((self.seed, number))
        body = np.frombuffer(template.body, np.uint8).copy()
        spans = body[template.head_bytes :].reshape(SPANS, template.span_bytes)
        took_ns = durations_ns(random, SPANS)
        status = np.where(random.random(SPANS) < ERROR_SHARE, 2, 1).astype(np.uint8)
        model = random.integers(len(MODELS), size=SPANS)
        first_ms = took_ns / 1e6 * random.uniform(0.05, 0.3, size=SPANS)
        _write_digits(spans, template.at["run"], random.integers(self.run_count, size=SPANS), 6)
        _write_digits(spans, template.at["request"], random.integers(10**12, size=SPANS), 12)
        write_column(spans, template.at["status"], status[:, None])
        names = np.frombuffer(b"".join(MODELS), np.uint8).reshape(len(MODELS), -1)
        write_column(spans, template.at["model"], names[model])
        tokens = {}
        for name, mean in (("tokens_in", 700), ("tokens_out", 250)):
            drawn = random.lognormal(np.log(mean), 0.7, size=SPANS).astype(np.int64)
            tokens[name] = np.clip(drawn, TOKENS_MIN, TOKENS_MAX)
            write_column(spans, template.at[name], varints(tokens[name], TOKEN_BYTES))
        cost = (tokens["tokens_in"] * 0.15 + tokens["tokens_out"] * 0.6) / 1e6
        for name, values in (("first_ms", first_ms), ("cost", cost)):
            write_column(
                spans, template.at[name], values.astype("<f8").view(np.uint8).reshape(SPANS, 8)
            )
        return body, took_ns


def _write_digits(spans: U8, at: int, numbers: I64, digits: int) -> None:
    powers = 10 ** np.arange(digits - 1, -1, -1, dtype=np.int64)
    write_column(spans, at, (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8))

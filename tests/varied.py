"""OTLP of every signal, with something in it for each question that the API answers.

The registry's example payloads, moved into the last days, and beside them two experiments of several
runs over three days: batches with numbers that are not finite, inferences with models, tokens and
costs, errors, correlation ids, logs, distributions, and names under other spellings. Ids and numbers
follow from the place in it, times from `begin`, so that two databases can be sent the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from traffic import key_value

EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples"
_EXAMPLES_BEGIN = datetime(2026, 11, 1, tzinfo=UTC)  # the day of their times
_TIME = re.compile(r'(UnixNano": ")(\d+)')
SECOND, MINUTE, HOUR, DAY = (seconds * 10**9 for seconds in (1, 60, 3_600, 86_400))
RUNS = {"run-0": "sweep", "run-1": "sweep", "run/2": "other"}
MODELS = ("tiny", "large", "huge")
CORRELATION = "order-4711"
_SIGNALS: dict[type[Message], str] = {
    ExportTraceServiceRequest: "traces",
    ExportMetricsServiceRequest: "metrics",
    ExportLogsServiceRequest: "logs",
}


@dataclass(frozen=True)
class Sent:
    """The body of one POST to OTLP/HTTP."""

    signal: str
    content_type: str
    body: bytes


def requests(begin: datetime) -> Iterator[Sent]:
    """All of it; `begin` is a midnight, four days ago at the latest."""
    begin_ns = round(begin.timestamp()) * SECOND
    yield from _examples(begin_ns)
    for number, run in enumerate(RUNS):
        yield _encoded(training(run, number, begin_ns))
    yield _encoded(inferences(begin_ns))
    yield _encoded(metrics(begin_ns))
    yield _encoded(logs(begin_ns))


def late(begin: datetime) -> Iterator[Sent]:
    """What comes days after its time."""
    begin_ns = round(begin.timestamp()) * SECOND
    yield _encoded(training("run-1", 7, begin_ns + 5 * HOUR, steps=20))


def sampled(begin: datetime) -> pa.RecordBatch:
    """Spans as they are stored of which others were sampled away: three in each trace that was kept."""
    count, probability = 60, 0.3
    begin_us = round(begin.timestamp()) * 1_000_000
    micro = begin_us + np.arange(count) * 3_700_000_123
    is_first = np.arange(count) % 3 == 0
    variance = np.where(is_first, (1 - probability) / probability**2 * 9, 0.0)
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(micro).view(pa.timestamp("us", "UTC")),
            "duration_ns": pa.array(np.arange(count) * 1_234_567),
            "span_id": pa.array(np.arange(count)),
            "resource_id": pa.array(np.zeros(count, np.int64)),
            "scope_id": pa.array(np.zeros(count, np.int64)),
            "trace_id": pa.array([(n // 3 + 1).to_bytes(16) for n in range(count)], pa.binary(16)),
            "name": pa.array(["sampled"] * count),
            "event_name": pa.array(["sampled.stop"] * count),
            "status_code": pa.array(np.arange(count) % 3, pa.int16()),
            "input_tokens": pa.array(np.arange(count)),
            "output_tokens": pa.nulls(count, pa.int64()),
            "cost_usd": pa.array(np.arange(count) * 0.1),
            "sample_probability": pa.array(np.full(count, probability)),
            "sample_threshold": pa.array(np.full(count, 0xB33333 << 32)),
            "keep_reason": pa.array(["error", "random", "slow"] * (count // 3)),
            "count_variance": pa.array(variance),
            "count_trace_variance": pa.array(variance),
            "error_variance": pa.array(variance / 9),
            "duration_variance": pa.array(variance * 1e14),
            "duration_trace_variance": pa.array(variance * 2e14),
            "cost_trace_variance": pa.array(variance * 3),
            "latency_variance": pa.array(variance),
            "uncertain_event_traces": pa.array(is_first.astype(np.float64)),
            "uncertain_traces": pa.array(is_first.astype(np.float64)),
        }
    )


def sampled_logs(begin: datetime) -> pa.RecordBatch:
    """Log records as they are stored of which others were sampled away."""
    count = 20
    micro = round(begin.timestamp()) * 1_000_000 + np.arange(count) * 977_000_123
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(micro).view(pa.timestamp("us", "UTC")),
            "resource_id": pa.array(np.zeros(count, np.int64)),
            "scope_id": pa.array(np.zeros(count, np.int64)),
            "severity_number": pa.array(np.arange(count) % 24 + 1, pa.int16()),
            "body": pa.array([f'"line {number}"' for number in range(count)]),
            "sample_probability": pa.array(np.full(count, 0.5)),
            "sample_threshold": pa.array(np.full(count, 1 << 55)),
            "upstream_threshold": pa.array(np.full(count, 1 << 54)),
            "keep_reason": pa.array(["match", "quota"] * (count // 2)),
        }
    )


def counted(begin: datetime) -> pa.RecordBatch:
    """What two collectors' sampling counted: of two rules, in minutes of four days."""
    count = 40
    minute_us = round(begin.timestamp()) * 1_000_000 + np.arange(count) * 3 * 3_600_000_000
    journals = [bytes([1]) * 16, bytes([2]) * 16]
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(minute_us).view(pa.timestamp("us", "UTC")),
            "rule": pa.array([("thin", "errors")[n % 3 == 0] for n in range(count)]),
            "signal": pa.array([("spans", "log_records")[n % 5 == 0] for n in range(count)]),
            "stratum": pa.array([f"status-{n % 2}" for n in range(count)]),
            "journal_id": pa.array([journals[n % 2] for n in range(count)], pa.binary(16)),
            "seen_count": pa.array(np.arange(count) * 10),
            "kept_count": pa.array(np.arange(count)),
            "weight_sum": pa.array(np.arange(count) * 9.9),
            "weight_square_sum": pa.array(np.arange(count) * 99.0),
            "probability_min": pa.array(1 / (1 + np.arange(count))),
            "error_seen_count": pa.array(np.arange(count) // 3),
            "error_kept_count": pa.array(np.arange(count) // 4),
        }
    )


def _encoded(request: Message) -> Sent:
    body = request.SerializeToString(deterministic=True)
    return Sent(_SIGNALS[type(request)], "application/x-protobuf", body)


def _examples(begin_ns: int) -> Iterator[Sent]:
    shift = begin_ns - round(_EXAMPLES_BEGIN.timestamp()) * SECOND
    for signal, key in (("traces", "resourceSpans"), ("metrics", "resourceMetrics")):
        found: list[Any] = []
        for path in sorted(EXAMPLES.glob("*.json")):
            text = _TIME.sub(lambda m: f"{m[1]}{int(m[2]) + shift}", path.read_text())
            found += json.loads(text).get(key, [])
        yield Sent(signal, "application/json", json.dumps({key: found}).encode())


def _ids(number: int) -> dict[str, bytes]:
    return {"trace_id": (number // 4 + 1).to_bytes(16), "span_id": (number + 1).to_bytes(8)}


def training(run: str, number: int, begin_ns: int, steps: int = 120) -> Message:
    """A batch each 17 minutes and some, on two ranks, and an epoch after each twenty."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.append(key_value("service.name", f"trainer-{number % 2}"))
    spans = of_resource.scope_spans.add(scope={"name": "crucible_train", "version": "1"}).spans
    identity = {"crucible.run.id": run, "crucible.experiment.id": RUNS[run]}
    for step in range(steps):
        start = begin_ns + step * (17 * MINUTE + 11 * SECOND) + number * SECOND + step
        loss = {5: math.nan, 70: math.inf, 71: -math.inf}.get(step, 3.3 / (step + 1) + number)
        facts: dict[str, Any] = {
            **identity,
            "crucible.step": step,
            "crucible.rank": step % 2,
            # As other libraries spell it, in one of the runs.
            f"crucible.measurement.{'mean_loss' if number == 1 else 'loss'}": loss,
            "crucible.measurement.gradient_norm": 0.1 * (step % 9),
        }
        place = 10_000 * (number + 1) + 2 * step
        spans.add(
            **_ids(place),
            name="megatron.train_step" if number == 1 else "crucible_train.batch",
            start_time_unix_nano=start,
            end_time_unix_nano=start + (step % 40) ** 3 * 12_345,
            attributes=[key_value(name, value) for name, value in facts.items()],
            status={"code": Status.STATUS_CODE_ERROR, "message": "out of memory"}
            if step % 30 == 29
            else None,
        )
        if step % 20 == 19:
            facts = {**identity, "crucible.epoch": step // 20, "crucible.measurement.accuracy": 0.7}
            spans.add(
                **_ids(place + 1),
                parent_span_id=(place + 1).to_bytes(8),
                name="crucible_train.epoch",
                start_time_unix_nano=start - HOUR,
                end_time_unix_nano=start + SECOND,
                attributes=[key_value(name, value) for name, value in facts.items()],
            )
    return request


def inferences(begin_ns: int) -> Message:
    """Of no run; three models, with tokens and costs, of which one in nine is missing."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.append(key_value("service.name", "gateway"))
    spans = of_resource.scope_spans.add().spans
    for number in range(90):
        facts: dict[str, Any] = {
            "crucible.experiment.id": "sweep",
            "gen_ai.request.model": MODELS[number % 3],
            "gen_ai.usage.input_tokens": 100 + number,
            "gen_ai.usage.output_tokens": 7 * number,
        }
        if number % 9:
            facts["crucible.measurement.cost_usd"] = 0.0013 * number
        if number % 10 == 0:
            facts["crucible.correlation.id"] = CORRELATION
        start = begin_ns + number * 47 * MINUTE + number * 333_333_333
        spans.add(
            **_ids(90_000 + number),
            name="crucible_deployment.inference",
            kind=3,
            start_time_unix_nano=start,
            end_time_unix_nano=start + round(1e6 * 1.13**number),
            attributes=[key_value(name, value) for name, value in facts.items()],
            status={"code": Status.STATUS_CODE_OK if number % 7 else Status.STATUS_CODE_ERROR},
        )
    return request


def metrics(begin_ns: int) -> Message:
    """A cumulative sum, a gauge and every kind of distribution."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.append(key_value("service.name", "gateway"))
    found = of_resource.scope_metrics.add().metrics
    times = [begin_ns + number * 53 * MINUTE for number in range(60)]
    requested = found.add(name="requests", unit="1")
    requested.sum.aggregation_temporality = (
        AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    requested.sum.is_monotonic = True
    queue = found.add(name="queue.length", unit="1")
    explicit, exponential = found.add(name="latency", unit="s"), found.add(name="size", unit="By")
    explicit.histogram.aggregation_temporality = (
        AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    )
    exponential.exponential_histogram.aggregation_temporality = (
        AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    )
    summary = found.add(name="wait", unit="s")
    for number, time in enumerate(times):
        at = {"time_unix_nano": time, "start_time_unix_nano": begin_ns}
        requested.sum.data_points.add(**at, as_int=2**53 + 1 + number)
        queue.gauge.data_points.add(**at, as_double=math.nan if number == 9 else number / 7)
        explicit.histogram.data_points.add(
            **at, count=3, sum=2.5, bucket_counts=[1, 2, 0], explicit_bounds=[0.5, 1.5]
        )
        exponential.exponential_histogram.data_points.add(
            **at,
            count=4,
            sum=9.1,
            scale=2,
            zero_count=1,
            positive={"offset": 1, "bucket_counts": [3]},
        )
        summary.summary.data_points.add(
            **at, count=2, sum=1.1, quantile_values=[{"quantile": 0.5, "value": 0.4}]
        )
    return request


def logs(begin_ns: int) -> Message:
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.append(key_value("service.name", "gateway"))
    records = of_resource.scope_logs.add().log_records
    for number in range(40):
        facts: dict[str, Any] = {"crucible.run.id": "run-0", "crucible.step": number}
        if number % 4 == 0:
            facts = {"crucible.correlation.id": CORRELATION, "crucible.experiment.id": "sweep"}
        trace_id = _ids(90_000 + number)["trace_id"] if number % 5 == 0 else b""
        records.add(
            time_unix_nano=begin_ns + number * 71 * MINUTE + number,
            severity_number=1 + number % 24,
            trace_id=trace_id,
            body=AnyValue(string_value=f"line {number}"),
            attributes=[key_value(name, value) for name, value in facts.items()],
        )
    return request

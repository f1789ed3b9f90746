"""OpenTelemetry's own exporters for Python, as an application uses them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetrics,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetrics,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.receive.conftest import StartReceiver
from collector.receive.receivers import Receiver, until
from crucible_collector import metrics
from crucible_collector.batch import Signal

MakeSpanExporter = Callable[[Receiver], SpanExporter]


def over_grpc(compression: grpc.Compression) -> MakeSpanExporter:
    return lambda receiver: GrpcSpans(
        endpoint=receiver.grpc_address, insecure=True, compression=compression
    )


def over_http(compression: HttpCompression) -> MakeSpanExporter:
    return lambda receiver: HttpSpans(
        endpoint=receiver.http_url + "/v1/traces", compression=compression
    )


SPAN_EXPORTERS: dict[str, MakeSpanExporter] = {
    "grpc": over_grpc(grpc.Compression.NoCompression),
    "grpc gzip": over_grpc(grpc.Compression.Gzip),
    "http": over_http(HttpCompression.NoCompression),
    "http gzip": over_http(HttpCompression.Gzip),
}
every_span_exporter = pytest.mark.parametrize(
    "make", SPAN_EXPORTERS.values(), ids=SPAN_EXPORTERS.keys()
)


@contextmanager
def exporting(exporter: SpanExporter) -> Iterator[SpanExporter]:
    try:
        yield exporter
    finally:
        exporter.shutdown()


def finished_spans(count: int) -> list[ReadableSpan]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    for index in range(count):
        tracer.start_span(f"span {index}").end()
    return list(memory.get_finished_spans())


@every_span_exporter
def test_spans_of_an_application_arrive(
    start_receiver: StartReceiver, make: MakeSpanExporter
) -> None:
    receiver = start_receiver()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(make(receiver), max_export_batch_size=64))
    tracer = provider.get_tracer("test")
    for index in range(200):
        with tracer.start_as_current_span(f"span {index}", attributes={"index": index}):
            pass
    provider.shutdown()
    assert sorted(receiver.span_names()) == sorted(f"span {index}" for index in range(200))


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_metrics_of_an_application_arrive(start_receiver: StartReceiver, transport: str) -> None:
    receiver = start_receiver()
    exporter: MetricExporter = (
        GrpcMetrics(endpoint=receiver.grpc_address, insecure=True)
        if transport == "grpc"
        else HttpMetrics(endpoint=receiver.http_url + "/v1/metrics")
    )
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter, 3_600_000)], shutdown_on_exit=False
    )
    meter = provider.get_meter("test")
    meter.create_counter("requests").add(3, {"route": "/"})
    meter.create_histogram("latency", "s").record(0.25)
    provider.shutdown()
    entries = receiver.entries()
    assert [(entry.signal, entry.refused) for entry in entries] == [(Signal.METRICS, {})]
    scopes = ExportMetricsServiceRequest.FromString(entries[0].body).resource_metrics[0]
    names = [metric.name for metric in scopes.scope_metrics[0].metrics]
    assert names == ["requests", "latency"]
    assert entries[0].record_count == 2


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_logs_of_an_application_arrive(start_receiver: StartReceiver, transport: str) -> None:
    receiver = start_receiver()
    exporter: LogRecordExporter = (
        GrpcLogs(endpoint=receiver.grpc_address, insecure=True)
        if transport == "grpc"
        else HttpLogs(endpoint=receiver.http_url + "/v1/logs")
    )
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("test").emit(body={"said": ["this", 1]}, severity_text="INFO")
    provider.shutdown()
    (entry,) = receiver.entries()
    assert (entry.signal, entry.record_count, entry.refused) == (Signal.LOGS, 1, {})
    record = ExportLogsServiceRequest.FromString(entry.body).resource_logs[0].scope_logs[0]
    assert record.log_records[0].body.kvlist_value.values[0].key == "said"


@every_span_exporter
def test_an_exporter_comes_back_after_an_overload(
    start_receiver: StartReceiver, make: MakeSpanExporter
) -> None:
    """The exporter's own retry, with the delay that it is told; nothing is sent twice."""
    receiver = start_receiver(bytes_in_flight_max=1 << 20, patience_s=0.05)
    ticket = receiver.intake.admission.enter(1 << 20)
    with exporting(make(receiver)) as exporter:
        results: list[SpanExportResult] = []
        exporting_thread = threading.Thread(
            target=lambda: results.append(exporter.export(finished_spans(5)))
        )
        refused_before = overloaded_count()
        exporting_thread.start()
        until(lambda: overloaded_count() > refused_before)
        ticket.close()
        exporting_thread.join(20)
    assert results == [SpanExportResult.SUCCESS]
    assert sorted(receiver.span_names()) == [f"span {index}" for index in range(5)]


@every_span_exporter
def test_an_exporter_takes_a_partial_success_for_a_success(
    start_receiver: StartReceiver, make: MakeSpanExporter
) -> None:
    receiver = start_receiver()
    spans = finished_spans(5)
    spans[2]._start_time = 1
    with exporting(make(receiver)) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
    (entry,) = receiver.entries()
    assert (entry.record_count, list(entry.refused)) == (5, [2])


def overloaded_count() -> float:
    """Refusals for want of room since the tests began, over both transports."""
    labels = {"signal": Signal.TRACES.label, "outcome": "overloaded"}
    return sum(
        metrics.REGISTRY.get_sample_value(
            "crucible_requests_total", {**labels, "transport": transport}
        )
        or 0.0
        for transport in ("grpc", "http")
    )

"""What the sampler reads and sends: this host, with the real psutil, to a real receiver."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

import crucible_telemetry as crucible
from crucible_schema import METRICS, Instrument
from crucible_telemetry import hardware, host, telemetry
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.host import Sample
from crucible_telemetry.testing import capture

RESOURCE = Resource({"service.name": "trainer"})
SCOPE = InstrumentationScope("crucible_telemetry", "1")
TIME_NS = 1_767_225_600_000_000_000


class Point(SimpleNamespace):
    """A data point with its metric, flat."""


def points_of(encoded: Encoded | None) -> list[Point]:
    assert encoded is not None
    assert encoded.signal == "metrics"
    request = ExportMetricsServiceRequest.FromString(encoded.body)
    (of_resource,) = request.resource_metrics
    (of_scope,) = of_resource.scope_metrics
    found = []
    for metric in of_scope.metrics:
        kind = metric.WhichOneof("data")
        data = getattr(metric, str(kind))
        for point in data.data_points:
            attributes = {
                item.key: getattr(item.value, str(item.value.WhichOneof("value")))
                for item in point.attributes
            }
            value = getattr(point, str(point.WhichOneof("value")))
            found.append(
                Point(metric=metric, data=data, point=point, attributes=attributes, value=value)
            )
    assert encoded.count == len(found)
    return found


class Sink(list[Encoded]):
    """Takes what the sampler queues, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()

    def put(self, encoded: Encoded) -> None:
        self.append(encoded)
        self.taken.set()


def sampler(sink: Sink, *sources: host.Source, interval_s: float = 60.0) -> hardware.Sampler:
    return hardware.Sampler(telemetry.current(), RESOURCE, sink.put, sources, interval_s)


def one() -> list[Sample]:
    return [Sample("system.cpu.utilization", 0.5)]


def test_the_host_is_read_in_the_registrys_names_and_plausible_numbers() -> None:
    read = host.host_source()
    samples = list(read())
    while not any(sample.name == "process.cpu.utilization" for sample in samples):
        samples = list(read())
    values = {sample.name: sample.value for sample in samples}
    assert {sample.name for sample in samples} <= set(METRICS)
    assert {"system.cpu.utilization", "system.memory.usage", "process.memory.usage"} <= set(values)
    for name in ("system.cpu.utilization", "system.memory.utilization", "process.cpu.utilization"):
        assert 0 <= values[name] <= 1
    assert 0 < values["process.memory.usage"] < values["system.memory.limit"]
    assert values["process.thread.count"] >= 1
    assert values["process.cpu.time"] >= 0


def test_work_shows_in_the_cpu_time_of_the_process() -> None:
    def used_s() -> float:
        samples = [sample for sample in read() if sample.name == "process.cpu.time"]
        assert {sample.attributes["cpu.mode"] for sample in samples} == {"user", "system"}
        return sum(sample.value for sample in samples)

    read = host.host_source()
    before_s = used_s()
    while used_s() - before_s < 0.02:
        sum(range(100_000))


def test_metrics_have_the_registrys_units_and_kinds() -> None:
    samples = [
        Sample(name, 1, start_ns=5)
        for name in METRICS
        if name.startswith(("system.", "process.", "hw."))
    ]
    assert len(samples) >= 15
    for point in points_of(hardware.request(samples, [{}], TIME_NS, RESOURCE, SCOPE)):
        known = METRICS[point.metric.name]
        assert point.metric.unit == known.unit
        assert point.point.time_unix_nano == TIME_NS
        assert (point.metric.WhichOneof("data") == "gauge") is (
            known.instrument is Instrument.GAUGE
        )
        if known.instrument is not Instrument.GAUGE:
            assert point.data.is_monotonic is (known.instrument is Instrument.COUNTER)
            assert point.data.aggregation_temporality == 2  # cumulative
            assert point.point.start_time_unix_nano == 5


def test_numbers_belong_to_each_open_run_with_its_rank_or_to_the_process() -> None:
    sink = Sink()
    with capture(heartbeat_s=60):
        idle = sampler(sink, one)
        idle.sample()
        with crucible.experiment("e", condition="a", correlation_id="c") as experiment:
            with experiment.training(run_id="r-1", rank=3):
                idle.sample()
        idle.sample()
    alone, running, after = (points_of(encoded) for encoded in sink)
    assert [point.attributes for point in alone] == [{}]
    assert [point.attributes for point in running] == [
        {
            "crucible.experiment.id": "e",
            "crucible.run.id": "r-1",
            "crucible.condition": "a",
            "crucible.correlation.id": "c",
            "crucible.rank": 3,
        }
    ]
    assert [point.attributes for point in after] == [{}]


def test_a_source_that_fails_takes_no_other_with_it() -> None:
    def broken() -> list[Sample]:
        raise OSError("gone")

    sink = Sink()
    with capture():
        sampler(sink, broken, one).sample()
        sampler(sink, broken).sample()
    (encoded,) = sink
    assert [point.value for point in points_of(encoded)] == [0.5]


def test_the_thread_samples_until_it_is_stopped_and_once_more() -> None:
    sink = Sink()
    with capture():
        running = sampler(sink, one, interval_s=0.01)
        running.start()
        assert sink.taken.wait(10)
        running.stop(10)
        count = len(sink)
        assert hardware.THREAD_NAME not in {thread.name for thread in threading.enumerate()}
    assert count >= 2
    assert len(sink) == count


def test_a_run_shorter_than_the_interval_is_sampled_when_it_stops() -> None:
    sink = Sink()
    with capture():
        running = sampler(sink, one, interval_s=3600)
        running.start()
        running.stop(10)
    assert len(sink) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_neither_samples_nor_stops_its_parents_sampler() -> None:
    sink = Sink()
    with capture():
        running = sampler(sink, one, interval_s=0.01)
        running.start()
        child = os.fork()
        if not child:
            names = {thread.name for thread in threading.enumerate()}
            running.stop(60)
            os._exit(0 if hardware.THREAD_NAME not in names else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        sink.taken.clear()
        assert sink.taken.wait(10)
        running.stop(10)


def test_configure_starts_the_sampler_and_shutdown_stops_it() -> None:
    def names() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    crucible.configure("t", endpoint="http://127.0.0.1:1", spool_dir="", hardware=30)
    assert hardware.THREAD_NAME in names()
    crucible.shutdown(timeout_s=1)
    assert hardware.THREAD_NAME not in names()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        self.got_one = threading.Event()

    def Export(self, request: ExportMetricsServiceRequest, _context: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        self.got_one.set()
        return ExportMetricsServiceResponse()


def test_samples_arrive_at_a_receiver_with_the_process_that_took_them() -> None:
    taken = _Metrics()
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(taken, server)  # type: ignore[no-untyped-call]
    address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    crucible.configure("t", endpoint=address, spool_dir="", hardware=0.05)
    assert taken.got_one.wait(20)
    assert crucible.shutdown(timeout_s=10)
    server.stop(grace=None).wait()
    (of_resource,) = taken.requests[0].resource_metrics
    resource = {item.key: item.value for item in of_resource.resource.attributes}
    assert resource["service.name"].string_value == "t"
    assert resource["process.pid"].int_value == os.getpid()


@pytest.mark.parametrize(
    "kept", [{"exporter": InMemorySpanExporter()}, {"tracer_provider": TracerProvider()}]
)
def test_where_only_spans_can_go_nothing_is_sampled(
    kept: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    crucible.configure("t", spool_dir="", hardware=True, **kept)
    assert "Hardware is not sampled" in caplog.text
    assert hardware.THREAD_NAME not in {thread.name for thread in threading.enumerate()}


def test_what_is_missing_is_said_in_one_line_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    crucible.configure("t", endpoint="http://127.0.0.1:1", spool_dir="", hardware=True)
    extra = "(pip install crucible-telemetry[hardware] brings it)"
    assert [record.message for record in caplog.records if "sampled" in record.message] == [
        f"Host and process are not sampled: psutil is not installed {extra}",
        f"GPUs are not sampled: nvidia-ml-py is not installed {extra}",
    ]
    assert hardware.THREAD_NAME not in {thread.name for thread in threading.enumerate()}

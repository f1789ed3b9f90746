"""The benchmark itself: that it sends what it says, counts what it claims, and can fail."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import crucible_schema
from benchmarks import bench, place, report
from benchmarks.client import client, send
from benchmarks.ingest import Ingested, Load, expect
from benchmarks.reference import WINDOW_REQUESTS, copy_own, rows
from benchmarks.sender import METHOD, Job
from benchmarks.servers import fresh_database
from benchmarks.stages import stages
from benchmarks.steady import paced, soak
from benchmarks.workload import (
    ATTRIBUTES,
    POINTS,
    SPAN_BYTES_MAX,
    SPAN_BYTES_MIN,
    SPANS,
    STEP_FIRST,
    Workload,
)
from crucible_collector.batch import MEASUREMENT_PREFIX
from crucible_collector.store.connect import ingest_connection
from databases import TestServer

REFERENCE_SHA256 = "64599c4f893baee478b60c96e6c1525a099233837345fffc87faa7c26384129c"
TINY = bench.Plan(
    parts=frozenset({"ingest"}),
    load=Load(warm_requests=1, timed_requests=WINDOW_REQUESTS + 1),
    rounds=1,
    paced_s=1,
    soak_s=1,
    quick=True,
)


def spans_of(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return list(request.resource_spans[0].scope_spans[0].spans)


def attributes_of(span: Span) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "")
        for each in span.attributes
    }


def test_a_request_is_512_spans_of_331_bytes_with_8_attributes() -> None:
    body = Workload(7, 1).body(3)
    spans = spans_of(body)
    assert len(spans) == SPANS
    assert SPAN_BYTES_MIN <= len(body) / SPANS <= SPAN_BYTES_MAX
    assert {len(span.attributes) for span in spans} == {ATTRIBUTES}


def test_the_registry_calls_two_of_the_attributes_series() -> None:
    (span, *_) = spans_of(Workload(7, 1).body(0))
    names = [
        key.removeprefix(MEASUREMENT_PREFIX)
        for key in attributes_of(span)
        if key.startswith(MEASUREMENT_PREFIX)
    ]
    series = [name for name in names if crucible_schema.is_series(f"{span.name}.stop", name)]
    assert sorted(series) == ["gradient_norm", "loss"]
    assert len(series) == POINTS


@pytest.mark.parametrize("run_count", [7, 1_000])
def test_spans_differ_in_id_and_each_run_counts_its_steps(run_count: int) -> None:
    workload = Workload(run_count, 1)
    spans = [span for index in range(70) for span in spans_of(workload.body(index))]
    assert len({span.span_id for span in spans}) == len(spans)
    assert len({span.trace_id for span in spans}) == len(spans) // 32
    assert all(
        a.start_time_unix_nano < b.start_time_unix_nano for a, b in itertools.pairwise(spans)
    )
    steps: dict[Any, list[Any]] = {}
    for span in spans:
        attributes = attributes_of(span)
        steps.setdefault(attributes["crucible.run.id"], []).append(attributes["crucible.step"])
    assert len(steps) == run_count
    for each in steps.values():
        assert each == list(range(STEP_FIRST, STEP_FIRST + len(each)))


def test_the_same_index_is_the_same_request_in_every_process() -> None:
    assert Workload(7, 1, 5).body(2) == Workload(7, 1, 5).body(2)
    assert Workload(7, 1, 5).body(2) != Workload(7, 2, 5).body(2)


def test_ids_are_known_without_making_the_request() -> None:
    workload = Workload(7, 1)
    spans = spans_of(workload.body(4))
    ids = [int.from_bytes(span.span_id, "big", signed=True) for span in spans]
    assert workload.span_ids(4).tolist() == ids
    assert workload.trace_id(4) == spans[0].trace_id.hex()


def test_a_request_made_as_it_is_sent_ends_now() -> None:
    now_ns = time.time_ns()
    last = spans_of(Workload(7, 1).body(0, now_ns=now_ns))[-1]
    assert 0 <= now_ns - last.end_time_unix_nano < 100_000


def test_the_reference_table_is_frozen() -> None:
    """Figures of different versions are compared with each other through it."""
    text = Path(__file__).with_name("reference.sql").read_bytes()
    assert hashlib.sha256(text).hexdigest() == REFERENCE_SHA256


@contextmanager
def server(answer: Callable[[grpc.ServicerContext], bytes]) -> Iterator[str]:
    """A gRPC server that answers every Export so."""
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        lambda _body, context: answer(context)
    )
    service, method = METHOD.strip("/").split("/")
    with ThreadPoolExecutor(4) as pool:
        one = grpc.server(pool)
        one.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        port = one.add_insecure_port("127.0.0.1:0")
        one.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            one.stop(None).wait()


def test_the_sender_comes_back_when_it_is_told_to() -> None:
    refusals = iter(range(3))
    delay = RetryInfo(retry_delay=Duration(nanos=10_000_000)).SerializeToString()

    def busy_at_first(context: grpc.ServicerContext) -> bytes:
        if next(refusals, None) is not None:
            context.set_trailing_metadata((("google.rpc.retryinfo-bin", delay),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        return b""

    with server(busy_at_first) as url:
        sent = send(Job(url, 7, 1, request_count=5, start_ns=1, in_flight=2))
    assert (sent.acknowledged_requests, sent.retries) == (5, 3)


def test_refused_spans_are_not_taken_for_acknowledged_ones(
    capfd: pytest.CaptureFixture[str],
) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="too old")
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with server(lambda _context: answer) as url, pytest.raises(RuntimeError, match="sender failed"):
        send(Job(url, 7, 1, request_count=1, start_ns=1))
    assert "1 spans refused: too old" in capfd.readouterr().err


def test_a_sender_that_has_ended_needs_not_be_told_anything() -> None:
    with server(lambda _context: b"") as url:
        job = Job(url, 7, 1, request_count=1, start_ns=1)
        with client(job) as one:
            one.go()
            one.result()
            one._process.wait()
            one.tell_stored(1)


def test_the_sender_keeps_to_its_rate_and_tells_of_acknowledgements() -> None:
    told: list[int] = []
    with server(lambda _context: b"") as url:
        job = Job(url, 7, 1, 11, start_ns=1, prepared=False, requests_per_s=20, tell_every=5)
        with client(job, lambda index, _at_s: told.append(index)) as one:
            one.go()
            sent = one.result()
    assert sent.last_acknowledged_s - sent.first_send_s >= 10 / 20
    assert sorted(told) == [0, 5, 10]


def test_a_goal_is_missed_by_what_is_not_a_number() -> None:
    assert report.figure("rate", 0.7, "ratio", report.at_least(0.6)).met is True
    assert report.figure("rate", 0.5, "ratio", report.at_least(0.6)).met is False
    assert report.figure("rate", float("nan"), "ratio", report.at_most(0.6)).met is False
    assert report.figure("rate", 0.5, "ratio").met is None


def test_figures_are_written_for_programs(tmp_path: Path) -> None:
    figures = [report.figure("rate", 0.5, "ratio", report.at_least(0.6))]
    assert json.loads(report.write(figures, "x", tmp_path).read_text()) == [
        {"name": "rate", "value": 0.5, "unit": "ratio", "goal": ">= 0.600", "met": False}
    ]


def test_too_little_room_is_said_before_anything_starts() -> None:
    with pytest.raises(SystemExit, match="GB of room are needed"), place.work_directory(10**12):
        pass


def test_ratios_are_medians_over_the_references_around_each_ingest() -> None:
    ours = [Ingested(rate, 0, 0) for rate in (50.0, 90.0, 60.0)]
    assert bench.Rounds([100, 100, 100, 300], [], ours).ratio_to([100, 100, 100, 300]) == 0.5


def test_every_stage_has_a_cost() -> None:
    assert all(np.isfinite(each.value) and each.value > 0 for each in stages(Workload(7, 1), 1))


def test_rounds_measure_ingest_between_references(plain_server: TestServer, tmp_path: Path) -> None:
    found = bench.measure_rounds(plain_server, tmp_path, Workload(7, 2), TINY)
    assert (len(found.own_per_s), len(found.frozen_per_s), len(found.ours)) == (2, 2, 1)
    figures = bench.ingest_figures(plain_server, 7, found)
    assert all(np.isfinite(each.value) and each.value > 0 for each in figures)
    assert [each.goal for each in figures if each.goal] == [">= 0.600", ">= 0.300", "<= 5.00"]


def test_steady_loads_measure_memory_and_latency(plain_server: TestServer, tmp_path: Path) -> None:
    soaked = soak(plain_server, tmp_path / "soak", seconds=2.2)
    assert soaked.stored_per_s > 0
    assert soaked.rss_max_mb > 0
    assert np.isfinite(soaked.rss_slope_mb_min)
    found = paced(plain_server, tmp_path / "paced", spans_per_s=20 * SPANS, seconds=1)
    assert found.samples == 4
    assert 0 < found.visible_p50_s <= found.visible_p99_s
    assert 0 < found.sent.latency_p50_ms <= found.sent.latency_p99_ms


def test_spans_that_are_not_the_ones_sent_are_noticed(plain_server: TestServer) -> None:
    stored, other = Workload(7, 1), Workload(7, 2)
    with fresh_database(plain_server) as dsn, ingest_connection(dsn) as conn:
        copy_own(conn, rows(stored, 2))
        expect(conn, [(stored, 2)])
        for wrong in ([(stored, 1)], [(other, 2)], [(stored, 2), (other, 1)]):
            with pytest.raises(RuntimeError, match="instead of"):
                expect(conn, wrong)

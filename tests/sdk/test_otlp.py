"""The SDK against real OTLP receivers over gRPC and HTTP: what leaves the process, and what does not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

import crucible_telemetry as crucible
from sdk.receivers import Received, grpc_receiver, http_receiver, plain

Receiver = Callable[[], AbstractContextManager[Received]]

each_protocol = pytest.mark.parametrize(
    ("protocol", "receiver"), [("grpc", grpc_receiver), ("http/protobuf", http_receiver)]
)


def train() -> None:
    with crucible.experiment("sweep", condition="a") as experiment:
        with experiment.training(model_name="mlp") as training:
            for epoch in training.epochs(2):
                for batch in epoch.batches(range(3)):
                    batch.log(loss=0.5, tokens=7)
                epoch.log(loss=0.25)


@each_protocol
def test_a_training_arrives_whole(protocol: str, receiver: Receiver) -> None:
    with receiver() as received:
        crucible.configure(
            "trainer",
            endpoint=f"http://{received.address}",
            protocol=protocol,
            headers={"X-Key": "k"},
        )
        train()
        assert crucible.shutdown()
    assert received.names.count("crucible_train.batch") == 6
    assert received.names.count("crucible_train.epoch") == 2
    assert received.names[-2:] == ["crucible_train.training", "crucible_telemetry.experiment"]
    assert received.resource["service.name"] == "trainer"
    assert received.headers[0]["x-key"] == "k"
    batch = next(span for span in received.spans if span.name == "crucible_train.batch")
    attributes = plain(batch.attributes)
    assert attributes["crucible.measurement.loss"] == 0.5
    assert attributes["crucible.measurement.tokens"] == 7
    assert attributes["crucible.step"] == 0
    assert batch.end_time_unix_nano >= batch.start_time_unix_nano
    assert abs(batch.start_time_unix_nano - time.time_ns()) < 60e9


@each_protocol
def test_the_endpoint_may_come_from_the_environment(
    protocol: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{received.address}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")
        crucible.configure()
        train()
        assert crucible.shutdown()
    assert len(received.spans) == 14
    assert received.headers[0]["x-key"] == "k"


@each_protocol
def test_a_start_marker_arrives_while_the_training_runs(protocol: str, receiver: Receiver) -> None:
    with receiver() as received:
        crucible.configure(endpoint=f"http://{received.address}", protocol=protocol)
        with crucible.training():
            assert crucible.flush()
            assert received.names == ["crucible_train.training.start"]
        crucible.shutdown()


@each_protocol
def test_a_refused_request_is_sent_again_and_nothing_is_lost(
    protocol: str, receiver: Receiver
) -> None:
    with receiver() as received:
        received.refusals_left = 1
        crucible.configure(endpoint=f"http://{received.address}", protocol=protocol)
        train()
        assert crucible.flush(10)
        assert crucible.shutdown()
    assert len({span.span_id for span in received.spans}) == len(received.spans) == 14


def test_an_exception_arrives_as_status_and_span_event() -> None:
    with grpc_receiver() as received:
        crucible.configure(endpoint=f"http://{received.address}")
        with pytest.raises(ValueError, match="boom"), crucible.training():
            raise ValueError("boom")
        assert crucible.shutdown()
    training = received.spans[-1]
    assert training.status.code == Status.STATUS_CODE_ERROR
    assert plain(training.attributes)["crucible.status"] == "failed"
    (event,) = training.events
    assert plain(event.attributes)["exception.type"] == "ValueError"


@each_protocol
def test_neither_ids_nor_retries_touch_the_experiments_random_numbers(
    protocol: str, receiver: Receiver
) -> None:
    with receiver() as received:
        received.refusals_left = 1
        random.seed(42)
        state = random.getstate()
        crucible.configure(endpoint=f"http://{received.address}", protocol=protocol)
        train()
        assert crucible.flush(10)
        assert random.getstate() == state
        random.seed(42)
        train()
        assert crucible.shutdown()
    assert len({span.span_id for span in received.spans}) == 28
    assert len({span.trace_id for span in received.spans}) == 8


def test_a_collector_that_is_away_costs_the_experiment_no_time_and_the_log_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with grpc_receiver() as received:
        address = received.address
    crucible.configure(endpoint=f"http://{address}")
    started = time.perf_counter()
    for _ in range(20):
        train()
    assert time.perf_counter() - started < 2
    started = time.perf_counter()
    assert not crucible.shutdown(timeout_s=0.2)
    assert time.perf_counter() - started < 2
    assert len(caplog.records) <= 1


SCRIPT = textwrap.dedent("""
    import os, sys
    import crucible_telemetry as crucible
    crucible.configure("script", endpoint=sys.argv[1], protocol=sys.argv[2])
    with crucible.training() as training:
        for epoch in training.epochs(1):
            for batch in epoch.batches(range(100)):
                batch.log(loss=1.0)
            {0}
""")


def run_script(
    tmp_path: Path, received: Received, protocol: str, line: str
) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(line))
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), f"http://{received.address}", protocol],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@each_protocol
def test_the_end_of_the_process_sends_what_waits(
    protocol: str, receiver: Receiver, tmp_path: Path
) -> None:
    with receiver() as received:
        run = run_script(tmp_path, received, protocol, "pass")
    assert (run.returncode, run.stderr) == (0, "")
    assert received.names.count("crucible_train.batch") == 100
    assert received.names[-1] == "crucible_train.training"


def test_an_uncaught_exception_is_sent_and_stays_the_users(tmp_path: Path) -> None:
    with grpc_receiver() as received:
        run = run_script(tmp_path, received, "grpc", "raise ValueError('boom')")
    assert run.returncode == 1
    assert run.stderr.endswith("ValueError: boom\n")
    assert plain(received.spans[-1].attributes)["crucible.status"] == "failed"


def test_a_process_ends_in_time_though_nobody_listens(tmp_path: Path) -> None:
    with grpc_receiver() as received:
        pass
    started = time.perf_counter()
    run = run_script(tmp_path, received, "grpc", "crucible.shutdown(timeout_s=0.5)")
    assert run.returncode == 0
    assert time.perf_counter() - started < 10
    assert run.stderr.count("\n") <= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@each_protocol
def test_a_forked_worker_sends_its_own_spans(
    protocol: str, receiver: Receiver, tmp_path: Path
) -> None:
    line = textwrap.indent(
        textwrap.dedent("""
            crucible.flush()
            child = os.fork()
            if child == 0:
                with crucible.training(run_id="child"):
                    pass
                os._exit(0 if crucible.flush(10) else 1)
            assert os.waitpid(child, 0)[1] == 0
        """),
        "        ",
    ).strip()
    with receiver() as received:
        run = run_script(tmp_path, received, protocol, line)
    assert (run.returncode, run.stderr) == (0, "")
    assert len({span.span_id for span in received.spans}) == len(received.spans)
    runs = [plain(span.attributes)["crucible.run.id"] for span in received.spans]
    assert runs.count("child") == 2
    assert received.names.count("crucible_train.batch") == 100

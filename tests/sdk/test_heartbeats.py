"""Heartbeats: which runs send them, how often, and when they stop."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_telemetry import heartbeat
from crucible_telemetry.testing import Captured, Event, capture
from sdk.registered import assert_registered

HEARTBEAT = "crucible_telemetry.run.heartbeat"
OFTEN_S = 0.01


def beats(captured: Captured, run_id: str | None = None) -> list[Event]:
    return [
        event
        for event in captured.named(HEARTBEAT)
        if run_id in {None, event.attributes["crucible.run.id"]}
    ]


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for what another thread does: heartbeats tell nobody that they were sent."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        pause.wait(0.002)


def is_quiet() -> bool:
    return heartbeat.THREAD_NAME not in {thread.name for thread in threading.enumerate()}


@pytest.fixture(autouse=True)
def _quiet_at_the_end() -> Iterator[None]:
    yield
    wait_until(is_quiet)


def test_a_run_beats_as_it_begins_and_again_and_again_with_its_step_and_epoch() -> None:
    with capture(heartbeat_s=OFTEN_S) as captured, crucible.experiment("sweep", condition="a"):
        with crucible.training() as training:
            assert len(beats(captured)) == 1
            for epoch in training.epochs(2):
                for batch in epoch.batches(range(3)):
                    batch.log(loss=1.0)
            wait_until(lambda: beats(captured)[-1].attributes.get("crucible.epoch") == 1)
    assert_registered(captured)
    first, last = beats(captured)[0], beats(captured)[-1]
    assert "crucible.step" not in first.attributes
    assert last.attributes["crucible.step"] == 5
    assert last.attributes["crucible.heartbeat.interval_s"] == OFTEN_S
    assert last.attributes["crucible.experiment.id"] == "sweep"
    assert last.attributes["crucible.condition"] == "a"
    assert last.attributes["crucible.correlation.id"] == training.correlation_id


def test_each_heartbeat_is_a_trace_of_its_own_and_none_is_later_than_its_runs_end() -> None:
    with capture(heartbeat_s=OFTEN_S) as captured, crucible.training():
        wait_until(lambda: len(beats(captured)) >= 4)
    (stop,) = captured.named("crucible_train.training.stop")
    found = [beat.span for beat in beats(captured)]
    traces = {span.context.trace_id for span in [*found, stop.span]}
    assert len(traces) == len(found) + 1
    assert all((span.end_time or 0) <= (stop.span.end_time or 0) for span in found)


def test_all_open_runs_beat_on_one_thread_which_ends_with_the_last_of_them() -> None:
    with capture(heartbeat_s=OFTEN_S) as captured:
        with crucible.pipeline("p", run_id="outer") as pipeline:
            with pipeline.stage("train"), crucible.training(run_id="inner"):
                wait_until(lambda: all(len(beats(captured, run)) > 2 for run in ("outer", "inner")))
                names = [thread.name for thread in threading.enumerate()]
                assert names.count(heartbeat.THREAD_NAME) == 1
            wait_until(lambda: len(beats(captured, "outer")) > 6)
            count = len(beats(captured, "inner"))
            wait_until(lambda: len(beats(captured, "outer")) > 9)
            assert len(beats(captured, "inner")) == count
        wait_until(is_quiet)


def test_a_paused_experiments_runs_go_on_beating() -> None:
    with capture(heartbeat_s=OFTEN_S) as captured, crucible.experiment("e") as experiment:
        with experiment.training(), experiment.paused():
            count = len(beats(captured))
            wait_until(lambda: len(beats(captured)) > count + 2)


def test_without_an_interval_nothing_beats_and_the_run_is_open_all_the_same() -> None:
    with capture() as captured, crucible.training() as training:
        assert is_quiet()
        assert training in heartbeat.open_runs()
    assert training not in heartbeat.open_runs()
    assert beats(captured) == []


def test_a_run_that_was_dropped_without_an_end_falls_silent() -> None:
    with capture(heartbeat_s=OFTEN_S):
        training = crucible.training()
        training.open()
        assert not is_quiet()
        crucible.scope.current_scope.set(None)
        del training
        gc.collect()
        wait_until(is_quiet)


def test_shutdown_stops_them_at_once() -> None:
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter, heartbeat_s=3600)
    training = crucible.training()
    training.open()
    assert not is_quiet()
    assert crucible.shutdown()
    assert is_quiet()
    assert [span.name for span in exporter.get_finished_spans()].count(HEARTBEAT) == 1
    training.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_beats_for_its_own_runs_and_not_for_its_parents() -> None:
    reading, writing = os.pipe()
    with capture(heartbeat_s=OFTEN_S) as captured, crucible.training(run_id="parent"):
        wait_until(lambda: len(beats(captured)) > 2)
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                before = len(beats(captured, "parent"))
                with crucible.training(run_id="child"):
                    wait_until(lambda: len(beats(captured, "child")) > 3)
                os.write(writing, b"ok" if len(beats(captured, "parent")) == before else b"no")
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(writing)
        count = len(beats(captured, "parent"))
        wait_until(lambda: len(beats(captured, "parent")) > count)
    assert os.read(reading, 2) == b"ok"
    os.close(reading)


def test_intervals_of_any_length_do_no_harm() -> None:
    with capture(heartbeat_s=1e300) as captured, crucible.training():
        assert len(beats(captured)) == 1

"""A configuration's end: what makes events stops first, within the time, whatever goes wrong."""

from __future__ import annotations

import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_telemetry import telemetry


def test_closers_run_newest_first_and_what_they_send_still_leaves() -> None:
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    order = []
    using = telemetry.current()

    def last_words(_timeout_s: float) -> None:
        order.append("first registered")
        crucible.event("my_app.closed.last")

    def fail(_timeout_s: float) -> None:
        order.append("failing")
        raise RuntimeError("no")

    using.register(last_words)
    using.register(fail)
    with pytest.MonkeyPatch.context() as patch:
        # `event()` looks for the current configuration, which is off by then.
        patch.setattr(telemetry, "_current", using)
        assert using.close(5)
    assert order == ["failing", "first registered"]
    assert [span.name for span in exporter.get_finished_spans()] == ["my_app.closed.last"]
    assert crucible.counts()["fault.error"] == 1


def test_closers_share_the_time_that_there_is() -> None:
    crucible.configure(exporter=InMemorySpanExporter())
    given: list[float] = []

    def slow(timeout_s: float) -> None:
        given.append(timeout_s)
        time.sleep(0.05)

    for _ in range(3):
        telemetry.current().register(slow)
    crucible.shutdown(timeout_s=0.08)
    assert given[0] > given[1] > given[2] == 0


def test_a_closer_that_was_taken_back_is_not_called() -> None:
    crucible.configure(exporter=InMemorySpanExporter())
    called: list[float] = []
    using = telemetry.current()
    using.register(called.append)
    using.unregister(called.append)
    using.unregister(called.append)
    assert crucible.shutdown()
    assert called == []


def test_closers_are_called_once() -> None:
    crucible.configure(exporter=InMemorySpanExporter())
    called: list[float] = []
    telemetry.current().register(called.append)
    crucible.shutdown()
    crucible.shutdown()
    assert len(called) == 1


def test_a_shared_provider_is_flushed_beside_our_own_delivery() -> None:
    flushed: list[int] = []

    class Provider(TracerProvider):
        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            flushed.append(timeout_millis)
            return True

    ours = InMemorySpanExporter()
    crucible.configure(
        tracer_provider=Provider(shutdown_on_exit=False),
        exporter=ours,
        batches_to_provider=False,
    )
    with crucible.training() as training, training.epoch() as epoch, epoch.batch():
        pass
    assert crucible.flush(5)
    assert len(ours.get_finished_spans()) == 1
    assert 0 < flushed[-1] <= 5_000
    assert crucible.shutdown()
    assert len(flushed) == 2

"""A batch is no OpenTelemetry span, and nobody can tell: it is a scope like all others."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import crucible_telemetry as crucible
from crucible_telemetry import telemetry
from crucible_telemetry.encoding import BatchRecord
from crucible_telemetry.epoch import Epoch
from crucible_telemetry.point import emit_point
from crucible_telemetry.scope import Scope, current_scope
from crucible_telemetry.testing import Captured, Event, capture
from sdk.receivers import grpc_receiver, plain

BATCH = "crucible_train.batch.stop"


class Inner(Scope):
    """A scope of a user's, as an inference would be."""

    span_name = "my_app.inner"
    has_own_trace = False
    has_start_marker = False


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as everything:
        yield everything


@pytest.fixture
def epoch(captured: Captured) -> Iterator[Epoch]:
    with crucible.training(run_id="r") as training, training.epoch() as opened:
        yield opened


def only(captured: Captured, name: str = BATCH) -> Event:
    (event,) = captured.named(name)
    return event


def test_a_batch_is_queued_as_a_record_where_the_provider_is_ours() -> None:
    crucible.configure(exporter=InMemorySpanExporter())
    items: list[object] = []
    using = telemetry.current()
    assert using.put is not None
    object.__setattr__(using, "put", items.append)
    with crucible.training() as training, training.epoch() as epoch, epoch.batch() as batch:
        batch.log(loss=0.5)
    (record,) = items
    assert isinstance(record, BatchRecord)
    assert record.measurements == {"loss": 0.5}


def test_numbers_logged_in_turns_are_all_there_and_the_last_of_a_name_counts(
    epoch: Epoch, captured: Captured
) -> None:
    with epoch.batch() as batch:
        batch.log(loss=1.0, accuracy=0.1)
        batch.log(loss=0.5)
        batch.log({"optim/entropy": 0.3}, tokens=7)
        batch.log()
    assert only(captured).measurements == {
        "loss": 0.5,
        "accuracy": 0.1,
        "optim/entropy": 0.3,
        "tokens": 7,
    }


@pytest.mark.parametrize(
    ("value", "sent"),
    [(2**63 - 1, 2**63 - 1), (2**63, float(2**63)), (True, 1), (-math.inf, -math.inf)],
)
def test_numbers_of_every_kind_are_sent_as_they_are(
    value: Any, sent: Any, epoch: Epoch, captured: Captured
) -> None:
    with epoch.batch() as batch:
        batch.log(x=value)
    found = only(captured).measurements["x"]
    assert (found, type(found)) == (sent, type(sent))


def test_what_is_no_number_is_counted_and_the_rest_is_sent(
    epoch: Epoch, captured: Captured
) -> None:
    with epoch.batch() as batch:
        batch.log(loss=0.5, note="high", missing=None)
    assert only(captured).measurements == {"loss": 0.5}
    assert crucible.counts()["fault.not_a_number"] == 1


def test_a_batch_takes_96_measurements(epoch: Epoch, captured: Captured) -> None:
    with epoch.batch() as batch:
        batch.log(**{f"m{index}": float(index) for index in range(200)})
    assert len(only(captured).measurements) == 96
    assert crucible.counts()["fault.too_many_measurements"] == 104


def test_what_a_user_does_with_the_numbers_later_changes_nothing(
    epoch: Epoch, captured: Captured
) -> None:
    numbers = {"loss": 0.5}
    with epoch.batch() as batch:
        batch.log(numbers)
        numbers["loss"] = 9.0
    batch.log(loss=7.0)
    assert only(captured).measurements == {"loss": 0.5}


def test_a_scope_inside_a_batch_is_its_child_and_inherits(epoch: Epoch, captured: Captured) -> None:
    with epoch.batch() as batch:
        assert current_scope.get() is batch
        with Inner(batch) as inner:
            assert inner.parent is batch
        emit_point("my_app.seen", {"k": "v"}, measurements={"n": 1})
    outer = only(captured).span
    for name in ("my_app.inner", "my_app.seen"):
        event = only(captured, name)
        assert event.span.parent == outer.context
        assert event.attributes["crucible.run.id"] == "r"
        assert event.attributes["crucible.epoch"] == 0


def test_a_scope_left_open_inside_a_batch_ends_with_it(epoch: Epoch, captured: Captured) -> None:
    with epoch.batch() as batch:
        Inner(batch).open()
    names = [event.name for event in captured.events]
    assert names[-2:] == ["my_app.inner", BATCH]
    assert current_scope.get() is epoch


def test_ids_of_batches_are_all_different() -> None:
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with crucible.training() as training, training.epoch() as epoch:
        for _ in epoch.batches(range(2_000)):
            pass
    assert crucible.shutdown()
    spans = [span.context.span_id for span in exporter.get_finished_spans() if span.context]
    assert len(set(spans)) == len(spans) == 2_004


def test_a_cancelled_batch_says_so(epoch: Epoch, captured: Captured) -> None:
    with pytest.raises(KeyboardInterrupt), epoch.batch() as batch:
        batch.log(loss=0.5)
        raise KeyboardInterrupt
    event = only(captured)
    assert event.attributes["crucible.status"] == "cancelled"
    assert event.span.status.status_code is StatusCode.UNSET
    assert event.measurements == {"loss": 0.5}


def test_a_failed_batch_arrives_with_its_numbers_status_and_exception() -> None:
    with grpc_receiver() as received:
        crucible.configure(endpoint=f"http://{received.address}", spool_dir="")
        with crucible.training() as training, training.epoch() as epoch:
            with pytest.raises(ValueError, match="boom"), epoch.batch() as batch:
                batch.log(loss=0.5)
                raise ValueError("boom")
        assert crucible.shutdown()
    (span,) = [span for span in received.spans if span.name == "crucible_train.batch"]
    assert span.status.message == "ValueError: boom"
    assert plain(span.attributes)["crucible.measurement.loss"] == 0.5
    assert plain(span.attributes)["crucible.status"] == "error"
    assert plain(span.events[0].attributes)["exception.message"] == "boom"


def shared(*, batches_to_provider: bool) -> tuple[list[str], list[str]]:
    """Names of spans that a user's provider got, and of those that our own way took."""
    theirs, ours = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    crucible.configure(
        tracer_provider=provider, exporter=ours, batches_to_provider=batches_to_provider
    )
    with crucible.training() as training, training.epoch() as epoch:
        for batch in epoch.batches("ab"):
            batch.log(loss=0.5)
    assert crucible.shutdown()
    spans = [*theirs.get_finished_spans(), *ours.get_finished_spans()]
    batches = [span for span in spans if span.name == "crucible_train.batch"]
    (opened,) = [span for span in spans if span.name == "crucible_train.epoch"]
    assert [batch.parent for batch in batches] == [opened.context] * 2
    assert all(batch.resource == provider.resource for batch in batches)
    assert [(batch.attributes or {})["crucible.step"] for batch in batches] == [0, 1]
    return [[span.name for span in each.get_finished_spans()] for each in (theirs, ours)]  # type: ignore[return-value]


def test_in_a_shared_provider_batches_are_its_spans_unless_told_otherwise() -> None:
    theirs, ours = shared(batches_to_provider=True)
    assert (theirs.count("crucible_train.batch"), ours) == (2, [])
    theirs, ours = shared(batches_to_provider=False)
    assert "crucible_train.batch" not in theirs
    assert "crucible_train.epoch" in theirs
    assert ours == ["crucible_train.batch"] * 2


@pytest.mark.parametrize("sampler", ["always_off", "always_on"])
def test_batches_of_an_epoch_that_is_not_sampled_are_not_sent(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with crucible.training() as training, training.epoch() as epoch:
        for batch in epoch.batches("ab"):
            batch.log(loss=0.5)
            assert current_scope.get() is batch
    assert crucible.shutdown()
    assert len(exporter.get_finished_spans()) == (6 if sampler == "always_on" else 0)


def test_threads_have_each_their_own_current_batch_of_one_epoch() -> None:
    seen = []

    def work(epoch: Epoch) -> None:
        for batch in epoch.batches(range(300)):
            batch.log(loss=float(batch.step))
            seen.append(current_scope.get() is batch)

    with capture() as captured, crucible.training() as training, training.epoch() as epoch:
        threads = [threading.Thread(target=work, args=(epoch,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [True] * 1_200
    batches = captured.named(BATCH)
    assert {batch.attributes["crucible.batch.index"] for batch in batches} == set(range(1_200))
    assert all(batch.measurements["loss"] == batch.attributes["crucible.step"] for batch in batches)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_batch_that_was_open_at_a_fork_is_sent_by_the_parent_alone() -> None:
    with grpc_receiver() as received:
        crucible.configure(endpoint=f"http://{received.address}", spool_dir="", heartbeat_s=0)
        with crucible.training() as training, training.epoch() as epoch:
            with epoch.batch() as forked:
                child = os.fork()
                if child == 0:
                    forked.close()
                    with epoch.batch(step=99):  # one of its own is its own
                        pass
                    epoch.close()
                    os._exit(0 if crucible.flush(10) else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert crucible.shutdown()
    batches = [span for span in received.spans if span.name == "crucible_train.batch"]
    assert sorted(plain(span.attributes)["crucible.step"] for span in batches) == [0, 99]
    assert received.names.count("crucible_train.epoch") == 1


def test_a_batch_that_was_not_opened_has_what_scopes_have(epoch: Epoch) -> None:
    batch = epoch.batch("data")
    assert (batch.data, batch.index, batch.step) == ("data", 0, 0)
    assert batch.parent is epoch
    assert batch.correlation_id == epoch.correlation_id
    assert not batch.span_context.is_valid
    batch.close()
    with pytest.raises(AttributeError, match="no attribute 'datum'"):
        _ = batch.datum  # type: ignore[attr-defined]

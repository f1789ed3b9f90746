"""The queue between the experiment and the exporter: bounds, retries, deadlines, exact counts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from crucible_telemetry.delivery import Delivery
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.transport import ExporterSender


def span(index: int, *, is_sampled: bool = True) -> ReadableSpan:
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
    context = SpanContext(1, index + 1, is_remote=False, trace_flags=flags)
    return ReadableSpan(str(index), context, resource=Resource.get_empty())


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_telemetry.patience.BACKOFF_FIRST_S", 0.01)


class Exporter(SpanExporter):
    """Takes what `answer` says it takes; `gate` holds it up until it is set."""

    def __init__(
        self, answer: Callable[[], SpanExportResult] = lambda: SpanExportResult.SUCCESS
    ) -> None:
        self.answer = answer
        self.gate = threading.Event()
        self.gate.set()
        self.is_called = threading.Event()
        self.batches: list[list[str]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_called.set()
        self.gate.wait()
        result = self.answer()
        self.batches.append([span.name for span in spans])
        return result

    def shutdown(self) -> None:
        self.gate.set()


def delivery(
    exporter: SpanExporter,
    *,
    queue: int = 100,
    batch: int = 10,
    interval_s: float = 0.005,
    retry_s: float = 60,
) -> Delivery:
    made = Delivery(
        lambda: ExporterSender(exporter),
        resource=Resource.get_empty(),
        queue_spans_max=queue,
        batch_spans_max=batch,
        interval_s=interval_s,
        retry_s=retry_s,
    )
    made.start()
    return made


def test_spans_arrive_in_order_in_batches_without_a_flush() -> None:
    exporter = Exporter()
    subject = delivery(exporter)
    for index in range(25):
        subject.on_end(span(index))
    assert subject.close(5)
    assert [name for batch in exporter.batches for name in batch] == [str(i) for i in range(25)]
    assert max(len(batch) for batch in exporter.batches) <= 10


def test_a_full_queue_drops_the_oldest_counts_them_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = Exporter()
    exporter.gate.clear()
    subject = delivery(exporter, queue=5, batch=1)
    subject.on_end(span(0))
    assert exporter.is_called.wait(5)  # 0 is in hand, the queue is empty
    for index in range(1, 9):
        subject.on_end(span(index))
    assert subject.counts().dropped == 3
    assert subject.counts().waiting == 6
    exporter.gate.set()
    assert subject.flush(5)
    assert exporter.batches == [["0"], ["4"], ["5"], ["6"], ["7"], ["8"]]
    counts = subject.counts()
    assert counts.accepted == counts.delivered + counts.dropped == 9
    assert not subject.close(1)  # not all of it was delivered
    assert [record for record in caplog.records if "the oldest 3 are dropped" in record.message]
    assert len(caplog.records) == 1


def test_a_queue_that_fills_up_is_emptied_before_its_time() -> None:
    exporter = Exporter()
    subject = delivery(exporter, queue=10, interval_s=3600)
    for index in range(6):
        subject.on_end(span(index))
    assert exporter.is_called.wait(5)
    assert subject.close(5)


def test_appending_never_waits_for_the_exporter() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    subject = delivery(exporter, queue=1000)
    started = time.perf_counter()
    for index in range(1000):
        subject.on_end(span(index))
    assert time.perf_counter() - started < 1
    exporter.gate.set()
    assert subject.close(5)


def test_a_batch_that_fails_is_sent_again_as_it_was_before_anything_newer() -> None:
    answers = iter([SpanExportResult.FAILURE] * 2)
    exporter = Exporter(lambda: next(answers, SpanExportResult.SUCCESS))
    subject = delivery(exporter, batch=3)
    for index in range(6):
        subject.on_end(span(index))
    assert subject.flush(10)
    first, rest = exporter.batches[:3], exporter.batches[3:]
    assert first == [first[0]] * 3
    assert [name for batch in [first[0], *rest] for name in batch] == [str(i) for i in range(6)]
    assert subject.close(1)


def test_a_collector_that_is_away_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([SpanExportResult.FAILURE] * 2)
    exporter = Exporter(lambda: next(answers, SpanExportResult.SUCCESS))
    subject = delivery(exporter)
    subject.on_end(span(0))
    assert subject.flush(10)
    subject.on_end(span(1))
    assert subject.close(5)
    assert len(caplog.records) == 1
    assert "does not take spans" in caplog.text


def test_a_batch_is_given_up_after_its_time_and_the_next_one_has_its_own() -> None:
    answers = iter([SpanExportResult.FAILURE])
    exporter = Exporter(lambda: next(answers, SpanExportResult.SUCCESS))
    subject = delivery(exporter, batch=1, retry_s=0.001)
    subject.on_end(span(0))
    subject.on_end(span(1))
    assert subject.flush(5)
    assert (subject.counts().failed, subject.counts().delivered) == (1, 1)
    subject.close(1)


def test_a_batch_is_given_up_once_the_queue_behind_it_is_full() -> None:
    exporter = Exporter(lambda: SpanExportResult.FAILURE)
    exporter.gate.clear()
    subject = delivery(exporter, queue=3, batch=1)
    subject.on_end(span(0))
    assert exporter.is_called.wait(5)
    for index in range(1, 4):
        subject.on_end(span(index))
    exporter.gate.set()
    outbox = subject._outbox
    with outbox._settled:
        assert outbox._settled.wait_for(lambda: outbox._failed >= 1, 5)
    assert subject.counts().dropped == 0
    subject.close(0.01)


def test_an_exporter_that_raises_loses_that_batch_alone() -> None:
    answers = iter([RuntimeError("cannot encode")])

    def answer() -> SpanExportResult:
        for error in answers:
            raise error
        return SpanExportResult.SUCCESS

    subject = delivery(Exporter(answer), batch=1)
    subject.on_end(span(0))
    subject.on_end(span(1))
    assert subject.flush(5)
    assert (subject.counts().failed, subject.counts().delivered) == (1, 1)
    subject.close(1)


def test_flush_returns_at_its_deadline() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    subject = delivery(exporter)
    subject.on_end(span(0))
    started = time.perf_counter()
    assert not subject.flush(0.05)
    assert time.perf_counter() - started < 2
    exporter.gate.set()
    subject.close(5)


def test_close_breaks_off_what_does_not_end_and_accounts_for_all_of_it() -> None:
    exporter = Exporter(lambda: SpanExportResult.FAILURE)
    exporter.gate.clear()
    subject = delivery(exporter, batch=1)
    for index in range(3):
        subject.on_end(span(index))
    assert exporter.is_called.wait(5)
    assert not subject.close(0.05)
    subject.on_end(span(3))
    counts = subject.counts()
    assert counts.accepted == 4
    assert counts.failed + counts.dropped == 4
    assert counts.waiting == 0


def test_requests_that_an_exporter_of_spans_cannot_take_are_counted_as_failed() -> None:
    exporter = Exporter()
    subject = delivery(exporter)
    subject.put(Encoded("metrics", b"", 7))
    subject.put(span(0))
    assert subject.flush(5)
    assert (subject.counts().failed, subject.counts().delivered) == (7, 1)
    subject.close(1)


def test_a_call_that_cannot_be_broken_off_does_not_hold_up_the_end() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    exporter.shutdown = lambda: None  # type: ignore[method-assign]
    subject = delivery(exporter, batch=1)
    for index in range(3):
        subject.on_end(span(index))
    assert exporter.is_called.wait(5)
    started = time.perf_counter()
    assert not subject.close(0.2)
    assert time.perf_counter() - started < 2
    assert subject.counts().failed == 3
    exporter.gate.set()


def test_spans_that_are_not_sampled_are_not_sent() -> None:
    exporter = Exporter()
    subject = delivery(exporter)
    subject.on_end(span(0, is_sampled=False))
    assert subject.close(1)
    assert exporter.batches == []


def test_threads_lose_nothing() -> None:
    exporter = Exporter()
    subject = delivery(exporter, queue=10_000, batch=100)

    def work() -> None:
        for index in range(500):
            subject.on_end(span(index))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subject.close(10)
    assert subject.counts().delivered == 4000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_its_own_spans_and_none_of_its_parents() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    subject = delivery(exporter)
    for index in range(3):
        subject.on_end(span(index))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        exporter.batches.clear()
        exporter.gate = threading.Event()
        exporter.gate.set()
        subject.on_end(span(7))
        is_through = subject.flush(5)
        os.write(writing, f"{is_through} {exporter.batches}".encode())
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 1000) == b"True [['7']]"
    os.close(reading)
    os.waitpid(child, 0)
    exporter.gate.set()
    assert subject.close(5)
    assert subject.counts().delivered == 3

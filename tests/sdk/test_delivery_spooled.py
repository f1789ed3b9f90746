"""The collector goes and comes back: everything arrives, in order, once, and is accounted for."""

from __future__ import annotations

import itertools
import random
import resource
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from crucible_telemetry import faults
from crucible_telemetry.delivery import Delivery
from crucible_telemetry.encoding import Encoded, Item
from crucible_telemetry.spool import Spool
from crucible_telemetry.transport import DELIVERED, Kind, Outcome, Parcel, pack_encoded
from harness import eventually

AWAY = Outcome(Kind.RETRY, "nobody there")


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_telemetry.patience.BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr("crucible_telemetry.patience.BACKOFF_MAX_S", 0.02)


class Collector:
    """A sender and what is behind it: takes bodies while it is there, and counts attempts."""

    pack = staticmethod(pack_encoded)

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.answers: deque[Outcome] = deque()
        self.taken: list[bytes] = []
        self.attempts: list[bytes] = []
        self.gate = threading.Event()
        self.gate.set()

    def send(self, parcel: Parcel) -> Outcome:
        assert isinstance(parcel, Encoded)
        self.attempts.append(parcel.body)
        self.gate.wait(30)
        if not self.is_there:
            return AWAY
        outcome = self.answers.popleft() if self.answers else DELIVERED
        if outcome.kind is Kind.DELIVERED:
            self.taken.append(parcel.body)
        return outcome

    def close(self) -> None:
        self.gate.set()


def delivery(
    collector: Collector, root: Path | None, *, queue: int = 1000, bytes_max: int = 1 << 20
) -> Delivery:
    made = Delivery(
        lambda: collector,
        resource=Resource.get_empty(),
        queue_spans_max=queue,
        batch_spans_max=4,
        interval_s=0.005,
        retry_s=60,
        spool=None if root is None else Spool(root, "collector", bytes_max=bytes_max),
    )
    made.start()
    return made


def text(number: int) -> bytes:
    return b"%06d" % number


def put(subject: Delivery, numbers: Sequence[int]) -> None:
    for number in numbers:
        subject.put(Encoded("traces", text(number), 1))


def spooled(subject: Delivery, count: int) -> None:
    eventually(lambda: subject.counts().spooled == count, "all is on disk", interval_s=0.005)


def is_balanced(subject: Delivery) -> bool:
    counts = subject.counts()
    settled = counts.delivered + counts.rejected + counts.dropped + counts.failed
    return counts.accepted == settled + counts.waiting + counts.spooled


def test_what_could_not_be_sent_is_on_disk_at_once_and_sent_in_order_later(tmp_path: Path) -> None:
    collector = Collector(is_there=False)
    subject = delivery(collector, tmp_path)
    put(subject, range(10))
    spooled(subject, 10)
    assert subject.counts().waiting == 0
    collector.is_there = True
    put(subject, range(10, 20))
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in range(20)]
    assert subject.counts().delivered == 20
    assert subject.counts().spooled == 0
    assert subject.close(5)
    assert list(tmp_path.glob("*/*/*")) == []


def test_a_collector_that_comes_and_goes_gets_everything_once_and_in_order(tmp_path: Path) -> None:
    collector = Collector()
    subject = delivery(collector, tmp_path)
    for first in range(0, 200, 20):
        collector.is_there = first % 40 == 0
        put(subject, range(first, first + 20))
        time.sleep(0.01)
    collector.is_there = True
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in range(200)]
    assert is_balanced(subject)
    assert subject.close(5)


def test_the_next_process_delivers_what_this_one_could_not(tmp_path: Path) -> None:
    away, back = Collector(is_there=False), Collector()
    first = delivery(away, tmp_path)
    put(first, range(10))
    assert not first.close(5)
    assert first.counts().spooled == 10
    second = delivery(back, tmp_path)
    put(second, range(10, 15))
    assert second.flush(10)
    assert second.close(5)
    assert back.taken == [text(number) for number in range(15)]
    counts = second.counts()
    assert (counts.accepted, counts.delivered, counts.recovered) == (5, 5, 10)


def test_closing_does_not_wait_for_a_collector_that_is_away(tmp_path: Path) -> None:
    subject = delivery(Collector(is_there=False), tmp_path)
    put(subject, range(10))
    started = time.monotonic()
    assert not subject.close(30)
    assert time.monotonic() - started < 5
    assert subject.counts().spooled == 10
    assert is_balanced(subject)


def test_closing_a_delivery_that_hangs_spools_what_it_has(tmp_path: Path) -> None:
    collector = Collector()
    collector.gate.clear()
    collector.close = lambda: None  # type: ignore[method-assign]
    subject = delivery(collector, tmp_path)
    put(subject, range(9))
    eventually(lambda: collector.attempts, "the first attempt", interval_s=0.005)
    started = time.monotonic()
    assert not subject.close(0.2)
    assert time.monotonic() - started < 2
    assert subject.counts().spooled == 9
    collector.gate.set()
    back = Collector()
    after = delivery(back, tmp_path)
    assert eventually(lambda: len(back.taken) == 9, "the next process has sent it")
    after.close(5)
    assert back.taken == [text(number) for number in range(9)]


@pytest.mark.parametrize("is_taken", [True, False])
def test_what_waits_behind_an_attempt_that_hangs_is_on_disk_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    monkeypatch.setattr("crucible_telemetry.courier._LONG_ATTEMPT_S", 0.02)
    monkeypatch.setattr("crucible_telemetry.delivery._LOOK_S", 0.01)
    collector = Collector()
    collector.gate.clear()
    subject = delivery(collector, tmp_path)
    put(subject, [0])
    eventually(lambda: collector.attempts, "the first attempt", interval_s=0.005)
    put(subject, range(1, 10))
    spooled(subject, 10)  # the one that is being sent, too
    if not is_taken:
        collector.answers.append(AWAY)
    collector.gate.set()
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in range(10)]
    assert len(collector.attempts) == 10 + (not is_taken)
    assert subject.counts().delivered == 10
    assert is_balanced(subject)
    assert subject.close(5)


def test_a_request_that_is_pushed_out_while_it_is_being_sent_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_telemetry.courier._LONG_ATTEMPT_S", 0.02)
    monkeypatch.setattr("crucible_telemetry.delivery._LOOK_S", 0.01)
    collector = Collector()
    collector.gate.clear()
    subject = delivery(collector, tmp_path, bytes_max=3 * 4096)
    put(subject, [0])
    eventually(lambda: collector.attempts, "the first attempt", interval_s=0.005)
    put(subject, range(1, 10))
    eventually(lambda: subject.counts().dropped == 7, "the spool is full", interval_s=0.005)
    collector.gate.set()
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in (0, 7, 8, 9)]
    assert is_balanced(subject)
    assert not subject.close(5)


def test_a_full_spool_keeps_the_newest_and_counts_what_went(tmp_path: Path) -> None:
    collector = Collector(is_there=False)
    subject = delivery(collector, tmp_path, bytes_max=5 * 4096)
    put(subject, range(12))
    eventually(lambda: subject.counts().dropped == 7, "the spool is full", interval_s=0.005)
    spooled(subject, 5)
    collector.is_there = True
    assert subject.flush(10)
    assert collector.taken[-5:] == [text(number) for number in range(7, 12)]
    assert is_balanced(subject)
    assert not subject.close(1)


def test_a_disk_that_fails_costs_one_warning_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    collector = Collector(is_there=False)
    subject = delivery(collector, tmp_path / "file")
    put(subject, range(10))
    eventually(lambda: faults.counts().get("spool"), "the disk was tried", interval_s=0.005)
    collector.is_there = True
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in range(10)]
    assert subject.close(5)
    assert len([record for record in caplog.records if "spool" in record.message]) == 1


def test_a_disk_that_fills_up_in_between_keeps_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_telemetry.courier._DISK_PAUSE_S", 0.02)
    collector = Collector(is_there=False)
    subject = delivery(collector, tmp_path)
    put(subject, range(5))
    spooled(subject, 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # no file may be longer: nothing fits
    try:
        put(subject, range(5, 10))
        eventually(lambda: faults.counts().get("spool"), "the disk was tried", interval_s=0.005)
        assert subject.counts().waiting == 5
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    put(subject, range(10, 15))
    spooled(subject, 15)
    collector.is_there = True
    assert subject.flush(10)
    assert collector.taken == [text(number) for number in range(15)]
    assert subject.close(5)


def test_a_request_that_is_refused_for_good_holds_up_no_other(tmp_path: Path) -> None:
    collector = Collector(is_there=False)
    subject = delivery(collector, tmp_path)
    put(subject, range(3))
    spooled(subject, 3)
    collector.answers.append(Outcome(Kind.REFUSED, "too large"))
    collector.is_there = True
    assert subject.flush(10)
    assert collector.taken == [text(1), text(2)]
    assert (subject.counts().delivered, subject.counts().failed) == (2, 1)
    assert is_balanced(subject)
    assert not subject.close(1)


def test_partial_success_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector()
    answer = Outcome(Kind.DELIVERED, "span 3: no id", rejected_count=2)
    collector.answers.extend([answer, answer])
    subject = delivery(collector, tmp_path)
    for _ in range(2):
        subject.put(Encoded("traces", b"", 5))
    assert subject.flush(10)
    counts = subject.counts()
    assert (counts.delivered, counts.rejected) == (6, 4)
    assert is_balanced(subject)
    subject.close(1)
    assert [record.message for record in caplog.records if "span 3: no id" in record.message]
    assert faults.counts()["rejected"] == 2


def test_a_collector_that_says_when_is_not_asked_before(tmp_path: Path) -> None:
    collector = Collector()
    collector.answers.append(Outcome(Kind.RETRY, "full", retry_after_s=0.3))
    subject = delivery(collector, tmp_path)
    started = time.monotonic()
    put(subject, [0])
    while not subject.flush(0.02):  # which hurries, but not against what was said
        assert len(collector.attempts) <= 1 or time.monotonic() - started >= 0.3
    assert time.monotonic() - started >= 0.3
    assert subject.close(1)


def test_a_program_that_outruns_a_dead_collector_stays_within_its_bounds(tmp_path: Path) -> None:
    subject = delivery(Collector(is_there=False), tmp_path, queue=100, bytes_max=20 * 4096)
    for number in itertools.islice(itertools.count(), 10_000):
        put(subject, [number])
        assert subject.counts().waiting <= 100 + 8  # the queue and the requests in hand
    assert not subject.close(5)
    counts = subject.counts()
    assert counts.accepted == 10_000
    assert counts.spooled <= 20
    assert counts.dropped + counts.spooled == 10_000
    disk_bytes = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert disk_bytes <= 20 * 4096


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_nothing_goes_twice_the_order_stays_and_the_accounts_add_up(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_telemetry.courier._LONG_ATTEMPT_S", 0.002)
    monkeypatch.setattr("crucible_telemetry.delivery._LOOK_S", 0.001)
    chance = random.Random(seed)
    blocks = 20 if seed % 2 else 2000
    collector = Collector()
    numbers = iter(range(10_000))
    subjects: list[Delivery] = []
    for _ in range(3):  # processes, one after the other
        subject = delivery(collector, tmp_path, queue=30, bytes_max=blocks * 4096)
        subjects.append(subject)
        for _ in range(30):
            put(subject, list(itertools.islice(numbers, chance.randrange(12))))
            collector.is_there = chance.random() < 0.5
            if chance.random() < 0.2:
                collector.answers.append(Outcome(Kind.REFUSED, "no"))
            hang = chance.random() < 0.3
            (collector.gate.clear if hang else collector.gate.set)()
            threading.Event().wait(chance.random() / 300)
            assert is_balanced(subject)
        collector.gate.set()
        subject.close(5)
        assert is_balanced(subject)
        assert subject.counts().waiting == 0
    assert collector.taken == sorted(set(collector.taken))
    delivered = sum(each.counts().delivered + each.counts().recovered for each in subjects)
    # From a full spool a request may be pushed out, and counted as that, while it is being sent.
    assert len(collector.taken) >= delivered
    if blocks == 2000:
        assert len(collector.taken) == delivered


def span(index: int) -> ReadableSpan:
    context = SpanContext(1, index + 1, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(str(index), context, resource=Resource.get_empty())


def test_a_span_that_cannot_be_encoded_costs_no_other_its_place(tmp_path: Path) -> None:
    collector = Collector()
    subject = delivery(collector, tmp_path)
    broken = ReadableSpan("broken", None, resource=Resource.get_empty())
    items: list[Item] = [span(0), broken, span(1), span(2)]
    for item in items:
        subject.put(item)
    assert subject.flush(10)
    counts = subject.counts()
    assert (counts.delivered, counts.failed) == (3, 1)
    assert subject.close(1) is False

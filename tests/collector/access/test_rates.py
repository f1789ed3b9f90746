"""Token buckets, by a clock of the test's own."""

from __future__ import annotations

import pytest

from crucible_collector.access.rates import BUCKETS_MAX, Buckets, Rates
from crucible_collector.errors import TooFastError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_over_a_long_time_no_more_passes_than_the_rate_and_one_burst() -> None:
    clock = Clock()
    buckets, rates, passed = Buckets(clock), Rates(spans_per_s_max=100), 0
    for _ in range(10_000):
        clock.now += 0.01
        try:
            buckets.send("a", rates, spans=7, body_bytes=1, take=True)
        except TooFastError:
            continue
        passed += 7
    assert 100 * 100 <= passed <= 100 * 100 + 500


def test_who_waits_as_long_as_told_is_let_in() -> None:
    clock = Clock()
    buckets, rates = Buckets(clock), Rates(requests_per_minute_max=6)
    assert [buckets.ask("a", rates) for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    with pytest.raises(TooFastError) as refused:
        buckets.ask("a", rates)
    assert refused.value.retry_after_s == pytest.approx(10)
    assert buckets.ask("b", rates) == 5
    clock.now += refused.value.retry_after_s + 1e-6
    assert buckets.ask("a", rates) == 0


def test_what_is_larger_than_a_bucket_passes_when_it_is_full_and_is_paid_for() -> None:
    clock = Clock()
    buckets, rates = Buckets(clock), Rates(spans_per_s_max=10)
    buckets.send("a", rates, spans=1000, body_bytes=0, take=True)
    with pytest.raises(TooFastError) as refused:
        buckets.send("a", rates, spans=1, body_bytes=0, take=True)
    assert refused.value.retry_after_s == pytest.approx(95.1)


def test_what_one_limit_refuses_is_not_taken_of_the_other() -> None:
    clock = Clock()
    buckets, rates = Buckets(clock), Rates(spans_per_s_max=10, bytes_per_s_max=1000)
    buckets.send("a", rates, spans=1, body_bytes=5000, take=True)
    for _ in range(100):
        with pytest.raises(TooFastError, match="1000 bytes a second"):
            buckets.send("a", rates, spans=40, body_bytes=1000, take=True)
    clock.now += 1
    buckets.send("a", rates, spans=50, body_bytes=1000, take=True)


def test_looking_takes_nothing() -> None:
    buckets, rates = Buckets(Clock()), Rates(bytes_per_s_max=10)
    for _ in range(100):
        buckets.send("a", rates, spans=0, body_bytes=50, take=False)
    buckets.send("a", rates, spans=0, body_bytes=50, take=True)


def test_a_crowd_of_addresses_takes_bounded_memory_and_forgets_the_oldest() -> None:
    buckets, rates = Buckets(Clock()), Rates(requests_per_minute_max=1)
    for number in range(BUCKETS_MAX + 1):
        buckets.ask(str(number), rates)
    assert len(buckets._buckets) == BUCKETS_MAX
    assert buckets.ask("0", rates) == 0

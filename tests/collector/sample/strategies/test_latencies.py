"""Quantiles of each event are found within a bucket, before a record is counted, and fade."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_collector.batch import I64
from crucible_collector.candidates import U64
from crucible_collector.sample.strategies.latencies import EVENTS_MAX, SEEN_MIN, Latencies

SECOND_NS = 10**9


def count(latencies: Latencies, event: int, duration_ns: I64, now_s: float) -> None:
    numbers = latencies.number(np.full(len(duration_ns), event, np.uint64))
    latencies.count(numbers, duration_ns, int(now_s * SECOND_NS))


def edge_ns(latencies: Latencies, event: int) -> int:
    """The smallest duration that is slow."""
    low, high = 0, 10**15
    number = latencies.number(np.array([event], np.uint64))
    while high - low > 1:
        middle = (low + high) // 2
        is_slow = bool(latencies.is_slow(number, np.array([middle]))[0])
        low, high = (low, middle) if is_slow else (middle, high)
    return high


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_what_is_slow_is_above_the_quantile_of_its_event_by_less_than_a_bucket(
    quantile: float,
) -> None:
    chance, latencies = np.random.default_rng(1), Latencies(quantile)
    scales = (1e4, 1e7, 1e11)
    for second in range(10):
        for event, scale in enumerate(scales):
            duration = (scale * chance.lognormal(0.0, 1.5, 2000)).astype(np.int64)
            count(latencies, event, duration, second)
    for event, scale in enumerate(scales):
        truth = scale * np.exp(1.5 * {0.5: 0.0, 0.9: 1.2816, 0.99: 2.3263}[quantile])
        assert 0.93 * truth < edge_ns(latencies, event) < 1.12 * truth
    assert edge_ns(latencies, 0) < latencies.slow_all_ns < 3 * edge_ns(latencies, 2)


def test_nothing_is_slow_before_enough_of_its_event_was_seen() -> None:
    latencies = Latencies(0.5)
    count(latencies, 1, np.full(SEEN_MIN - 1, 10**6), 0.0)
    number = latencies.number(np.array([1], np.uint64))
    assert not latencies.is_slow(number, np.array([10**14]))[0]
    count(latencies, 1, np.full(SEEN_MIN, 10**6), 2.0)
    assert latencies.is_slow(number, np.array([10**14]))[0]


def test_after_a_change_the_quantile_follows_in_minutes() -> None:
    latencies = Latencies(0.9)
    for second in range(300):
        count(latencies, 1, np.full(50, 10**6), second)
    for second in range(300, 1500):
        count(latencies, 1, np.full(50, 10**8), second)
    assert 10**8 < edge_ns(latencies, 1) < 1.1 * 10**8
    numbers = latencies.number(np.array([1], np.uint64))
    assert latencies.mean_ns(numbers)[0] == pytest.approx(1e8, rel=0.05)


def test_durations_of_any_size_are_taken() -> None:
    latencies = Latencies(0.9)
    extreme = np.array([-5, 0, 1, 2**62] * 100)
    count(latencies, 1, extreme, 0.0)
    assert not latencies.is_slow(latencies.number(np.array([1], np.uint64)), extreme[3:4])[0]
    assert np.isfinite(latencies.mean_all_ns)


def test_more_events_than_fit_share_what_is_left() -> None:
    latencies = Latencies(0.9)
    keys: U64 = np.arange(1, 3 * EVENTS_MAX + 1, dtype=np.uint64)
    numbers = latencies.number(keys)
    latencies.count(numbers, np.full(len(keys), 1000), 0)
    assert sum(each.nbytes for each in latencies.state().values()) < 3e6
    assert numbers.max() <= EVENTS_MAX

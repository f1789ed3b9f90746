"""Intervals cover what they are about as often as they say, on fixed seeds; and they never are a lie of zero."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_collector.api import intervals
from crucible_collector.api.intervals import (
    LARGER,
    TRACES_MIN,
    Interval,
    Part,
    Spread,
    interval_of_mean,
    interval_of_percentile,
    interval_of_ratio,
    interval_of_share,
    interval_of_sum,
    jump_of,
    one_more,
)

Numbers = npt.NDArray[Any]
ROUNDS = 1_000
COVERED_MIN = 0.93


def test_the_examples_of_the_formulas_are_as_written() -> None:
    found = doctest.testmod(intervals)
    assert (found.failed, found.attempted > 0) == (0, True)


def lognormal(random: np.random.Generator, count: int) -> Numbers:
    return random.lognormal(0, 1.5, count)


def part_of(values: Numbers, probability: Numbers, *, is_count: bool = False) -> Part:
    unseen = (values * jump_of_each(probability)).sum()
    variance = (values**2 * (1 - probability) / probability**2).sum()
    largest = 1.0 if is_count else LARGER * float(values.max(initial=0))
    return Part(float(values.sum()), float(unseen), float(variance), largest)


def jump_of_each(probability: Numbers) -> Numbers:
    return (1 - probability) / probability


def interval(part: Part, probability: Numbers, uncertain: int) -> Interval:
    least = float(probability.min(initial=1))
    return interval_of_sum(part, one_more(part, least, is_reliable=uncertain >= TRACES_MIN))


def covers(found: Interval, truth: float) -> bool:
    return found.low <= truth * (1 + 1e-9) and truth * (1 - 1e-9) <= found.high


Design = Callable[[Numbers], Numbers]
DESIGNS: dict[str, Design] = {
    "uniform": lambda values: np.full(len(values), 0.1),
    "large ones for certain": lambda values: np.where(values > np.quantile(values, 0.99), 1, 0.1),
    "by size": lambda values: np.clip(0.05 * values, 0.01, 1),
    "two rates": lambda values: np.where(np.arange(len(values)) % 2, 0.2, 0.02),
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("count", [800, 8_000])
def test_where_reliable_sums_means_and_shares_are_covered(design: str, count: int) -> None:
    random = np.random.default_rng(count)
    covered: dict[str, list[bool]] = {"count": [], "sum": [], "mean": [], "share": []}
    for _ in range(ROUNDS):
        values = lognormal(random, count)
        errors = random.random(count) < 0.05
        probability = DESIGNS[design](values)
        is_kept = random.random(count) < probability
        x, p, e = values[is_kept], probability[is_kept], errors[is_kept]
        uncertain = int((p < 1).sum())
        if uncertain < TRACES_MIN:
            continue
        counted, summed = part_of(np.ones(len(p)), p, is_count=True), part_of(x, p)
        failed, others = (part_of(np.ones(sum(w)), p[w], is_count=True) for w in (e, ~e))
        of_count, of_sum, of_failed, of_others = (
            interval(part, p, uncertain) for part in (counted, summed, failed, others)
        )
        mean = interval_of_ratio((summed.estimate, of_sum), (counted.estimate, of_count))
        share = interval_of_share((failed.estimate, of_failed), (others.estimate, of_others))
        covered["count"].append(covers(of_count.outwards(), count))
        covered["sum"].append(covers(of_sum, values.sum()))
        covered["mean"].append(covers(mean, values.mean()))
        covered["share"].append(covers(share, errors.mean()))
    assert len(covered["count"]) > ROUNDS / 2
    found = {name: np.mean(hits) for name, hits in covered.items()}
    assert all(hit >= COVERED_MIN for hit in found.values()), found


def test_small_counts_are_covered_where_the_normal_interval_is_not() -> None:
    """A domain of 3 % of a stream of which a hundredth is kept: some 15 rows, none in a few samples."""
    random, probability, truth = np.random.default_rng(3), 0.01, 300
    gamma = normal = 0
    for kept in random.binomial(truth, probability, 4_000):
        part = Part(kept, kept * 99, kept * 9_900, 1)
        gamma += covers(
            interval_of_sum(part, one_more(part, probability, is_reliable=False)), truth
        )
        margin = 1.96 * math.sqrt(part.variance)
        normal += part.estimate - margin <= truth <= part.estimate + margin
    assert gamma / 4_000 >= COVERED_MIN
    assert normal / 4_000 < 0.9


def test_nothing_kept_says_how_many_there_may_have_been() -> None:
    nothing = Part(0, 0, 0, 1)
    found = interval_of_sum(nothing, one_more(nothing, 0.01, is_reliable=False))
    assert found.low == 0
    # With so many all are missed once in forty times.
    assert found.high == pytest.approx(-math.log(0.025) * 99)
    assert interval_of_sum(Part(0, 0, 0, math.inf), math.inf) == Interval(0, math.inf)


positive = st.floats(1e-6, 1e12)
parts = st.builds(Part, positive, positive, positive, positive)


@given(part=parts, probability=st.floats(1e-12, 1), is_reliable=st.booleans())
def test_a_sum_s_interval_holds_its_estimate_and_all_that_was_kept(
    part: Part, probability: float, is_reliable: bool
) -> None:
    found = interval_of_sum(part, one_more(part, probability, is_reliable=is_reliable))
    assert part.kept <= found.low <= found.high
    assert part.estimate <= found.high * (1 + 1e-12)


@given(kept=positive)
def test_what_was_kept_for_certain_has_no_width(kept: float) -> None:
    part = Part(kept, 0, 0, kept)
    assert interval_of_sum(part, one_more(part, 1, is_reliable=True)) == Interval(kept, kept)
    share = interval_of_share(
        (kept, Interval(kept, kept)), (3 * kept, Interval(3 * kept, 3 * kept))
    )
    assert (share.low, share.high) == pytest.approx((0.25, 0.25))


ends = st.tuples(positive, st.floats(0, 1), st.floats(1, 100)).map(
    lambda given: (given[0], Interval(given[0] * given[1], given[0] * given[2]))
)


@given(top=ends, bottom=ends)
def test_a_share_s_interval_lies_in_0_to_1_and_holds_the_share(
    top: tuple[float, Interval], bottom: tuple[float, Interval]
) -> None:
    found = interval_of_share(top, bottom)
    share = top[0] / (top[0] + bottom[0])
    assert 0 <= found.low <= share * (1 + 1e-6)
    assert share * (1 - 1e-6) <= found.high <= 1


@given(value=positive, divisor=positive)
def test_a_ratio_of_what_is_certain_has_no_width_in_any_digit(value: float, divisor: float) -> None:
    certain = interval_of_ratio(
        (value, Interval(value, value)), (divisor, Interval(divisor, divisor))
    )
    assert (certain.low, certain.high) == pytest.approx((value / divisor,) * 2, rel=1e-14)


def test_without_errors_kept_their_share_may_still_be_as_large_as_one_more_makes_it() -> None:
    errors = (0.0, Interval(0, 365))
    found = interval_of_share(errors, (10_000.0, Interval(9_000, 11_000)))
    assert found.low == 0
    assert 365 / 11_365 < found.high < 365 / 9_000


def test_one_row_more_is_no_more_than_the_standard_error_where_that_is_reliable() -> None:
    part = Part(1e4, 1e6, 1e8, 50.0)
    few = Part(2.0, 100.0, 1e4, 50.0)
    assert one_more(few, 0.01, is_reliable=True) == one_more(few, 0.01, is_reliable=False) == 4950
    assert one_more(part, 1e-6, is_reliable=True) == 1e4
    assert one_more(part, 0.5, is_reliable=True) == 50
    assert one_more(part, 1e-6, is_reliable=False) == pytest.approx(50 * jump_of(1e-6))
    assert one_more(part, 1, is_reliable=False) == 0
    assert one_more(Part(0, 0, 0, 1), 0.5, is_reliable=True) == 1


def spread_of(values: Numbers, probability: Numbers) -> Spread:
    order = np.argsort(values)
    p = probability[order]
    return Spread(values[order], 1 / p, (1 - p) / p**2)


@pytest.mark.parametrize("design", DESIGNS)
def test_percentiles_are_covered(design: str) -> None:
    random = np.random.default_rng(8)
    covered: dict[float, list[bool]] = {0.5: [], 0.9: [], 0.99: []}
    of_mean = []
    for _ in range(ROUNDS):
        values = np.sort(random.lognormal(0, 1, 8_000))
        probability = DESIGNS[design](values)
        is_kept = random.random(len(values)) < probability
        spread = spread_of(values[is_kept], probability[is_kept])
        for fraction, hits in covered.items():
            truth = values[math.ceil(fraction * len(values)) - 1]
            hits.append(covers(interval_of_percentile(spread, fraction), truth))
        mean = (spread.duration_ms * spread.count).sum() / spread.count.sum()
        least = float(probability[is_kept].min())
        of_mean.append(covers(interval_of_mean(spread, mean, least), values.mean()))
    found = {fraction: np.mean(hits) for fraction, hits in covered.items()}
    assert all(hit >= COVERED_MIN for hit in found.values()), found
    assert np.mean(of_mean) >= COVERED_MIN


def test_percentiles_of_whole_traces_are_covered_too() -> None:
    """Twenty spans a trace, alike: taken as spans they would be four times as sure as they are."""
    random, size = np.random.default_rng(9), 20
    hits = []
    for _ in range(ROUNDS):
        of_trace = random.lognormal(0, 1, 500)
        is_kept = random.random(500) < 0.2
        x = np.sort(of_trace[is_kept])
        spread = Spread(x, np.full(len(x), size / 0.2), np.full(len(x), size**2 * 0.8 / 0.04))
        hits.append(covers(interval_of_percentile(spread, 0.5), np.sort(of_trace)[249]))
    assert COVERED_MIN <= np.mean(hits) < 0.99


def test_a_percentile_beyond_what_the_rows_can_tell_has_no_upper_end() -> None:
    spread = spread_of(np.arange(1.0, 101.0), np.full(100, 0.1))
    assert interval_of_percentile(spread, 0.99) == Interval(0.0, math.inf)
    assert math.isfinite(interval_of_percentile(spread, 0.9).high)
    two = spread_of(np.array([1.0, 2.0]), np.full(2, 0.1))
    assert interval_of_percentile(two, 0.5) == Interval(0.0, math.inf)


def test_what_was_kept_for_certain_bounds_no_percentile_of_what_was_not() -> None:
    certain = spread_of(np.arange(1.0, 101.0), np.ones(100))
    assert interval_of_percentile(certain, 0.5) == Interval(50, 50)
    assert interval_of_percentile(certain, 0.5, 0.01) == Interval(0, math.inf)


def test_means_of_durations_that_are_nearly_alike_are_nearly_certain() -> None:
    """By the sums alone the interval would be that of the count."""
    alike = spread_of(np.full(50, 100.0), np.full(50, 0.1))
    found = interval_of_mean(alike, 100.0, 0.1)
    assert 99 < found.low < 100 < found.high < 101.5
    assert interval_of_mean(spread_of(np.full(50, 100.0), np.ones(50)), 100, 1) == Interval(
        100, 100
    )

"""Intervals of what sampling leaves open hold the truth as often as they say, whatever numbers are like."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from crucible_collector.api.in_force import Thinning
from crucible_collector.api.numbers import Group, Told, Variances, percentiles_of, spread_of
from crucible_collector.batch import F64, I64

Draw = Callable[[np.random.Generator, int], F64]
ROUNDS = 150
# Of 150 samples 95 % hold in fewer than this once in ten thousand times.
HELD_MIN = 0.87


def test_a_number_that_was_all_kept_is_certain() -> None:
    group = Group((None,), 3, kept=6.0, weight_square_sum=3, square_sum=2.0, least=1, largest=3)
    told = Told(group)
    assert (group.mean, group.std) == (2, 1)
    for name in ("count", "sum", "avg", "std"):
        interval = told.interval(name, None)
        assert interval is not None
        assert interval.low == interval.high == told.value(name, None)


def test_one_number_has_no_deviation() -> None:
    group = Group((None,), 1, kept=6.0, weight_square_sum=1, square_sum=0.0, least=6, largest=6)
    assert group.std is None
    assert Told(group).interval("std", None) is None


@pytest.mark.parametrize(
    ("probabilities", "draw"),
    [
        ((0.1,), lambda drawn, count: drawn.normal(1, 3, count)),
        ((0.2,), lambda drawn, count: drawn.lognormal(0, 1.5, count)),
        ((1.0, 0.5, 0.1), lambda drawn, count: drawn.normal(-4, 1, count)),
        ((0.3, 0.05), lambda drawn, count: drawn.gamma(2, 1, count)),
    ],
    ids=["normal", "log-normal", "negative", "gamma"],
)
def test_intervals_hold_the_truth(probabilities: tuple[float, ...], draw: Draw) -> None:
    drawn = np.random.default_rng(1)
    held: dict[str, list[bool]] = {}
    for _ in range(ROUNDS):
        for name, holds in _sampled(drawn, probabilities, draw).items():
            held.setdefault(name, []).append(holds)
    assert set(held) == {"count", "sum", "avg", "std", "p50", "p95"}
    for name, found in held.items():
        assert len(found) > ROUNDS / 2
        assert np.mean(found) >= HELD_MIN, name


def _sampled(
    drawn: np.random.Generator, probabilities: tuple[float, ...], draw: Draw, count: int = 1000
) -> dict[str, bool]:
    """Of traces of one to three spans; nothing where too few were kept to be relied on."""
    trace = np.repeat(np.arange(count), drawn.integers(1, 4, count))
    numbers = draw(drawn, len(trace))
    of_trace = drawn.choice(probabilities, count)
    is_kept = (drawn.random(count) < of_trace)[trace]
    told = _told(numbers[is_kept], of_trace[trace[is_kept]], trace[is_kept])
    if not told.is_reliable:
        return {}
    truth = {
        "count": (len(numbers), None),
        "sum": (numbers.sum(), None),
        "avg": (numbers.mean(), None),
        "std": (numbers.std(ddof=1), None),
        "p50": (np.percentile(numbers, 50, method="inverted_cdf"), 0.5),
        "p95": (np.percentile(numbers, 95, method="inverted_cdf"), 0.95),
    }
    found = {}
    for name, (value, fraction) in truth.items():
        interval = told.interval(name, fraction)
        assert interval is not None
        found[name] = bool(interval.low <= value <= interval.high)
    return found


def _told(numbers: F64, p: F64, trace: I64) -> Told:
    """What the queries make of these rows; each trace has one probability."""
    weights = 1 / p
    lost = np.zeros(int(trace.max()) + 1)
    lost[trace] = (1 - p) / p**2
    ones, sums = np.bincount(trace), np.bincount(trace, numbers)
    variances = Variances(
        float((lost * ones * ones).sum()),
        float((lost * sums * sums).sum()),
        float((lost * ones * sums).sum()),
    )
    order = np.argsort(numbers)
    terms = lost[trace] * ones[trace]
    spread = spread_of(numbers[order].tolist(), weights[order].tolist(), terms[order].tolist())
    mean = (weights * numbers).sum() / weights.sum()
    group = Group(
        (None,),
        len(numbers),
        unseen_count=float(weights.sum() - len(numbers)),
        kept=float(numbers.sum()),
        unseen=float((numbers * (weights - 1)).sum()),
        weight_square_sum=float((weights**2).sum()),
        square_sum=float((weights * (numbers - mean) ** 2).sum()),
        least=float(numbers.min()),
        largest=float(numbers.max()),
        probability_min=float(p.min()),
        trace_count=len(set(trace[p < 1].tolist())),
        variances=variances,
        percentiles=percentiles_of(spread, [0.5, 0.95]),
    )
    return Told(group, Thinning(float(p.min()), None, 0, 10**9, 3), spread)


def test_what_nothing_was_kept_of_may_be_some() -> None:
    """One in ten is kept: of none that was, up to some 37 there may have been."""
    told = Told(Group((None,), 0), Thinning(0.1, None, 0, 5))
    interval = told.interval("count", None)
    assert interval is not None
    assert interval.low == 0
    assert 27 <= interval.high <= 40
    assert told.value("sum", None) is None
    assert told.interval("sum", None) is None
    assert not math.isnan(interval.high)

"""Bootstrap intervals: units are drawn anew with the weights that they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from crucible_collector.compare.means import Effect
from crucible_collector.compare.samples import Floats, Sample

RESAMPLES = 9999
# The acceleration leaves each unit out in turn, which takes the square of their number; with so many the
# interval of the t-test is as good.
UNITS_MAX = 2000
# Index arrays of 8 bytes: 16 MB at once.
_BATCH_VALUES = 2_000_000


def bootstrap_difference(a: Sample, b: Sample, confidence: float, seed: int) -> Effect | None:
    """Of mean b - mean a: BCa (Efron 1987). None where it cannot be had."""
    of_a, of_b = _weighted_mean(a), _weighted_mean(b)

    def difference(in_a: Any, in_b: Any, axis: int = -1) -> Floats:
        assert axis == -1
        return of_b(in_b) - of_a(in_a)

    return _bca((a.size, b.size), difference, b.mean - a.mean, confidence, seed)


def bootstrap_mean(differences: Sample, confidence: float, seed: int) -> Effect | None:
    """Of the mean of the differences of pairs, in the same way."""
    of_all = _weighted_mean(differences)

    def mean(chosen: Any, axis: int = -1) -> Floats:
        assert axis == -1
        return of_all(chosen)

    return _bca((differences.size,), mean, differences.mean, confidence, seed)


def _weighted_mean(sample: Sample) -> Callable[[Any], Floats]:
    shares, moments = sample.shares, sample.shares * sample.values

    def mean(chosen: Any) -> Floats:
        places = np.asarray(chosen, np.int64)
        return np.asarray(moments[places].sum(axis=-1) / shares[places].sum(axis=-1), np.float64)

    return mean


def _bca(
    sizes: tuple[int, ...],
    statistic: Callable[..., Floats],
    value: float,
    confidence: float,
    seed: int,
) -> Effect | None:
    if max(sizes) > UNITS_MAX:
        return None
    found = stats.bootstrap(
        [np.arange(size) for size in sizes],
        statistic,
        n_resamples=RESAMPLES,
        batch=max(_BATCH_VALUES // max(sizes), 1),
        vectorized=True,
        axis=-1,
        confidence_level=confidence,
        method="BCa",
        random_state=np.random.default_rng(seed),
    )
    interval = found.confidence_interval
    lower, upper = float(interval.low), float(interval.high)
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return None
    return Effect(value, lower, upper)

"""Numbers as detectors take them, and noise in which nothing happens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import F64, Bool
from crucible_collector.detect.detector import NO_STEP, Detector, Records, Scored, Values

SECOND_NS = 1_000_000_000


def values(
    x: npt.ArrayLike,
    *,
    series: int = 1,
    is_log: bool = False,
    direction: int = 0,
    sensitivity: float = 1.0,
) -> Values:
    """One a second; those of several series take turns."""
    value = np.array(x, np.float64)
    count = len(value)
    return Values(
        number=np.arange(count) % series,
        time_ns=(1 + np.arange(count) // series) * SECOND_NS,
        value=value,
        step=np.arange(count) // series,
        epoch=np.full(count, NO_STEP),
        is_log=np.full(count, is_log),
        direction=np.full(count, direction, np.int8),
        sensitivity=np.full(count, sensitivity),
    )


def fresh(detector: Detector, series: int = 1) -> Records:
    """Of series that were never seen."""
    return np.zeros(series, detector.record)


def score(
    detector: Detector,
    x: npt.ArrayLike,
    *,
    series: int = 1,
    is_log: bool = False,
    direction: int = 0,
    sensitivity: float = 1.0,
) -> Scored:
    """What a detector says of series that it has never seen."""
    given = values(x, series=series, is_log=is_log, direction=direction, sensitivity=sensitivity)
    return detector.score(fresh(detector, series), given)


def flags(detector: Detector, x: F64, *, direction: int = 0, is_log: bool = False) -> Bool:
    """Of several series, a column each: which values are flagged."""
    found = score(detector, x.ravel(), series=x.shape[1], direction=direction, is_log=is_log)
    flagged: Bool = (found.score > 1.0).reshape(x.shape)
    return flagged


def _autocorrelated(random: np.random.Generator, shape: tuple[int, int]) -> F64:
    noise = random.standard_normal(shape)
    for row in range(1, shape[0]):
        noise[row] = 0.9 * noise[row - 1] + np.sqrt(1 - 0.81) * noise[row]
    return noise


NOISE: dict[str, Callable[[np.random.Generator, tuple[int, int]], F64]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "t3": lambda random, shape: random.standard_t(3, shape),
    "lognormal": lambda random, shape: random.lognormal(0, 1, shape),
    "autocorrelated": _autocorrelated,
}


def noise(kind: str, length: int = 10_000, series: int = 20, seed: int = 11) -> F64:
    """`series` columns of noise of one kind."""
    return NOISE[kind](np.random.default_rng(seed), (length, series))

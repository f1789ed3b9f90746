"""Courses of trainings, drawn with a seed, and what a detector says of one series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crucible_collector.detect.detector import NO_STEP, Detector, Records, Scored, Values

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

SECOND_NS = 1_000_000_000


def scored(
    detector: Detector,
    value: npt.ArrayLike,
    *,
    is_log: bool = True,
    direction: int = 1,
    time_ns: I64 | None = None,
    step: I64 | None = None,
    epoch: I64 | None = None,
    sensitivity: float = 1.0,
    records: Records | None = None,
) -> Scored:
    """What is told of one series, one value a second and step."""
    x = np.asarray(value, np.float64)
    each = np.arange(len(x))
    values = Values(
        number=np.zeros(len(x), np.int64),
        time_ns=each * SECOND_NS if time_ns is None else time_ns,
        value=x,
        step=each if step is None else step,
        epoch=np.full(len(x), NO_STEP) if epoch is None else epoch,
        is_log=np.full(len(x), is_log),
        direction=np.full(len(x), direction, np.int8),
        sensitivity=np.full(len(x), sensitivity),
    )
    return detector.score(np.zeros(1, detector.record) if records is None else records, values)


def flagged(found: Scored) -> list[int]:
    """Which values have a score above 1."""
    at: list[int] = np.flatnonzero(found.score > 1.0).tolist()
    return at


def delays(make: Callable[[int], list[int]], at: int, seeds: int) -> list[float]:
    """Of each seed, how many values after `at` the first flag comes; infinite where none does."""
    first = (
        min((each for each in make(seed) if each >= at), default=None) for seed in range(seeds)
    )
    return [np.inf if each is None else each - at for each in first]


def noise(rng: np.random.Generator, count: int, correlation: float = 0.0) -> F64:
    """Of deviation 1."""
    e = rng.normal(size=count)
    for row in range(1, count):
        e[row] = correlation * e[row - 1] + np.sqrt(1.0 - correlation**2) * e[row]
    return e


def course(kind: str, count: int, rng: np.random.Generator) -> F64:
    """The logarithm of a loss that goes as it should."""
    t = np.arange(count)
    of_kind: dict[str, Callable[[], F64]] = {
        "exponential": lambda: np.log(0.05 + 2.3 * np.exp(-t / rng.uniform(50, 800))),
        "power": lambda: -rng.uniform(0.1, 0.6) * np.log1p(t / rng.uniform(1, 50)),
        "rate in steps": lambda: np.log(0.05 + np.exp(-t / 200)) - 0.7 * (t > count / 2),
        "bumps at epochs": lambda: -0.4 * np.log1p(t / 20) + 0.3 * np.exp(-(t % 100) / 10.0),
        "flat": lambda: np.zeros(count),
        "restarts": lambda: (
            -0.4 * np.log1p(t / 20) + 0.35 * np.cos(np.pi * (t % (count // 5)) / (count // 5))
        ),
    }
    return of_kind[kind]()

"""Conditions drawn at random, for simulations with fixed seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crucible_collector.compare import Asked, Compared, Pair, Sample, compare, settle
from crucible_collector.compare.samples import Floats

Rng = np.random.Generator


def sample(name: str, values: Sequence[float] | Floats, **columns: object) -> Sample:
    return Sample(name, np.asarray(values, np.float64), **columns)  # type: ignore[arg-type]


def settled(samples: Sequence[Sample], asked: Asked) -> Compared:
    [found] = settle([compare(samples, asked)])
    return found


def pair_of(a: Sample, b: Sample, asked: Asked) -> tuple[Pair, Compared]:
    found = settled([a, b], asked)
    return found.pairs[0], found


def thinned(rng: Rng, name: str, values: Floats) -> Sample:
    """What a sampler keeps that keeps large values for certain and one in ten to one in two of the rest."""
    chances = np.where(values > np.quantile(values, 0.9), 1.0, rng.choice([0.1, 0.5], len(values)))
    kept = rng.random(len(values)) < chances
    return Sample(name, values[kept], 1 / chances[kept])


def share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits))

"""The numbers of one condition, one a unit (a run, a request), with weights where rows were sampled.

The variance of a weighted mean is that of a draw from a population without end (the linearised one), not
that of an estimate of what was stored: a test with the latter rejects 17 to 100 % of true null hypotheses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crucible_collector.errors import NotComparableError

Floats = NDArray[np.float64]
# Squares of larger ones would soon be no doubles any more; no metric means anything there.
SIZE_MAX = 1e100
# Two units of unequal weight are effectively a little less than two.
EFFECTIVE_MIN = 1.5
# Numbers that differ by no more than rounding are the same: a spread of theirs says nothing.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Sample:
    """`values`: (n,) float64, none beyond SIZE_MAX. `weights`: (n,), 1/p of each unit; None: every unit was kept.

    `pair_ids`: what a unit may share with one of another condition (a seed, a sample id), or None.
    """

    name: str
    values: Floats
    weights: Floats | None = None
    pair_ids: Sequence[str | None] | None = None

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def is_sampled(self) -> bool:
        return self.weights is not None

    @cached_property
    def shares(self) -> Floats:
        """Weights that add up to 1."""
        if self.weights is None:
            return np.full(self.size, 1 / max(self.size, 1))
        scaled = self.weights / self.weights.max()
        return np.asarray(scaled / scaled.sum(), np.float64)

    @cached_property
    def effective_size(self) -> float:
        """Kish's: so many equally weighted units would say as much."""
        if self.weights is None:
            return float(self.size)
        return float(1 / np.square(self.shares).sum())

    @cached_property
    def mean(self) -> float:
        if self.is_constant:
            return float(self.values[0])
        return float(np.dot(self.shares, self.values))

    @cached_property
    def std(self) -> float:
        """Standard deviation of the population, by n - 1 (or its effective form)."""
        if self.size < 2 or self.is_constant:
            return 0.0
        n = self.effective_size
        of_mean = np.square(self.shares * (self.values - self.mean)).sum()
        return math.sqrt(max(n * n / (n - 1) * of_mean, 0.0)) if n > 1 else 0.0

    @cached_property
    def is_constant(self) -> bool:
        """Whether no two values differ by more than rounding."""
        low, high = float(self.values.min()), float(self.values.max())
        return high - low <= ROUNDING * max(abs(low), abs(high))

    @cached_property
    def median(self) -> float:
        """The weighted one: half of the weight lies on either side."""
        if self.weights is None:
            return float(np.median(self.values))
        order = np.argsort(self.values, kind="stable")
        reached = np.cumsum(self.shares[order])
        return float(self.values[order][np.searchsorted(reached, 0.5 - ROUNDING)])

    def mapped(self, by: Callable[[Floats], Floats]) -> Sample:
        """The same units with other values."""
        return replace(self, values=np.asarray(by(self.values), np.float64))


def check_testable(samples: Sequence[Sample], unit: str) -> None:
    """Raise NotComparableError where a condition has too little to be compared by."""
    for sample in samples:
        if sample.size < 2:
            had = f"{sample.size} {unit}{'' if sample.size == 1 else 's'}"
            raise NotComparableError(
                f"{sample.name!r} has {had} to compare by: at least 2 are needed in each, since one says"
                " nothing about how much they differ among themselves"
            )
        if sample.effective_size < EFFECTIVE_MIN:
            raise NotComparableError(
                f"{sample.name!r} has {sample.size} {unit}s, but sampling gave one of them nearly all of the"
                f" weight: they say as much as {sample.effective_size:.1f}"
            )
        if not (np.abs(sample.values) <= SIZE_MAX).all():
            raise NotComparableError(f"{sample.name!r} has values that are beyond {SIZE_MAX:g}")


def shared_ids(a: Sample, b: Sample) -> list[str]:
    """Ids that both have, each once on its side, in a fixed order; empty where one has an id twice."""
    if a.pair_ids is None or b.pair_ids is None:
        return []
    found = []
    for sample in (a, b):
        ids = [each for each in sample.pair_ids or () if each is not None]
        if len(set(ids)) < len(ids):
            return []
        found.append(set(ids))
    return sorted(found[0] & found[1])


def paired(a: Sample, b: Sample, ids: Sequence[str]) -> tuple[Sample, Sample]:
    """Both sides in the order of the ids that they share.

    The two sides were sampled apart, so a pair is there with the product of their probabilities.
    """
    sides = []
    for sample in (a, b):
        places = {each: place for place, each in enumerate(sample.pair_ids or ())}
        chosen = [places[each] for each in ids]
        own = np.ones(len(ids)) if sample.weights is None else sample.weights[chosen]
        sides.append((sample, sample.values[chosen], own))
    product = sides[0][2] * sides[1][2]
    weights = product if a.is_sampled or b.is_sampled else None
    first, second = (Sample(s.name, values, weights, tuple(ids)) for s, values, _ in sides)
    return first, second

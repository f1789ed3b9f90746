"""All of one metric: every condition by itself, all at once, and each against the baseline.

The p-values of everything that is asked at once are one family, so words come last: `settle` corrects
them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from crucible_collector.compare import means, ranks, rates
from crucible_collector.compare.choice import Kind, Scale, TestName, Wanted
from crucible_collector.compare.corrections import corrected
from crucible_collector.compare.means import Alternative, Effect, Tested
from crucible_collector.compare.pairs import Bootstrap, Pair, compare_pair, settled
from crucible_collector.compare.samples import Sample, check_testable
from crucible_collector.errors import NotComparableError


@dataclass(frozen=True, slots=True)
class Asked:
    """How one metric is compared.

    `scale` None: log where `prefers_log` and all values are above 0. `pairs`: see `choice.Wanted`.
    `lower_is_better` None: nobody knows. `margin`: the least difference that matters, in the metric's unit.
    """

    metric: str
    kind: Kind = "mean"
    unit: str = "run"
    lower_is_better: bool | None = None
    prefers_log: bool = False
    scale: Scale | None = None
    test: TestName | None = None
    pairs: bool | None = None
    alternative: Alternative = "two-sided"
    confidence: float = 0.95
    correction: str = "holm"
    against: Literal["baseline", "all"] = "baseline"
    bootstrap: Bootstrap | None = None
    margin: float | None = None

    @property
    def alpha(self) -> float:
        return 1 - self.confidence

    @property
    def is_two_sided(self) -> bool:
        return self.alternative == "two-sided"


@dataclass(frozen=True)
class Compared:
    """`samples` in the order in which they were given, the baseline first; `means` have intervals."""

    asked: Asked
    scale: Scale
    samples: tuple[Sample, ...]
    means: tuple[Effect, ...]
    omnibus: Tested | None
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...] = field(default=())
    family_size: int = 1


def compare(samples: Sequence[Sample], asked: Asked) -> Compared:
    """Compare two conditions or more, the first being the baseline.

    NotComparableError with the reason where that would mean nothing. What `settle` gives is the answer.
    """
    check_testable(samples, asked.unit)
    scale, warnings = _scale(samples, asked)
    wanted = Wanted(asked.test, asked.pairs, asked.alternative, asked.alpha)
    pairs = [
        compare_pair(a, b, asked.kind, scale, wanted, asked.confidence, asked.bootstrap)
        for a, b in _sides(samples, asked)
    ]
    found = Compared(
        asked,
        scale,
        tuple(samples),
        tuple(_mean(sample, asked) for sample in samples),
        _omnibus(samples, scale, asked, pairs),
        tuple(pairs),
        tuple(warnings),
    )
    return replace(found, warnings=found.warnings + tuple(_doubts(found)))


def settle(family: Sequence[Compared]) -> list[Compared]:
    """Correct the p-values of all comparisons that were asked for at once, by the way of the first."""
    pairs = [pair for compared in family for pair in compared.pairs]
    tested = [pair.tested.p_value for pair in pairs if pair.tested.p_value is not None]
    if not family:
        return []
    asked = family[0].asked
    adjusted = iter(corrected(tested, asked.correction))
    # Of the least p-value, which Holm multiplies by their number.
    level = asked.alpha if asked.correction == "none" else asked.alpha / max(len(tested), 1)
    found = []
    for compared in family:
        done = [
            settled(
                pair,
                None if pair.tested.p_value is None else next(adjusted),
                level,
                asked.is_two_sided,
            )
            for pair in compared.pairs
        ]
        found.append(replace(compared, pairs=tuple(done), family_size=max(len(tested), 1)))
    return found


def _sides(samples: Sequence[Sample], asked: Asked) -> list[tuple[Sample, Sample]]:
    if asked.against == "all":
        return list(combinations(samples, 2))
    return [(samples[0], other) for other in samples[1:]]


def _scale(samples: Sequence[Sample], asked: Asked) -> tuple[Scale, list[str]]:
    """On which scale means are tested, and what there is to say about it."""
    wanted = asked.scale or ("log" if asked.prefers_log else "linear")
    if asked.kind == "rate" or wanted == "linear":
        return "linear", []
    below = sum(int((sample.values <= 0).sum()) for sample in samples)
    if not below:
        return "log", []
    if asked.scale == "log":
        raise NotComparableError(f"{below} values of {asked.metric} are not above 0: no log scale")
    return "linear", [
        f"{below} values are not above 0, so that {asked.metric} is compared on the linear scale"
    ]


def _mean(sample: Sample, asked: Asked) -> Effect:
    if asked.kind == "rate":
        return rates.wilson(sample, asked.confidence)
    return means.mean_interval(sample, asked.confidence)


def _omnibus(
    samples: Sequence[Sample], scale: Scale, asked: Asked, pairs: Sequence[Pair]
) -> Tested | None:
    """Of three or more: is any another than the rest? None for two, and for pairs."""
    if len(samples) < 3 or any(pair.is_paired for pair in pairs):
        return None
    if asked.kind == "rate":
        return rates.chi_squared(rates.table_of(samples))
    if all(sample.is_constant for sample in samples):
        return None
    if asked.test == "mann_whitney":
        return ranks.kruskal(samples)
    if asked.test == "kolmogorov_smirnov":
        return None
    on_scale = [sample.mapped(np.log) for sample in samples] if scale == "log" else samples
    return means.welch_anova(on_scale)


# Below so many units a t-test leans on values that are distributed nearly normally.
_FEW = 5


def _doubts(found: Compared) -> list[str]:
    """What makes the answer less sure than it looks."""
    doubts = []
    asked = found.asked
    few = [repr(sample.name) for sample in found.samples if sample.size < _FEW]
    if few and asked.kind == "mean":
        doubts.append(
            f"{', '.join(few)}: fewer than {_FEW} {asked.unit}s, so that the test leans on values that are"
            " distributed nearly normally"
        )
    for pair in found.pairs:
        doubts += _doubts_of(pair)
    return list(dict.fromkeys(doubts))


def _doubts_of(pair: Pair) -> list[str]:
    doubts = list(pair.notes)
    whose = f"{pair.candidate.name!r} against {pair.baseline.name!r}"
    difference, ratio = pair.mean_difference.value, pair.ratio
    if ratio is not None and difference and (ratio.value - 1) * difference < 0:
        doubts.append(
            f"{whose}: the typical value (geometric mean) goes one way and the mean, hence the total, the other"
        )
    if pair.choice.test == "chi_squared" and not pair.is_identical:
        table = rates.table_of((pair.baseline, pair.candidate))
        if rates.expected_least(table) < rates.EXPECTED_MIN:
            doubts.append(f"{whose}: an expected count is below 5, so the p-value is rough")
    return doubts

"""One condition against another: test, effect sizes, intervals, and what would have been seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from crucible_collector.compare import effects, means, power, ranks, rates, resampling
from crucible_collector.compare.choice import Choice, Kind, Scale, Wanted, choose
from crucible_collector.compare.means import Effect, Tested
from crucible_collector.compare.samples import ROUNDING, Sample, check_testable, paired


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Whether intervals are drawn by it, and from which seed."""

    seed: int


@dataclass(frozen=True)
class Pair:
    """What is known of `candidate` against `baseline`; signs are those of candidate - baseline.

    `mean_difference` in the metric's unit (of rates: the risk difference); `ratio` of geometric means, where
    the test was on the log scale, as are `cohens_d` and `hedges_g` then. `detectable_*` go by `alpha`, the
    level of one comparison of the family. `is_identical`: all values of both sides are one and the same.
    """

    baseline: Sample
    candidate: Sample
    kind: Kind
    scale: Scale
    choice: Choice
    tested: Tested
    mean_difference: Effect
    ratio: Effect | None = None
    cohens_d: Effect | None = None
    hedges_g: Effect | None = None
    cliffs_delta: Effect | None = None
    bootstrap: Effect | None = None
    is_identical: bool = False
    p_adjusted: float | None = None
    alpha: float = 0.05
    detectable_d: float | None = None
    detectable_difference: float | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def is_paired(self) -> bool:
        return bool(self.choice.pair_ids)


def compare_pair(
    a: Sample,
    b: Sample,
    kind: Kind,
    scale: Scale,
    wanted: Wanted,
    confidence: float,
    bootstrap: Bootstrap | None,
) -> Pair:
    """`a` is the baseline. NotComparableError where the test that was asked for means nothing here."""
    choice = choose(a, b, kind, scale, wanted)
    notes: tuple[str, ...] = ()
    if choice.pair_ids:
        left_out = max(a.size, b.size) - len(choice.pair_ids)
        if left_out:
            notes = (f"{len(choice.pair_ids)} pairs; up to {left_out} a side have no partner",)
        a, b = paired(a, b, choice.pair_ids)
        check_testable((a, b), "pair")
    if kind == "rate":
        made = _rates(a, b, choice, wanted, confidence)
    else:
        made = _means(a, b, scale, choice, wanted, confidence)
    found = replace(made, notes=notes)
    return replace(found, bootstrap=_bootstrapped(found, confidence, bootstrap))


def _rates(a: Sample, b: Sample, choice: Choice, wanted: Wanted, confidence: float) -> Pair:
    table = rates.table_of((a, b))
    if choice.test == "mcnemar":
        tested = rates.mcnemar(a, b, wanted.alternative)
        difference = rates.paired_risk_difference(a, b, confidence)
    else:
        difference = rates.risk_difference(a, b, confidence)
        if choice.test == "chi_squared":
            tested = rates.chi_squared(table, wanted.alternative)
        else:
            tested = rates.exact(choice.test, table, wanted.alternative)
    is_identical = tested.p_value is None
    return Pair(a, b, "rate", "linear", choice, tested, difference, is_identical=is_identical)


def _means(
    a: Sample, b: Sample, scale: Scale, choice: Choice, wanted: Wanted, confidence: float
) -> Pair:
    on_a, on_b = (a.mapped(np.log), b.mapped(np.log)) if scale == "log" else (a, b)
    differences = _differences(on_a, on_b) if choice.pair_ids else None
    has_spread = differences.std > 0 if differences else max(on_a.std, on_b.std) > 0
    if has_spread:
        tested = _tested(on_a, on_b, differences, choice, wanted)
    else:
        tested = Tested(choice.test, None, None, None)
    difference = _difference(a, b, bool(choice.pair_ids), confidence)
    ratio = None
    if scale == "log":
        ratio = _exponentiated(_difference(on_a, on_b, bool(choice.pair_ids), confidence))
    d = _standardised(on_a, on_b, differences, confidence)
    return Pair(
        a,
        b,
        "mean",
        scale,
        choice,
        tested,
        difference,
        ratio,
        d,
        d and effects.hedges_g(d, _free(on_a, on_b, differences)),
        None if a.is_sampled or b.is_sampled else effects.cliffs_delta(a, b, confidence),
        is_identical=not has_spread and _is_rounding(difference.value, a, b),
    )


def _tested(
    a: Sample, b: Sample, differences: Sample | None, choice: Choice, wanted: Wanted
) -> Tested:
    """On the scale of the test. Something of it has a spread."""
    if differences is not None:
        if choice.test == "wilcoxon":
            return ranks.wilcoxon(differences, wanted.alternative)
        return means.one_sample_t(differences, wanted.alternative)
    if choice.test == "mann_whitney":
        return ranks.mann_whitney(a, b, wanted.alternative)
    if choice.test == "kolmogorov_smirnov":
        return ranks.kolmogorov_smirnov(a, b, wanted.alternative)
    return means.welch(a, b, wanted.alternative)


def _differences(a: Sample, b: Sample) -> Sample:
    """Of each pair b - a; what is only rounding of the values is no difference."""
    values = b.values - a.values
    size = np.maximum(np.abs(a.values), np.abs(b.values))
    values = np.where(np.abs(values) <= ROUNDING * size, 0.0, values)
    return Sample(b.name, np.asarray(values, np.float64), b.weights)


def _is_rounding(difference: float, a: Sample, b: Sample) -> bool:
    return abs(difference) <= ROUNDING * max(abs(a.mean), abs(b.mean))


def _difference(a: Sample, b: Sample, is_paired: bool, confidence: float) -> Effect:
    if is_paired:
        return means.mean_interval(_differences(a, b), confidence)
    return means.welch_interval(a, b, confidence)


def _standardised(
    a: Sample, b: Sample, differences: Sample | None, confidence: float
) -> Effect | None:
    if differences is not None:
        return effects.cohens_d_of_pairs(differences, confidence)
    return effects.cohens_d(a, b, confidence)


def _free(a: Sample, b: Sample, differences: Sample | None) -> float:
    if differences is not None:
        return differences.effective_size - 1
    return a.effective_size + b.effective_size - 2


def _exponentiated(effect: Effect) -> Effect:
    bounds = (None if bound is None else _exp(bound) for bound in (effect.lower, effect.upper))
    return Effect(_exp(effect.value), *bounds)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _bootstrapped(pair: Pair, confidence: float, bootstrap: Bootstrap | None) -> Effect | None:
    a, b = pair.baseline, pair.candidate
    if bootstrap is None or pair.tested.p_value is None:
        return None
    if not pair.is_paired:
        return resampling.bootstrap_difference(a, b, confidence, bootstrap.seed)
    return resampling.bootstrap_mean(_differences(a, b), confidence, bootstrap.seed)


def settled(pair: Pair, p_adjusted: float | None, alpha: float, is_two_sided: bool) -> Pair:
    """With its corrected p-value, and what would have been seen at the level `alpha`."""
    a, b = pair.baseline, pair.candidate
    sizes = (a.effective_size, b.effective_size)
    pair = replace(pair, p_adjusted=p_adjusted, alpha=alpha)
    if pair.kind == "rate":
        rate = float(np.average([a.mean, b.mean], weights=sizes))
        least = power.detectable_risk_difference(
            min(max(rate, 0.0), 1.0), sizes, alpha, is_two_sided
        )
        return replace(pair, detectable_difference=least)
    on_a, on_b = (a.mapped(np.log), b.mapped(np.log)) if pair.scale == "log" else (a, b)
    if pair.is_paired:
        differences = _differences(on_a, on_b)
        d = power.detectable_d_of_pairs(differences.effective_size, alpha, is_two_sided)
        spread = differences.std
    else:
        d = power.detectable_d(sizes, alpha, is_two_sided)
        spread = effects.pooled_std(on_a, on_b)
    if d is None or spread == 0:
        return replace(pair, detectable_d=d)
    difference = math.expm1(min(d * spread, 700.0)) if pair.scale == "log" else d * spread
    return replace(pair, detectable_d=d, detectable_difference=difference)

"""Which test is made, and why: by name, or chosen from what is measured and how, never from the outcome.

There is no test of normality before it: a choice that looks at the values changes how often the test that it
chooses is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crucible_collector.compare.means import Alternative
from crucible_collector.compare.ranks import least_p
from crucible_collector.compare.rates import (
    BOSCHLOO_MAX,
    EXPECTED_MIN,
    expected_least,
    is_one_sided,
    table_of,
)
from crucible_collector.compare.samples import Sample, shared_ids
from crucible_collector.errors import NotComparableError

TestName = Literal[
    "welch",
    "paired_t",
    "mann_whitney",
    "wilcoxon",
    "kolmogorov_smirnov",
    "chi_squared",
    "boschloo",
    "fisher",
    "mcnemar",
]
Kind = Literal["mean", "rate"]
Scale = Literal["linear", "log"]

# Fewer pairs leave a paired test little: Wilcoxon's cannot go below 0.0625 with five.
PAIRS_MIN = 6

_OF_RATES = {"chi_squared", "boschloo", "fisher", "mcnemar"}
_OF_PAIRS = {"paired_t", "wilcoxon", "mcnemar"}
_UNWEIGHTED = {"mann_whitney", "wilcoxon", "kolmogorov_smirnov", "boschloo", "fisher", "mcnemar"}
_OF_RANKS = {"mann_whitney", "wilcoxon", "kolmogorov_smirnov"}
NAMES = {
    "welch": "Welch's t-test",
    "paired_t": "paired t-test",
    "mann_whitney": "Mann-Whitney U test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov test",
    "chi_squared": "chi-squared test",
    "boschloo": "Boschloo's exact test",
    "fisher": "Fisher's exact test",
    "mcnemar": "McNemar's exact test",
    "welch_anova": "Welch's analysis of variance",
    "kruskal_wallis": "Kruskal-Wallis test",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the asker said of the test; `pairs`: True asks for pairs, False for none, None for either."""

    test: TestName | None
    pairs: bool | None
    alternative: Alternative
    alpha: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A test with the reason in words; `pair_ids`: the ids that both sides share, where pairs are tested."""

    test: TestName
    reason: str
    pair_ids: tuple[str, ...] = ()


def choose(a: Sample, b: Sample, kind: Kind, scale: Scale, wanted: Wanted) -> Choice:
    """The test of one pair of conditions. NotComparableError where what was asked for means nothing."""
    ids = shared_ids(a, b)
    if wanted.test is not None:
        return _named(wanted.test, a, b, kind, ids, wanted)
    if _wants_pairs(a, b, kind, ids, wanted):
        return _of_pairs(a, b, kind, scale, ids)
    if kind == "rate":
        return _of_rates(a, b)
    reason = "means are compared, and Welch's test does not suppose equal variances"
    if scale == "log":
        reason += "; on the log scale, since such numbers differ by factors"
    if a.is_sampled or b.is_sampled:
        reason += "; weighted by the inverse of the probabilities that sampling kept them with"
    return Choice("welch", reason)


def _wants_pairs(a: Sample, b: Sample, kind: Kind, ids: Sequence[str], wanted: Wanted) -> bool:
    if wanted.pairs is False:
        return False
    if wanted.pairs is True:
        _check_pairs(a, b, ids, 2)
        if kind == "rate":
            _check_unweighted("mcnemar", a, b)
        return True
    is_weighted_rate = kind == "rate" and (a.is_sampled or b.is_sampled)
    # Pairing leaves out what is not shared: it should be most of it that is kept.
    return len(ids) >= max(PAIRS_MIN, min(a.size, b.size) / 2) and not is_weighted_rate


def _of_pairs(a: Sample, b: Sample, kind: Kind, scale: Scale, ids: Sequence[str]) -> Choice:
    reason = f"{len(ids)} ids are on both sides, so that each is compared with itself"
    if kind == "rate":
        return Choice("mcnemar", reason, tuple(ids))
    if scale == "log":
        reason += "; by their ratio (the log scale), since such numbers differ by factors"
    if a.is_sampled or b.is_sampled:
        reason += (
            "; weighted by the inverse of the probabilities that sampling kept both sides with"
        )
    return Choice("paired_t", reason, tuple(ids))


def _of_rates(a: Sample, b: Sample) -> Choice:
    table = table_of((a, b))
    is_weighted = a.is_sampled or b.is_sampled
    if is_one_sided(table) or expected_least(table) >= EXPECTED_MIN:
        reason = "rates are compared, and every expected count is at least 5"
        if is_one_sided(table):
            reason = "rates are compared"
        if is_weighted:
            reason += "; with effective counts (Rao-Scott), since rows were sampled"
        return Choice("chi_squared", reason)
    few = "rates are compared, and an expected count is below 5"
    if is_weighted:
        reason = (
            f"{few}; the exact tests have no form for sampled rows, so this one, by effective counts, is"
            " an approximation"
        )
        return Choice("chi_squared", reason)
    if max(a.size, b.size) <= BOSCHLOO_MAX:
        return Choice("boschloo", f"{few}: the exact test with the most power")
    return Choice("fisher", f"{few}: exact, and quick for so many units")


def _named(
    test: TestName, a: Sample, b: Sample, kind: Kind, ids: Sequence[str], wanted: Wanted
) -> Choice:
    of_what = "rate" if test in _OF_RATES else "mean"
    if of_what != kind:
        other = "rates, of values that are 0 or 1," if of_what == "rate" else "numbers"
        raise NotComparableError(
            f"the {NAMES[test]} is of {other} and this metric is a {'rate' if kind == 'rate' else 'number'}"
        )
    if test in _UNWEIGHTED:
        _check_unweighted(test, a, b)
    if wanted.pairs is True and test not in _OF_PAIRS:
        raise NotComparableError(f"the {NAMES[test]} knows no pairs: leave out test or pair_by")
    if test in _OF_PAIRS:
        if wanted.pairs is False:
            raise NotComparableError(f"the {NAMES[test]} is of pairs, and pair_by is none")
        _check_pairs(a, b, ids, 2)
    if test in _OF_RANKS:
        _check_reach(test, (len(ids), len(ids)) if test == "wilcoxon" else (a.size, b.size), wanted)
    return Choice(test, "asked for by name", tuple(ids) if test in _OF_PAIRS else ())


def _check_unweighted(test: str, a: Sample, b: Sample) -> None:
    sampled = [repr(sample.name) for sample in (a, b) if sample.is_sampled]
    if sampled:
        raise NotComparableError(
            f"rows of {' and '.join(sampled)} were sampled, and the {NAMES[test]} has no weighted form:"
            " as if nothing were missing it would be wrong"
        )


def _check_pairs(a: Sample, b: Sample, ids: Sequence[str], least: int) -> None:
    if len(ids) < least:
        raise NotComparableError(
            f"{a.name!r} and {b.name!r} share {len(ids)} ids to pair by that are there once on each side;"
            f" at least {least} are needed"
        )


def _check_reach(test: str, sizes: tuple[int, int], wanted: Wanted) -> None:
    least = least_p(test, sizes, wanted.alternative == "two-sided")
    if least > wanted.alpha:
        many = f"{sizes[0]} pairs" if test == "wilcoxon" else f"{sizes[0]} and {sizes[1]} units"
        raise NotComparableError(
            f"with {many} the {NAMES[test]} never gives a p-value below {least:.3g}, whatever the values"
        )

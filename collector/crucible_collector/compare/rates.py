"""Tests of rates: of values that are 0 or 1, weighted where units were sampled.

A weighted rate is tested by effective counts: as many units as would make it as sure without weights (Rao
and Scott 1984, first order). Small tables are tested exactly, which has no weighted form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from crucible_collector.compare.means import Alternative, Effect, Tested
from crucible_collector.compare.samples import Floats, Sample

# Below it in any cell the chi-squared approximation is not good enough (Cochran 1954).
EXPECTED_MIN = 5.0
# Boschloo's test looks at every table of these margins: 0.1 s at this size, more than a second at 300.
BOSCHLOO_MAX = 100


def effective_counts(sample: Sample) -> tuple[float, float]:
    """How many units had 1 and how many 0, of as many as would make the rate as sure without weights."""
    rate, size = sample.mean, sample.effective_size
    if sample.is_sampled and 0 < rate < 1 and sample.std > 0:
        size = rate * (1 - rate) * size / sample.std**2
    return rate * size, (1 - rate) * size


def table_of(samples: Sequence[Sample]) -> Floats:
    """A row a condition: (ones, zeros)."""
    return np.array([effective_counts(sample) for sample in samples], np.float64)


def is_one_sided(table: Floats) -> bool:
    """Whether all units of all conditions have the same value: nothing can be tested then."""
    return bool((table.sum(axis=0) == 0).any())


def expected_least(table: Floats) -> float:
    """The least count that would be expected if all conditions had one rate."""
    return float(np.outer(table.sum(axis=1), table.sum(axis=0)).min() / table.sum())


def chi_squared(table: Floats, alternative: Alternative = "two-sided") -> Tested:
    """Is the rate the same in each row? One-sided (two rows): by the signed root of the statistic."""
    if is_one_sided(table):
        return Tested("chi_squared", None, None, None)
    found = stats.chi2_contingency(table, correction=False)
    statistic, df = float(found.statistic), (float(found.dof),)
    p_value = float(found.pvalue)
    if alternative != "two-sided":
        rates = table[:, 0] / table.sum(axis=1)
        z = math.copysign(math.sqrt(statistic), rates[1] - rates[0])
        p_value = float(stats.norm.sf(z if alternative == "greater" else -z))
    return Tested("chi_squared", statistic, df, p_value)


def exact(test: str, table: Floats, alternative: Alternative) -> Tested:
    """`boschloo` or `fisher`, of whole counts. `greater`: the second row has the larger rate."""
    if is_one_sided(table):
        return Tested(test, None, None, None)
    counts = np.rint(table).astype(np.int64)[::-1]
    if test == "fisher":
        p_value = float(stats.fisher_exact(counts, alternative=alternative).pvalue)
        return Tested(test, None, None, p_value)
    # scipy compares columns.
    p_value = float(stats.boschloo_exact(counts.T, alternative=alternative).pvalue)
    return Tested(test, None, None, min(p_value, 1.0))


def mcnemar(a: Sample, b: Sample, alternative: Alternative) -> Tested:
    """Exact, of the pairs whose sides differ; none of them: nothing to test."""
    ups, downs = _discordant(a, b)
    if ups + downs == 0:
        return Tested("mcnemar", None, None, None)
    found = stats.binomtest(ups, ups + downs, 0.5, alternative=alternative)
    return Tested("mcnemar", float(ups), None, float(found.pvalue))


def wilson(sample: Sample, confidence: float) -> Effect:
    """Of a rate by itself (Wilson 1927)."""
    ones, zeros = effective_counts(sample)
    n, rate = ones + zeros, sample.mean
    z = _z(confidence)
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Effect(rate, max(middle - reach, 0.0), min(middle + reach, 1.0))


def risk_difference(a: Sample, b: Sample, confidence: float) -> Effect:
    """Rate of b - rate of a; hybrid score interval (Newcombe 1998, method 10)."""
    of_a, of_b = wilson(a, confidence), wilson(b, confidence)
    difference = b.mean - a.mean
    assert of_a.lower is not None
    assert of_a.upper is not None
    assert of_b.lower is not None
    assert of_b.upper is not None
    return Effect(
        difference,
        difference - math.hypot(of_b.value - of_b.lower, of_a.upper - of_a.value),
        difference + math.hypot(of_b.upper - of_b.value, of_a.value - of_a.lower),
    )


def paired_risk_difference(a: Sample, b: Sample, confidence: float) -> Effect:
    """Of pairs, without weights: the adjusted Wald interval (Bonett and Price 2012)."""
    ups, downs = _discordant(a, b)
    n = a.size
    up, down = (ups + 1) / (n + 2), (downs + 1) / (n + 2)
    reach = _z(confidence) * math.sqrt(max(up + down - (up - down) ** 2, 0.0) / (n + 2))
    middle = up - down
    return Effect((ups - downs) / n, max(middle - reach, -1.0), min(middle + reach, 1.0))


def _discordant(a: Sample, b: Sample) -> tuple[int, int]:
    """Pairs in which b has 1 and a has 0, and the other way round."""
    return int((b.values > a.values).sum()), int((b.values < a.values).sum())


def _z(confidence: float) -> float:
    return float(stats.norm.ppf((1 + confidence) / 2))

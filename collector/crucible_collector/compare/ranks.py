"""Tests that look at order only. They have no weighted form: `choice` refuses them where units were sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from crucible_collector.compare.means import Alternative, Tested
from crucible_collector.compare.samples import Sample

# scipy's own choice by size: exact up to here, and without ties; of KS exact up to 10,000 values.
_EXACT_MAX = 50


def mann_whitney(a: Sample, b: Sample, alternative: Alternative) -> Tested:
    """Do values of b tend to be larger than those of a? Some values differ.

    Exact without ties, up to 50 units a side: scipy's own choice stops at 8 on one side.
    """
    values = np.concatenate([a.values, b.values])
    is_small = max(a.size, b.size) <= _EXACT_MAX and len(np.unique(values)) == len(values)
    method = "exact" if is_small else "asymptotic"
    found = stats.mannwhitneyu(b.values, a.values, alternative=alternative, method=method)
    return Tested("mann_whitney", float(found.statistic), None, float(found.pvalue))


def wilcoxon(differences: Sample, alternative: Alternative) -> Tested:
    """Are the differences of pairs symmetric about 0? Some are not 0.

    Exact where none is 0 and no two are equally large; Pratt's way with zeros.
    """
    values = differences.values
    sizes = np.abs(values)
    is_small = len(values) <= _EXACT_MAX
    is_exact = is_small and (sizes > 0).all() and len(np.unique(sizes)) == len(sizes)
    found = stats.wilcoxon(
        values,
        zero_method="pratt",
        alternative=alternative,
        method="exact" if is_exact else "asymptotic",
    )
    return Tested("wilcoxon", float(found.statistic), None, float(found.pvalue))


def kolmogorov_smirnov(a: Sample, b: Sample, alternative: Alternative) -> Tested:
    """Test whether a and b are distributed alike.

    Larger values have the smaller distribution function, hence scipy's sides change places.
    """
    sides = {"two-sided": "two-sided", "greater": "less", "less": "greater"}
    method = "exact" if max(a.size, b.size) <= 1000 else "asymp"
    found = stats.ks_2samp(b.values, a.values, alternative=sides[alternative], method=method)
    return Tested("kolmogorov_smirnov", float(found.statistic), None, float(found.pvalue))


def kruskal(samples: Sequence[Sample]) -> Tested:
    """Does any of several tend to larger values? Some values differ."""
    found = stats.kruskal(*(sample.values for sample in samples))
    df = (float(len(samples) - 1),)
    return Tested("kruskal_wallis", float(found.statistic), df, float(found.pvalue))


def least_p(test: str, sizes: tuple[int, int], is_two_sided: bool) -> float:
    """The smallest p-value that so many units can ever give; of pairs, both sizes are their number."""
    if min(sizes) > _EXACT_MAX:
        return 0.0
    ways = 2 ** sizes[0] if test == "wilcoxon" else math.comb(sum(sizes), sizes[0])
    return min((2 if is_two_sided else 1) / ways, 1.0)

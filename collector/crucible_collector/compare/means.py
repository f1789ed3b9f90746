"""Tests of means, weighted where units were sampled: Welch's of two, of several, and of pairs.

scipy has no weights. These are its tests from summary statistics (`ttest_ind_from_stats`) with the effective
number of units and the standard deviation that belongs to it (`samples`); without weights the ordinary ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from crucible_collector.compare.samples import EFFECTIVE_MIN, Sample

_DF_MIN = EFFECTIVE_MIN - 1
Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test said; `df` None where it has none. `p_value` None where there is nothing to test."""

    test: str
    statistic: float | None
    df: tuple[float, ...] | None
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate with its interval; a bound is None where nothing bounds it."""

    value: float
    lower: float | None
    upper: float | None


def welch(a: Sample, b: Sample, alternative: Alternative) -> Tested:
    """Is the mean of b another than that of a? Positive where b's is larger. One side has a spread."""
    df = _welch_df(a, b)
    statistic = (b.mean - a.mean) / math.hypot(_error(a), _error(b))
    return Tested("welch", statistic, (df,), _t_tail(statistic, df, alternative))


def welch_interval(a: Sample, b: Sample, confidence: float) -> Effect:
    """Of mean b - mean a."""
    difference = b.mean - a.mean
    error = math.hypot(_error(a), _error(b))
    if error == 0:
        return Effect(difference, difference, difference)
    reach = float(stats.t.ppf((1 + confidence) / 2, _welch_df(a, b))) * error
    return Effect(difference, difference - reach, difference + reach)


def mean_interval(sample: Sample, confidence: float) -> Effect:
    """Of a mean by itself."""
    if sample.size < 2:
        return Effect(sample.mean, None, None)
    df = max(sample.effective_size - 1, _DF_MIN)
    reach = float(stats.t.ppf((1 + confidence) / 2, df)) * _error(sample)
    return Effect(sample.mean, sample.mean - reach, sample.mean + reach)


def one_sample_t(differences: Sample, alternative: Alternative) -> Tested:
    """Is the mean of the differences of pairs another than 0? They have a spread."""
    df = max(differences.effective_size - 1, _DF_MIN)
    statistic = differences.mean / _error(differences)
    return Tested("paired_t", statistic, (df,), _t_tail(statistic, df, alternative))


def welch_anova(samples: Sequence[Sample]) -> Tested:
    """Is any of several means another? Welch (1951); as `f_oneway(equal_var=False)` has it without weights.

    No p-value where a condition has no spread: its weight would be infinite.
    """
    errors = np.array([_error(sample) for sample in samples])
    if (errors == 0).any():
        return Tested("welch_anova", None, None, None)
    means = np.array([sample.mean for sample in samples])
    free = np.maximum([sample.effective_size - 1 for sample in samples], _DF_MIN)
    weights = np.square(errors.min() / errors)
    shares = weights / weights.sum()
    k = len(samples)
    grand = np.dot(shares, means)
    unevenness = (np.square(1 - shares) / free).sum()
    scaled = np.square((means - grand) / errors).sum()
    statistic = scaled / (k - 1) / (1 + 2 * (k - 2) / (k * k - 1) * unevenness)
    df = (k - 1.0, float((k * k - 1) / (3 * unevenness)))
    return Tested("welch_anova", float(statistic), df, float(stats.f.sf(statistic, *df)))


def _t_tail(statistic: float, df: float, alternative: Alternative) -> float:
    if alternative == "greater":
        return float(stats.t.sf(statistic, df))
    if alternative == "less":
        return float(stats.t.cdf(statistic, df))
    return float(2 * stats.t.sf(abs(statistic), df))


def _error(sample: Sample) -> float:
    """Standard error of the mean."""
    return sample.std / math.sqrt(sample.effective_size)


def _welch_df(a: Sample, b: Sample) -> float:
    """Welch and Satterthwaite's, by shares of the variance: squares of squares may be no doubles."""
    whole = math.hypot(_error(a), _error(b))
    terms = (
        (_error(sample) / whole) ** 4 / max(sample.effective_size - 1, _DF_MIN) for sample in (a, b)
    )
    return 1 / sum(terms)

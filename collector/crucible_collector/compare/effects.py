"""How much: effect sizes with intervals."""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

from crucible_collector.compare.means import Effect
from crucible_collector.compare.power import share_below
from crucible_collector.compare.samples import Floats, Sample

# Of |d|, by Cohen (1988).
MAGNITUDES = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"))
# Beyond it the noncentral t is as good as normal, and scipy's is slow to invert.
_NORMAL_FROM_DF = 500.0
_NORMAL_FROM_T = 30.0


def magnitude(d: float) -> str:
    """Cohen's word for it; what matters in practice is for the reader to say."""
    return next((word for below, word in MAGNITUDES if abs(d) < below), "large")


def cohens_d(a: Sample, b: Sample, confidence: float) -> Effect | None:
    """(mean b - mean a) over the pooled standard deviation; None without any spread.

    Interval from the noncentral t distribution, exact for normal values of equal variance.
    """
    free = [sample.effective_size - 1 for sample in (a, b)]
    df = sum(free)
    pooled = pooled_std(a, b)
    if pooled == 0 or df <= 0:
        return None
    d = (b.mean - a.mean) / pooled
    per_unit = math.sqrt(1 / (1 / a.effective_size + 1 / b.effective_size))
    lower, upper = _noncentrality(d * per_unit, df, confidence)
    return Effect(d, lower / per_unit, upper / per_unit)


def pooled_std(a: Sample, b: Sample) -> float:
    free = [max(sample.effective_size - 1, 0.0) for sample in (a, b)]
    if sum(free) == 0:
        return 0.0
    return math.sqrt((free[0] * a.std**2 + free[1] * b.std**2) / sum(free))


def cohens_d_of_pairs(differences: Sample, confidence: float) -> Effect | None:
    """Mean over standard deviation of the differences of pairs (d_z); None without any spread."""
    if differences.std == 0:
        return None
    d = differences.mean / differences.std
    root = math.sqrt(differences.effective_size)
    df = max(differences.effective_size - 1, 0.5)
    lower, upper = _noncentrality(d * root, df, confidence)
    return Effect(d, lower / root, upper / root)


def hedges_g(d: Effect, df: float) -> Effect:
    """Cohen's d without its bias in small samples (Hedges 1981): 0.80 of it with 3 and 3 units."""
    if df <= 1:
        return d
    factor = math.exp(
        special.gammaln(df / 2) - special.gammaln((df - 1) / 2) - math.log(df / 2) / 2
    )
    lower, upper = (None if bound is None else bound * factor for bound in (d.lower, d.upper))
    return Effect(d.value * factor, lower, upper)


def cliffs_delta(a: Sample, b: Sample, confidence: float) -> Effect:
    """P(b > a) - P(b < a) of two units drawn; without weights.

    Interval: Cliff (1996), asymmetric, by his consistent variance; where all of one side are larger than all
    of the other, which leaves no variance, Feng and Cliff (2004).
    """
    of_b = _dominance(b.values, a.values)
    of_a = _dominance(a.values, b.values)
    delta = float(of_b.mean())
    n, m = b.size, a.size
    z = float(stats.norm.ppf((1 + confidence) / 2))
    if abs(delta) == 1:
        least = min(n, m)
        bound = (least - z * z) / (least + z * z)
        return Effect(1.0, bound, 1.0) if delta > 0 else Effect(-1.0, -1.0, -bound)
    squares = _untied_share(a.values, b.values)  # mean of the squared signs of all pairs
    terms = (
        m * m * np.square(of_b - delta).sum()
        + n * n * np.square(of_a + delta).sum()
        - n * m * (squares - delta * delta)
    )
    unbiased = float(terms) / (n * m * (n - 1) * (m - 1))
    variance = max(unbiased, (1 - delta**2) / (n * m - 1))
    return Effect(delta, *_cliff_bounds(delta, variance, z))


def _cliff_bounds(delta: float, variance: float, z: float) -> tuple[float, float]:
    spread = z * z * variance
    root = math.sqrt(variance * ((1 - delta**2) ** 2 + spread))
    middle = delta - delta**3
    scale = 1 - delta**2 + spread
    lower, upper = (middle - z * root) / scale, (middle + z * root) / scale
    return max(lower, -1.0), min(upper, 1.0)


def _dominance(values: Floats, others: Floats) -> Floats:
    """Of each value, the share of others below it less the share above."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    above = len(ordered) - np.searchsorted(ordered, values, side="right")
    return np.asarray((below - above) / len(ordered), np.float64)


def _untied_share(a: Floats, b: Floats) -> float:
    ordered = np.sort(a)
    ties = np.searchsorted(ordered, b, side="right") - np.searchsorted(ordered, b, side="left")
    return 1 - float(ties.sum()) / (len(a) * len(b))


def _noncentrality(t: float, df: float, confidence: float) -> tuple[float, float]:
    """The noncentralities under which t would be at either end of what is expected."""
    tail = (1 - confidence) / 2
    reach = float(stats.norm.ppf(1 - tail)) * math.sqrt(1 + t * t / (2 * df))
    if abs(t) > _NORMAL_FROM_T or df > _NORMAL_FROM_DF:
        return t - reach, t + reach
    return _solved(t, df, 1 - tail, t - reach), _solved(t, df, tail, t + reach)


def _solved(t: float, df: float, share: float, near: float) -> float:
    """The noncentrality under which so large a share lies below t."""

    def excess(noncentrality: float) -> float:
        return share_below(t, df, noncentrality) - share

    width = 1.0
    while excess(near - width) < 0 or excess(near + width) > 0:
        width *= 2
        if width > 1e4:
            return near
    return float(brentq(excess, near - width, near + width, xtol=1e-8))

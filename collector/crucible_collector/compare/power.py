"""What would have been seen: the least effect that a comparison of this size finds in 4 of 5 cases.

From the numbers of units alone, never from the effect that was found: the power of a test at its own estimate
says nothing that its p-value does not.
"""

from __future__ import annotations

import math

from scipy import special, stats
from scipy.optimize import brentq

from crucible_collector.compare.samples import EFFECTIVE_MIN

POWER = 0.8
# Above it the noncentral t is as good as normal.
_NORMAL_FROM_DF = 500.0
# No effect is larger than what a normal distribution ever shows.
_D_MAX = 1e4


def detectable_d(sizes: tuple[float, float], alpha: float, is_two_sided: bool) -> float | None:
    """Cohen's d that a t-test of two groups finds with POWER; None where no effect is found so often."""
    per_unit = math.sqrt(1 / (1 / sizes[0] + 1 / sizes[1]))
    return _least(per_unit, sizes[0] + sizes[1] - 2, alpha, is_two_sided)


def detectable_d_of_pairs(pairs: float, alpha: float, is_two_sided: bool) -> float | None:
    """The same of pairs, in standard deviations of their differences."""
    return _least(math.sqrt(pairs), pairs - 1, alpha, is_two_sided)


def detectable_risk_difference(
    rate: float, sizes: tuple[float, float], alpha: float, is_two_sided: bool
) -> float | None:
    """The |difference of rates| from `rate` that is found with POWER, whichever way it takes more.

    By the arcsine transformation (Cohen 1988); None where not even 0 or 1 would be told from it.
    """
    tail = alpha / 2 if is_two_sided else alpha
    h = (stats.norm.isf(tail) + stats.norm.ppf(POWER)) * math.sqrt(1 / sizes[0] + 1 / sizes[1])
    angle = math.asin(math.sqrt(rate))
    reached = [
        abs(math.sin(other) ** 2 - rate)
        for other in (angle - h / 2, angle + h / 2)
        if 0 <= other <= math.pi / 2
    ]
    return max(reached, default=None)


def power_of_d(d: float, per_unit: float, df: float, alpha: float, is_two_sided: bool) -> float:
    """How often a t-test finds an effect of d; `per_unit`: standard errors in a standard deviation."""
    tail = alpha / 2 if is_two_sided else alpha
    critical, centre = float(stats.t.isf(tail, df)), d * per_unit
    found = 1 - share_below(critical, df, centre)
    return found + (share_below(-critical, df, centre) if is_two_sided else 0.0)


def share_below(t: float, df: float, noncentrality: float) -> float:
    """What lies below t of the noncentral t distribution; far out scipy has NaN for 0 and for 1."""
    share = float(special.nctdtr(df, noncentrality, t))  # stats.nct asks it, too, 50 µs later
    if math.isnan(share):
        return 0.0 if noncentrality > t else 1.0
    return share


def _least(per_unit: float, df: float, alpha: float, is_two_sided: bool) -> float | None:
    tail = alpha / 2 if is_two_sided else alpha
    if df > _NORMAL_FROM_DF:
        return float(stats.norm.isf(tail) + stats.norm.ppf(POWER)) / per_unit
    if df < EFFECTIVE_MIN - 1:
        return None

    def missing(d: float) -> float:
        return power_of_d(d, per_unit, df, alpha, is_two_sided) - POWER

    # A bound at which a central t has passed it, widened until it is one.
    high = 2 * float(stats.t.isf(tail, df) + stats.t.ppf(POWER, df)) / per_unit
    while not missing(high) > 0:
        high *= 2
        if high > _D_MAX:
            return None
    return float(brentq(missing, 0.0, high, xtol=1e-6))

"""Many comparisons at once: p-values of a family, corrected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from crucible_collector.compare.samples import Floats

CORRECTIONS = ("holm", "benjamini_hochberg", "none")


def corrected(p_values: Sequence[float], correction: str) -> list[float]:
    """Correct p-values, which stay in their order.

    Holm (1979) bounds the chance of any false find, Benjamini and Hochberg (1995) the share of false ones
    among what is found.
    """
    p = np.asarray(p_values, np.float64)
    if correction == "none" or len(p) < 2:
        return [float(each) for each in p]
    if correction == "benjamini_hochberg":
        return [float(each) for each in stats.false_discovery_control(p, method="bh")]
    return [float(each) for each in _holm(p)]


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    stepped = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted

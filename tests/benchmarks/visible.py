"""Whether a fault moved a metric: by the difference between a run and its twin without the fault.

Said before any detector looks, in deviations of the twin's own noise before the fault: a lasting difference
is the mean over some values in a row, a momentary one a single value's, and only what is for the worse is
meant. Values that are no numbers are always seen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

BLOCK = 25  # values whose mean is a lasting difference
NOISE_VALUES = 200
LASTING_MIN = 3.0
MOMENTARY_MIN = 8.0
# And so much at least, for metrics that have next to no noise.
LOG_MIN, LINEAR_MIN = np.log(1.25), 0.1
LOG_METRICS = ("loss", "gradient_norm", "duration_ms", "cost_usd")
BETTER_HIGH = ("accuracy",)


def moved(values: F64, twin: F64, at: int, metric: str) -> bool:
    """Whether `values` got visibly worse than the twin's from `at` on."""
    if metric == "learning_rate":
        return bool(((values[at:] == 0.0) & (twin[at:] != 0.0)).sum() >= BLOCK)
    if not np.isfinite(values[at:]).all():
        return True
    is_log = metric in LOG_METRICS
    sign = -1.0 if metric in BETTER_HIGH else 1.0
    y, clean = (sign * (np.log(np.maximum(x, 1e-12)) if is_log else x) for x in (values, twin))
    noise = _noise(clean[max(at - NOISE_VALUES, 0) : at])
    least = LOG_MIN if is_log else LINEAR_MIN
    difference = (y - clean)[at:]
    lasting = np.convolve(difference, np.full(BLOCK, 1.0 / BLOCK), "valid")
    return bool(
        lasting.max(initial=-np.inf) >= max(LASTING_MIN * noise, least)
        or difference.max(initial=-np.inf) >= max(MOMENTARY_MIN * noise, least)
    )


def _noise(values: F64) -> float:
    """Deviation about a straight line."""
    x = np.arange(len(values))
    return float((values - np.polyval(np.polyfit(x, values, 1), x)).std())

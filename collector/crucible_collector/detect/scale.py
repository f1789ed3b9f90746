"""On what scale values are compared, and bounds that say the same as a score.

What one could not guess: a bound is computed from logarithms and products, so that a value next to it may
be on its other side by a rounding error. It is moved to where the score says that it is: who draws the
band sees a flag outside and everything else inside.
"""

from __future__ import annotations

import math
from typing import Any

from crucible_collector.kernels import inlined

# The sums of squares of larger values are not finite.
VALUE_MAX = 1e150
LOG_MAX = 709.0  # exp of more is not finite

_NEXT = 1.0 + 2.0**-52
_TINY = 5e-324


@inlined
def on_scale(value: Any, is_log: Any) -> Any:
    """What is compared: the value or its logarithm; NaN where it has none."""
    if is_log:
        return math.log(value) if value > 0.0 else math.nan
    return min(max(value, -VALUE_MAX), VALUE_MAX)


@inlined
def off_scale(x: Any, is_log: Any) -> Any:
    """The value that `on_scale` made this of."""
    return math.exp(min(x, LOG_MAX)) if is_log else x


@inlined
def not_below(bound: Any, value: Any) -> Any:
    """The bound, but no less than the value."""
    return max(bound, value)


@inlined
def below(bound: Any, value: Any) -> Any:
    """The bound, but less than the value."""
    if bound < value:
        return bound
    return value / _NEXT - _TINY if value > 0.0 else value * _NEXT - _TINY

"""Which way a metric improves, as the registry has it, and for names that it does not have by their words."""

from __future__ import annotations

import re

import crucible_schema

# Of the metrics that comparisons make themselves.
_OWN = {
    "duration": True,
    "latency": True,
    "cost": True,
    "cost_per_request": True,
    "tokens": True,
    "error_rate": True,
    "success": False,
    "request_success": False,
}
# Prefixes that tell on which data a metric was measured: val_f1 improves as f1 does.
_SPLIT = re.compile(r"^(?:val|valid|validation|test|eval|dev|train)[_/.-]")


def lower_is_better(metric: str) -> bool | None:
    """None where nobody knows, or neither way is better."""
    if metric in _OWN:
        return _OWN[metric]
    for name in (metric, _SPLIT.sub("", metric)):
        known = crucible_schema.MEASUREMENTS.get(name) or crucible_schema.METRICS.get(name)
        if known is not None:
            return known.lower_is_better
    return None

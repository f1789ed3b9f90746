"""Every strategy, with the settings under which the conformance suite looks at it."""

from __future__ import annotations

from typing import Any

CONSTANT: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": 0.2},
    "rates": {"strategy": "stratified", "rates": {"error": 1.0, "success": 0.2}},
    "rates by label": {
        "strategy": "stratified",
        "by": ["event", "model"],
        "rates": {"app.event_0/small": 0.1, "other": 0.3},
    },
}
BUDGET_PER_S = 20.0
BUDGETED: dict[str, dict[str, Any]] = {
    name: {
        "strategy": "stratified",
        "by": ["event"],
        "budget_per_s": BUDGET_PER_S,
        "allocation": name,
    }
    for name in ("equal", "proportional", "neyman")
} | {"importance": {"strategy": "importance", "budget_per_s": BUDGET_PER_S}}
VARIANTS = (
    CONSTANT
    | BUDGETED
    | {
        "reservoir": {"strategy": "reservoir", "k": 10, "window_s": 2},
        "reservoir by status": {
            "strategy": "reservoir",
            "k": 12,
            "window_s": 1,
            "by": ["status", "model"],
        },
        "adaptive": {"strategy": "adaptive", "target_per_s": 5, "min_samples": 50, "hold_s": 1},
        "adaptive without target": {"strategy": "adaptive", "min_samples": 50, "hold_s": 1},
        "importance, thinned": {"strategy": "importance", "budget_per_s": 6},
        "tail of uniform": {
            "strategy": "tail",
            "otherwise": {"strategy": "uniform", "probability": 0.1},
        },
        "tail of reservoir": {
            "strategy": "tail",
            "rules": [{"attributes": {"tier": "gold"}}, {"slower_than_ms": 800}],
            "otherwise": {"strategy": "reservoir", "k": 10, "window_s": 2},
        },
    }
)
# The same with room for everything.
WHOLE: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": 1.0},
    "rates": {"strategy": "stratified", "rates": {"other": 1.0}},
    **{name: {**settings, "budget_per_s": 1e9} for name, settings in BUDGETED.items()},
    "reservoir": {"strategy": "reservoir", "k": 100_000, "window_s": 2},
    "adaptive": {"strategy": "adaptive", "target_per_s": 1e9, "min_samples": 0},
    "adaptive without target": {"strategy": "adaptive", "base_rate": 1.0, "min_samples": 0},
    "tail": {"strategy": "tail", "otherwise": {"strategy": "uniform", "probability": 1.0}},
}

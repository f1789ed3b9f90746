"""One strategy a file: `uniform`, `stratified`, `reservoir`, `adaptive`, `importance`, `tail`.

`strata` tells records apart and bounds how many strata are remembered; `rates` forecasts how many rows
a second each has; `latencies` knows how long an event usually takes; `spending` is what a budget spends.
"""

from __future__ import annotations

from crucible_collector.batch import Signal
from crucible_collector.sample import strategy_settings as settings_of
from crucible_collector.sample.rules import Rule
from crucible_collector.sample.strategies.adaptive import Adaptive
from crucible_collector.sample.strategies.importance import Importance
from crucible_collector.sample.strategies.reservoir import Reservoir
from crucible_collector.sample.strategies.stratified import Budgeted, Rated
from crucible_collector.sample.strategies.tail import Tail
from crucible_collector.sample.strategies.uniform import Uniform
from crucible_collector.sample.strategy import Strategy

__all__ = ["made", "made_of"]


def made(rule: Rule, signal: Signal, decision_wait_s: float) -> Strategy:  # noqa: ARG001
    """The strategy of a rule for one signal, which has learned nothing yet.

    Each signal has its own; none of them needs to know which.
    """
    return made_of(rule.settings, decision_wait_s)


def made_of(settings: settings_of.StrategySettings, decision_wait_s: float) -> Strategy:
    """The strategy of its settings."""
    found: Strategy
    match settings:
        case settings_of.Uniform():
            found = Uniform(settings.probability)
        case settings_of.Stratified(rates=None, budget_per_s=float(budget)):
            found = Budgeted(settings.by, budget, settings.allocation or "proportional")
        case settings_of.Stratified():
            found = Rated(settings.by, settings.rates or {})
        case settings_of.Reservoir():
            found = Reservoir(settings.by, settings.k, settings.window_s)
        case settings_of.Adaptive():
            found = Adaptive(
                settings.by,
                settings.target_per_s,
                settings.base_rate,
                settings.anomaly_rate,
                settings.min_samples,
                settings.hold_s,
            )
        case settings_of.Importance():
            found = Importance(settings.budget_per_s, settings.weights, decision_wait_s)
        case settings_of.Tail():
            otherwise = made_of(settings.otherwise, decision_wait_s)
            found = Tail(settings.rules, otherwise, decision_wait_s)
    return found

"""How far estimates lie from the truth on five million spans, of which a budget keeps one in fifty.

Each strategy decides about the same spans under ROUNDS draws of their trace ids; what is shown is the
root of the mean square of the relative errors (the error to expect) and, for the goals, the largest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.report import Figure, Goal, at_most, figure
from benchmarks.sampling_stream import EVENTS, Kept, Stream, kept
from crucible_collector.batch import F64, I64
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler

SPANS, PER_S = 5_000_000, 20_000.0
BUDGET = 0.02  # of the rows
ROUNDS = 5
QUANTILE = 0.99
GOALS = {"errors": at_most(2), "total duration": at_most(2), "p99": at_most(3)}
# The budgets fill within the first seconds; a rate is spent a little over in between.
SPENT = at_most(100 * BUDGET * 1.1)


def strategies(per_s: float) -> dict[str, dict[str, Any]]:
    """Each within the budget."""
    budget = BUDGET * per_s
    return {
        "importance": {"strategy": "importance", "budget_per_s": budget},
        "uniform": {"strategy": "uniform", "probability": BUDGET},
        "stratified, Neyman": {
            "strategy": "stratified",
            "by": ["event", "status"],
            "budget_per_s": budget,
            "allocation": "neyman",
        },
        "tail": {
            "strategy": "tail",
            "rules": [{"error": True}, {"slow_quantile": 0.995}],
            "otherwise": {"strategy": "uniform", "probability": BUDGET - 0.01},
        },
    }


def quantile(values: I64, weight: F64, q: float) -> float:
    """The inverse of the weighted distribution function."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    at = min(int(np.searchsorted(below, q * below[-1])), len(values) - 1)
    return float(values[order[at]])


def estimates(stream: Stream, found: Kept) -> dict[str, float]:
    """What is told of a stream by the rows that were kept."""
    duration, weight = stream.duration_ns[found.rows], found.weight
    event = stream.event[found.rows]
    told = {
        "errors": float(weight[stream.status[found.rows] == 2].sum()),
        "total duration": float((duration * weight).sum()),
        "p99": quantile(duration, weight, QUANTILE),
    }
    for number, each in enumerate(EVENTS):
        of = event == number
        told[f"p99 of {each.name}"] = quantile(duration[of], weight[of], QUANTILE)
    return told


def truth(stream: Stream) -> dict[str, float]:
    return estimates(stream, Kept(np.arange(stream.count), np.ones(stream.count)))


def accuracy(*, quick: bool) -> Iterator[Figure]:
    """Errors of every strategy, of traces of one span and of ten."""
    count, rounds = (100_000, 1) if quick else (SPANS, ROUNDS)
    for trace_spans in (1, 10):
        stream = Stream(count, PER_S, trace_spans)
        wanted = truth(stream)
        for name, rule in strategies(PER_S).items():
            place = f"{name}, traces of {trace_spans}"
            has_goals = name == "importance" and not quick
            yield from _errors(stream, wanted, place, rule, rounds, has_goals=has_goals)


def _errors(
    stream: Stream,
    wanted: dict[str, float],
    place: str,
    rule: dict[str, Any],
    rounds: int,
    *,
    has_goals: bool,
) -> Iterator[Figure]:
    errors: dict[str, list[float]] = {name: [] for name in wanted}
    shares = []
    for number in range(rounds):
        _draw(stream, number)
        found = kept(stream, Sampler(Rules.parse({"rules": [rule]})))
        shares.append(len(found.rows) / stream.count)
        for name, told in estimates(stream, found).items():
            errors[name].append(100 * (told / wanted[name] - 1))
    yield figure(f"{place}: kept", 100 * float(np.mean(shares)), "%", SPENT if has_goals else None)
    for name, each in errors.items():
        if name in GOALS:
            worst = float(np.abs(each).max())
            goal: Goal | None = GOALS[name] if has_goals else None
            yield figure(f"{place}: {name}, largest error", worst, "%", goal)
            yield figure(f"{place}: {name}, error", _rms(each), "%")
    of_events = [_rms(each) for name, each in errors.items() if name not in GOALS]
    yield figure(f"{place}: p99 of one event, error (worst of {len(EVENTS)})", max(of_events), "%")


def _rms(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _draw(stream: Stream, number: int) -> None:
    """Give the stream's traces other ids: everything else about it stays."""
    other = dataclasses.replace(stream, seed=stream.seed + 1_000 + number)
    vars(stream)["trace_id"] = other.trace_id

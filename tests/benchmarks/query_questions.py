"""What readers ask of a filled database: the questions of `bench-storage`, and those about everything else.

All are drawn from the database's story, so each has an answer; every question comes equally often, in one
order that is the same in every benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from benchmarks.query_reader import Asked
from benchmarks.storage_questions import QUESTIONS, Parameters, _one, _period, _texts
from benchmarks.storage_story import SEED, Story

RUNS = 5  # whose curves are laid over each other
CURVE_POINTS = 500


@dataclass(frozen=True, slots=True)
class Further:
    """A question that `bench-storage` does not ask."""

    name: str
    draw: Callable[[Story, np.random.Generator], tuple[str, Parameters, dict[str, Any] | None]]


def _training_runs(story: Story, random: np.random.Generator, count: int) -> list[str]:
    return [_one(story, "training", random).run_id for _ in range(count)]


def _curves(story: Story, random: np.random.Generator) -> Any:
    runs = ",".join(dict.fromkeys(_training_runs(story, random, RUNS)))
    return "/curves", {"run": runs, "metric": "loss", "points": CURVE_POINTS}, None


def _run(story: Story, random: np.random.Generator) -> Any:
    return f"/runs/{_one(story, 'training', random).run_id}", {}, None


def _runs_of(story: Story, random: np.random.Generator) -> Any:
    return "/runs", {"experiment": _one(story, "training", random).experiment_id}, None


def _experiments(_story: Story, _random: np.random.Generator) -> Any:
    return "/experiments", {}, None


def _numbers(story: Story, random: np.random.Generator) -> Any:
    asked = {
        "metric": "duration",
        "agg": "count,avg,p50,p99",
        "interval": "1h",
        "group_by": "event",
    }
    return "/aggregate", {**asked, **_texts(_period(story, 1, random))}, None


def _reliability(story: Story, random: np.random.Generator) -> Any:
    asked = {"event": "crucible_deployment.inference.stop"}
    return "/reliability", {**asked, **_texts(_period(story, 7, random))}, None


def _cost(story: Story, random: np.random.Generator) -> Any:
    asked = {"group_by": "model", "interval": "1d"}
    return "/cost", {**asked, **_texts(_period(story, 30, random))}, None


def _anomalies(_story: Story, _random: np.random.Generator) -> Any:
    return "/anomalies/periods", {}, None


def _logs(story: Story, random: np.random.Generator) -> Any:
    return "/logs", {"run": _one(story, "training", random).run_id}, None


def _compare(story: Story, random: np.random.Generator) -> Any:
    one = _one(story, "training", random)
    body = {"experiment": one.experiment_id, "metric": "loss", "of": "final"}
    return "/compare", {}, body


FURTHER = (
    Further(f"{RUNS} runs' curves at {CURVE_POINTS} points", _curves),
    Further("one run in full", _run),
    Further("runs of an experiment", _runs_of),
    Further("newest experiments", _experiments),
    Further("mean, p50, p99 by hour and event for a day, any metric", _numbers),
    Further("reliability of inferences for a week", _reliability),
    Further("cost by model by day for a month", _cost),
    Further("newest periods of anomalies", _anomalies),
    Further("logs of a run", _logs),
    Further("conditions of an experiment compared", _compare),
)


def mixed(story: Story, count: int) -> list[Asked]:
    """`count` questions: every kind in turn, in another order each time round."""
    random = np.random.default_rng((SEED, count))
    kinds = len(QUESTIONS) + len(FURTHER)
    found: list[Asked] = []
    while len(found) < count:
        found += [_drawn(story, int(number), random) for number in random.permutation(kinds)]
    return found[:count]


def _drawn(story: Story, number: int, random: np.random.Generator) -> Asked:
    if number < len(QUESTIONS):
        question = QUESTIONS[number]
        return Asked(question.name, question.draw(story, random).url)
    further = FURTHER[number - len(QUESTIONS)]
    path, parameters, body = further.draw(story, random)
    query = f"?{urlencode(parameters)}" if parameters else ""
    return Asked(further.name, f"/api/v1{path}{query}", body)

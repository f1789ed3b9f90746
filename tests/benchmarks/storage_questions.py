"""What dashboards ask a filled database, as requests to the collector's own API, drawn from its story.

Each question is asked with other runs, days and traces every time, the same ones in every benchmark.
`raw` names the same question to raw rows, in SQL of the benchmark's own: what roll-ups are compared
with.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlencode

import numpy as np

from benchmarks.storage_inferences import CORRELATED, correlations, trace_ids
from benchmarks.storage_rows import epoch_ids, series_ids
from benchmarks.storage_story import EPOCH_BATCHES, SEED, Kind, Run, Story

CURVE_POINTS = 1_000
NEWEST = 100
ROWS_MAX = 1_000
# Whoever asks for a trace knows about when it was.
NEAR = dt.timedelta(hours=1)

Parameters: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """A path with its parameters; `raw` are those of the same question to raw rows."""

    path: str
    parameters: Parameters = field(default_factory=dict)
    raw: Parameters = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"/api/v1{self.path}?{urlencode(self.parameters)}"


@dataclass(frozen=True, slots=True)
class Question:
    """`draw` makes a request; an answer has `rows_min` rows at least.

    `raw`, where there is one, is the file in storage_raw, `key` what its rows are told apart by, and
    `is_wide` says that it is about a day or more.
    """

    name: str
    draw: Callable[[Story, np.random.Generator], Request]
    rows_min: int = 1
    raw: str = ""
    key: tuple[str, ...] = ()
    is_wide: bool = False

    def requests(self, story: Story, count: int) -> list[Request]:
        random = np.random.default_rng((SEED, *self.name.encode()))
        return [self.draw(story, random) for _ in range(count)]


def _one(story: Story, kind: Kind, random: np.random.Generator) -> Run:
    """A run that is not among the smallest."""
    runs = sorted((run for run in story.runs if run.kind == kind), key=lambda run: run.units)
    return runs[int(random.integers(len(runs) // 4, len(runs)))]


def _any(story: Story, random: np.random.Generator) -> Kind:
    return story.kinds[random.integers(len(story.kinds))]


def _time(micro: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(micro) / 1e6, dt.UTC)


def _period(story: Story, days: int, random: np.random.Generator) -> dict[str, dt.datetime]:
    """So many days that begin at no full hour, as the last so many days of whoever asks do."""
    length = dt.timedelta(days=min(days, story.scale.days - 1))
    latest = (story.end - length).timestamp()
    first = latest - int(random.integers(story.scale.days * 86_400 - int(length.total_seconds())))
    start = dt.datetime.fromtimestamp(first, dt.UTC)
    return {"from": start, "to": start + length}


def _whole(story: Story, random: np.random.Generator) -> dict[str, dt.datetime]:
    """All days but some seconds at both ends, so that no two requests are the same."""
    late, early = (dt.timedelta(seconds=int(random.integers(3_600))) for _ in range(2))
    return {
        "from": story.end - dt.timedelta(days=story.scale.days) + late,
        "to": story.end - early,
    }


def _texts(period: dict[str, dt.datetime]) -> Parameters:
    return {name: time.isoformat() for name, time in period.items()}


def _curve(story: Story, random: np.random.Generator) -> Request:
    run = _one(story, "training", random)
    metric = ("loss", "gradient_norm", "learning_rate")[random.integers(3)]
    return Request(f"/runs/{run.run_id}/series/{metric}", {"points_max": CURVE_POINTS})


def _percentiles(story: Story, random: np.random.Generator) -> Request:
    period = _period(story, 1, random)
    asked = {"interval": "1h", "group_by": "event", "percentiles": "true", "limit": ROWS_MAX}
    return Request("/events/aggregate", {**asked, **_texts(period)}, {**period})


def _inferences(story: Story, random: np.random.Generator) -> Request:
    period = _period(story, 1, random)
    event = "crucible_deployment.inference.stop"
    asked = {"interval": "1h", "event": event, "limit": ROWS_MAX}
    return Request("/events/aggregate", {**asked, **_texts(period)}, {**period, "event": event})


def _errors_ever(story: Story, random: np.random.Generator) -> Request:
    period = _whole(story, random)
    asked = {"group_by": "event", "percentiles": "false", "limit": ROWS_MAX}
    return Request("/events/aggregate", {**asked, **_texts(period)}, {**period})


def _errors(story: Story, random: np.random.Generator) -> Request:
    period = _period(story, 7, random)
    asked = {"group_by": "event", "percentiles": "false", "limit": ROWS_MAX}
    return Request("/events/aggregate", {**asked, **_texts(period)}, {**period})


def _costs(story: Story, random: np.random.Generator) -> Request:
    period = _whole(story, random)
    asked = {"interval": "1d", "group_by": "model", "percentiles": "false", "limit": ROWS_MAX}
    return Request("/events/aggregate", {**asked, **_texts(period)}, {**period})


def _numbers(story: Story, random: np.random.Generator) -> Request:
    run = _one(story, "training", random)
    series = int(series_ids(run)[0])
    first = _time(run.start_us)
    period = {"from": first, "to": first + dt.timedelta(days=1)}
    asked = {"interval": "1h"}
    return Request(
        f"/series/{series:016x}/aggregate",
        {**asked, **_texts(period)},
        {**period, "series": series},
    )


def _newest(story: Story, random: np.random.Generator) -> Request:
    run = _one(story, _any(story, random), random)
    return Request("/events", {"run": run.run_id, "limit": NEWEST})


def _trace(story: Story, random: np.random.Generator, *, near: bool = False) -> Request:
    """An epoch's or a pipeline's."""
    kind = _any(story, random)
    run = _one(story, kind, random)
    if kind == "training":
        unit = int(random.choice(story.units(run))) // EPOCH_BATCHES
        trace, at_us = epoch_ids(run)[0][unit], run.start_us + unit * EPOCH_BATCHES * run.every_us
    else:
        unit = int(random.choice(story.units(run)))
        trace, at_us = trace_ids(run)[unit], run.start_us + unit * run.every_us
    path = f"/traces/{uuid.UUID(bytes=trace.tobytes()).hex}"
    return Request(path, _near(at_us, run.every_us) if near else {})


def _correlation(story: Story, random: np.random.Generator, *, near: bool = False) -> Request:
    run = _one(story, "pipeline", random)
    unit = int(random.choice(story.units(run))) // CORRELATED
    path = f"/correlations/{correlations(run)[unit].as_py()}"
    at_us = run.start_us + unit * CORRELATED * run.every_us
    return Request(path, _near(at_us, CORRELATED * run.every_us) if near else {})


def _near(at_us: float, every_us: float) -> Parameters:
    return _texts({"from": _time(at_us) - NEAR, "to": _time(at_us + every_us) + NEAR})


QUESTIONS = (
    Question(f"a run's curve at {CURVE_POINTS:,} points", _curve, rows_min=2),
    Question(
        "p50, p95, p99 by hour and event for a day",
        _percentiles,
        0,
        "percentiles",
        ("time", "event_name"),
        is_wide=True,
    ),
    Question(
        "p50, p95, p99 of inferences by hour for a day",
        _inferences,
        0,
        "percentiles_of_event",
        ("time",),
        is_wide=True,
    ),
    Question("error rate by event for a week", _errors, 0, "errors", ("event_name",), is_wide=True),
    Question(
        "error rate by event for all days",
        _errors_ever,
        1,
        "errors",
        ("event_name",),
        is_wide=True,
    ),
    Question(
        "cost by model by day for all days", _costs, 1, "costs", ("time", "model"), is_wide=True
    ),
    Question("mean of a series by hour for a day", _numbers, 1, "numbers", ("time",), is_wide=True),
    Question(f"newest {NEWEST} events of a run", _newest, rows_min=10),
    Question("one trace", _trace),
    Question("one trace, about when", lambda story, random: _trace(story, random, near=True)),
    Question("one correlation id", _correlation),
    Question(
        "one correlation id, about when",
        lambda story, random: _correlation(story, random, near=True),
    ),
)

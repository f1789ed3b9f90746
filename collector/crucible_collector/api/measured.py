"""The numbers that are compared: of runs, or of requests, a side at a time, and what had to be left out."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import crucible_schema
from crucible_collector.api.comparison import MetricAsked
from crucible_collector.api.sides import RunFound, Side, Sides
from crucible_collector.compare import Sample, lower_is_better
from crucible_collector.compare.samples import SIZE_MAX
from crucible_collector.errors import NotComparableError
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE

UNITS = {"duration": "ms", "cost": "USD", "tokens": "{token}", "success": "1"}
_LEVELS = (DAY, HOUR, MINUTE)
# By status of the run; whichever is not here has not ended, or was ended by a person.
_SUCCEEDED = {"completed": 1.0, "early_stopped": 1.0, "failed": 0.0, "stalled": 0.0}
# Ranks that were sampled at the same step may differ by so much in how far they came.
_UNEQUAL_STEPS = 1.1


@dataclass
class Measured:
    """Samples in the order of the sides, what was left out of each by reason, and warnings.

    `last_steps`: by unit, of measurements. `run_ids`: of requests, the run of each unit.
    """

    samples: list[Sample]
    unit_ids: list[list[str]]
    left_out: list[dict[str, list[str]]]
    value_unit: str | None
    event: str | None = None
    last_steps: dict[str, int | None] = field(default_factory=dict)
    run_ids: list[list[str | None]] | None = None
    is_sampled: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Value:
    """The number of a run, or why there is none."""

    value: float | None
    reason: str = ""
    last_step: int | None = None


def better(metric: MetricAsked) -> bool | None:
    """Whether lower is better: as was said, else as is known."""
    if metric.direction is not None:
        return metric.direction == "lower"
    return lower_is_better(metric.metric)


def of_runs(reads: Reads, metric: MetricAsked, sides: Sides) -> Measured:
    """A number a run."""
    if metric.metric in {"cost", "tokens"}:
        return _used(reads, metric, sides)
    if metric.metric in {"duration", "success"}:
        value_of = _duration if metric.metric == "duration" else _success
        return _collected(sides, metric, value_of)
    return _measurement(reads, metric, sides)


def _duration(run: RunFound) -> Value:
    if run.duration_ms is None:
        return Value(None, "has not ended, or never said that it began")
    return Value(run.duration_ms)


def _success(run: RunFound) -> Value:
    return Value(_SUCCEEDED.get(run.status), f"is {run.status}, which says neither")


def _used(reads: Reads, metric: MetricAsked, sides: Sides) -> Measured:
    """Sums over the run's events: from roll-ups, weighted where these were sampled."""
    rows = reads.json_rows(
        "compare_usage",
        runs=sides.run_ids,
        sums=cut(None, None, _LEVELS),
        **dict.fromkeys(("run", "story", "experiment", "model", "status")),
        event=metric.event,
    )
    used = {row["run_id"]: row for row in map(json.loads, rows)}

    def value_of(run: RunFound) -> Value:
        found = used.get(run.run_id, {}).get(metric.metric)
        return Value(found, f"has no event with a known {metric.metric}")

    made = _collected(sides, metric, value_of)
    made.event = metric.event
    made.is_sampled = any(row["is_sampled"] for row in used.values())
    if made.is_sampled:
        made.warnings.append(
            f"events were sampled, so that the {metric.metric} of a run is an estimate: its error is part of the"
            " spread between runs"
        )
    unpriced = sum(row["unpriced_call_count"] for row in used.values())
    if metric.metric == "cost" and unpriced:
        made.warnings.append(
            f"about {unpriced:.0f} calls have no known price, and are not in the costs: see /api/v1/cost/unpriced"
        )
    return made


def _collected(
    sides: Sides, metric: MetricAsked, value_of: Callable[[RunFound], Value]
) -> Measured:
    made = Measured([], [], [], UNITS.get(metric.metric))
    has_training = any(run.kind == "training" for side in sides for run in side.runs)
    is_measurement = metric.metric not in UNITS
    for side in sides:
        kept: list[tuple[RunFound, float]] = []
        left_out: defaultdict[str, list[str]] = defaultdict(list)
        for run in side.runs:
            found = value_of(run)
            if (
                has_training
                and run.kind == "pipeline"
                and (found.value is None or not is_measurement)
            ):
                left_out["is a pipeline, and trainings are compared"].append(run.run_id)
            elif found.value is None:
                left_out[found.reason].append(run.run_id)
            elif not abs(found.value) <= SIZE_MAX:  # nor is NaN
                left_out[f"gave a {metric.metric} that is not finite"].append(run.run_id)
            else:
                kept.append((run, found.value))
                made.last_steps[run.run_id] = found.last_step
        made.samples.append(_sample(side.name, kept))
        made.unit_ids.append([run.run_id for run, _ in kept])
        made.left_out.append(dict(left_out))
    made.warnings += _told(made, metric)
    return made


def _sample(name: str, kept: Sequence[tuple[RunFound, float]]) -> Sample:
    values = np.array([value for _, value in kept], np.float64)
    return Sample(name, values, None, tuple(run.pair_id for run, _ in kept))


def _told(made: Measured, metric: MetricAsked) -> list[str]:
    told = []
    reason = f"gave a {metric.metric} that is not finite"
    for sample, left_out in zip(made.samples, made.left_out, strict=True):
        if reason in left_out:
            told.append(
                f"{len(left_out[reason])} of {sample.name!r} {reason} and {_is(left_out[reason])} left out, which"
                " flatters it: compare success, too"
            )
    return told


def _is(several: Sequence[object]) -> str:
    return "is" if len(several) == 1 else "are"


def _measurement(reads: Reads, metric: MetricAsked, sides: Sides) -> Measured:
    name, of, lower = metric.metric, metric.of, better(metric)
    if of == "best" and lower is None:
        raise NotComparableError(
            f"nobody knows which {name} is the best: say `direction`, higher or lower"
        )
    shared = {"runs": sides.run_ids, "metric": name, "event": metric.event}
    if of in {"final", "at_step"}:
        column, rows = "value", reads.json_rows("compare_last", step=metric.step, **shared)
    else:
        column = {"best": "min" if lower else "max", "over_range": "mean"}.get(of, of)
        rows = reads.json_rows(
            "compare_summed", from_step=metric.from_step, to_step=metric.to_step, **shared
        )
    found = [json.loads(row) for row in rows]
    event, warnings = _event(found, metric)
    by_run: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        if row["event_name"] == event:
            by_run[row["run_id"]].append(row)

    def value_of(run: RunFound) -> Value:
        return _value(by_run.get(run.run_id, []), column, metric)

    made = _collected(sides, metric, value_of)
    if not found:
        raise NotComparableError(f"none of these runs measured {name!r}")
    made.event = event
    known = crucible_schema.MEASUREMENTS.get(name)
    units = {row["unit"] for row in found if row["unit"]}
    of_registry = None if known is None else known.unit
    made.value_unit = units.pop() if len(units) == 1 else of_registry
    made.warnings = warnings + made.warnings + _odd(found, made, metric)
    return made


def _event(found: Iterable[dict[str, Any]], metric: MetricAsked) -> tuple[str | None, list[str]]:
    """The event that most runs measured it with, of these the one with the fewest points."""
    runs: defaultdict[str | None, set[str]] = defaultdict(set)
    points: Counter[str | None] = Counter()
    for row in found:
        runs[row["event_name"]].add(row["run_id"])
        points[row["event_name"]] += row["point_count"]
    if not runs:
        return metric.event, []
    names = sorted(runs, key=lambda name: (-len(runs[name]), points[name], name or ""))
    if len(names) == 1:
        return names[0], []
    others = ", ".join(str(name) for name in names[1:])
    return names[0], [
        f"{metric.metric} was measured by several events: taken is {names[0]}, not {others} (see `event`)"
    ]


def _value(rows: Sequence[dict[str, Any]], column: str, metric: MetricAsked) -> Value:
    """Of one run, over its ranks."""
    if not rows:
        return Value(None, f"measured no {metric.metric}{_where(metric)}")
    if not all(row["is_reached"] for row in rows):
        return Value(None, f"did not come to step {metric.step}")
    steps = [row["last_step"] for row in rows if row["last_step"] is not None]
    numbers = [row[column] for row in rows if row[column] is not None]
    # The database spells NaN and infinity as strings.
    value = float(np.mean([float(number) for number in numbers])) if numbers else math.nan
    return Value(value, last_step=max(steps, default=None))


def _where(metric: MetricAsked) -> str:
    if metric.of == "at_step":
        return f" up to step {metric.step}"
    return " in this range of steps" if metric.of == "over_range" else ""


def _odd(found: Iterable[dict[str, Any]], made: Measured, metric: MetricAsked) -> list[str]:
    odd = []
    skipped = sum(row["non_finite_count"] for row in found)
    if skipped and metric.of not in {"final", "at_step"}:
        odd.append(
            f"{skipped} numbers were not finite and were left out of what stands for their run"
        )
    reached = {}
    for sample, unit_ids in zip(made.samples, made.unit_ids, strict=True):
        steps = [step for unit in unit_ids if (step := made.last_steps[unit]) is not None]
        if steps:
            reached[sample.name] = float(np.median(steps))
    if metric.of != "over_range" and len(reached) > 1:
        low, high = min(reached.values()), max(reached.values())
        if high > _UNEQUAL_STEPS * max(low, 1):
            told = ", ".join(f"{name!r} to {step:g}" for name, step in reached.items())
            odd.append(
                f"the sides were measured up to unequal steps ({told}): at_step compares like with like"
            )
    return odd


def loose(sides: Iterable[Side]) -> list[tuple[str, str | None, int]]:
    """Whose requests without a run belong to a side: (experiment, condition, place)."""
    return [
        (side.experiment, side.condition, place)
        for place, side in enumerate(sides)
        if side.experiment is not None
    ]

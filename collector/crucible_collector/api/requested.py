"""The numbers of requests that are compared: a number a trace, a sample, or a run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from scipy import stats

import crucible_schema
from crucible_collector.api.comparison import CompareRequest, MetricAsked, Unit
from crucible_collector.api.measured import Measured, loose
from crucible_collector.api.sides import Sides
from crucible_collector.compare import Sample
from crucible_collector.errors import NotComparableError
from crucible_collector.store.read import Reads

UNITS = {
    "latency": "ms",
    "cost_per_request": "USD",
    "tokens": "{token}",
    "request_success": "1",
    "error_rate": "1",
}
METRICS = frozenset(UNITS)
RATES = frozenset({"request_success", "error_rate", "success"})
# Two seconds and 60 MB of the collector; a run as the unit has no such bound.
ROWS_MAX = 200_000
# How alike requests of a run must be, and how surely, for a warning.
_ALIKE, _SURE = 0.02, 0.001


def is_of_requests(metric: MetricAsked) -> bool:
    """Whether requests are compared: these metrics, where an event says what a request is."""
    return metric.metric in METRICS and (metric.metric != "tokens" or metric.event is not None)


def of_requests(
    reads: Reads, metric: MetricAsked, asked: CompareRequest, sides: Sides
) -> tuple[Measured, Unit]:
    """Sums (costs, tokens) or means (latencies) of a unit; it succeeded where none of its events failed."""
    if metric.event is None:
        raise NotComparableError(
            f"{metric.metric} is that of a request: say in `event` what a request is, such as"
            " crucible_deployment.inference"
        )
    chosen = _parameters(metric, asked, sides)
    counts = {
        row["place"]: row
        for row in map(json.loads, reads.json_rows("compare_request_counts", **chosen))
    }
    unit = _unit(counts, metric, asked)
    rows = reads.json_rows("compare_requests", what=metric.metric, unit=unit, **chosen)
    found = {row["place"]: row for row in map(json.loads, rows)}
    made = Measured([], [], [], UNITS[metric.metric], metric.event, run_ids=[])
    made.is_sampled = any(row["is_sampled"] for row in found.values())
    for place, side in enumerate(sides):
        _add(made, found.get(place), counts.get(place), side.name, unit)
    made.warnings += _alike(made, unit)
    return made, unit


def _parameters(metric: MetricAsked, asked: CompareRequest, sides: Sides) -> dict[str, Any]:
    others = loose(sides)
    return {
        "runs": sides.run_ids,
        "places": [place for place, side in enumerate(sides) for _ in side.runs],
        "experiments": [experiment for experiment, _, _ in others],
        "conditions": [condition for _, condition, _ in others],
        "experiment_places": [place for _, _, place in others],
        "events": _events(metric.event or "", metric.metric),
        "from_time": asked.from_time,
        "to_time": asked.to_time,
    }


def _events(event: str, metric: str) -> list[str]:
    """The names of the events that a request ends with: one that fails may have another name."""
    name = crucible_schema.canonical_event(event)
    for lifecycle in crucible_schema.LIFECYCLES.values():
        if name == lifecycle.span_name or (name == lifecycle.stop and metric in RATES):
            return [lifecycle.stop, *([lifecycle.exception] if lifecycle.exception else [])]
    return [name]


def _unit(counts: dict[int, Any], metric: MetricAsked, asked: CompareRequest) -> Unit:
    rows = sum(row["row_count"] for row in counts.values())
    have_ids = sum(row["sample_id_count"] for row in counts.values())
    if not rows:
        raise NotComparableError(f"there is no event {metric.event!r} on any side")
    if asked.unit != "auto":
        unit: Unit = asked.unit
    elif asked.pair_by == "sample_id" or (asked.pair_by == "auto" and have_ids == rows):
        unit = "sample_id"
    else:
        unit = "trace"
    if unit == "sample_id" and not have_ids:
        raise NotComparableError(f"no {metric.event} has a crucible.sample.id")
    if unit != "run" and rows > ROWS_MAX:
        raise NotComparableError(
            f"{rows} requests, and at most {ROWS_MAX} are compared one by one: a shorter period, or `unit` run"
        )
    return unit


def _add(made: Measured, found: Any, counts: Any, name: str, unit: Unit) -> None:
    found = found or {"unit_ids": [], "values": [], "weights": [], "run_ids": [], "row_count": 0}
    weights = np.array(found["weights"], np.float64)
    is_weighted = unit != "run" and made.is_sampled
    ids = found["unit_ids"]
    made.samples.append(
        Sample(
            name,
            np.array(found["values"], np.float64),
            weights if is_weighted and (weights > 1).any() else None,
            tuple(ids) if unit == "sample_id" else None,
        )
    )
    made.unit_ids.append(ids)
    assert made.run_ids is not None
    made.run_ids.append(found["run_ids"])
    missing = (counts["row_count"] if counts else 0) - found["row_count"]
    reason = "say no number for it, or name no unit"
    made.left_out.append({reason: [""] * missing} if missing else {})
    if missing:
        made.warnings.append(f"{missing} requests of {name!r} {reason}, and are left out")


def _alike(made: Measured, unit: Unit) -> list[str]:
    """Whether requests of one run are more alike than those of several: they are no replicates then."""
    if unit == "run" or made.run_ids is None:
        return []
    told = []
    for sample, run_ids in zip(made.samples, made.run_ids, strict=True):
        groups = [np.flatnonzero(np.array(run_ids, object) == run) for run in set(run_ids) - {None}]
        groups = [group for group in groups if len(group) > 1]
        if len(groups) < 2 or sample.is_constant:
            continue
        of_runs = [sample.values[group] for group in groups]
        within = sum(float(np.square(values - values.mean()).sum()) for values in of_runs)
        count = sum(map(len, of_runs))
        free = count - len(of_runs)
        middle = float(np.concatenate(of_runs).mean())
        between = sum(len(values) * (float(values.mean()) - middle) ** 2 for values in of_runs)
        if within <= 0 or free <= 0:
            continue
        f = between / (len(of_runs) - 1) / (within / free)
        size = count / len(of_runs)
        alike = (f - 1) / (f - 1 + size)
        if alike > _ALIKE and stats.f.sf(f, len(of_runs) - 1, free) < _SURE:
            told.append(
                f"requests of one run of {sample.name!r} are alike (intraclass correlation {alike:.2f}), so that they"
                " are fewer than they seem and p is too small: `unit` run compares runs"
            )
    return told

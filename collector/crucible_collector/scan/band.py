"""One curve with what a detector expected of each of its points: the detector's own words, as in the stream."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crucible_collector.api.routes.scans import BandAsked, BandTold
from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import NO_STEP, Values
from crucible_collector.detect.groups import Group, Looked, Part
from crucible_collector.detect.observations import Observations
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.watches import NOT_WATCHED, Watches
from crucible_collector.errors import SettingsError
from crucible_collector.scan.look import asked_attributes
from crucible_collector.scan.observed import Series
from crucible_collector.scan.report import number
from crucible_collector.store.replay import Batch
from crucible_collector.store.scanned import Scanned, Wanted, scanned

# All of a curve is looked at whatever part is asked for, and answered at once: 10 MB.
POINTS_MAX = 100_000
DIRECTIONS = {1: "up", -1: "down", 0: "both"}


@dataclass(frozen=True, slots=True)
class _Curve:
    event_name: str | None
    rank: int | None
    observations: Observations


def band(dsn: str, asked: BandAsked, in_force: Detection) -> BandTold | None:
    """See api.routes.scans.Scanning. DatabaseAwayError, QueryTooSlowError, SettingsError."""
    wanted = Wanted(run=asked.run, metric=asked.metric, event=asked.event, rank=asked.rank)
    attributes = asked_attributes(in_force)
    with scanned(dsn, wanted, attributes) as stored:
        curve = _curve(stored, attributes)
    if curve is None:
        return None
    plan = _plan(curve.observations, in_force)
    looked = None
    if plan is not None or asked.detector is not None:
        plan = plan or Plan("level", ())
        names = plan.detectors if asked.detector is None else (asked.detector,)
        looked = _look(curve.observations, replace(plan, detectors=names))
    return _told(curve, plan, looked)


def _curve(stored: Scanned, attributes: tuple[str, ...]) -> _Curve | None:
    """The first of the series, by event and rank, with all of its points."""
    found = [_row(batch, at) for batch in stored.series() for at in range(len(batch["series_id"]))]
    if not found:
        return None
    first = min(
        found, key=lambda row: (row["event_name"], row["rank"] is not None, row["rank"] or 0)
    )
    series = Series.of({name: (value,) for name, value in first.items()}, attributes)
    points = _joined(stored.points([first["series_id"]]))
    observations = series.observations(points)
    return _Curve(first["event_name"] or None, first["rank"], observations)


def _row(batch: Batch, at: int) -> dict[str, Any]:
    return {name: values[at] for name, values in batch.items()}


def _joined(batches: Iterator[Batch]) -> Batch:
    joined: dict[str, list[Any]] = {
        name: [] for name in ("place", "time_ns", "step", "value", "start_ns")
    }
    for batch in batches:
        for name, values in joined.items():
            values.extend(batch[name])
        if len(joined["value"]) > POINTS_MAX:
            raise SettingsError(
                f"the curve has more than {POINTS_MAX:,} points, of which all would have to be looked"
                " at: POST /api/v1/anomalies/scan has no such limit"
            )
    return {name: tuple(values) for name, values in joined.items()}


def _plan(observations: Observations, detection: Detection) -> Plan | None:
    if not len(observations):
        return None
    watches = Watches(detection)
    plan = int(watches.plan_of(observations)[0])
    return None if plan == NOT_WATCHED else watches.plans[plan]


def _look(observations: Observations, plan: Plan) -> Looked | None:
    """What the first of the detectors says that tells bounds; where none does, the last."""
    count = len(observations)
    if not count:
        return None
    values = Values(
        np.zeros(0, np.int64),
        observations.time_ns,
        observations.value,
        observations.step,
        observations.epoch,
        np.full(count, plan.is_log),
        np.full(count, plan.direction, np.int8),
        np.full(count, plan.sensitivity),
    )
    part = Part(
        np.arange(count),
        values,
        observations.key,
        np.zeros(count, np.int64),
        observations.is_ordered,
        observations.start_ns,
    )
    group = Group(plan.detectors, is_counter=bool(observations.is_cumulative[0]))
    looked = None
    for looked in group.look(part, 0, lambda _: 1):
        if np.isfinite(looked.scored.lower).any() or np.isfinite(looked.scored.upper).any():
            break
    return looked


def _told(curve: _Curve, plan: Plan | None, looked: Looked | None) -> BandTold:
    observations = curve.observations
    count = len(observations)
    told = np.full((4, count), np.nan)
    value = observations.value.copy()
    if looked is not None:
        scored = looked.scored
        told[:, looked.rows] = scored.score, scored.expected, scored.lower, scored.upper
        value[looked.rows] = looked.value
    steps: list[int | None] = [
        None if step == NO_STEP else step for step in observations.step.tolist()
    ]
    meta = {
        "detector": None if looked is None else looked.detector.name,
        "watch_class": None if plan is None else plan.watch_class,
        "scale": "log" if plan is not None and plan.is_log else "linear",
        "direction": DIRECTIONS[0 if plan is None else plan.direction],
        "sensitivity": 1.0 if plan is None else plan.sensitivity,
        "event_name": curve.event_name,
        "rank": curve.rank,
        "series_id": f"{int(observations.series_id[0]):016x}" if count else None,
        "point_count": count,
    }
    return BandTold(_rows(observations.time_ns, value, told, steps), steps, meta)


def _rows(time_ns: I64, value: F64, told: F64, steps: list[int | None]) -> list[str]:
    columns = zip(steps, time_ns.tolist(), value.tolist(), *told.tolist(), strict=True)
    return [
        json.dumps(
            {
                "step": step,
                "time": _time(at),
                "value": number(x),
                "expected": _or_none(expected),
                "lower": _or_none(lower),
                "upper": _or_none(upper),
                "score": _or_none(score),
            },
            separators=(",", ":"),
            allow_nan=False,
        )
        for step, at, x, score, expected, lower, upper in columns
    ]


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _time(ns: int) -> str:
    """As the API writes times: with nine digits."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{_EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _or_none(told: float) -> float | str | None:
    """NaN is where nothing is told."""
    return None if told != told else number(told)  # noqa: PLR0124

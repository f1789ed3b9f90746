"""Few points that draw the same lines: min-max preselection in the database, then largest triangles.

MinMaxLTTB (Van Der Donckt et al. 2023): of each of twice as many stretches as points are wanted, the least and
the largest number are candidates; of these LTTB (Steinarsson 2013) takes those that span the largest triangles.
Beyond that the least and the largest of all stay, and what is not finite, which no triangle has: all of it, unless
it would take more than half of the points, then the first of each of so many stretches.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field
from tsdownsample import LTTBDownsampler

from crucible_collector.api.asking import too_much
from crucible_collector.api.models import Id, Model, Number, Time
from crucible_collector.api.parameters import FIELDS_MAX, POINTS_LIMIT_MAX, Period, Text, parted
from crucible_collector.api.questions import as_list
from crucible_collector.batch import F64, I64
from crucible_collector.store.read import Reads

RUNS_MAX = 50
LINES_MAX = 200
# A row of 200 bytes each: 20 MB.
POINTS_MAX = 100_000
POINTS_DEFAULT = 500
POINTS_MIN = 10
# Two candidates each; four times as many as points draw what LTTB of all points would (their figure 5).
_STRETCHES_A_POINT = 2

X = Literal["step", "time", "relative_time"]


class CurvesFilter(Period):
    model_config = ConfigDict(extra="forbid")

    run: Annotated[list[Text], BeforeValidator(as_list)] = Field(
        min_length=1,
        max_length=RUNS_MAX,
        description="Run ids, with commas between (a backslash before one that is of an id) or the parameter repeated.",
        examples=[["run-7", "run-8"]],
    )
    metric: Text = Field(description="Name of the metric.", examples=["loss"])
    x: X = Field(
        "step",
        description="What the points are in order of: their step (those without one are left out), their time, or "
        "the time since their run's start.",
    )
    points: int = Field(
        POINTS_DEFAULT,
        ge=POINTS_MIN,
        le=POINTS_LIMIT_MAX,
        description="At most so many points a line.",
    )
    event: Text | None = Field(None, description="Only as measured by this event.")
    rank: int | None = Field(None, ge=0, lt=1 << 63, description="Only this rank.")
    from_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="First step.")
    to_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="Before this step.")
    fields: Annotated[list[Text], BeforeValidator(parted)] = Field(
        [], max_length=FIELDS_MAX, description="Only these fields of each point, as for lists."
    )


class LinePoint(Model):
    run_id: str
    event_name: str | None
    rank: int | None
    series_id: Id
    step: int | None
    time: Time
    relative_s: float = Field(
        description="Seconds since the run's start; negative where a clock ran behind."
    )
    value: Number


class Line(Model):
    """One series: what one rank of a run measured by one event."""

    run_id: str
    event_name: str | None
    rank: int | None
    series_id: Id
    unit: str | None
    point_count: int = Field(description="Points that the line stands for.")
    shown_count: int = Field(description="Of these, those in `data`.")
    non_finite_count: int = Field(description="Of `point_count`, those that are no finite number.")
    downsampled: bool = Field(description="Whether points were left out.")


class CurvesMeta(Model):
    metric: str
    x: X
    points: int = Field(description="Points a line that were asked for at most.")
    lines: list[Line] = Field(description="In the order of the runs asked for, as `data` has them.")


class Curves(Model):
    """Points line by line, in the order of what `x` says."""

    data: list[LinePoint]
    meta: CurvesMeta


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a line's points are wanted, and in how many stretches candidates are looked for."""

    finite_max: int
    stretches: int
    non_finite_stretches: int


def share_of(point_count: int, non_finite_count: int, points: int) -> Share:
    """Of a line with so many points in an answer of `points` a line.

    >>> share_of(point_count=100, non_finite_count=2, points=500)
    Share(finite_max=98, stretches=98, non_finite_stretches=2)
    >>> share_of(point_count=10_000, non_finite_count=2, points=500)
    Share(finite_max=498, stretches=996, non_finite_stretches=2)
    """
    finite_count = point_count - non_finite_count
    if point_count <= points:
        return Share(finite_count, finite_count, non_finite_count)
    odd = min(non_finite_count, points // 2)
    finite_max = points - odd
    if finite_count <= finite_max:
        return Share(finite_count, finite_count, odd)
    return Share(finite_max, _STRETCHES_A_POINT * finite_max, odd)


def largest_triangles(x: F64, y: F64, count: int) -> I64:
    """Places of at most `count` (5 or more) points of finite `y` that draw the same line, in order.

    The first, the last, the least and the largest are among them.
    """
    if len(y) <= count:
        return np.arange(len(y))
    lttb = LTTBDownsampler()  # type: ignore[no-untyped-call]
    found = lttb.downsample(x, y, n_out=count - 2)
    return np.unique(np.concatenate([found.astype(np.int64), [y.argmin(), y.argmax()]]))


def curves(reads: Reads, filters: CurvesFilter) -> tuple[list[str], list[dict[str, Any]]]:
    """The rows of the answer, and what is said of each line. RequestValidationError where it is too much."""
    chosen = filters.model_dump(
        include={"event", "rank", "from_time", "to_time", "from_step", "to_step", "x"}
    )
    texts = reads.json_rows(
        "curve_lines", runs=filters.run, metric=filters.metric, lines=LINES_MAX + 1, **chosen
    )
    if len(texts) > LINES_MAX:
        raise too_much(
            "run", f"these runs draw more than {LINES_MAX} lines: name fewer, a rank or an event"
        )
    lines = [line for line in map(json.loads, texts) if line["point_count"]]
    shares = [
        share_of(line["point_count"], line["non_finite_count"], filters.points) for line in lines
    ]
    shown = sum(share.finite_max + share.non_finite_stretches for share in shares)
    if shown > POINTS_MAX:
        raise too_much(
            "points",
            f"{len(lines)} lines would have {shown:,} points, and an answer has at most {POINTS_MAX:,}: ask"
            f" for {POINTS_MAX // len(lines)} a line",
        )
    if not lines:
        return [], []
    found = reads.json_rows(
        "curve_candidates",
        series=[int(line["series_id"], 16) for line in lines],
        buckets=[share.stretches for share in shares],
        odd_buckets=[share.non_finite_stretches for share in shares],
        **chosen,
    )
    rows: list[str] = []
    for text in found:
        candidates = json.loads(text)
        number = candidates["line"]
        kept = _rows(lines[number], candidates, shares[number], filters.x)
        lines[number] |= {
            "shown_count": len(kept),
            "downsampled": len(kept) < lines[number]["point_count"],
        }
        rows += kept
    return rows, [line for line in lines if "shown_count" in line]


def _rows(
    line: dict[str, Any], candidates: dict[str, list[Any]], share: Share, x: str
) -> list[str]:
    over = candidates["step" if x == "step" else "relative_s"]
    values = candidates["value"]
    fixed = {name: line[name] for name in ("run_id", "event_name", "rank", "series_id")}
    columns = [candidates[name] for name in ("step", "time", "relative_s", "value")]
    rows = []
    for place in _kept(over, values, share.finite_max):
        step, time, relative_s, value = (column[place] for column in columns)
        row = {**fixed, "step": step, "time": time, "relative_s": relative_s, "value": value}
        rows.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    return rows


def _kept(over: Sequence[float], values: Sequence[Any], count: int) -> list[int]:
    # What JSON has no number for came as a text.
    finite = [
        place
        for place, value in enumerate(values)
        if not isinstance(value, str) and value is not None and math.isfinite(value)
    ]
    known = set(finite)
    odd = [place for place in range(len(values)) if place not in known]
    places = np.array(finite, np.int64)
    x = np.array([over[place] for place in finite], np.float64)
    y = np.array([values[place] for place in finite], np.float64)
    chosen = places[largest_triangles(x, y, count)] if finite else places
    return sorted([*map(int, chosen), *odd])

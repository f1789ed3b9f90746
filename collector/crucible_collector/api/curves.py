"""Lines of several runs, of each few points that draw it: those of the whole line, or of its extremes.

What one could not guess: a line of up to a hundred thousand points comes whole, as arrays (`store.arrays`), which
takes the server 0.3 µs a point and the choice less; a longer one the server first cuts into stretches, whose
extremes alone come, so that memory does not grow with the line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field

from crucible_collector.api.asking import too_much
from crucible_collector.api.line_points import (
    LinePoints,
    X,
    few_of,
    points_of,
    texts,
    without_repeats,
)
from crucible_collector.api.models import Id, Model, Number, Time
from crucible_collector.api.parameters import (
    FIELDS_MAX,
    POINTS_LIMIT_MAX,
    Period,
    Text,
    parse_id_64,
    parted,
)
from crucible_collector.api.questions import as_list
from crucible_collector.store.read import ReadsArrays

RUNS_MAX = 50
LINES_MAX = 200
# A row of 200 bytes each: 20 MB.
POINTS_MAX = 100_000
POINTS_DEFAULT = 500
POINTS_MIN = 10
# 4 MB at the server, and as much here, for a moment.
WHOLE_POINTS_MAX = 100_000
# Of longer lines. Of each two candidates, of which the few are chosen as of a whole line.
STRETCHES_MIN = 4_096
_STRETCHES_A_POINT = 2
_OF_EACH_POINT = ("run_id", "event_name", "rank", "series_id")


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
class Drawn:
    """What is shown of a line, and of how much."""

    points: LinePoints
    point_count: int
    non_finite_count: int


def curves(reads: ReadsArrays, filters: CurvesFilter) -> tuple[list[str], list[dict[str, Any]]]:
    """The rows of the answer, and what is said of each line. RequestValidationError where it is too much."""
    range_ = filters.model_dump(include={"from_time", "to_time", "from_step", "to_step", "x"})
    lines = _lines(reads, filters)
    drawn = _whole(reads, filters, lines, range_)
    for number in range(len(lines)):
        if number not in drawn:
            drawn[number] = _long(reads, filters, lines[number], range_)
    shown_count = sum(len(each.points) for each in drawn.values())
    if shown_count > POINTS_MAX:
        raise too_much(
            "points",
            f"{len(lines)} lines would have {shown_count:,} points, and an answer has at most {POINTS_MAX:,}:"
            f" ask for {POINTS_MAX // len(lines)} a line",
        )
    rows: list[str] = []
    told = []
    for number, line in enumerate(lines):
        one = drawn[number]
        if one.point_count:
            rows += texts(one.points, {name: line[name] for name in _OF_EACH_POINT})
            told.append(_told(line, one))
    return rows, told


def _lines(reads: ReadsArrays, filters: CurvesFilter) -> list[dict[str, Any]]:
    found = reads.json_rows(
        "curve_lines",
        runs=filters.run,
        metric=filters.metric,
        event=filters.event,
        rank=filters.rank,
        lines=LINES_MAX + 1,
    )
    if len(found) > LINES_MAX:
        raise too_much(
            "run", f"these runs draw more than {LINES_MAX} lines: name fewer, a rank or an event"
        )
    return [json.loads(text) for text in found]


def _whole(
    reads: ReadsArrays,
    filters: CurvesFilter,
    lines: Sequence[Mapping[str, Any]],
    range_: Mapping[str, Any],
) -> dict[int, Drawn]:
    """By number of line, of all that are not too long to be read whole."""
    if not lines:
        return {}

    def drawn(row: dict[str, Any]) -> tuple[int, Drawn | None]:
        number: int = row["line"]
        points = points_of(row, filters.x, lines[number]["start_us"])
        if len(points) > WHOLE_POINTS_MAX:
            return number, None
        odd_count = int(np.count_nonzero(points.is_odd))
        return number, Drawn(few_of(points, filters.points), len(points), odd_count)

    series = [parse_id_64(line["series_id"]) for line in lines]
    limit = WHOLE_POINTS_MAX + 1
    found = reads.array_rows("curve_whole", drawn, series=series, points=limit, **range_)
    return {number: each for number, each in found if each is not None}


def _long(
    reads: ReadsArrays, filters: CurvesFilter, line: Mapping[str, Any], range_: Mapping[str, Any]
) -> Drawn:
    series = parse_id_64(line["series_id"])
    question = "curve_extent_step" if filters.x == "step" else "curve_extent_time"
    extent = json.loads(reads.json_rows(question, series=series, **range_)[0])
    if extent["first"] is None:  # dropped since
        return Drawn(points_of({}, filters.x, line["start_us"]), 0, 0)

    def drawn(row: dict[str, Any]) -> Drawn:
        points = without_repeats(points_of(row, filters.x, line["start_us"]))
        few = few_of(points, filters.points)
        return Drawn(few, row["point_count"], row["non_finite_count"])

    (found,) = reads.array_rows(
        "curve_extremes",
        drawn,
        series=series,
        first=extent["first"],
        # Of no width there are no stretches.
        last=max(extent["last"], math.nextafter(extent["first"], math.inf)),
        stretches=max(STRETCHES_MIN, _STRETCHES_A_POINT * filters.points),
        **range_,
    )
    return found


def _told(line: Mapping[str, Any], drawn: Drawn) -> dict[str, Any]:
    return {
        **{name: line[name] for name in (*_OF_EACH_POINT, "unit")},
        "point_count": drawn.point_count,
        "shown_count": len(drawn.points),
        "non_finite_count": drawn.non_finite_count,
        "downsampled": len(drawn.points) < drawn.point_count,
    }

"""Several runs laid over each other: one metric, of each line the few points that draw it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from crucible_collector.api.asking import too_much
from crucible_collector.api.line_points import X, few_of, texts
from crucible_collector.api.lines import Drawn, drawn, lines_of
from crucible_collector.api.models import Id, Model, Number, Time
from crucible_collector.api.parameters import FIELDS_MAX, POINTS_LIMIT_MAX, Period, Text, parted
from crucible_collector.api.questions import as_list
from crucible_collector.store.read import ReadsArrays

RUNS_MAX = 50
LINES_MAX = 200
# A row of 200 bytes each: 20 MB.
POINTS_MAX = 100_000
POINTS_DEFAULT = 500
POINTS_MIN = 10
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


def curves(reads: ReadsArrays, filters: CurvesFilter) -> tuple[list[str], list[dict[str, Any]]]:
    """The rows of the answer, and what is said of each line. RequestValidationError where it is too much."""
    range_ = filters.model_dump(include={"from_time", "to_time", "from_step", "to_step", "x"})
    lines = lines_of(reads, filters.run, filters.metric, filters.event, filters.rank, LINES_MAX + 1)
    if len(lines) > LINES_MAX:
        raise too_much(
            "run", f"these runs draw more than {LINES_MAX} lines: name fewer, a rank or an event"
        )
    shown = drawn(reads, lines, range_, partial(few_of, count=filters.points), filters.points)
    shown_count = sum(len(each.points) for each in shown)
    if shown_count > POINTS_MAX:
        raise too_much(
            "points",
            f"{len(lines)} lines would have {shown_count:,} points, and an answer has at most {POINTS_MAX:,}:"
            f" ask for {POINTS_MAX // len(lines)} a line",
        )
    rows: list[str] = []
    told = []
    for line, one in zip(lines, shown, strict=True):
        if one.point_count:
            rows += texts(one.points, {name: line[name] for name in _OF_EACH_POINT})
            told.append(_told(line, one))
    return rows, told


def _told(line: Mapping[str, Any], one: Drawn) -> dict[str, Any]:
    return {
        **{name: line[name] for name in (*_OF_EACH_POINT, "unit")},
        "point_count": one.point_count,
        "shown_count": len(one.points),
        "non_finite_count": one.non_finite_count,
        "downsampled": len(one.points) < one.point_count,
    }

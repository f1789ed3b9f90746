"""Lines as the database has them, of each what a choice makes of its points.

What one could not guess: a line of up to a hundred thousand points comes whole, as arrays (`store.arrays`), which
takes the server 0.3 µs a point and the choice less; of a longer one the server gives the extremes of stretches, so
that memory does not grow with the line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crucible_collector.api.line_points import LinePoints, points_of, without_repeats
from crucible_collector.api.parameters import parse_id_64
from crucible_collector.store.read import ReadsArrays

# 4 MB at the server, and as much here, for a moment.
WHOLE_POINTS_MAX = 100_000
# Of longer lines. Of each two candidates, of which the few are chosen as of a whole line.
STRETCHES_MIN = 4_096
_STRETCHES_A_POINT = 2

Line = dict[str, Any]
Choice = Callable[[LinePoints], LinePoints]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is shown of a line, and of how much."""

    points: LinePoints
    point_count: int
    non_finite_count: int


def lines_of(
    reads: ReadsArrays,
    runs: Sequence[str],
    metric: str,
    event: str | None,
    rank: int | None,
    limit: int,
) -> list[Line]:
    """The series of these runs under one metric, at most so many, in the order of the runs."""
    found = reads.json_rows(
        "curve_lines", runs=list(runs), metric=metric, event=event, rank=rank, lines=limit
    )
    return [json.loads(text) for text in found]


def drawn(
    reads: ReadsArrays,
    lines: Sequence[Line],
    range_: Mapping[str, Any],
    choice: Choice,
    points_max: int,
) -> list[Drawn]:
    """Of each line what is chosen, for an answer of `points_max` points a line.

    `range_` has `x` and where the points begin and end: `from_time`, `to_time`, `from_step`, `to_step`.
    """
    found = _whole(reads, lines, range_, choice) if lines else {}
    return [
        found[number] if number in found else _long(reads, line, range_, choice, points_max)
        for number, line in enumerate(lines)
    ]


def _whole(
    reads: ReadsArrays, lines: Sequence[Line], range_: Mapping[str, Any], choice: Choice
) -> dict[int, Drawn]:
    """By number of line, of all that are not too long to be read whole."""

    def read(row: dict[str, Any]) -> tuple[int, Drawn | None]:
        number: int = row["line"]
        points = points_of(row, range_["x"], lines[number]["start_us"])
        if len(points) > WHOLE_POINTS_MAX:
            return number, None
        odd_count = int(np.count_nonzero(points.is_odd))
        return number, Drawn(choice(points), len(points), odd_count)

    series = [parse_id_64(line["series_id"]) for line in lines]
    limit = WHOLE_POINTS_MAX + 1
    found = reads.array_rows("curve_whole", read, series=series, points=limit, **range_)
    return {number: each for number, each in found if each is not None}


def _long(
    reads: ReadsArrays, line: Line, range_: Mapping[str, Any], choice: Choice, points_max: int
) -> Drawn:
    x, start_us = range_["x"], line["start_us"]
    series = parse_id_64(line["series_id"])
    question = "curve_extent_step" if x == "step" else "curve_extent_time"
    extent = json.loads(reads.json_rows(question, series=series, **range_)[0])
    if extent["first"] is None:  # dropped since
        return Drawn(points_of({}, x, start_us), 0, 0)

    def read(row: dict[str, Any]) -> Drawn:
        points = choice(without_repeats(points_of(row, x, start_us)))
        return Drawn(points, row["point_count"], row["non_finite_count"])

    (found,) = reads.array_rows(
        "curve_extremes",
        read,
        series=series,
        first=extent["first"],
        # Of no width there are no stretches.
        last=max(extent["last"], math.nextafter(extent["first"], math.inf)),
        stretches=max(STRETCHES_MIN, _STRETCHES_A_POINT * points_max),
        **range_,
    )
    return found

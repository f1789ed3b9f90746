"""One metric of a run in few points, all of its ranks in one sequence of time.

Stretches hold equally many points, not equally long times: a run that rests for a night would have half of them
empty, and curves are drawn over steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from crucible_collector.api.asking import too_much
from crucible_collector.api.line_points import LinePoints, extremes, texts
from crucible_collector.api.lines import drawn, lines_of
from crucible_collector.store.read import ReadsArrays

LINES_MAX = 10_000
# Of all lines together: 60 bytes each, for a moment.
CANDIDATES_MAX = 2_000_000
_OF_EACH_POINT = ("event_name", "rank", "series_id")


def few_points(
    reads: ReadsArrays, chosen: Mapping[str, Any], points_max: int
) -> tuple[list[str], int]:
    """At most so many points, oldest first, and how many there are. RequestValidationError where of too many lines."""
    asked = dict(chosen)
    run, metric = asked.pop("run"), asked.pop("metric")
    lines = lines_of(reads, [run], metric, asked.pop("event"), asked.pop("rank"), LINES_MAX + 1)
    if len(lines) > LINES_MAX:
        raise too_much("rank", f"more than {LINES_MAX:,} ranks and events measured it: name one")
    choice = partial(_candidates, count=CANDIDATES_MAX // max(len(lines), 1))
    found = drawn(reads, lines, {**asked, "x": "time"}, choice, points_max)
    times = np.concatenate([one.points.time_ns for one in found] or [np.empty(0, np.int64)])
    values = np.concatenate([one.points.value for one in found] or [np.empty(0)])
    order = np.argsort(times, kind="stable")  # at one time in the order of lines
    if len(order) > points_max:
        value = values[order]
        order = order[extremes(value, ~np.isfinite(value), points_max)]
    count = sum(one.point_count for one in found)
    return _rows(lines, [one.points for one in found], order), count


def _candidates(points: LinePoints, count: int) -> LinePoints:
    """All points of a line, or so many extremes: memory does not grow with the number of ranks."""
    if len(points) <= count:
        return points
    return points.take(extremes(points.value, points.is_odd, count))


def _rows(lines: list[dict[str, Any]], points: list[LinePoints], order: Any) -> list[str]:
    """As many rows as `order` has places, which count through all lines one after the other."""
    begins = np.cumsum([0, *map(len, points)])
    rows: dict[int, str] = {}
    chosen = np.sort(order)
    for number, (line, own) in enumerate(zip(lines, points, strict=True)):
        places = chosen[(chosen >= begins[number]) & (chosen < begins[number + 1])]
        fixed = {name: line[name] for name in _OF_EACH_POINT}
        told = texts(own.take(places - begins[number]), fixed, is_relative=False)
        rows |= zip(places.tolist(), told, strict=True)
    return [rows[place] for place in order.tolist()]

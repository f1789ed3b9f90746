"""The points of one line, and which few of them draw it: MinMaxLTTB (Van Der Donckt et al. 2023).

Of each of twice as many stretches as points are wanted, the least and the largest number are candidates; of these
LTTB (Steinarsson 2013) takes those that span the largest triangles. Beyond that the least and the largest of all
stay, and what is not finite, which no triangle has: all of it, unless it would take more than half of the points,
then the first of each of so many stretches.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tsdownsample import LTTBDownsampler, MinMaxDownsampler

from crucible_collector.api.aggregated import written
from crucible_collector.batch import F64, I64

X = Literal["step", "time", "relative_time"]
Bools = npt.NDArray[np.bool_]

# Candidates for each point that is wanted, which draw what LTTB of all points would (their figure 5).
_CANDIDATES_A_POINT = 4
_WHOLE_BELOW = 1e15  # smaller ones are written without a point, as PostgreSQL does


@dataclass(frozen=True, slots=True)
class LinePoints:
    """Points of one line, in the order of `x`; all arrays are as long."""

    x: F64  # steps, or seconds since the run's start
    step: I64
    has_step: Bools
    time_ns: I64
    value: F64  # NaN where there is none
    has_value: Bools
    relative_s: F64

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_odd(self) -> Bools:
        """Which are no finite numbers."""
        return ~np.isfinite(self.value)

    def take(self, places: I64 | Bools) -> LinePoints:
        return LinePoints(
            self.x[places],
            self.step[places],
            self.has_step[places],
            self.time_ns[places],
            self.value[places],
            self.has_value[places],
            self.relative_s[places],
        )


def points_of(row: Mapping[str, pa.Array | None], x: X, start_us: int) -> LinePoints:
    """The points of a row of arrays `step`, `time`, `time_ns_rest` and `value`, each once and in order."""
    step, has_step = _filled(row.get("step"), pa.int64())
    value, has_value = _filled(row.get("value"), pa.float64())
    time_us = _numbers(row.get("time"), pa.timestamp("us", "UTC")).astype(np.int64)
    time_ns = time_us * 1000 + _numbers(row.get("time_ns_rest"), pa.int16())
    relative_s = (time_ns - start_us * 1000) / 1e9
    over = step.astype(np.float64) if x == "step" else relative_s
    value = np.where(has_value, value, np.nan)
    points = LinePoints(over, step, has_step, time_ns, value, has_value, relative_s)
    leading = step if x == "step" else time_ns
    if np.all(leading[1:] > leading[:-1]):
        return points
    return points.take(np.lexsort((value, step, time_ns, leading)))


def without_repeats(points: LinePoints) -> LinePoints:
    """The same without those that are equal in everything to the one before."""
    columns = (points.step, points.has_step, points.time_ns, points.value.view(np.int64))
    is_new = np.ones(len(points), np.bool_)
    if len(points):
        is_new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return points.take(is_new)


def few_of(points: LinePoints, count: int) -> LinePoints:
    """At most `count` of them (10 or more), which draw the same line."""
    if len(points) <= count:
        return points
    odd = np.flatnonzero(points.is_odd)
    odd_count = min(len(odd), count // 2)
    if odd_count < len(odd):
        odd = odd[-(-np.arange(odd_count) * len(odd) // odd_count)]  # where each stretch begins
    finite = np.flatnonzero(~points.is_odd)
    kept = largest_triangles(points.x[finite], points.value[finite], count - odd_count)
    return points.take(np.sort(np.concatenate([finite[kept], odd])))


def largest_triangles(x: F64, y: F64, count: int) -> I64:
    """Places of at most `count` (5 or more) points of finite `y` that draw the same line, in order.

    The first, the last, the least and the largest are among them.
    """
    if len(y) <= count:
        return np.arange(len(y))
    places = _candidates(y, _CANDIDATES_A_POINT * count)
    lttb = LTTBDownsampler()  # type: ignore[no-untyped-call]
    found = lttb.downsample(x[places], y[places], n_out=count - 2)
    return np.unique(np.concatenate([places[found.astype(np.int64)], [y.argmin(), y.argmax()]]))


def _candidates(y: F64, count: int) -> I64:
    if len(y) <= count:
        return np.arange(len(y))
    extremes = MinMaxDownsampler().downsample(y, n_out=count)  # type: ignore[no-untyped-call]
    return np.unique(np.concatenate([[0], extremes.astype(np.int64), [len(y) - 1]]))


def extremes(value: F64, is_odd: Bools, count: int) -> I64:
    """Places of at most `count` (2 or more) of more values, in order.

    They are the first and the last, and of stretches of as many values each the first of the least, of the largest
    and of those that are odd.
    """
    size = len(value)
    stretches = (count - 2) // (3 if is_odd.any() else 2)
    found = [np.array([0, size - 1])]
    if stretches:
        stretch = np.arange(size) * stretches // size
        begins = np.searchsorted(stretch, np.arange(stretches))
        least = np.minimum.reduceat(np.where(is_odd, np.inf, value), begins)
        largest = np.maximum.reduceat(np.where(is_odd, -np.inf, value), begins)
        for is_one in (value == least[stretch], value == largest[stretch], is_odd):
            _, first = np.unique(stretch[is_one], return_index=True)
            found.append(np.flatnonzero(is_one)[first])
    return np.unique(np.concatenate(found))


def texts(
    points: LinePoints, fixed: Mapping[str, Any], *, is_relative: bool = True
) -> Iterator[str]:
    """Each point as the text of a JSON object that begins with what is `fixed`.

    `is_relative`: with the time since the run's start. Written by hand: `json.dumps` of each takes five times as long.
    """
    begin = json.dumps(dict(fixed), ensure_ascii=False, separators=(",", ":"))[:-1]
    times = np.datetime_as_string(points.time_ns.view("datetime64[ns]"), unit="ns").tolist()
    steps = np.where(points.has_step, points.step.astype("U20"), "null").tolist()
    relative = points.relative_s.tolist()
    values = zip(points.value.tolist(), points.has_value.tolist(), strict=True)
    for step, time, relative_s, (value, has_value) in zip(
        steps, times, relative, values, strict=True
    ):
        since = f',"relative_s":{written(relative_s)!r}' if is_relative else ""
        text = _value(value) if has_value else "null"
        yield f'{begin},"step":{step},"time":"{time}Z"{since},"value":{text}}}'


def _value(number: float) -> str:
    if number.is_integer() and abs(number) < _WHOLE_BELOW:
        return repr(int(number))
    if math.isfinite(number):
        return repr(number)
    if math.isnan(number):
        return '"NaN"'
    return '"Infinity"' if number > 0 else '"-Infinity"'


def _numbers(array: pa.Array | None, kind: pa.DataType) -> npt.NDArray[Any]:
    """Without nulls; no array at all, as the server has it of no rows, is an empty one."""
    if array is None:
        array = pa.array([], kind)
    if kind == pa.timestamp("us", "UTC"):
        array = array.cast(pa.int64())
    numbers: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return numbers


def _filled(array: pa.Array | None, kind: pa.DataType) -> tuple[npt.NDArray[Any], Bools]:
    """Numbers, 0 for null, and which are there."""
    if array is None:
        array = pa.array([], kind)
    is_there = array.is_valid().to_numpy(zero_copy_only=False)
    return array.fill_null(0).to_numpy(zero_copy_only=False), is_there

"""What is remembered of the series that the same detectors watch, and how a part of a window is looked at.

One record a series and detector, beside the records of its order and of its periods, all found by one
number: what a value needs is a few lines of memory, wherever its series is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import F64, I64, U8, Bool
from crucible_collector.detect import counters, follow, order
from crucible_collector.detect.detector import Detector, Records, Scored, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.numbering import BYTES_A_SERIES, CAPACITY_FIRST, Numbering

State = dict[str, npt.NDArray[np.generic]]

# Of so many places one is taken: then there are fewer.
_SPARSE = 4


@dataclass(slots=True)
class Part:
    """Numbers of a window that one group watches; `values.number` is written by `Group.look`."""

    rows: I64  # of the observations
    values: Values
    key: I64
    severity_min: I64
    is_ordered: Bool
    start_ns: I64  # of counters

    def only(self, chosen: Bool | I64 | slice) -> Part:
        return Part(
            self.rows[chosen],
            only(self.values, chosen),
            self.key[chosen],
            self.severity_min[chosen],
            self.is_ordered[chosen],
            self.start_ns[chosen],
        )


@dataclass(slots=True)
class Looked:
    """What one detector told of numbers of a window."""

    detector: Detector
    rows: I64  # of the observations
    scored: Scored
    value: F64  # what was scored
    became: U8  # see `follow`
    severity: U8


class Group:
    """The series of one set of detectors; `is_counter`: of counters, whose amounts are looked at."""

    def __init__(self, detectors: tuple[str, ...], *, is_counter: bool) -> None:
        self.names = detectors
        self.is_counter = is_counter
        self._detectors = [DETECTORS[name] for name in detectors]
        self._numbering = Numbering()
        self.late_count = 0
        self._records = {name: self._zeros(dtype) for name, dtype in self._dtypes().items()}
        self.series_bytes = BYTES_A_SERIES + sum(each.itemsize for each in self._dtypes().values())

    def _dtypes(self) -> dict[str, np.dtype[np.void]]:
        dtypes = {"order": order.RECORD}
        if self.is_counter:
            dtypes["counters"] = counters.RECORD
        for detector in self._detectors:
            dtypes[f"{detector.name} values"] = detector.record
            dtypes[f"{detector.name} periods"] = follow.RECORD
        return dtypes

    def _zeros(self, dtype: np.dtype[np.void]) -> Records:
        return np.zeros(self._numbering.capacity, dtype)

    def __len__(self) -> int:
        """Live series."""
        return len(self._numbering)

    def forget(self, count: int) -> int:
        """Let go of the series seen the longest time ago; returns how many.

        Where few are left, so is their memory: others have taken their room.
        """
        gone = self._numbering.forget(count)
        if len(self) * _SPARSE <= self._numbering.capacity > CAPACITY_FIRST:
            self.restore(self.state())
        return gone

    def look(self, part: Part, tick: int, make_room: Callable[[Group], int]) -> Iterator[Looked]:
        """Look at numbers, those of a series in order. `make_room` says how many series more there may be, at least one."""
        while len(part.rows):
            number, fresh = self._numbering.take(part.key, tick, make_room(self))
            self._clear(fresh)
            begin, part = part.only(slice(len(number))), part.only(slice(len(number), None))
            begin.values.number = number.astype(np.int64)
            order = self._numbering.by_memory(number)
            yield from self._look(begin if order is None else begin.only(order), tick)

    def _clear(self, fresh: npt.NDArray[np.int32]) -> None:
        for name, records in self._records.items():
            if len(records) < self._numbering.capacity:
                larger = self._zeros(records.dtype)
                larger[: len(records)] = records
                self._records[name] = larger
            self._records[name][fresh] = np.zeros((), records.dtype)

    def _look(self, part: Part, tick: int) -> Iterator[Looked]:
        values = part.values
        is_late = np.empty(len(values), np.bool_)
        order.late(
            self._records["order"],
            *(values.number, values.time_ns, values.step, part.is_ordered, tick, is_late),
        )
        if is_late.any():
            self.late_count += int(is_late.sum())
            part = part.only(~is_late)
        if self.is_counter:
            part = self._grown(part)
        is_finite = np.isfinite(part.values.value)
        all_finite = bool(is_finite.all())
        for detector in self._detectors:
            yield self._score(detector, part, is_finite, all_finite=all_finite)

    def _grown(self, part: Part) -> Part:
        values = part.values
        has_amount = np.empty(len(values), np.bool_)
        counters.amounts(
            self._records["counters"], values.number, part.start_ns, values.value, has_amount
        )
        return part.only(has_amount)

    def _score(
        self, detector: Detector, part: Part, is_finite: Bool, *, all_finite: bool
    ) -> Looked:
        values, count = part.values, len(part.values)
        records = self._records[f"{detector.name} values"]
        if detector.takes_non_finite:
            scored = Scored.of(count)
            scored.score[:] = 0.0
            if not all_finite:
                _put(scored, ~is_finite, detector.score(records, only(values, ~is_finite)))
        elif all_finite:
            scored = detector.score(records, values)
        else:
            scored = Scored.of(count)
            _put(scored, is_finite, detector.score(records, only(values, is_finite)))
        became, severity = np.empty(count, np.uint8), np.empty(count, np.uint8)
        follow.follow(
            self._records[f"{detector.name} periods"],
            values.number,
            scored.score,
            follow.thresholds(detector.severities),
            part.severity_min,
            detector.quiet_max,
            became,
            severity,
        )
        value = values.value if scored.value is None else scored.value
        return Looked(detector, part.rows, scored, value, became, severity)

    def state(self) -> State:
        """What is remembered of the live series."""
        number, keys, ticks = self._numbering.live()
        records = {name: records[number] for name, records in self._records.items()}
        return {"keys": keys, "ticks": ticks, **records}

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where that is not of these detectors."""
        try:
            keys, ticks = np.asarray(state["keys"], np.int64), np.asarray(state["ticks"], np.int32)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no series: {error!r}") from None
        for name, dtype in self._dtypes().items():
            found = state.get(name)
            if found is None or found.dtype != dtype or len(found) != len(keys):
                raise ValueError(f"{name!r} is not what this release remembers")
        self._numbering.restore(keys, ticks)
        for name, dtype in self._dtypes().items():
            self._records[name] = self._zeros(dtype)
            self._records[name][: len(keys)] = state[name]


def only(values: Values, chosen: Bool | I64 | slice) -> Values:
    """The chosen of the numbers."""
    return Values(
        values.number[chosen],
        values.time_ns[chosen],
        values.value[chosen],
        values.step[chosen],
        values.epoch[chosen],
        values.is_log[chosen],
        values.direction[chosen],
        values.sensitivity[chosen],
    )


def _put(scored: Scored, chosen: Bool, told: Scored) -> None:
    """Write what was told of the chosen numbers to their places among all."""
    scored.score[chosen] = told.score
    scored.expected[chosen] = told.expected
    scored.lower[chosen] = told.lower
    scored.upper[chosen] = told.upper
    if told.value is not None:
        scored.value = np.full(len(chosen), np.nan)
        scored.value[chosen] = told.value

"""Reservoir sampling: exactly k traces of each stratum and tumbling window of receipt time.

Assumption: whole windows may wait for their end. Formula: T = 1 + the (k+1)-th largest R among the distinct
traces of the stratum in the window; T = 0 where there are at most k. Cohen & Kaplan, "Summarizing Data
using Bottom-k Sketches" (2007): given the other traces, a kept trace's T does not depend on its own R (rank
conditioning), so that p = (2^56 - T)/2^56 makes the estimates unbiased. (T at that R itself keeps k + 1:
counts 10 % high at k = 10.)
Guarantee: k traces, or all. What arrives in the journal after its window was closed takes the window's T.
Where strata and k ask for more than 1.2 million random numbers, all strata of the window get half of k,
again and again until they fit: how many traces there are decides that, not which.
Warm-up: none. Memory: 18 MB at most while a window is collected, twice that for a moment when it is sorted
out, and 12 MB for the thresholds of closed windows.

>>> from crucible_collector.sample.strategies.reservoir import largest
>>> import numpy as np
>>> stratum = np.array([1, 1, 1, 1, 2])
>>> randomness = np.array([50, 20, 50, 40, 10])
>>> largest(stratum, randomness, k=2)  # which are among the k + 1, and which are the last of them
(array([0, 3, 1, 4]), array([False, False,  True, False]))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crucible_collector.batch import I32, I64, U8, Bool
from crucible_collector.candidates import KEEP_ALL, THRESHOLD_MAX, KeepReason
from crucible_collector.sample.strategies.strata import Names, Strata, keys_of
from crucible_collector.sample.strategy import Rows, State, Use, Verdict

ENTRIES_MAX = 1_200_000  # 100,000 strata of k = 10 fit
CLOSED_ENTRIES_MAX = 1_000_000
_CLOSED_MAX = 1000  # windows: more than any wait of windows of a second
_ROOM = 1 << 16  # so many more are collected before they are sorted out
_SORTED_AT_ONCE = 1 << 17
_ROOM_MAX = ENTRIES_MAX + 5 * _ROOM
_NS = 1_000_000_000
_NONE = -1


def largest(stratum: I32 | I64, randomness: I64, k: int) -> tuple[I64, Bool]:
    """Places of the k + 1 largest distinct R of each stratum, by stratum, and which is the (k+1)-th."""
    # One key of 63 bits, of which ten of R are missing: 25 ns a number, by two keys 190. Random numbers
    # that differ in these alone are somebody's own, such as 1, 2, 3.
    coarse = (stratum.astype(np.int64) << 46) | ((THRESHOLD_MAX - 1 - randomness) >> 10)
    order = np.argsort(coarse)
    strata, numbers = stratum[order], randomness[order]
    if ((strata[1:] == strata[:-1]) & (numbers[1:] > numbers[:-1])).any():
        order = np.lexsort((-randomness, stratum))
        strata, numbers = stratum[order], randomness[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = strata[1:] != strata[:-1]
    is_distinct = begins.copy()
    is_distinct[1:] |= numbers[1:] != numbers[:-1]
    order, begins = order[is_distinct], begins[is_distinct]
    place = np.arange(len(order))
    rank = place - np.maximum.accumulate(np.where(begins, place, 0))
    within = rank <= k
    return order[within], rank[within] == k


class Collected:
    """The largest random numbers of each stratum in the window that is open, unsorted and bounded."""

    def __init__(self, k: int) -> None:
        self._wanted = k
        self.begin()

    def begin(self) -> None:
        """A new window."""
        self._k = self._wanted
        self._stratum = np.empty(0, np.int32)
        self._randomness = np.empty(0, np.int64)
        self._size = self._sorted_size = 0

    def add(self, stratum: I64, randomness: I64, bound: Any) -> None:
        """Take those above their stratum's bound, which is raised where it can be."""
        above = np.flatnonzero(randomness > bound[stratum])
        size = self._size + len(above)
        if size > len(self._stratum):
            self._make_room(size)
        self._stratum[self._size : size] = stratum[above]
        self._randomness[self._size : size] = randomness[above]
        self._size = size
        if size >= self._sorted_size + max(_ROOM, min(self._sorted_size, 4 * _ROOM)):
            self.sort_out(bound)

    def _make_room(self, size: int) -> None:
        room = max(size, min(len(self._stratum) * 3 // 2, _ROOM_MAX), _ROOM)
        for name in ("_stratum", "_randomness"):
            old = getattr(self, name)
            new = np.empty(room, old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)

    def sort_out(self, bound: Any) -> tuple[I32, I64]:
        """Keep what may matter; returns each stratum that has k + 1, and its (k+1)-th largest."""
        while True:
            kept, numbers, is_last = self._largest()
            self._size = self._sorted_size = len(kept)
            self._stratum[: self._size], self._randomness[: self._size] = kept, numbers
            if self._size <= ENTRIES_MAX or self._k <= 1:
                break
            self._k //= 2
        full, last = kept[is_last], numbers[is_last]
        bound[full] = last
        return full, last

    def _largest(self) -> tuple[I32, I64, Bool]:
        """Those that may matter; in parts, as sorting takes five times what is sorted."""
        stratum, randomness = self._stratum[: self._size], self._randomness[: self._size]
        parts = 1 + self._size // _SORTED_AT_ONCE
        found: list[tuple[I32, I64, Bool]] = []
        for part in range(parts):
            at = np.flatnonzero(stratum % parts == part)
            own, numbers = stratum[at], randomness[at]
            left, is_last = largest(own, numbers, self._k)
            found.append((own[left], numbers[left], is_last))
        kept, numbers, is_last = (np.concatenate(each) for each in zip(*found, strict=True))
        return kept, numbers, is_last

    def state(self) -> State:
        told = np.array([self._k, self._sorted_size], np.int64)
        return {
            "open.told": told,
            "open.stratum": self._stratum[: self._size].copy(),
            "open.randomness": self._randomness[: self._size].copy(),
        }

    def restore(self, state: State) -> None:
        told: Any = state["open.told"]
        self._k, self._sorted_size = int(told[0]), int(told[1])
        self._stratum = state["open.stratum"].astype(np.int32)
        self._randomness = state["open.randomness"].astype(np.int64)
        self._size = len(self._stratum)


class Reservoir:
    """The k traces of each stratum and window whose R is largest."""

    def __init__(self, by: tuple[str, ...], k: int, window_s: float) -> None:
        self._by, self._k = by, k
        self.wait_s = window_s
        self._window_ns = int(window_s * _NS)
        self._strata = Strata({"bound": (np.int64, -1)})
        self._collected = Collected(k)
        self._open = _NONE
        self._closed: dict[int, tuple[I32, I64]] = {}  # by window: strata, thresholds
        self._names = Names(by)

    def observe(self, rows: Rows) -> U8:
        if len(rows):
            numbers = self._strata.numbers(keys_of(rows, self._by))
            window = rows.received_ns // self._window_ns
            for each in np.unique(window[window >= self._open]):
                self._enter(int(each))
                at = window == each
                bound = self._strata["bound"]
                self._collected.add(numbers[at], rows.randomness[at], bound)
        return np.zeros(len(rows), np.uint8)

    def _enter(self, window: int) -> None:
        if window == self._open:
            return
        if self._open != _NONE:
            self._close()
        self._open = window

    def _close(self) -> None:
        """Work out the open window's thresholds, and forget its random numbers."""
        stratum, last = self._collected.sort_out(self._strata["bound"])
        self._closed[self._open] = (stratum, last + 1)
        self._strata["bound"] = np.full(self._strata.size, -1)
        self._collected.begin()
        while len(self._closed) > 1 and (
            len(self._closed) > _CLOSED_MAX
            or sum(len(each) for each, _ in self._closed.values()) > CLOSED_ENTRIES_MAX
        ):
            del self._closed[min(self._closed)]

    def decide(self, rows: Rows) -> Verdict:
        if not len(rows):
            return Verdict(np.empty(0, np.int64), np.empty(0, np.uint8))
        numbers = self._strata.numbers(keys_of(rows, self._by))
        window = rows.received_ns // self._window_ns
        found = np.empty(len(rows), np.int64)
        windows = np.unique(window)
        for each in windows:
            at = window == each
            found[at] = self._thresholds(int(each))[numbers[at]]
        for old in [each for each in self._closed if each < windows[0] - 1]:
            if len(self._closed) > 1:
                del self._closed[old]
        self._names.remember(rows, numbers)
        return Verdict(found, np.full(len(rows), KeepReason.QUOTA, np.uint8), numbers)

    def _thresholds(self, window: int) -> I64:
        """By number of stratum. A window that is not known any more has those of the nearest that is."""
        if window >= self._open != _NONE:
            self._close()
            self._open = window + 1
        by_number = np.full(self._strata.size, KEEP_ALL, np.int64)
        if self._closed:
            nearest = min(self._closed, key=lambda each: abs(each - window))
            stratum, found = self._closed[nearest]
            by_number[stratum] = found
        return by_number

    def stratum(self, number: int) -> str:
        return self._names.name(number)

    def use(self) -> Use:
        strata = self._strata
        return Use(stratum_count=strata.count, evicted_count=strata.evicted_count)

    def state(self) -> State:
        closed = sorted(self._closed)
        tables = [self._closed[window] for window in closed]
        return {
            "told": np.array([self._open, self._k, self._window_ns], np.int64),
            "closed": np.array(closed, np.int64),
            "closed.size": np.array([len(stratum) for stratum, _ in tables], np.int64),
            "closed.stratum": np.concatenate([np.empty(0, np.int32), *(s for s, _ in tables)]),
            "closed.threshold": np.concatenate([np.empty(0, np.int64), *(t for _, t in tables)]),
            **self._collected.state(),
            **self._strata.state(),
        }

    def restore(self, state: State) -> None:
        try:
            told: Any = state["told"]
            if tuple(told[1:]) != (self._k, self._window_ns):
                raise ValueError("no state of this reservoir: k or window_s differ")
            ends = np.cumsum(state["closed.size"])[:-1]
            tables = zip(
                np.split(state["closed.stratum"], ends),
                np.split(state["closed.threshold"], ends),
                strict=True,
            )
            closed: Any = dict(zip(state["closed"].tolist(), tables, strict=False))
            self._collected.restore(state)
        except KeyError as error:
            raise ValueError(f"no state of a reservoir: {error} is missing") from None
        self._strata.restore(state)
        self._closed, self._open = closed, int(told[0])

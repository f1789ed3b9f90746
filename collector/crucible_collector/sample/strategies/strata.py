"""Strata by number: hashes of what records can be told apart by, numbered densely in bounded arrays.

What a strategy knows of a stratum lies in columns that are indexed by the number. At most `limit` strata
are known; when more come, those that were not seen for longest leave first and are counted. What does
not even fit into one window shares stratum 0, `other`: the numbers, and so thresholds, stay finite
whatever comes in. A number is good until the next call of `numbers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I32, I64
from crucible_collector.candidates import U64
from crucible_collector.kernels import Int, inlined, kernel, writable
from crucible_collector.sample.strategy import Rows, State
from crucible_collector.sample.strategy_settings import OTHER, STATUSES

STRATA_MAX = 100_000
OTHER_NUMBER = 0
NOTHING = np.uint64(0xEF46DB3751D8E999)  # XXH64 of an empty text: a record has no such key
_FIRST_CAPACITY = 64
_EVICTED_AT_ONCE = 16  # one of so many: making room costs a pass over all
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def keys_of(rows: Rows, by: tuple[str, ...]) -> U64:
    """One hash a record over the keys that it is told apart by."""
    keys: U64 | None = None
    for name in by:
        if name == "status":
            word = rows.candidates.status_code[rows.at].astype(np.uint64)
        else:
            word = rows.candidates.columns.key(name)[rows.at]
        keys = word if keys is None else _mixed(keys) + word
    assert keys is not None
    return keys


def label_of(rows: Rows, by: tuple[str, ...], place: int) -> str:
    """The name of the stratum of one of these records: its labels, joined by a stroke."""
    at = int(rows.at[place])
    columns, status = rows.candidates.columns, rows.candidates.status_code
    return "/".join(
        STATUSES[int(status[at]) % len(STATUSES)] if name == "status" else columns.label(name, at)
        for name in by
    )


def _mixed(word: U64) -> U64:
    word = (word + _GOLDEN) * _MIX_1
    return (word ^ (word >> np.uint64(29))) * _MIX_2


@inlined
def _place(key: np.uint64, slots: I32) -> Int:
    word = (key ^ (key >> np.uint64(32))) * _GOLDEN
    return np.int64((word >> np.uint64(20)) & np.uint64(len(slots) - 1))


@inlined
def _probe(wanted: np.uint64, slots: I32, key: U64) -> Int:
    """The place of a key, or the empty one where it would be; some are always empty."""
    place = _place(wanted, slots)
    while slots[place] != 0 and key[slots[place]] != wanted:
        place = place + 1 if place + 1 < len(slots) else 0
    return place


@kernel
def _find(keys: U64, slots: I32, key: U64, number: I64) -> None:
    for row in range(len(keys)):
        number[row] = slots[_probe(keys[row], slots, key)]


@kernel
def _number(
    keys: U64, tick: Int, slots: I32, key: U64, seen: I64, free: I64, left: I64, number: I64
) -> Int:
    """Number the keys; new ones take from `free` while `left[0]` > 0. Returns how many got none."""
    missing = 0
    for row in range(len(keys)):
        wanted = keys[row]
        place = _probe(wanted, slots, key)
        found = np.int64(slots[place])
        if found == 0 and left[0] > 0:
            left[0] -= 1
            found = free[left[0]]
            slots[place] = found
            key[found] = wanted
        if found == 0:
            missing += 1
        seen[found] = tick
        number[row] = found
    return missing


@kernel
def _rebuild(key: U64, seen: I64, slots: I32) -> None:
    slots[:] = 0
    for number in range(1, len(key)):
        if seen[number] > 0:
            slots[_probe(key[number], slots, key)] = number


class Strata:
    """Numbers of strata, 1 to `limit` and 0 for what does not fit, with columns of what is known.

    `columns` gives each column's dtype and the value of a new stratum, and a width where a stratum has
    a row of values. 100,000 strata take 3.9 MB, and 0.8 MB a column of 8 bytes.
    """

    def __init__(
        self, columns: Mapping[str, tuple[Any, ...]] | None = None, limit: int = STRATA_MAX
    ) -> None:
        self.limit = limit
        self.evicted_count = 0
        self._kinds = dict(columns or {})
        self._tick = 0
        self._capacity = min(_FIRST_CAPACITY, limit)
        self._key = np.zeros(self._capacity + 1, np.uint64)
        self._seen = np.zeros(self._capacity + 1, np.int64)  # tick of the last time; 0: not in use
        self._columns = {name: self._new(name, self._capacity + 1) for name in self._kinds}
        self._index()

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        """A column by number, up to `size`; it is another array after `numbers`."""
        return self._columns[column]

    def __setitem__(self, column: str, values: npt.NDArray[Any]) -> None:
        self._columns[column][:] = values

    @property
    def count(self) -> int:
        """How many are known."""
        return self._capacity - int(self._left[0])

    @property
    def size(self) -> int:
        """Above every number."""
        return self._capacity + 1

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """Whether a number stands for a stratum."""
        return self._seen > 0

    def find(self, keys: U64) -> I64:
        """The number of each that is known, 0 of the others; nothing is remembered of the question."""
        number = np.empty(len(keys), np.int64)
        _find(writable(keys, np.uint64), self._slots, self._key, number)
        return number

    def numbers(self, keys: U64) -> I64:
        """The number of each record's stratum; what is new has the columns' first values."""
        self._tick += 1
        keys = writable(keys, np.uint64)
        number = np.empty(len(keys), np.int64)
        missing = self._numbered(keys, number)
        while missing and self._make_room(missing):
            missing = self._numbered(keys, number)
        return number

    def _numbered(self, keys: U64, number: I64) -> int:
        before = int(self._left[0])
        arrays = (self._slots, self._key, self._seen, self._free, self._left)
        missing: int = _number(keys, self._tick, *arrays, number)
        fresh = self._free[int(self._left[0]) : before]
        for name, column in self._columns.items():
            column[fresh] = self._kinds[name][1]
        return missing

    def _make_room(self, wanted: int) -> bool:
        """Grow, or forget what was not seen for longest; False where all was seen just now."""
        if self._capacity < self.limit:
            self._grow(min(4 * self._capacity, self.limit))
            return True
        old = np.flatnonzero((self._seen > 0) & (self._seen < self._tick))
        old = old[old != OTHER_NUMBER]
        count = min(max(min(wanted, self.limit), self.limit // _EVICTED_AT_ONCE), len(old))
        if count == 0:
            return False
        leaving = old[np.argpartition(self._seen[old], count - 1)[:count]]
        self._seen[leaving] = 0
        self.evicted_count += count
        self._index()
        return True

    def _grow(self, capacity: int) -> None:
        more = capacity - self._capacity
        self._key = np.concatenate([self._key, np.zeros(more, np.uint64)])
        self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, self._new(name, more)])
        self._capacity = capacity
        self._index()

    def _new(self, name: str, count: int) -> npt.NDArray[Any]:
        dtype, first, *width = self._kinds[name]
        return np.full((count, *width), first, dtype)

    def _index(self) -> None:
        """The table of places anew, at most half full, and the numbers that are free."""
        self._slots = np.zeros(1 << (2 * self._capacity - 1).bit_length(), np.int32)
        _rebuild(self._key, self._seen, self._slots)
        free = np.flatnonzero(self._seen[1:] == 0).astype(np.int64) + 1
        self._free = np.zeros(self._capacity, np.int64)
        self._free[: len(free)] = free[::-1]
        self._left = np.array([len(free)], np.int64)

    def state(self) -> State:
        """All of it, as copies."""
        columns = {f"column.{name}": column.copy() for name, column in self._columns.items()}
        numbers = np.array([self._tick, self.evicted_count], np.int64)
        return {"key": self._key.copy(), "seen": self._seen.copy(), "ticks": numbers, **columns}

    def restore(self, state: State) -> None:
        """Go on from there; raises ValueError where the columns are others."""
        try:
            columns = {name: state[f"column.{name}"].copy() for name in self._kinds}
            key, seen, ticks = state["key"], state["seen"], state["ticks"]
        except KeyError as error:
            raise ValueError(f"no state of these strata: {error} is missing") from None
        sizes = {len(key), len(seen), *map(len, columns.values())}
        fits = [
            column.shape[1:] == self._columns[name].shape[1:] for name, column in columns.items()
        ]
        if len(sizes) > 1 or not 2 <= len(key) <= self.limit + 1 or not all(fits):
            raise ValueError("no state of these strata: the sizes differ")
        self._key, self._seen = key.astype(np.uint64), seen.astype(np.int64)
        self._columns = {
            name: column.astype(self._kinds[name][0]) for name, column in columns.items()
        }
        self._tick, self.evicted_count = int(ticks[0]), int(ticks[1])
        self._capacity = len(key) - 1
        self._index()


class Names:
    """What the strata of the last verdict are called: looked up for those that somebody asks for."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self._by = by
        self._rows: Rows | None = None
        self._numbers = np.empty(0, np.int64)

    def remember(self, rows: Rows, numbers: I64) -> None:
        """These are the last ones."""
        self._rows, self._numbers = rows, numbers

    def name(self, number: int) -> str:
        """The labels of a record of that stratum."""
        places = np.flatnonzero(self._numbers == number)
        if number == OTHER_NUMBER or not len(places) or self._rows is None:
            return OTHER
        return label_of(self._rows, self._by, int(places[0]))

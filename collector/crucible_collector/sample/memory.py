"""What is remembered of traces: 64-bit keys to numbers, bounded, the oldest forgotten first.

Two generations of open-addressing arrays. A key goes into the current one; when that is full it becomes
the previous one, and what was there is forgotten, unless it was put again meanwhile. So at least the
`entries_max` keys put last are known, and at most twice as many, at the cost of a look-up or two
and of no list of what was used when. A table begins small and grows by four, so that it stays in the
processor's cache where little is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import I64, U8, Bool
from crucible_collector.candidates import U64
from crucible_collector.kernels import Int, inlined, kernel, writable
from crucible_collector.mixing import SEED, mixed
from crucible_collector.sample.strategy import State

_ENTRIES_FIRST = 1024
_GROWTH = 4
_SLOTS_PER_ENTRY = 2

_EMPTY = np.uint64(0)


@inlined
def _slot(keys: U64, key: np.uint64, seed: np.uint64) -> Int:
    """Where the key is, else where it would go; a table is never full."""
    mask = len(keys) - 1
    slot = np.int64(mixed(key ^ seed) & np.uint64(mask))
    while keys[slot] != _EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _get(
    wanted: U64,
    seed: np.uint64,
    keys: U64,
    values: I64,
    old_keys: U64,
    old_values: I64,
    found: I64,
    is_found: Bool,
) -> None:
    for row in range(len(wanted)):
        key = max(wanted[row], np.uint64(1))
        slot = _slot(keys, key, seed)
        if keys[slot] == key:
            is_found[row] = True
            for column in range(found.shape[1]):
                found[row, column] = values[slot, column]
            continue
        slot = _slot(old_keys, key, seed)
        if old_keys[slot] == key:
            is_found[row] = True
            for column in range(found.shape[1]):
                found[row, column] = old_values[slot, column]


@kernel
def _put(
    new: U64, given: I64, first: Int, seed: np.uint64, keys: U64, values: I64, size: I64, most: Int
) -> Int:
    """Put rows from `first` on until the table has `most` entries; return the first not put."""
    for row in range(first, len(new)):
        key = max(new[row], np.uint64(1))
        slot = _slot(keys, key, seed)
        if keys[slot] != key:
            if size[0] >= most:
                return row
            keys[slot] = key
            size[0] += 1
        for column in range(given.shape[1]):
            values[slot, column] = given[row, column]
    return len(new)


@kernel
def _gone(old_keys: U64, old_values: I64, live_from: Int, keys: U64, seed: np.uint64) -> Int:
    """Count entries that are nowhere but in the old table and are still of use."""
    count = 0
    for slot in range(len(old_keys)):
        key = old_keys[slot]
        if key != _EMPTY and old_values[slot, 0] >= live_from:
            count += keys[_slot(keys, key, seed)] != key
    return count


@dataclass(slots=True)
class _Table:
    keys: U64
    values: I64  # (slots, width)
    size: I64  # one number, which kernels change
    entries_max: int

    @classmethod
    def empty(cls, entries_max: int, width: int) -> _Table:
        slots = _SLOTS_PER_ENTRY * entries_max
        return cls(
            np.zeros(slots, np.uint64),
            np.zeros((slots, width), np.int64),
            np.zeros(1, np.int64),
            entries_max,
        )

    def entries(self) -> tuple[U64, I64]:
        there = self.keys != _EMPTY
        return self.keys[there], self.values[there]


class Generations:
    """Key to `width` 64-bit integers; `entries_max` (a power of two) bounds one of two generations.

    >>> memory = Generations(entries_max=4096)
    >>> memory.put(np.array([7, 9], np.uint64), np.array([[70], [90]]))
    >>> memory.get(np.array([9, 8], np.uint64))
    (array([[90],
           [ 0]]), array([ True, False]))
    """

    def __init__(self, entries_max: int, width: int = 1) -> None:
        if entries_max < 1 or entries_max & (entries_max - 1):
            raise ValueError(f"entries_max = {entries_max}: expected a power of two")
        self._entries_max = entries_max
        self._width = width
        self._current = self._first()
        self._previous = self._first()
        self.evicted_count = 0
        # Entries whose first value is below are of no use any more; that they go is not counted.
        self.live_from = int(np.iinfo(np.int64).min)

    def __len__(self) -> int:
        """How many entries there are; one that was put again may count twice."""
        return int(self._current.size[0] + self._previous.size[0])

    @property
    def size_bytes(self) -> int:
        tables = self._current, self._previous
        return sum(table.keys.nbytes + table.values.nbytes for table in tables)

    def get(self, keys: U64) -> tuple[I64, Bool]:
        """The values of each key, (keys, width), zero where it is not known; and where it is."""
        found = np.zeros((len(keys), self._width), np.int64)
        is_found = np.zeros(len(keys), np.bool_)
        if len(self):
            new, old = self._current, self._previous
            _get(keys, SEED, new.keys, new.values, old.keys, old.values, found, is_found)
        return found, is_found

    def put(self, keys: U64, values: I64) -> None:
        """Remember (or replace) the values of each key; of a key that comes twice the last count."""
        row = 0
        while True:
            table = self._current
            row = _put(
                keys,
                values,
                row,
                SEED,
                table.keys,
                table.values,
                table.size,
                table.entries_max,
            )
            if row == len(keys):
                return
            if table.entries_max < self._entries_max:
                self._current = self._larger(table)
            else:
                self._turn()

    def _first(self) -> _Table:
        return _Table.empty(min(_ENTRIES_FIRST, self._entries_max), self._width)

    def _larger(self, table: _Table) -> _Table:
        entries_max = min(_GROWTH * table.entries_max, self._entries_max)
        larger = _Table.empty(entries_max, self._width)
        keys, values = table.entries()
        _put(keys, values, 0, SEED, larger.keys, larger.values, larger.size, entries_max)
        return larger

    def _turn(self) -> None:
        new, old = self._current, self._previous
        self.evicted_count += _gone(old.keys, old.values, np.int64(self.live_from), new.keys, SEED)
        self._previous, self._current = new, _Table.empty(self._entries_max, self._width)

    def state(self) -> State:
        """Both generations, without what is empty."""
        keys, values = self._current.entries()
        old_keys, old_values = self._previous.entries()
        return {"keys": keys, "values": values, "old_keys": old_keys, "old_values": old_values}

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where its values have another width."""
        tables = []
        for name in ("old_", ""):
            keys = np.array(state[f"{name}keys"], np.uint64)
            values = np.array(state[f"{name}values"], np.int64)
            if values.shape != (len(keys), self._width) or len(keys) > self._entries_max:
                raise ValueError(f"{values.shape} values are not those of this memory")
            tables.append((keys, values))
        for keys, values in tables:
            self._previous, self._current = self._current, self._first()
            self.put(keys, values)


def packed_keys(*words: U64) -> U64:
    """One key for each row of some columns of words; their order counts."""
    key = np.full(len(words[0]), 0x9E3779B97F4A7C15, np.uint64)
    for word in words:
        _fold(key, writable(word, np.uint64))
    return key


@kernel
def _fold(key: U64, word: U64) -> None:
    for row in range(len(key)):
        key[row] = mixed(key[row] ^ mixed(word[row]))


def trace_keys(trace_id: U8) -> U64:
    """One key for each trace id (rows, 16)."""
    words = np.ascontiguousarray(trace_id).view(np.uint64)
    return packed_keys(words[:, 0], words[:, 1])

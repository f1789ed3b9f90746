"""The traces of a window, numbered: what is one per trace lies in arrays with a place for each.

A record without a trace is a trace of its own. The randomness of a trace is the explicit one (`rv`) where
any of its records tells one, since services on its way may have lost the tracestate that others kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import I32, I64, Bool
from crucible_collector.candidates import THRESHOLD_MAX, U64, Candidates
from crucible_collector.kernels import Int, inlined, kernel, writable
from crucible_collector.mixing import SEED, mixed

_RANDOM_MASK = np.int64(THRESHOLD_MAX - 1)
_KEY = np.uint64(0x9E3779B97F4A7C15)


@dataclass(slots=True)
class Traces:
    """`of` has one array for each Candidates; the others have one value a trace."""

    of: list[I64]  # number of each record's trace; -1 where it is not wanted
    key: U64  # what it is remembered by; of a record without a trace, by its randomness
    randomness: I64
    is_trace: Bool  # False: a record without one
    is_explicit: Bool  # R is told by `rv`

    def __len__(self) -> int:
        return len(self.key)

    def count(self, places: Sequence[int]) -> I32:
        """The number of records that each trace has in these Candidates."""
        counts = np.zeros(len(self), np.int32)
        for place in places:
            _count(self.of[place], counts)
        return counts


def number(window: Sequence[Candidates]) -> Traces:
    """Number the traces of a window in the order of their first records; 15 ns a record."""
    rows = sum(map(len, window))
    slots = np.zeros(1 << max(rows, 1).bit_length() + 1, np.int32)
    ids = np.empty((rows, 2), np.uint64)
    key = np.empty(rows, np.uint64)
    random = np.empty(rows, np.int64)
    is_trace = np.empty(rows, np.bool_)
    is_explicit = np.empty(rows, np.bool_)
    of, count = [], 0
    for candidates in window:
        trace = np.empty(len(candidates), np.int64)
        words = np.ascontiguousarray(candidates.trace_id).view(np.uint64)
        count = _number(
            writable(words, np.uint64),
            writable(candidates.wanted, np.bool_),
            writable(candidates.randomness, np.int64),
            SEED,
            slots,
            trace,
            ids,
            key,
            random,
            is_trace,
            is_explicit,
            np.int64(count),
        )
        of.append(trace)
    return Traces(of, key[:count], random[:count], is_trace[:count], is_explicit[:count])


@inlined
def _of_id(low: np.uint64) -> Int:
    """The last 56 bits of a trace id, whose last 8 bytes were read little-endian."""
    word = np.uint64(0)
    for _ in range(8):
        word = word << np.uint64(8) | low & np.uint64(255)
        low >>= np.uint64(8)
    return np.int64(word) & _RANDOM_MASK


@kernel
def _number(
    words: U64,
    wanted: Bool,
    randomness: I64,
    seed: np.uint64,
    slots: I32,
    trace: I64,
    ids: U64,
    key: U64,
    random: I64,
    is_trace: Bool,
    is_explicit: Bool,
    count: Int,
) -> Int:
    """Number on from `count`; slots hold numbers plus 1."""
    mask = len(slots) - 1
    for row in range(len(trace)):
        if not wanted[row]:
            trace[row] = -1
            continue
        high, low = words[row, 0], words[row, 1]
        is_one = high != 0 or low != 0
        if is_one:
            slot = np.int64(mixed(mixed(high ^ seed) ^ low) & np.uint64(mask))
            known = np.int64(slots[slot]) - 1
            while known >= 0 and (ids[known, 0] != high or ids[known, 1] != low):
                slot = (slot + 1) & mask
                known = np.int64(slots[slot]) - 1
            if known >= 0:
                trace[row] = known
                if randomness[row] != random[known] and not is_explicit[known]:
                    random[known] = randomness[row]
                    is_explicit[known] = True
                continue
            slots[slot] = count + 1
            key[count] = mixed(mixed(high ^ _KEY) ^ low)
        else:
            key[count] = mixed(np.uint64(randomness[row]) ^ _KEY)
        is_explicit[count] = is_one and randomness[row] != _of_id(low)
        is_trace[count] = is_one
        ids[count, 0], ids[count, 1] = high, low
        random[count] = randomness[row]
        trace[row] = count
        count += 1
    return count


@kernel
def _count(trace: I64, counts: I32) -> None:
    for row in range(len(trace)):
        if trace[row] >= 0:
            counts[trace[row]] += 1


def dense(trace: I64, at: I64, among: int) -> tuple[I64, int]:
    """Numbers of the traces of some records, from 0 on with none left out, and how many there are.

    `among` is more than any number in `trace`.
    """
    numbers = np.empty(len(at), np.int64)
    seen = np.zeros(among, np.int32)
    return numbers, int(_dense(trace, at, seen, numbers))


@kernel
def _dense(trace: I64, at: I64, seen: I32, numbers: I64) -> Int:
    count = np.int64(0)
    for row in range(len(at)):
        old = trace[at[row]]
        if seen[old] == 0:
            count += 1
            seen[old] = count
        numbers[row] = seen[old] - 1
    return count

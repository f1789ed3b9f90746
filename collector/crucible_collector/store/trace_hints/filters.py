"""The bits of a Bloom filter, as `crucible.filter_has` looks for them (store/objects/traces.sql).

Any range of the sorted hashes may be a filter of its own, so the places are taken from the lower forty
bits of a hash: what a range has in common lies in the upper ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crucible_collector.batch import I64, Bool

BITS_AN_ENTRY = 16
PLACES = 4
BITS_MIN = 1 << 10
# Twenty bits of a hash say where the first place is: 65,536 entries. Also what is read at once.
BITS_MAX = 1 << 20
ENTRIES_MAX = BITS_MAX // BITS_AN_ENTRY


def capacity(filter_bytes: int) -> int:
    """How many entries a filter of that size is good for."""
    return filter_bytes * 8 // BITS_AN_ENTRY


def empty(entry_count: int) -> bytearray:
    """A filter for so many entries, ENTRIES_MAX at most."""
    bits = BITS_MIN
    while bits < entry_count * BITS_AN_ENTRY:
        bits *= 2
    return bytearray(min(bits, BITS_MAX) // 8)


def add(filter_: bytearray, hashes: I64) -> None:
    """Set the bits of these hashes."""
    bits = np.frombuffer(filter_, np.uint8)
    for place in _places(hashes, len(filter_)):
        np.bitwise_or.at(bits, place >> 3, (1 << (place & 7)).astype(np.uint8))


def has(filter_: bytes | bytearray, hashes: I64) -> Bool:
    """Say of each hash whether it may have been added."""
    bits = np.frombuffer(filter_, np.uint8)
    found = np.ones(len(hashes), np.bool_)
    for place in _places(hashes, len(filter_)):
        found &= (bits[place >> 3] >> (place & 7).astype(np.uint8)) & 1 == 1
    return found


def _places(hashes: I64, filter_bytes: int) -> Iterator[I64]:
    first = hashes & (BITS_MAX - 1)
    step = (hashes >> 20) & (BITS_MAX - 1) | 1
    for number in range(PLACES):
        yield (first + number * step) & (8 * filter_bytes - 1)

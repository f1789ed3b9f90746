"""Finding the attribute keys that matter (`batch.SLOT_KEYS`) while walking.

A perfect hash over (length, three bytes) leads to at most one candidate, whose bytes are then
compared. The multiplier is searched for at import, so that a new key cannot silently collide. One of the
bytes is that in which `cache_read.input_tokens` differs from `cache_read_input_tokens`.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I64, SLOT_KEYS, U8
from crucible_collector.kernels import Int, inlined

_SIZE = 256
_FROM_END = len("_input_tokens")
_SHORTEST = min(len(key) for key in SLOT_KEYS)


def _hash(multiplier: int, key: bytes) -> int:
    size = len(key)
    at = max(size - _FROM_END, 0)
    mixed = size * 31 + key[size - 3] * 7 + key[at] * 131 + key[size // 2] * 1031
    return (mixed * multiplier >> 12) & (_SIZE - 1)


def _multiplier() -> int:
    keys = [key.encode() for key in SLOT_KEYS]
    for multiplier in range(1, 1_000_000, 2):
        if len({_hash(multiplier, key) for key in keys}) == len(keys):
            return multiplier
    raise RuntimeError("no multiplier separates SLOT_KEYS")


def _tables() -> tuple[I64, I64, U8]:
    slots = np.full(_SIZE, -1, dtype=np.int64)
    text = b"".join(key.encode() for key in SLOT_KEYS)
    starts = np.zeros(len(SLOT_KEYS) + 1, dtype=np.int64)
    starts[1:] = np.cumsum([len(key.encode()) for key in SLOT_KEYS])
    for slot, key in enumerate(SLOT_KEYS):
        slots[_hash(_MULTIPLIER, key.encode())] = slot
    return slots, starts, np.frombuffer(text, dtype=np.uint8)


_MULTIPLIER = _multiplier()
_SLOTS, _STARTS, _TEXT = _tables()


@inlined
def slot_of(buffer: U8, offset: Int, size: Int) -> Int:
    """Return the slot of the key that lies there, or -1."""
    if size < _SHORTEST:
        return -1
    mixed = (
        size * 31
        + np.int64(buffer[offset + size - 3]) * 7
        + np.int64(buffer[offset + max(size - _FROM_END, 0)]) * 131
        + np.int64(buffer[offset + size // 2]) * 1031
    )
    slot = _SLOTS[(mixed * _MULTIPLIER >> 12) & (_SIZE - 1)]
    if slot < 0 or _STARTS[slot + 1] - _STARTS[slot] != size:
        return -1
    start = _STARTS[slot]
    for index in range(size):
        if buffer[offset + index] != _TEXT[start + index]:
            return -1
    return slot

"""XXH64 of texts and of attribute sets: what ids of resources, scopes and series are made from.

The hash of an attribute set is mix(sum of XXH64(key, NUL, value)) modulo 2^64, `mix` being XXH64's
avalanche, key and value as `json_text` writes them: equal for any order of the attributes, and
possible to compute again from what is stored. Two attributes with the same key both count.

XXH64 is Yann Collet's, in its specification's words (xxhash_spec.md 0.1.1), seed 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I32, I64, U8, Attributes, Records, TextRef
from crucible_collector.decode.json_text import FLAT, write_rows
from crucible_collector.decode.wire import read_fixed32, read_fixed64
from crucible_collector.kernels import Int, inlined, kernel, read_only, writable

U64 = npt.NDArray[np.uint64]

_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)


@inlined
def _rotate(word: np.uint64, bits: Int) -> np.uint64:
    return word << np.uint64(bits) | word >> np.uint64(64 - bits)


@inlined
def _round(accumulator: np.uint64, lane: np.uint64) -> np.uint64:
    return _rotate(accumulator + lane * _PRIME_2, 31) * _PRIME_1


@inlined
def _merge(accumulator: np.uint64, lane: np.uint64) -> np.uint64:
    return (accumulator ^ _round(np.uint64(0), lane)) * _PRIME_1 + _PRIME_4


@inlined
def _avalanche(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> np.uint64(33))) * _PRIME_2
    word = (word ^ (word >> np.uint64(29))) * _PRIME_3
    return word ^ (word >> np.uint64(32))


@inlined
def _stripes(buffer: U8, position: Int, count: Int) -> np.uint64:
    """Step 2 and 3 of the specification over `count` stripes of 32 bytes."""
    one, two = _PRIME_1 + _PRIME_2, _PRIME_2
    three, four = np.uint64(0), np.uint64(0) - _PRIME_1
    for _ in range(count):
        one = _round(one, np.uint64(read_fixed64(buffer, position)))
        two = _round(two, np.uint64(read_fixed64(buffer, position + 8)))
        three = _round(three, np.uint64(read_fixed64(buffer, position + 16)))
        four = _round(four, np.uint64(read_fixed64(buffer, position + 24)))
        position += 32
    word = _rotate(one, 1) + _rotate(two, 7) + _rotate(three, 12) + _rotate(four, 18)
    return _merge(_merge(_merge(_merge(word, one), two), three), four)


@inlined
def _xxh64(buffer: U8, position: Int, size: Int) -> np.uint64:
    end = position + size
    stripes = size // 32
    word = _stripes(buffer, position, stripes) if stripes > 0 else _PRIME_5
    position += 32 * stripes
    word += np.uint64(size)
    while end - position >= 8:
        lane = _round(np.uint64(0), np.uint64(read_fixed64(buffer, position)))
        word = _rotate(word ^ lane, 27) * _PRIME_1 + _PRIME_4
        position += 8
    if end - position >= 4:
        word ^= np.uint64(read_fixed32(buffer, position)) * _PRIME_1
        word = _rotate(word, 23) * _PRIME_2 + _PRIME_3
        position += 4
    while position < end:
        word = _rotate(word ^ (np.uint64(buffer[position]) * _PRIME_5), 11) * _PRIME_1
        position += 1
    return _avalanche(word)


@kernel
def _hash_rows(buffer: U8, offset: I64, length: I32, hashes: U64) -> None:
    for row in range(len(offset)):
        hashes[row] = _xxh64(buffer, offset[row], max(np.int64(length[row]), 0))


@kernel
def _hash_sets(start: I64, left_out: U8, one: U64, hashes: U64) -> None:
    """Add up the hashes of each row's attributes; `one` holds those from `start[0]` on."""
    for row in range(len(start) - 1):
        total = np.uint64(0)
        for index in range(start[row], start[row + 1]):
            if left_out[index] == 0:
                total += one[index - start[0]]
        hashes[row] = _avalanche(total)


def text_hash(buffer: npt.ArrayLike, ref: TextRef) -> U64:
    """Return XXH64 of each byte string as it is; absent and empty ones have the same."""
    offset, length = writable(ref.offset, np.int64), writable(ref.length, np.int32)
    hashes = np.empty(len(offset), dtype=np.uint64)
    _hash_rows(read_only(buffer), offset, length, hashes)
    return hashes


def xxh64(content: bytes) -> int:
    """Return XXH64 of the bytes."""
    ref = TextRef(np.zeros(1, dtype=np.int64), np.array([len(content)], dtype=np.int32))
    return int(text_hash(np.frombuffer(content, dtype=np.uint8), ref)[0])


def attribute_set_hash(
    records: Records, start: I64 | None = None, exclude_slots: Sequence[int] = ()
) -> U64:
    """Return one hash a row over its attributes, whatever their order.

    `start` slices the attribute table (default: the records' own attributes). `exclude_slots`
    leaves out the records' attributes in these slots.
    """
    attributes = records.attributes
    start = writable(records.attribute_start if start is None else start, np.int64)
    # Superseded attributes (`key.length` -1) are left out, too.
    left_out = (attributes.key.length < 0).astype(np.uint8)
    for slot in exclude_slots:
        index = records.slots[:, slot]
        left_out[index[index >= 0]] = 1
    hashes = np.empty(len(start) - 1, dtype=np.uint64)
    _hash_sets(start, left_out, _hash_each(records.buffer, attributes, start), hashes)
    return hashes


def _hash_each(buffer: U8, attributes: Attributes, start: I64) -> U64:
    first, last = int(start[0]), int(start[-1])
    rows = np.arange(first, last + 1, dtype=np.int64)
    nothing = np.zeros(len(attributes.kind), dtype=np.uint8)
    text, ends = write_rows(buffer, FLAT, rows, attributes, nothing)
    return text_hash(text, TextRef(ends[:-1].astype(np.int64), np.diff(ends)))

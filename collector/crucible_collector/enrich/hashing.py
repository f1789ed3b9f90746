"""63-bit ids of dimensions: a fold of XXH64s, so that no look-up is needed to write a row.

The canonical form of a dimension is a sequence of 64-bit words: XXH64 (seed 0) of each text's bytes
as they came, integers as they are, and for a set of attributes the order-independent hash of
`decode.attribute_set_hash`. The fold starts with the hash of the dimension's kind and takes each
word by `state = mix(state * K + word)`, where `mix` is SplitMix64's finalizer (Steele, Lea &
Flood 2014) and K is 2^64 divided by the golden ratio. The id is the state without its lowest bit.

With ten million series the chance that any two share an id is about 5e-6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I64
from crucible_collector.decode import xxh64

U64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(word: U64) -> U64:
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


def fold(kind: str, *words: npt.NDArray[np.generic]) -> I64:
    """Ids of the rows whose canonical form are the given columns of 64-bit words, in order.

    `kind` keeps dimensions of different kinds apart. All columns have one length.
    """
    state = np.full(len(words[0]), xxh64(kind.encode()), np.uint64)
    for column in words:
        word: U64 = column.astype(np.int64).view(np.uint64) if column.dtype != np.uint64 else column  # type: ignore[assignment]
        state = _mix(state * _GOLDEN + word)
    return (state >> np.uint64(1)).astype(np.int64)

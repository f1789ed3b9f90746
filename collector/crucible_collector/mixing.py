"""How kernels choose the slots of hash tables: a random number of this process, and a good mixer.

Nobody can send ids that all collide. The number is handed to kernels, since their machine code outlives
the process.
"""

from __future__ import annotations

import os

import numpy as np

from crucible_collector.kernels import inlined

SEED = np.uint64(int.from_bytes(os.urandom(8), "little"))

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@inlined
def mixed(word: np.uint64) -> np.uint64:
    """SplitMix64's finalizer (Steele, Lea & Flood 2014)."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))

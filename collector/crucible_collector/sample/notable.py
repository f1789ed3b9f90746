"""Traces of which something notable was seen, from when it was seen until its window is decided.

The first cursor sees a window some seconds before the second decides it; what it notices there (an error,
an anomaly, a slow span) concerns every record of the trace, those decided earlier included. A trace is
remembered with its flags and the end of the last window that raised one, so that nothing has to be
cleared when windows are decided.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import F64, I64, U8
from crucible_collector.candidates import SCORE_ALARM, STATUS_ERROR, U64, Candidates
from crucible_collector.kernels import kernel, writable
from crucible_collector.sample.memory import Generations
from crucible_collector.sample.strategy import Flag, State

# At 1 in 10 of 10,000 traces a second notable this is two minutes of waiting; the tables take 8 MB.
ENTRIES_MAX = 131_072

_FLAG_BITS = 6
_FLAGS = (1 << _FLAG_BITS) - 1
_ERROR = int(Flag.ERROR)
_ANOMALY = int(Flag.ANOMALY)
_ALARM = int(Flag.ALARM)


class Notable:
    """Flags by trace; `end` is a position of the journal after a window."""

    def __init__(self) -> None:
        self._seen = Generations(ENTRIES_MAX)
        self._decided_end = -1

    @property
    def evicted_count(self) -> int:
        """Traces that were forgotten before their windows were decided."""
        return self._seen.evicted_count

    def add(self, keys: U64, flags: U8, end: int) -> None:
        """Remember flags of distinct traces in the window that ends at `end`."""
        there = flags != 0
        if there.any():
            keys, merged = keys[there], flags[there] | self.get(keys[there])
            self._seen.put(keys, (merged.astype(np.int64) | end << _FLAG_BITS).reshape(-1, 1))

    def get(self, keys: U64) -> U8:
        """The flags of each trace in windows that are not decided yet."""
        packed, _ = self._seen.get(keys)
        is_live = packed[:, 0] >> _FLAG_BITS > self._decided_end
        return np.where(is_live, packed[:, 0] & _FLAGS, 0).astype(np.uint8)

    def decided(self, end: int) -> None:
        """Everything up to `end` is decided."""
        self._decided_end = end
        self._seen.live_from = (end + 1) << _FLAG_BITS

    def state(self) -> State:
        return {**self._seen.state(), "decided_end": np.array([self._decided_end])}

    def restore(self, state: State) -> None:
        self._seen.restore(state)
        self.decided(int(state["decided_end"][0]))


def flag_traces(candidates: Candidates, trace: I64, flags: U8) -> None:
    """Flag the traces of records that say by themselves that they are notable."""
    _flag(
        trace,
        writable(candidates.status_code, np.int64),
        writable(candidates.score, np.float64),
        flags,
    )


@kernel
def _flag(trace: I64, status_code: I64, score: F64, flags: U8) -> None:
    for row in range(len(trace)):
        if trace[row] < 0:
            continue
        if status_code[row] == STATUS_ERROR:
            flags[trace[row]] |= _ERROR
        if score[row] > 1:
            flags[trace[row]] |= _ANOMALY
        if score[row] >= SCORE_ALARM:
            flags[trace[row]] |= _ALARM


def raise_flags(trace: I64, at: I64, raised: U8, flags: U8) -> None:
    """What was noticed of some records is true of their traces."""
    _raise(trace, at, writable(raised, np.uint8), flags)


@kernel
def _raise(trace: I64, at: I64, raised: U8, flags: U8) -> None:
    for place in range(len(at)):
        flags[trace[at[place]]] |= raised[place]

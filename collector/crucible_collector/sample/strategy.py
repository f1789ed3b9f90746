"""What every strategy is: records of one rule in, a rejection threshold and a reason for each out.

A threshold may depend on everything that was seen, kept or not, and on other traces' randomness. It may
not depend on the trace's own randomness, nor on what was kept: either makes every estimate wrong (rates
taken from kept rows by 3.5 %). The conformance suite finds out: for kept records (R - T)/(2^56 - T) is
uniform on [0, 1).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I64, U8
from crucible_collector.candidates import Candidates


class Flag(enum.IntFlag):
    """What is known of a trace by any of its records, those that are still to be decided included."""

    NONE = 0
    ERROR = 1
    ANOMALY = 2
    SLOW = 4
    MATCH = 8
    COST = 16
    ALARM = 32  # an anomaly that is worth a warning


@dataclass(slots=True)
class Rows:
    """The records of a window that one rule is about; each array has one value a record."""

    candidates: Candidates
    at: I64  # which records of `candidates`
    trace: (
        I64  # number of the record's trace, 0 to trace_count - 1; a record without one is its own
    )
    trace_count: int
    randomness: I64  # R of the trace
    flags: U8  # Flag of the trace, from this window and those seen after it; 0 in `observe`
    received_ns: I64  # by which time is told; nothing asks a clock

    def __len__(self) -> int:
        return len(self.at)


@dataclass(slots=True)
class Verdict:
    """One value a record of Rows. A trace takes the smallest threshold of its records."""

    threshold: I64
    reason: U8  # KeepReason, of what makes the threshold what it is
    stratum: I64 | None = None  # number of the record's stratum in `Strategy.strata()`; None: one


@dataclass(slots=True)
class Use:
    """How a strategy is doing."""

    budget_per_s: float | None = None
    spent_per_s: float | None = None  # expected rows, over the last seconds seen
    stratum_count: int = 0
    evicted_count: int = 0  # strata forgotten to stay within bounds, since the start


State = dict[str, npt.NDArray[np.generic]]


class Strategy(Protocol):
    """One signal's records under one rule. One thread calls it, window by window, in journal order."""

    @property
    def wait_s(self) -> float:
        """How much later than its receipt a record wants to be decided; 0: at once."""
        ...

    def observe(self, rows: Rows) -> U8:
        """Look at records that are decided later (those of `decide`, each once, before that).

        Returns a Flag for each record, which all of its trace gets.
        """
        ...

    def decide(self, rows: Rows) -> Verdict:
        """Decide. Records were observed before, with those that came up to `wait_s` after them."""
        ...

    def stratum(self, number: int) -> str:
        """The name of a stratum of the last verdict, as the sampling ledger tells it."""
        ...

    def use(self) -> Use:
        """How it is doing."""
        ...

    def state(self) -> State:
        """What it has learned, as arrays that `restore` takes back; at most some MB."""
        ...

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where that is not this strategy's."""
        ...

"""What sampling looks at: the records of one signal of a window, in columns, before any row is made.

The columns that every decision needs are arrays; what only some rules ask for (the hash of an
experiment's name, whether an attribute has a value) is computed when it is first asked for, so that a
rule costs what it uses. A threshold is the rejection threshold of OpenTelemetry's consistent
probability sampling: of 56 bits, a trace is kept where its randomness is not below it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import F64, I32, I64, U8, Bool, Signal

U64 = npt.NDArray[np.uint64]

RANDOMNESS_BITS = 56
THRESHOLD_MAX = 1 << RANDOMNESS_BITS  # nothing is kept
KEEP_ALL = 0
NOT_TOLD = -1
STATUS_ERROR = 2  # OTLP Status.StatusCode
SCORE_ALARM = 2.0  # from this score on an anomaly is worth a warning, below it is for information

# By what records can be told apart, in rules and in strata.
KEYS = ("event", "experiment", "run", "service", "condition", "model", "status")


def probability(threshold: npt.ArrayLike) -> F64:
    """Inclusion probability of thresholds: (2^56 - T) / 2^56, at least 2^-56 for any T below 2^56."""
    return (THRESHOLD_MAX - np.asarray(threshold, np.int64)).astype(np.float64) / THRESHOLD_MAX


def threshold(probability: npt.ArrayLike) -> I64:
    """Threshold of inclusion probabilities in (0, 1], rounded to the nearest; never all of 2^56."""
    p = np.clip(np.asarray(probability, np.float64), 2.0**-RANDOMNESS_BITS, 1.0)
    found = np.rint((1.0 - p) * THRESHOLD_MAX).astype(np.int64)
    return np.minimum(found, THRESHOLD_MAX - 1)


class KeepReason(enum.IntEnum):
    """Why a record was kept. Numbers are in checkpoints: never renumber. Of two the smaller is told."""

    NONE = 0  # nobody sampled it: no reason is stored
    ERROR = 1
    ANOMALY = 2
    SLOW = 3
    MATCH = 4  # a tail rule's attributes
    COST = 5
    ERROR_THINNED = 6  # certain but for the budget, which the certain ones alone exceed
    ANOMALY_THINNED = 7
    SLOW_THINNED = 8  # heavier than others, not certain: the budget is for these as well
    QUOTA = 9  # among the k of its reservoir, or its stratum is within its budget
    RANDOM = 10
    TRACE = 11  # its trace was kept before, under a looser threshold than now
    UPSTREAM = 12  # no rule is about it; who sent it had sampled

    @property
    def label(self) -> str | None:
        """As it is stored; None for NONE."""
        return self.name.lower() if self else None


class Columns(Protocol):
    """What only some rules ask for, of all records of a signal in a window. All arrays: one a record."""

    def key(self, name: str) -> U64:
        """Hash of a text of KEYS (XXH64 of its bytes; of nothing where a record has none)."""
        ...

    def label(self, name: str, row: int) -> str:
        """The text of a key of one record; empty where it has none."""
        ...

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        """Whether the event's name is one of these, or begins with one up to a dot."""
        ...

    def has(self, attribute: str, value: str) -> Bool:
        """Whether an attribute of the record, or of its resource, has this value (as text)."""
        ...


@dataclass(slots=True)
class Candidates:
    """The records of one signal that are wanted so far; each column has one value a record."""

    signal: Signal
    columns: Columns
    wanted: Bool  # False: refused by the check or filtered; never sampled, never counted
    received_ns: I64
    trace_id: U8  # (rows, 16); zero where there is none
    randomness: I64  # R, 0 to 2^56 - 1
    upstream: I64  # threshold that the sender had applied, NOT_TOLD where it says none
    status_code: I64  # 0 unset, 1 ok, 2 error; of logs 2 from severity ERROR on
    duration_ns: I64  # 0 for logs
    cost_usd: F64  # 0 where none is told
    score: F64  # of the anomaly detectors: above 1 is anomalous, see SCORE_ALARM; 0: nothing was scored

    def __len__(self) -> int:
        return len(self.randomness)


@dataclass(slots=True)
class Decided:
    """What was decided about Candidates, one value a record."""

    keep: Bool
    threshold: I64  # final: the larger of ours and the sender's
    reason: U8  # KeepReason
    upstream: I64  # NOT_TOLD where the sender told none, or one that contradicts the randomness
    trace_count: I32  # records of its trace in this window; 0 without a trace
    rule: I32  # number of the record's own rule in Rules.rules; -1: no rule is about it
    # R that it was decided by, where the record itself does not tell that one; NOT_TOLD where it does.
    lost_randomness: I64

    @property
    def probability(self) -> F64:
        return probability(self.threshold)


@dataclass(slots=True)
class RuleCount:
    """What one rule saw and kept in a window, of one signal and stratum. Weights are 1/p of kept rows."""

    rule: str
    signal: Signal
    stratum: str
    minute_ns: int  # start of the minute of receipt
    seen_count: int = 0
    kept_count: int = 0
    weight_sum: float = 0.0
    weight_square_sum: float = 0.0
    probability_min: float = 1.0  # over what was seen
    error_seen_count: int = 0
    error_kept_count: int = 0
    error_probability_min: float = 1.0
    trace_count_max: int = 1  # records of one trace in a window


@dataclass(slots=True)
class Counted:
    """The sampling ledger of a window, keyed by (rule, signal, stratum, minute)."""

    rows: dict[tuple[str, Signal, str, int], RuleCount] = field(default_factory=dict)

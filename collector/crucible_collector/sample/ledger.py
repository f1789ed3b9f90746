"""What a rule saw and kept in a window, by stratum and minute of receipt: the sampling ledger's rows.

Counts of what was seen are exact, so that totals by rule need no estimate, and the smallest probability
in force is known where nothing was kept, which an honest upper bound needs. At most STRATA_MAX strata of a
rule and window have a row of their own, those with most records; the others share one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import F64, I32, I64, Bool, Signal
from crucible_collector.candidates import (
    STATUS_ERROR,
    THRESHOLD_MAX,
    Candidates,
    Counted,
    Decided,
    RuleCount,
)
from crucible_collector.kernels import kernel, writable
from crucible_collector.sample.traces import dense

STRATA_MAX = 100
OTHER = "other"
MINUTE_NS = 60_000_000_000

# Columns of the sums that a kernel makes, one row a group.
_SEEN, _KEPT, _WEIGHT, _SQUARES, _LEAST, _ERRORS_SEEN, _ERRORS_KEPT, _ERROR_LEAST, _MOST = range(9)


@dataclass(slots=True)
class Ruled:
    """Records of one rule, and how they are told apart in the ledger."""

    rule: str
    signal: Signal
    at: I64  # which records of the Candidates
    group: I64  # of each, an index of `names`
    names: list[str] = field(default_factory=lambda: [""])


@dataclass(slots=True)
class Tally:
    """What of a window was counted, to be counted again without some of its records."""

    parts: list[tuple[int, Ruled, Candidates, Decided]] = field(default_factory=list)

    def without(self, is_out: Sequence[Bool]) -> Counted:
        """The counts but for some records; `is_out` has an array for each Candidates of the window."""
        counted = Counted()
        for place, ruled, candidates, decided in self.parts:
            stays = ~is_out[place][ruled.at]
            rest = Ruled(ruled.rule, ruled.signal, ruled.at[stays], ruled.group[stays], ruled.names)
            count(rest, candidates, decided, counted)
        return counted


def grouped(stratum: I64 | None, name: Callable[[int], str], rows: int) -> tuple[I64, list[str]]:
    """Each record's group by stratum, and the groups' names; None: one group without a name."""
    if stratum is None or not rows:
        return np.zeros(rows, np.int64), [""]
    numbers = writable(stratum, np.int64)
    group, count = dense(numbers, np.arange(rows), int(numbers.max()) + 1)
    number = np.empty(count, np.int64)
    number[group] = stratum
    if count <= STRATA_MAX:
        return group, [name(each) for each in number.tolist()]
    largest = np.argsort(np.bincount(group), kind="stable")[-STRATA_MAX:]
    shared = np.full(count, STRATA_MAX, np.int64)
    shared[largest] = np.arange(STRATA_MAX)
    return shared[group], [*(name(each) for each in number[largest].tolist()), OTHER]


def count(ruled: Ruled, candidates: Candidates, decided: Decided, counted: Counted) -> F64:
    """Add what was decided of these records to `counted`; return (seen, kept, sum of weights)."""
    group, minutes = _by_minute(ruled, candidates.received_ns[ruled.at])
    sums = np.zeros((len(ruled.names) * len(minutes), 9))
    sums[:, _LEAST] = sums[:, _ERROR_LEAST] = sums[:, _MOST] = 1.0
    _sum(
        ruled.at,
        group,
        decided.keep,
        decided.threshold,
        writable(candidates.status_code, np.int64),
        decided.trace_count,
        sums,
    )
    for place in np.flatnonzero(sums[:, _SEEN]).tolist():
        which, stratum = divmod(place, len(ruled.names))
        _add(counted, ruled, ruled.names[stratum], minutes[which], sums[place])
    total: F64 = sums[:, : _WEIGHT + 1].sum(axis=0)
    return total


def _by_minute(ruled: Ruled, received_ns: I64) -> tuple[I64, list[int]]:
    """Groups by stratum and minute, and the minutes; nearly always one."""
    if not len(received_ns):
        return ruled.group, []
    first = int(received_ns.min()) // MINUTE_NS
    if int(received_ns.max()) // MINUTE_NS == first:
        return ruled.group, [first * MINUTE_NS]
    minutes, which = np.unique(received_ns // MINUTE_NS, return_inverse=True)
    return which * len(ruled.names) + ruled.group, (minutes * MINUTE_NS).tolist()


@kernel
def _sum(
    at: I64,
    group: I64,
    keep: Bool,
    threshold: I64,
    status_code: I64,
    trace_count: I32,
    sums: F64,
) -> None:
    for place in range(len(at)):
        row, to = at[place], group[place]
        probability = (THRESHOLD_MAX - threshold[row]) / np.float64(THRESHOLD_MAX)
        sums[to, _SEEN] += 1
        sums[to, _LEAST] = min(sums[to, _LEAST], probability)
        sums[to, _MOST] = max(sums[to, _MOST], np.float64(trace_count[row]))
        if keep[row]:
            sums[to, _KEPT] += 1
            sums[to, _WEIGHT] += 1 / probability
            sums[to, _SQUARES] += 1 / probability**2
        if status_code[row] == STATUS_ERROR:
            sums[to, _ERRORS_SEEN] += 1
            sums[to, _ERROR_LEAST] = min(sums[to, _ERROR_LEAST], probability)
            sums[to, _ERRORS_KEPT] += keep[row]


def _add(counted: Counted, ruled: Ruled, stratum: str, minute_ns: int, sums: F64) -> None:
    key = ruled.rule, ruled.signal, stratum, minute_ns
    row = counted.rows.setdefault(key, RuleCount(*key))
    row.seen_count += int(sums[_SEEN])
    row.kept_count += int(sums[_KEPT])
    row.weight_sum += float(sums[_WEIGHT])
    row.weight_square_sum += float(sums[_SQUARES])
    row.probability_min = min(row.probability_min, float(sums[_LEAST]))
    row.error_seen_count += int(sums[_ERRORS_SEEN])
    row.error_kept_count += int(sums[_ERRORS_KEPT])
    row.error_probability_min = min(row.error_probability_min, float(sums[_ERROR_LEAST]))
    row.trace_count_max = max(row.trace_count_max, int(sums[_MOST]))

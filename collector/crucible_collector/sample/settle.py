"""From what strategies say of records to what is decided of traces: the smallest threshold holds.

Arrays of thresholds by trace have NOTHING where no rule is about any record of a trace.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I32, I64, U8, Bool
from crucible_collector.candidates import NOT_TOLD, THRESHOLD_MAX, Candidates, Decided, KeepReason
from crucible_collector.kernels import kernel, writable
from crucible_collector.sample.traces import Traces

NOTHING = THRESHOLD_MAX

_NONE = int(KeepReason.NONE)
_TRACE = int(KeepReason.TRACE)
_UPSTREAM = int(KeepReason.UPSTREAM)


@kernel
def lower(trace: I64, at: I64, threshold: I64, reason: U8, least: I64, why: U8) -> None:
    """Give each trace the least of its records' thresholds and, of equal ones, the first reason.

    At 2^56 nothing could be kept and no estimate made: thresholds stay below.
    """
    for place in range(len(at)):
        to = trace[at[place]]
        found = min(max(threshold[place], 0), THRESHOLD_MAX - 1)
        if found < least[to] or (found == least[to] and reason[place] < why[to]):
            least[to] = found
            why[to] = reason[place]


@kernel
def keep_whole(trace: I64, rule: I32, least: I64, why: U8) -> None:
    """A record without a rule is kept, and with it what rules say of the rest of its trace."""
    for row in range(len(trace)):
        if rule[row] < 0 and trace[row] >= 0:
            to = trace[row]
            if 0 < least[to] < NOTHING:
                least[to] = 0
                why[to] = _TRACE


def follow(threshold: I64, least: I64, why: U8) -> None:
    """Where another threshold of the trace is looser than its own, that one holds."""
    looser = (least < NOTHING) & (threshold < least)
    if looser.any():
        least[looser] = threshold[looser]
        why[looser] = _TRACE


def settle(
    candidates: Candidates, traces: Traces, trace: I64, rule: I32, least: I64, why: U8, count: I32
) -> Decided:
    """Decide the records of Candidates by the thresholds of their traces and of their senders.

    `count` is of the traces' records of this signal.
    """
    rows = len(candidates)
    made = Decided(
        keep=np.zeros(rows, np.bool_),
        threshold=np.zeros(rows, np.int64),
        reason=np.zeros(rows, np.uint8),
        upstream=np.full(rows, NOT_TOLD, np.int64),
        trace_count=np.zeros(rows, np.int32),
        rule=rule,
        lost_randomness=_lost(candidates, traces.randomness, trace),
    )
    _settle(
        trace,
        rule,
        traces.randomness,
        traces.is_trace,
        writable(candidates.upstream, np.int64),
        least,
        why,
        count,
        made.keep,
        made.threshold,
        made.reason,
        made.upstream,
        made.trace_count,
    )
    return made


def _lost(candidates: Candidates, randomness: I64, trace: I64) -> I64:
    """R of traces whose other records tell it by `rv`, where a record does not."""
    lost = np.full(len(candidates), NOT_TOLD, np.int64)
    if len(randomness):
        of_trace = randomness[np.maximum(trace, 0)]
        is_other = (trace >= 0) & (of_trace != candidates.randomness)
        lost[is_other] = of_trace[is_other]
    return lost


@kernel
def _settle(
    trace: I64,
    rule: I32,
    randomness: I64,
    is_trace: Bool,
    told: I64,
    least: I64,
    why: U8,
    count: I32,
    keep: Bool,
    threshold: I64,
    reason: U8,
    upstream: I64,
    trace_count: I32,
) -> None:
    for row in range(len(trace)):
        of = trace[row]
        if of < 0:
            continue
        own = least[of] if rule[row] >= 0 else 0
        sent = told[row]
        # Who sent it cannot have kept it under that threshold: nobody knows under which.
        if sent > randomness[of]:
            sent = NOT_TOLD
        final = max(own, sent)
        threshold[row] = final
        upstream[row] = sent
        if is_trace[of]:
            trace_count[row] = count[of]
        if randomness[of] >= final:
            keep[row] = True
            if rule[row] >= 0:
                reason[row] = why[of]
            elif sent > 0:
                reason[row] = _UPSTREAM


def is_sampled(candidates: Candidates) -> bool:
    """Whether who sent any of these has dropped others."""
    return bool(len(candidates) and candidates.upstream.max() > 0)


def keep_all(candidates: Candidates) -> Decided:
    """Decide where no rule does: what was sampled, who sent it has; 2 ns a record."""
    threshold = np.maximum(candidates.upstream, 0)
    rows = len(candidates)
    return Decided(
        keep=candidates.wanted.copy(),
        threshold=threshold,
        reason=np.where(threshold > 0, np.uint8(_UPSTREAM), np.uint8(_NONE)),
        upstream=candidates.upstream,
        trace_count=np.zeros(rows, np.int32),
        rule=np.full(rows, -1, np.int32),
        lost_randomness=np.full(rows, NOT_TOLD, np.int64),
    )

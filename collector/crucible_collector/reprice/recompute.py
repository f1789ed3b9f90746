"""A range of calls, slice by slice in order of time: each with its price of now, if nobody told its cost.

What was done stays done: whoever is interrupted asks again, and what has its price already is only read.
Error bars of sampled calls are those of their new costs: the terms of a trace are all written anew where
one of its costs is another, and stay as they are where none is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.candidates import U64
from crucible_collector.cost.pricing import CallNames, Pricing
from crucible_collector.cost.rates import Tokens
from crucible_collector.decode import xxh64
from crucible_collector.enrich.costs import CALLS, NOT_CALLS
from crucible_collector.reprice.asked import Asked
from crucible_collector.sample.memory import packed_keys
from crucible_collector.sample.variance import KeptRows, Variances
from crucible_collector.store.repricing import Changes, Repricing, StoredCalls

# A slice is one transaction: some seconds, and 50 MB.
ROWS_MIN, ROWS_MAX = 5_000, 40_000
SLICE_MIN, SLICE_MAX = dt.timedelta(minutes=1), dt.timedelta(days=1)
# Costs are equal up to what is lost in sums of floating point numbers.
_ALIKE = 1e-12
_MINUTE_NS = 60_000_000_000

Told = Callable[[float, dict[str, Any]], None]


@dataclass(slots=True)
class Report:
    """What came of it so far (see api.cost.Recomputed)."""

    call_count: int = 0
    changed_count: int = 0
    unpriced_count: int = 0
    before_usd: float = 0.0
    after_usd: float = 0.0
    difference_usd: float = 0.0
    weighted_difference_usd: float = 0.0
    done_until: str | None = None


def recompute(dsn: str, pricing: Pricing, asked: Asked, told: Told) -> dict[str, Any]:
    """Compute the costs anew and return the report; `told` hears how far it is, and may raise to end it.

    DatabaseAwayError, DatabaseError: what was done until then stays.
    """
    report, variances = Report(), Variances()
    with Repricing(dsn) as repricing:
        start = repricing.first_time() if asked.start is None else asked.start
        begin = at = asked.end if start is None else _minute(start)
        width = SLICE_MIN
        while at < asked.end:
            end = min(at + width, asked.end)
            with repricing.slice(max(at, start or at), end, asked.experiment) as one:
                if len(one.calls) > ROWS_MAX and width > SLICE_MIN:
                    width = max(width / 2, SLICE_MIN)
                    continue
                changes = _changes(one.calls, pricing, variances, report)
                if changes is not None and not asked.dry_run:
                    one.write(changes)
            if len(one.calls) < ROWS_MIN:
                width = min(width * 2, SLICE_MAX)
            at = end
            report.done_until = end.isoformat()
            told((at - begin) / (asked.end - begin), asdict(report))
        if report.changed_count and not asked.dry_run:
            repricing.refresh()
    return asdict(report)


def _minute(time: dt.datetime) -> dt.datetime:
    """Slices begin with minutes, as rows of roll-ups do."""
    return time.replace(second=0, microsecond=0)


def _changes(
    calls: StoredCalls, pricing: Pricing, variances: Variances, report: Report
) -> Changes | None:
    """What is other now than it is stored; None where nothing is."""
    priced = _is_call(calls)
    cost, there = _costs(calls, pricing, priced)
    old, had = calls.cost_usd, ~np.isnan(calls.cost_usd)
    new = np.where(priced, np.where(there, cost, np.nan), old)
    tolerance = _ALIKE * np.maximum(np.abs(np.nan_to_num(old)), np.abs(np.nan_to_num(new)))
    is_other = priced & (
        (had != there) | (np.abs(np.nan_to_num(new) - np.nan_to_num(old)) > tolerance)
    )
    terms = _terms(calls, new, variances)
    report.call_count += int(priced.sum())
    report.changed_count += int(is_other.sum())
    report.unpriced_count += int((priced & ~there).sum())
    difference = np.nan_to_num(new) - np.nan_to_num(old)
    report.before_usd += float(np.nan_to_num(old)[priced].sum())
    report.after_usd += float(np.nan_to_num(new)[priced].sum())
    report.difference_usd += float(difference[priced].sum())
    report.weighted_difference_usd += float((difference / calls.probability)[priced].sum())
    if not is_other.any():
        return None
    has_terms = calls.probability < 1
    of_changed = np.isin(calls.trace, calls.trace[is_other & has_terms]) & has_terms
    rows = np.flatnonzero(is_other | of_changed)
    return Changes(
        rows,
        new[rows],
        *(
            np.where(of_changed, term, own)[rows]
            for term, own in zip(terms, calls.terms, strict=True)
        ),
    )


def _is_call(calls: StoredCalls) -> Bool:
    """Those whose cost is computed, as at ingest (see enrich.costs)."""
    used = (calls.tokens.input > 0) | (calls.tokens.output > 0)
    used &= (calls.tokens.input >= 0) & (calls.tokens.output >= 0)
    kinds = [
        operation not in NOT_CALLS and (not kind or kind in CALLS)
        for operation, kind in zip(calls.operations, calls.span_kinds, strict=True)
    ]
    return used & ~calls.is_told & np.array(kinds, np.bool_)


def _costs(calls: StoredCalls, pricing: Pricing, priced: Bool) -> tuple[F64, Bool]:
    numbers: dict[CallNames, int] = {}
    of = np.array([numbers.setdefault(each, len(numbers)) for each in calls.names], np.int64)
    rows = np.flatnonzero(priced)
    names = list(numbers)
    tokens = Tokens(*(getattr(calls.tokens, each)[rows] for each in Tokens.__slots__))
    found, is_there = np.zeros(len(calls)), np.zeros(len(calls), np.bool_)
    if len(rows):
        chosen, place = np.unique(of[rows], return_inverse=True)
        usd, there = pricing.costs(
            [names[each] for each in chosen.tolist()],
            place,
            calls.time_ns[rows],
            tokens,
            look_up_all=True,
        )
        found[rows], is_there[rows] = usd, there
    return found, is_there


def _terms(calls: StoredCalls, cost: F64, variances: Variances) -> tuple[F64, F64]:
    """Of each row, the variance of costs within one event and over several; 0 where nothing was sampled."""
    none = np.zeros(len(calls))
    if not (calls.probability < 1).any():
        return none, none
    event = _hashes(calls.events)
    trace = np.unique(calls.trace, return_inverse=True)[1]
    words = _hashes([each.tobytes().hex() for each in np.unique(calls.trace)])
    kept = KeptRows(
        trace=words[trace],
        key=packed_keys(
            *map(_hashes, (calls.experiments, calls.runs, calls.models)),
            event,
            _words(calls.status),
        ),
        event=event,
        minute=calls.time_ns // _MINUTE_NS,
        bucket=np.zeros(len(calls), np.int64),
        probability=calls.probability,
        is_error=none.astype(np.bool_),
        values={"cost": cost},
    )
    found = variances.terms(kept)
    return found.get("cost_variance", none), found.get("cost_trace_variance", none)


def _hashes(texts: list[str | None]) -> U64:
    return np.array([xxh64((each or "").encode("utf-8", "replace")) for each in texts], np.uint64)


def _words(numbers: I64) -> U64:
    return numbers.astype(np.int64).view(np.uint64)

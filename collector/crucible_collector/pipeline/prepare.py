"""Window to rows: decode, decide what is kept, enrich; one signal after the other.

The step asks no clock: the journal's record carries the receipt time and the check's verdicts. Its one
side effect is what the sampler learns and remembers, so a window is prepared once; what then goes wrong
with the database is answered by writing the same rows again.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from crucible_collector import metrics
from crucible_collector.batch import I32, I64, Logs, Metrics, Reason, Records, Signal, Spans
from crucible_collector.candidates import Candidates, Counted, Decided
from crucible_collector.decode import decode_logs, decode_metrics, decode_spans
from crucible_collector.enrich.candidates import Received
from crucible_collector.enrich.logs import add_logs, look_at_logs
from crucible_collector.enrich.metrics import add_metrics
from crucible_collector.enrich.spans import add_spans, learn_spans, look_at_spans
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.enrich.window import Collected, Everything, Known, LookedAt
from crucible_collector.errors import MalformedError
from crucible_collector.journal import EntryFlag, Window
from crucible_collector.rows import Phase, Requests, SetAside, WindowRows
from crucible_collector.sample.ledger import Tally
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.settle import keep_all

log = logging.getLogger("crucible.pipeline")

_Kind = TypeVar("_Kind", bound=Records)
_Keep = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(slots=True)
class _LookedAt:
    """What was decoded, in the order of the wire; a request that cannot be read stands alone."""

    spans: list[LookedAt[Spans]] = field(default_factory=list)
    logs: list[LookedAt[Logs]] = field(default_factory=list)

    @property
    def requests(self) -> list[I32]:
        """The request of each record, in the order of `candidates`."""
        spans = [each.records.request for each in self.spans]
        return spans + [each.records.request for each in self.logs]

    @property
    def candidates(self) -> list[Candidates]:
        """Spans before logs."""
        spans = [each.candidates for each in self.spans]
        return spans + [each.candidates for each in self.logs]


def prepare(
    window: Window,
    known: Known,
    subscription: Subscription = EVERYTHING,
    sampler: Sampler | None = None,
    phase: Phase = Phase.WHOLE,
    duplicates: frozenset[int] = frozenset(),
) -> WindowRows:
    """Decode, decide and enrich every request of the window, but for the events that are not wanted.

    Without a sampler nothing is sampled here; what who sent it had sampled says so all the same.
    `duplicates` are requests that are known to be stored already: nothing is made of them.
    """
    sampler = _idle() if sampler is None else sampler
    if phase is Phase.BEHIND:
        everything = Everything()
        known = Known(everything, everything, everything)
    collected = Collected(known, subscription, phase, _names(sampler), sampler.variances)
    set_aside: list[SetAside] = []
    looked = _look_at(window, collected, set_aside, duplicates)
    candidates = looked.candidates
    decided: list[Decided | None] = [None] * len(candidates)
    if phase is Phase.AHEAD:
        _observe(sampler, candidates, window.end)
    else:
        decided = list(_decide(sampler, candidates, window.end))
    for spans, verdict in zip(looked.spans, decided, strict=False):
        add_spans(spans, verdict, collected)
    for logs, verdict in zip(looked.logs, decided[len(looked.spans) :], strict=True):
        add_logs(logs, verdict, collected)
    if phase is not Phase.BEHIND:
        _add_metrics(window, collected, set_aside)
    counted = Counted() if phase is Phase.AHEAD else sampler.counted()
    rows = _rows(window, collected, set_aside, counted)
    rows.duplicates = duplicates
    if phase is Phase.WHOLE and counted.rows:
        rows.counted_without = functools.partial(_counted_without, sampler.tally(), looked.requests)
    return rows


def _observe(sampler: Sampler, candidates: list[Candidates], end: int) -> None:
    """Have the sampler look; where it fails, by a defect of ours, it decides by what else it knows."""
    try:
        sampler.observe(candidates, end)
    except Exception:
        metrics.UNCAUGHT_ERRORS.labels("sample").inc()
        log.exception("the sampler failed: a window was not looked at before its decision")


def _decide(sampler: Sampler, candidates: list[Candidates], end: int) -> list[Decided]:
    """What the sampler decides; where it fails, by a defect of ours, everything is kept.

    That is as true as any decision: a threshold of 0, or a sender's, depends on nobody's randomness.
    """
    try:
        return sampler.decide(candidates, end)
    except Exception:
        metrics.UNCAUGHT_ERRORS.labels("sample").inc()
        log.exception("the sampler failed: all records of a window are kept")
        return [keep_all(each) for each in candidates]


def _counted_without(tally: Tally, requests: list[I32], out: AbstractSet[int]) -> Counted:
    return tally.without([np.isin(each, list(out)) for each in requests])


def _names(sampler: Sampler) -> tuple[str, ...]:
    return tuple(rule.name for rule in sampler.rules.rules)


@functools.cache
def _idle() -> Sampler:
    return Sampler(Rules.parse({}))


def replay(
    window: Window,
    subscription: Subscription,
    sampler: Sampler,
    phase: Phase,
    duplicates: frozenset[int],
) -> None:
    """Have the sampler learn what it knew after `prepare`, without making rows."""
    everything = Everything()
    known = Known(everything, everything, everything)
    collected = Collected(known, subscription, Phase.BEHIND, _names(sampler), sampler.variances)
    looked = _look_at(window, collected, [], duplicates)
    candidates = looked.candidates
    if phase is Phase.AHEAD:
        sampler.observe(candidates, window.end)
        return
    for spans, verdict in zip(looked.spans, sampler.decide(candidates, window.end), strict=False):
        learn_spans(spans, verdict, collected)


def set_aside_whole(window: Window, message: str, phase: Phase = Phase.WHOLE) -> WindowRows:
    """The window with every request refused: what is written of one that cannot be prepared."""
    set_aside = [
        SetAside(request, -1, Signal(int(window.signal[request])), Reason.CORRUPT, message)
        for request in np.flatnonzero(window.body_length > 0).tolist()
    ]
    collected = Collected(Known((), (), ()), phase=phase)
    return _rows(window, collected, set_aside, Counted())


def _rows(
    window: Window, collected: Collected, set_aside: list[SetAside], counted: Counted
) -> WindowRows:
    counts = collected.phase.signals
    return WindowRows(
        window=window,
        requests=Requests(
            window.signal,
            window.digest,
            window.received_ns,
            window.record_count,
            ((window.flags & (EntryFlag.ANONYMOUS | EntryFlag.REFUSED_WHOLE)) != 0).astype(
                np.uint8
            ),
        ),
        tables=collected.tables,
        resources=collected.resources,
        scopes=collected.scopes,
        series=collected.series,
        runs=collected.facts.runs,
        experiments=collected.facts.experiments,
        refused=_refused(window),
        filtered=collected.filtered,
        unknown=collected.unregistered.unknown,
        foreign=collected.unregistered.foreign,
        set_aside=[each for each in set_aside if each.signal in counts],
        damaged=_damaged(window),
        series_seen={},
        phase=collected.phase,
        sampled=collected.sampled,
        counted=counted,
    )


def _look_at(
    window: Window, collected: Collected, set_aside: list[SetAside], duplicates: frozenset[int]
) -> _LookedAt:
    found = _LookedAt()
    digest = np.ascontiguousarray(window.digest[:, :8]).view(np.uint64)[:, 0]
    received = Received(window.received_ns, digest)

    def look_spans(spans: Spans, chosen: I64) -> None:
        if len(spans):
            keep = _kept(window, chosen, spans)
            found.spans.append(look_at_spans(spans, keep, received, collected))

    def look_logs(logs: Logs, chosen: I64) -> None:
        if len(logs):
            keep = _kept(window, chosen, logs)
            found.logs.append(look_at_logs(logs, keep, received, collected))

    _decode(window, Signal.TRACES, decode_spans, look_spans, set_aside, duplicates)
    _decode(window, Signal.LOGS, decode_logs, look_logs, set_aside, duplicates)
    return found


def _add_metrics(window: Window, collected: Collected, set_aside: list[SetAside]) -> None:
    def add(points: Metrics, chosen: I64) -> None:
        add_metrics(points, _kept(window, chosen, points), window.received_ns, collected)

    _decode(window, Signal.METRICS, decode_metrics, add, set_aside)


def _decode(
    window: Window,
    signal: Signal,
    decoder: Callable[..., _Kind],
    add: Callable[[_Kind, I64], None],
    set_aside: list[SetAside],
    duplicates: frozenset[int] = frozenset(),
) -> None:
    """Decode the requests of a signal together; if one of them cannot be read, each on its own."""
    chosen = np.flatnonzero((window.signal == signal) & (window.body_length > 0))
    if duplicates:
        chosen = chosen[~np.isin(chosen, list(duplicates))]
    if not len(chosen):
        return
    waiting = [chosen]
    while waiting:
        requests = waiting.pop(0)
        try:
            records = decoder(
                window.buffer, window.body_offset[requests], window.body_length[requests]
            )
        except MalformedError as error:
            if len(requests) > 1:
                waiting = np.split(requests, len(requests))
            else:
                aside = SetAside(int(requests[0]), -1, signal, Reason.CORRUPT, str(error))
                set_aside.append(aside)
            continue
        records.request = requests[records.request].astype(np.int32)
        add(records, requests)


def _kept(window: Window, chosen: I64, records: Records) -> _Keep:
    """False for the records that the check refused."""
    keep = np.ones(len(records), np.bool_)
    begin, end = window.refused_start[chosen], window.refused_start[chosen + 1]
    for request in chosen[end > begin]:
        slice_ = slice(int(window.refused_start[request]), int(window.refused_start[request + 1]))
        first = np.searchsorted(records.request, request)
        keep[first + window.refused_index[slice_].astype(np.int64)] = False
    return keep


def _refused(window: Window) -> dict[tuple[int, Reason], int]:
    """How many records of each request the check refused, by reason.

    A request that was refused whole carries its reason once and its record count, if known.
    """
    counts: dict[tuple[int, Reason], int] = {}
    with_verdicts = np.flatnonzero(np.diff(window.refused_start))
    for request in map(int, with_verdicts):
        slice_ = slice(int(window.refused_start[request]), int(window.refused_start[request + 1]))
        reasons, found = np.unique(window.refused_reason[slice_], return_counts=True)
        is_whole = bool(window.flags[request] & EntryFlag.REFUSED_WHOLE)
        for reason, count in zip(reasons.tolist(), found.tolist(), strict=True):
            whole = int(window.record_count[request])
            counts[request, Reason(reason)] = whole if is_whole else count
    return counts


def _damaged(window: Window) -> dict[tuple[Signal, Reason], int]:
    """Records that were acknowledged and can no longer be read, where the header still says so."""
    counts: dict[tuple[Signal, Reason], int] = {}
    for damage in window.damaged:
        if damage.signal is not None and damage.record_count:
            key = (damage.signal, Reason.CORRUPT)
            counts[key] = counts.get(key, 0) + damage.record_count
    return counts

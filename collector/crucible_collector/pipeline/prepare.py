"""Window to rows: decode, look for anomalies, decide what is kept, enrich; one signal after the other.

The step asks no clock: the journal's record carries the receipt time and the check's verdicts. Its one
side effect is what detectors and the sampler learn and remember, so a window is prepared once; what then
goes wrong with the database is answered by writing the same rows again.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Set as AbstractSet

import numpy as np

from crucible_collector import metrics
from crucible_collector.batch import I32, Reason, Signal
from crucible_collector.candidates import Candidates, Counted, Decided
from crucible_collector.cost.pricing import Pricing
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.found import Found
from crucible_collector.enrich.logs import add_logs
from crucible_collector.enrich.metrics import add_metrics
from crucible_collector.enrich.observed import observe_spans
from crucible_collector.enrich.observed_metrics import observe_metrics
from crucible_collector.enrich.spans import add_spans, learn_spans
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.enrich.window import Collected, Everything, Known
from crucible_collector.journal import EntryFlag, Window
from crucible_collector.pipeline.looking import Decoded, look_at
from crucible_collector.rows import Phase, Requests, SetAside, WindowRows
from crucible_collector.sample.ledger import Tally
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.settle import keep_all

log = logging.getLogger("crucible.pipeline")


def prepare(
    window: Window,
    known: Known,
    subscription: Subscription = EVERYTHING,
    sampler: Sampler | None = None,
    phase: Phase = Phase.WHOLE,
    duplicates: frozenset[int] = frozenset(),
    engine: Engine | None = None,
    pricing: Pricing | None = None,
) -> WindowRows:
    """Decode, decide and enrich every request of the window, but for the events that are not wanted.

    Without a sampler nothing is sampled here; what who sent it had sampled says so all the same. Without
    an engine nothing is looked for; of what comes BEHIND, everything was looked at AHEAD. Without prices
    calls cost what their senders told.
    `duplicates` are requests that are known to be stored already: nothing is made of them.
    """
    sampler = _idle() if sampler is None else sampler
    if phase is Phase.BEHIND:
        everything = Everything()
        known = Known(everything, everything, everything)
    collected = Collected(known, subscription, phase, _names(sampler), sampler.variances, pricing)
    set_aside: list[SetAside] = []
    looked = look_at(
        window, collected, set_aside, duplicates, with_metrics=phase is not Phase.BEHIND
    )
    found = Found()
    if phase is not Phase.BEHIND:
        found = _detect(engine, looked, window, collected)
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
    for points, keep in looked.metrics:
        add_metrics(points, keep, window.received_ns, collected)
    counted = Counted() if phase is Phase.AHEAD else sampler.counted()
    rows = _rows(window, collected, set_aside, counted)
    rows.duplicates = duplicates
    rows.found = found
    if phase is Phase.WHOLE and counted.rows:
        rows.counted_without = functools.partial(_counted_without, sampler.tally(), looked.requests)
    return rows


def _detect(engine: Engine | None, looked: Decoded, window: Window, collected: Collected) -> Found:
    """Have the engine look at every number, and tell the candidates; where it fails, nothing is flagged."""
    if engine is None:
        return Found()
    try:
        told = [
            (spans.candidates, observe_spans(spans, collected, engine.wants))
            for spans in looked.spans
        ]
        observed = [(candidates, each) for candidates, each in told if each is not None]
        numbers = [
            observe_metrics(points, keep, window.received_ns, collected, engine.wants)
            for points, keep in looked.metrics
        ]
        found = engine.look(
            [each for _, each in observed] + [each for each in numbers if each is not None]
        )
    except Exception:
        metrics.UNCAUGHT_ERRORS.labels("detect").inc()
        log.exception("the detectors failed: a window was not looked at")
        return Found()
    for (candidates, _), scores in zip(observed, found.scores, strict=False):
        candidates.score = scores
    return found


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
    engine: Engine | None,
    pricing: Pricing | None = None,
) -> None:
    """Have engine and sampler learn what they knew after `prepare`, without making rows.

    Without an engine only the sampler does: the detectors have looked at the window before.
    """
    looked, collected = _looked_again(window, subscription, sampler, duplicates, engine, pricing)
    candidates = looked.candidates
    if phase is Phase.AHEAD:
        sampler.observe(candidates, window.end)
        return
    for spans, verdict in zip(looked.spans, sampler.decide(candidates, window.end), strict=False):
        learn_spans(spans, verdict, collected)


def detect_again(
    window: Window,
    subscription: Subscription,
    sampler: Sampler,
    duplicates: frozenset[int],
    engine: Engine,
    pricing: Pricing | None = None,
) -> None:
    """Have the engine alone learn what it knew after `prepare`; the sampler is not changed."""
    _looked_again(window, subscription, sampler, duplicates, engine, pricing)


def _looked_again(
    window: Window,
    subscription: Subscription,
    sampler: Sampler,
    duplicates: frozenset[int],
    engine: Engine | None,
    pricing: Pricing | None,
) -> tuple[Decoded, Collected]:
    everything = Everything()
    known = Known(everything, everything, everything)
    names = _names(sampler)
    collected = Collected(known, subscription, Phase.BEHIND, names, sampler.variances, pricing)
    looked = look_at(window, collected, [], duplicates, with_metrics=engine is not None)
    _detect(engine, looked, window, collected)
    return looked, collected


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

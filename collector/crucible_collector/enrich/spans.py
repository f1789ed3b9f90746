"""Spans to rows: the span itself, its measurements as points, the facts of its run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64, Bool, Signal, Spans, TextRef
from crucible_collector.candidates import STATUS_ERROR, Decided
from crucible_collector.decode import (
    attributes_json,
    span_events_json,
    span_links_json,
)
from crucible_collector.enrich.candidates import MODEL, Received, span_candidates
from crucible_collector.enrich.columns import (
    first_text,
    non_zero,
    numbers,
    slot_hash,
    slot_int,
    slot_text,
    texts,
    times,
    trace_ids,
    unless_empty,
    unless_null,
)
from crucible_collector.enrich.costs import cost_usd, price_spans
from crucible_collector.enrich.events import EventNames, span_events
from crucible_collector.enrich.facts import Seen, collect
from crucible_collector.enrich.hashing import U64
from crucible_collector.enrich.points import points_of
from crucible_collector.enrich.sampled import choose, sampling_columns
from crucible_collector.enrich.uncertainty import variance_columns
from crucible_collector.enrich.window import (
    Collected,
    Identified,
    LookedAt,
    identify,
    identity_columns,
    table,
)
from crucible_collector.metrics import REVERSED_SPANS
from crucible_collector.rows import Phase, Table
from crucible_collector.sample.randomness import final_trace_states

_RUNS_UNSORTED_MAX = 32


def look_at_spans(
    spans: Spans, keep: Bool, received: Received, collected: Collected
) -> LookedAt[Spans]:
    """Name the events, leave out what is not wanted, and say of the rest what sampling goes by."""
    events = span_events(spans, spans.status_code == STATUS_ERROR)
    keep = collected.subscribed(spans, keep, events)
    start_ns = np.where(spans.start_ns == 0, received.ns[spans.request], spans.start_ns)
    sent_end_ns = np.where(spans.end_ns == 0, start_ns, spans.end_ns)
    if collected.phase is not Phase.BEHIND:
        REVERSED_SPANS.inc(int((sent_end_ns < start_ns).sum()))
    end_ns = np.maximum(sent_end_ns, start_ns)
    if collected.pricing is not None:
        is_counted = collected.phase is not Phase.BEHIND
        price_spans(spans, keep, start_ns, collected.pricing, is_counted=is_counted)
    candidates = span_candidates(spans, keep, events, (start_ns, end_ns), received)
    return LookedAt(spans, keep, events, start_ns, end_ns, received.ns, candidates)


def add_spans(looked: LookedAt[Spans], decided: Decided | None, collected: Collected) -> None:
    """Add the tables, dimensions and facts; rows only of what is decided to be kept."""
    spans, events = looked.records, looked.events
    identified = identify(spans, looked.keep, looked.received_ns, collected)
    if decided is not None:
        collected.add_table(_table(looked, decided, identified, collected))
    if collected.phase is Phase.BEHIND:
        return
    collected.add_table(points_of(identified, spans, events, looked.end_ns, collected))
    rest = identified.received_ns, looked.keep, identified.resource_ids
    collect(Seen(spans, events, looked.start_ns, looked.end_ns, *rest), collected.facts)


def learn_spans(looked: LookedAt[Spans], decided: Decided, collected: Collected) -> None:
    """Have the variances remember what rows would tell them, without making any."""
    everywhere = looked.keep & decided.keep
    if everywhere.any():
        identified = identify(looked.records, looked.keep, looked.received_ns, collected)
        chosen = choose(looked, decided, identified, collected)
        if chosen is not None:
            variance_columns(chosen, collected.variances)


def _table(
    looked: LookedAt[Spans], decided: Decided, identified: Identified, collected: Collected
) -> Table | None:
    """The rows of the spans that are kept: nothing of the others is made."""
    chosen = choose(looked, decided, identified, collected)
    if chosen is None:
        return None
    spans, events = chosen.records, chosen.events
    columns = _columns(chosen.identified, spans, events, chosen.start_ns, chosen.end_ns)
    columns |= sampling_columns(chosen) | variance_columns(chosen, collected.variances)
    if (told := chosen.is_told).any():
        decided = chosen.decided
        states = final_trace_states(
            spans.buffer, spans.trace_state, decided.threshold, told, decided.lost_randomness
        )
        columns["trace_state"] = states
        columns["trace_span_count"] = pa.array(chosen.decided.trace_count, mask=~told)
    made = table("spans", Signal.TRACES, chosen.identified, columns)
    return made and _by_run(made, slot_hash(spans, "crucible.run.id"))


def _by_run(table: Table, run: U64) -> Table:
    """The rows run by run, each in its order, where there are many runs.

    Rows enter the (run, time) index in its order then: 2 µs of the database's time a span with 1,000
    runs, for 0.5 µs here; with a few runs their pages are in the cache anyhow.
    """
    order = np.argsort(run, kind="stable")
    ends = np.flatnonzero(np.diff(run[order]))
    if len(ends) < _RUNS_UNSORTED_MAX:
        return table
    return Table(
        table.relation,
        table.signal,
        table.batch.take(pa.array(order)),
        table.request[order],
        table.index[order],
        table.principal,
    )


def _columns(
    identified: Identified, spans: Spans, events: EventNames, start_ns: I64, end_ns: I64
) -> dict[str, Any]:
    time, rest = times(start_ns)
    step = slot_int(spans, "crucible.step")
    epoch = slot_int(spans, "crucible.epoch")
    input_tokens = slot_int(spans, "gen_ai.usage.input_tokens")
    output_tokens = slot_int(spans, "gen_ai.usage.output_tokens")
    everywhere = np.ones(len(spans), np.bool_)
    return {
        "time": time,
        "time_ns_rest": rest,
        "duration_ns": pa.array(end_ns - start_ns),
        "trace_id": trace_ids(spans.trace_id, everywhere),
        "span_id": pa.array(spans.span_id),
        "parent_span_id": non_zero(spans.parent_span_id, pa.int64()),
        "name": texts(spans, first_text(spans.name, _empty(spans))),
        "event_name": events.column(),
        "original_event_name": events.sent_column(),
        "kind": pa.array(spans.kind, pa.int16(), safe=False),
        "status_code": pa.array(spans.status_code, pa.int16(), safe=False),
        "status_message": texts(spans, unless_empty(spans.status_message)),
        "resource_id": pa.array(identified.resource),
        "scope_id": pa.array(identified.scope),
        **identity_columns(spans),
        "step": numbers(*step, pa.int64()),
        "epoch": numbers(*epoch, pa.int64()),
        "model": texts(spans, slot_text(spans, *MODEL)),
        "input_tokens": numbers(*input_tokens, pa.int64()),
        "output_tokens": numbers(*output_tokens, pa.int64()),
        "cost_usd": numbers(*cost_usd(spans), pa.float64()),
        "attributes": unless_null(attributes_json(spans, lifted=True)),
        "events": unless_null(span_events_json(spans)),
        "links": unless_null(span_links_json(spans)),
        "trace_state": texts(spans, unless_empty(spans.trace_state)),
        "flags": non_zero(spans.flags, pa.int64()),
        "dropped_attributes_count": non_zero(spans.dropped_attributes_count, pa.int64()),
        "dropped_events_count": non_zero(spans.dropped_events_count, pa.int64()),
        "dropped_links_count": non_zero(spans.dropped_links_count, pa.int64()),
    }


def _empty(spans: Spans) -> TextRef:
    """A span without a name has an empty one."""
    return TextRef(np.zeros(len(spans), np.int64), np.zeros(len(spans), np.int32))

"""Spans to rows: the span itself, its measurements as points, the facts of its run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64, Bool, Signal, Spans, TextRef
from crucible_collector.decode import (
    attributes_json,
    span_events_json,
    span_links_json,
)
from crucible_collector.enrich.columns import (
    first_text,
    non_zero,
    numbers,
    slot_float,
    slot_hash,
    slot_int,
    slot_text,
    texts,
    times,
    trace_ids,
    unless_empty,
    unless_null,
)
from crucible_collector.enrich.events import EventNames, span_events
from crucible_collector.enrich.facts import Seen, collect
from crucible_collector.enrich.hashing import U64
from crucible_collector.enrich.measurements import points_of
from crucible_collector.enrich.window import (
    Collected,
    Identified,
    identify,
    identity_columns,
    table,
)
from crucible_collector.metrics import REVERSED_SPANS
from crucible_collector.rows import Table

STATUS_ERROR = 2  # OTLP Status.StatusCode
_RUNS_UNSORTED_MAX = 32
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "crucible.model.name")


def add_spans(spans: Spans, keep: Bool, received_ns: I64, collected: Collected) -> None:
    """Add the tables, dimensions and facts of a window's spans; `received_ns` is one a request."""
    if not len(spans):
        return
    events = span_events(spans, spans.status_code == STATUS_ERROR)
    keep = collected.subscribed(spans, keep, events)
    identified = identify(spans, keep, received_ns, collected)
    start_ns = np.where(spans.start_ns == 0, identified.received_ns, spans.start_ns)
    sent_end_ns = np.where(spans.end_ns == 0, start_ns, spans.end_ns)
    REVERSED_SPANS.inc(int((sent_end_ns < start_ns).sum()))
    end_ns = np.maximum(sent_end_ns, start_ns)
    own = table(
        "spans", Signal.TRACES, identified, _columns(identified, spans, events, start_ns, end_ns)
    )
    if own is not None:
        own = _by_run(own, slot_hash(spans, "crucible.run.id")[keep])
    points = points_of(identified, spans, events, end_ns, collected)
    collected.tables += [made for made in (own, points) if made is not None]
    rest = identified.received_ns, keep, identified.resource_ids
    collect(Seen(spans, events, start_ns, end_ns, *rest), collected.facts)


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
    cost = slot_float(spans, "crucible.measurement.cost_usd")
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
        "model": texts(spans, slot_text(spans, *_MODEL)),
        "input_tokens": numbers(*input_tokens, pa.int64()),
        "output_tokens": numbers(*output_tokens, pa.int64()),
        "cost_usd": numbers(*cost, pa.float64()),
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

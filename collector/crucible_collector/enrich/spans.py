"""Spans to rows: the span itself, the points that its measurements are, the facts of its run."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa

import crucible_schema
from crucible_collector.batch import I64, Bool, Signal, Spans, TextRef
from crucible_collector.decode import (
    attributes_json,
    span_events_json,
    span_links_json,
    text_hash,
)
from crucible_collector.enrich.columns import (
    first_text,
    non_zero,
    numbers,
    slot_float,
    slot_hash,
    slot_int,
    slot_text,
    text_of,
    texts,
    times,
    trace_ids,
    unless_empty,
    unless_null,
)
from crucible_collector.enrich.events import EventNames, event_names
from crucible_collector.enrich.facts import Seen, collect
from crucible_collector.enrich.hashing import U64, distinct, fold
from crucible_collector.enrich.series import by_series, series_row
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
# series.metric is indexed, and an entry of a btree holds 2,704 bytes: even where every byte of a name
# is replaced by U+FFFD it fits. A longer name is an attribute of its span and nothing else.
_METRIC_BYTES_MAX = 800
_RUNS_UNSORTED_MAX = 32
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "crucible.model.name")
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
)


def add_spans(spans: Spans, keep: Bool, received_ns: I64, collected: Collected) -> None:
    """Add the tables, dimensions and facts of a window's spans; `received_ns` is one a request."""
    if not len(spans):
        return
    identified = identify(spans, keep, received_ns, collected)
    events = event_names(spans, spans.name, spans.status_code == STATUS_ERROR)
    start_ns = np.where(spans.start_ns == 0, identified.received_ns, spans.start_ns)
    sent_end_ns = np.where(spans.end_ns == 0, start_ns, spans.end_ns)
    REVERSED_SPANS.inc(int((sent_end_ns < start_ns).sum()))
    end_ns = np.maximum(sent_end_ns, start_ns)
    own = table(
        "spans", Signal.TRACES, identified, _columns(identified, spans, events, start_ns, end_ns)
    )
    if own is not None:
        own = _by_run(own, slot_hash(spans, "crucible.run.id")[keep])
    points = _points(identified, spans, events, end_ns, collected)
    collected.tables += [made for made in (own, points) if made is not None]
    collect(Seen(spans, events, start_ns, end_ns, keep, identified.resource_ids), collected.facts)


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
    input_tokens = slot_int(spans, *_INPUT)
    output_tokens = slot_int(spans, *_OUTPUT)
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


def _points(
    identified: Identified, spans: Spans, events: EventNames, time_ns: I64, collected: Collected
) -> Table | None:
    """The measurements that the registry calls series, one point each, in (series, time) order."""
    measured = spans.measurements
    at = np.flatnonzero(identified.keep[measured.row] & (measured.name.length <= _METRIC_BYTES_MAX))
    if not len(at):
        return None
    names, name_code, name_hash = _measurement_names(spans, at)
    row = measured.row[at].astype(np.int64)
    is_series = _are_series(events, names, row, name_code)
    at, row, name_code = at[is_series], row[is_series], name_code[is_series]
    if not len(at):
        return None
    ids = _series_ids(identified, spans, events, row, name_hash[is_series])
    _new_series(identified, spans, (events, names), (ids, row, name_code), collected)
    order = by_series(ids, time_ns[row])
    time, rest = times(time_ns[row[order]])
    step, has_step = slot_int(spans, "crucible.step")
    columns = {
        "series_id": pa.array(ids[order]),
        "time": time,
        "time_ns_rest": rest,
        "step": numbers(step[row[order]], has_step[row[order]], pa.int64()),
        "value": pa.array(measured.value[at[order]]),
    }
    made = table("points", Signal.TRACES, identified, columns, row[order])
    if made is not None:
        made.principal = False
    return made


def _measurement_names(spans: Spans, at: I64) -> tuple[list[str], I64, U64]:
    """The distinct names of the chosen measurements, which of them each has, and its XXH64."""
    ref = TextRef(spans.measurements.name.offset[at], spans.measurements.name.length[at])
    hashes = text_hash(spans.buffer, ref)
    first, inverse = distinct(hashes)
    return [text_of(spans, ref, int(row)) or "" for row in first], inverse, hashes


def _are_series(events: EventNames, names: list[str], row: I64, name_code: I64) -> Bool:
    """Whether the registry calls these measurements (names of spans) series.

    Asked once for each pair that there is: a hostile window has as many names as measurements.
    """
    pairs = events.code[row] * len(names) + name_code
    first, inverse = distinct(pairs)
    answers = [
        crucible_schema.is_series(events.names[pair // len(names)], names[pair % len(names)])
        for pair in pairs[first].tolist()
    ]
    return np.array(answers, np.bool_)[inverse]


def _series_ids(
    identified: Identified, spans: Spans, events: EventNames, row: I64, name_hash: U64
) -> I64:
    has_run = slot_text(spans, "crucible.run.id").length > 0
    run = slot_hash(spans, "crucible.run.id")
    owner = np.where(has_run, run.view(np.int64), identified.resource)
    event_hash = text_hash_of(events.names)[events.code]
    rank, has_rank = slot_int(spans, "crucible.rank")
    return fold(
        "measurement", owner[row], event_hash[row], name_hash, np.where(has_rank, rank, -1)[row]
    )


def text_hash_of(values: list[str]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """XXH64 of each text in UTF-8."""
    encoded = [value.encode() for value in values]
    length = np.array([len(value) for value in encoded], np.int32)
    offset = np.concatenate(([0], np.cumsum(length)[:-1])).astype(np.int64)
    return text_hash(np.frombuffer(b"".join(encoded) + b"\0", np.uint8), TextRef(offset, length))


def _new_series(
    identified: Identified,
    spans: Spans,
    names: tuple[EventNames, list[str]],
    points: tuple[I64, I64, I64],
    collected: Collected,
) -> None:
    """Rows for the series that are not known yet; `points` are ids, span rows and name codes."""
    events, metric_names = names
    ids, row, name_code = points
    first, _ = distinct(ids)
    known, into = collected.known.series, collected.series.rows
    new = [
        index
        for index in first.tolist()
        if int(ids[index]) not in known and int(ids[index]) not in into
    ]
    if not new:
        return
    run = slot_text(spans, "crucible.run.id")
    experiment = slot_text(spans, "crucible.experiment.id")
    rank, has_rank = slot_int(spans, "crucible.rank")
    resource = identified.resource
    for index in new:
        span, event = int(row[index]), events.names[events.code[row[index]]]
        metric = metric_names[name_code[index]]
        into[int(ids[index])] = series_row(
            series_id=int(ids[index]),
            source="event",
            metric=metric,
            run_id=text_of(spans, run, span),
            experiment_id=text_of(spans, experiment, span),
            event_name=event,
            rank=int(rank[span]) if has_rank[span] else None,
            kind="measurement",
            number_kind="double",
            unit=_unit(event, metric),
            resource_id=int(resource[span]),
        )


@functools.cache
def _unit(event: str, metric: str) -> str | None:
    """The registry's unit of a measurement; None for names that it does not know."""
    definition = crucible_schema.EVENTS.get(event)
    uses = definition.measurements if definition else ()
    return next((use.measurement.unit for use in uses if use.measurement.name == metric), None)

"""Which field of OTLP becomes which column, for spans and logs and what lies inside records."""

from __future__ import annotations

from crucible_collector.decode.envelope import (
    ATTRIBUTES,
    RECORD_COLUMNS,
    VALUE,
    cell_columns,
    envelope,
    start_columns,
    text_columns,
    text_place,
)
from crucible_collector.decode.plan import ROOT, Column, Counter, Layout, Op, Place

SPANS = Layout(
    root="collector.trace.v1.ExportTraceServiceRequest",
    columns={
        **RECORD_COLUMNS,
        **cell_columns(Counter.RECORD, "trace_id_length", "span_id", "span_id_length"),
        **cell_columns(Counter.RECORD, "parent_span_id", "parent_span_id_length"),
        **text_columns("trace_state", Counter.RECORD),
        **text_columns("name", Counter.RECORD),
        **cell_columns(Counter.RECORD, "flags", "kind", "start_ns", "end_ns", "status_code"),
        **text_columns("status_message", Counter.RECORD),
        **cell_columns(Counter.RECORD, "dropped_attributes_count", "dropped_events_count"),
        **cell_columns(Counter.RECORD, "dropped_links_count"),
        **start_columns(Counter.RECORD, event_start=Counter.EVENT, link_start=Counter.LINK),
        **text_columns("event_message", Counter.EVENT),
        **text_columns("link_message", Counter.LINK),
    },
    messages={
        **envelope("ExportTraceServiceRequest", "Spans", "spans"),
        "Record": (
            "Span",
            {
                "trace_id": Place(Op.ID16, "trace_id_length"),
                "span_id": Place(Op.ID8, "span_id"),
                "trace_state": text_place("trace_state"),
                "parent_span_id": Place(Op.ID8, "parent_span_id"),
                "flags": Place(column="flags"),
                "name": text_place("name"),
                "kind": Place(column="kind"),
                "start_time_unix_nano": Place(column="start_ns"),
                "end_time_unix_nano": Place(column="end_ns"),
                "attributes": ATTRIBUTES,
                "dropped_attributes_count": Place(column="dropped_attributes_count"),
                "events": Place(Op.REFS, "event_message", counter=Counter.EVENT),
                "dropped_events_count": Place(column="dropped_events_count"),
                "links": Place(Op.REFS, "link_message", counter=Counter.LINK),
                "dropped_links_count": Place(column="dropped_links_count"),
                "status": Place(message="Status"),
            },
        ),
        "Status": (
            "Status",
            {"message": text_place("status_message"), "code": Place(column="status_code")},
        ),
    },
)

LOGS = Layout(
    root="collector.logs.v1.ExportLogsServiceRequest",
    columns={
        **RECORD_COLUMNS,
        **cell_columns(Counter.RECORD, "time_ns", "observed_ns", "severity_number", "flags"),
        **text_columns("severity_text", Counter.RECORD),
        **cell_columns(Counter.RECORD, "body_kind", "body_number"),
        **text_columns("body", Counter.RECORD),
        **text_columns("event_name", Counter.RECORD),
        **cell_columns(Counter.RECORD, "trace_id_length", "span_id", "span_id_length"),
        **cell_columns(Counter.RECORD, "dropped_attributes_count"),
    },
    messages={
        **envelope("ExportLogsServiceRequest", "Logs", "log_records"),
        "Record": (
            "LogRecord",
            {
                "time_unix_nano": Place(column="time_ns"),
                "observed_time_unix_nano": Place(column="observed_ns"),
                "severity_number": Place(column="severity_number"),
                "severity_text": text_place("severity_text"),
                "body": Place(Op.VALUE, "body_kind"),
                "attributes": ATTRIBUTES,
                "dropped_attributes_count": Place(column="dropped_attributes_count"),
                "flags": Place(column="flags"),
                "trace_id": Place(Op.ID16, "trace_id_length"),
                "span_id": Place(Op.ID8, "span_id"),
                "event_name": text_place("event_name"),
            },
        ),
    },
)


def _message(
    root: str, columns: dict[str, Column], fields: dict[str, Place], attributes: str = "attributes"
) -> Layout:
    """Declare a message that is decoded on its own, one row each."""
    return Layout(
        root=root,
        columns={
            **columns,
            **start_columns(Counter.RECORD, attribute_start=Counter.OTHER_ATTRIBUTE),
        },
        messages={
            ROOT: (
                root.rpartition(".")[2],
                {**fields, attributes: Place(Op.ATTRIBUTE, counter=Counter.OTHER_ATTRIBUTE)},
            )
        },
        row_each=True,
    )


_DROPPED = {"dropped_attributes_count": Place(column="dropped_attributes_count")}

EVENTS = _message(
    "trace.v1.Span.Event",
    {
        **cell_columns(Counter.RECORD, "time_ns", "dropped_attributes_count"),
        **text_columns("name", Counter.RECORD),
    },
    {"time_unix_nano": Place(column="time_ns"), "name": text_place("name"), **_DROPPED},
)

LINKS = _message(
    "trace.v1.Span.Link",
    {
        **cell_columns(Counter.RECORD, "dropped_attributes_count", "flags"),
        **text_columns("trace_id", Counter.RECORD),
        **text_columns("span_id", Counter.RECORD),
        **text_columns("trace_state", Counter.RECORD),
    },
    {
        "trace_id": text_place("trace_id"),
        "span_id": text_place("span_id"),
        "trace_state": text_place("trace_state"),
        "flags": Place(column="flags"),
        **_DROPPED,
    },
)

EXEMPLARS = _message(
    "metrics.v1.Exemplar",
    {
        **cell_columns(Counter.RECORD, "time_ns", "value", "value_kind"),
        **text_columns("trace_id", Counter.RECORD),
        **text_columns("span_id", Counter.RECORD),
    },
    {
        "time_unix_nano": Place(column="time_ns"),
        **VALUE,
        "trace_id": text_place("trace_id"),
        "span_id": text_place("span_id"),
    },
    attributes="filtered_attributes",
)

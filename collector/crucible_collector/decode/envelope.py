"""Which field of OTLP becomes which column: what the signals have in common.

A text column `x` has its length in the column that follows, `x_length`; the lengths of ids are as
on the wire. An absent text and an empty one are the same in proto3; both have length -1.
"""

from __future__ import annotations

from crucible_collector.decode.plan import ROOT, Column, Counter, Op, Place

# What `value_kind` of a data point and of an exemplar says.
VALUE_INT, VALUE_DOUBLE = 1, 2


def text_columns(name: str, rows: Counter) -> dict[str, Column]:
    return {name: Column(rows), f"{name}_length": Column(rows, initial=-1)}


def cell_columns(rows: Counter, *names: str) -> dict[str, Column]:
    return {name: Column(rows) for name in names}


def start_columns(rows: Counter, **starts: Counter) -> dict[str, Column]:
    return {name: Column(rows, start_of=counter) for name, counter in starts.items()}


def text_place(column: str) -> Place:
    return Place(Op.TEXT, column)


RECORD_COLUMNS = {
    "request": Column(Counter.RECORD, parent=Counter.REQUEST),
    "index": Column(Counter.RECORD, parent=Counter.INDEX),
    "scope": Column(Counter.RECORD, parent=Counter.SCOPE),
    "size": Column(Counter.RECORD, is_size=True),
    **start_columns(Counter.RECORD, attribute_start=Counter.RECORD_ATTRIBUTE),
    "resource_request": Column(Counter.RESOURCE, parent=Counter.REQUEST),
    **start_columns(Counter.RESOURCE, resource_attribute_start=Counter.RESOURCE_ATTRIBUTE),
    **text_columns("resource_schema_url", Counter.RESOURCE),
    **cell_columns(Counter.RESOURCE, "resource_dropped_attributes_count"),
    "scope_resource": Column(Counter.SCOPE, parent=Counter.RESOURCE),
    **start_columns(Counter.SCOPE, scope_attribute_start=Counter.OTHER_ATTRIBUTE),
    **text_columns("scope_name", Counter.SCOPE),
    **text_columns("scope_version", Counter.SCOPE),
    **text_columns("scope_schema_url", Counter.SCOPE),
    **cell_columns(Counter.SCOPE, "scope_dropped_attributes_count"),
}


def envelope(request: str, word: str, records: str) -> dict[str, tuple[str, dict[str, Place]]]:
    """Declare the messages around the records: the same in all signals but for their names."""
    return {
        ROOT: (
            request,
            {
                f"resource_{word.lower()}": Place(
                    Op.ROWS, message=f"Resource{word}", counter=Counter.RESOURCE
                )
            },
        ),
        f"Resource{word}": (
            f"Resource{word}",
            {
                "resource": Place(message="Resource"),
                f"scope_{word.lower()}": Place(
                    Op.ROWS, message=f"Scope{word}", counter=Counter.SCOPE
                ),
                "schema_url": text_place("resource_schema_url"),
            },
        ),
        "Resource": (
            "Resource",
            {
                "attributes": Place(Op.ATTRIBUTE, counter=Counter.RESOURCE_ATTRIBUTE),
                "dropped_attributes_count": Place(column="resource_dropped_attributes_count"),
            },
        ),
        f"Scope{word}": (
            f"Scope{word}",
            {
                "scope": Place(message="InstrumentationScope"),
                records: Place(
                    Op.ROWS,
                    message="Metric" if word == "Metrics" else "Record",
                    counter=Counter.METRIC if word == "Metrics" else Counter.RECORD,
                ),
                "schema_url": text_place("scope_schema_url"),
            },
        ),
        "opentelemetry.proto.common.v1.AnyValue": (
            "AnyValue",
            {"double_value": Place(counter=Counter.DIGITS)},
        ),
        "InstrumentationScope": (
            "InstrumentationScope",
            {
                "name": text_place("scope_name"),
                "version": text_place("scope_version"),
                "attributes": Place(Op.ATTRIBUTE, counter=Counter.OTHER_ATTRIBUTE),
                "dropped_attributes_count": Place(column="scope_dropped_attributes_count"),
            },
        ),
    }


ATTRIBUTES = Place(Op.ATTRIBUTE, counter=Counter.RECORD_ATTRIBUTE)

# A number that is an integer or a double: of a data point, of an exemplar.
VALUE = {
    "as_int": Place(column="value", mark="value_kind", mark_value=VALUE_INT),
    "as_double": Place(column="value", mark="value_kind", mark_value=VALUE_DOUBLE),
}

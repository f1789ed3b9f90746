"""What the decoder makes of a request, in the form of `reference.expected`; and the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.decode import reference
from collector.decode.reference import Row, double_bits
from crucible_collector import decode
from crucible_collector.batch import (
    SLOT,
    AttributeKind,
    Logs,
    Metrics,
    Records,
    Signal,
    Spans,
    TextRef,
)
from crucible_collector.decode import official
from crucible_collector.errors import MalformedError

RECORDS_MAX = 100_000

_DECODE: dict[Signal, Callable[..., Records]] = {
    Signal.TRACES: decode.decode_spans,
    Signal.METRICS: decode.decode_metrics,
    Signal.LOGS: decode.decode_logs,
}


def decode_bodies(signal: Signal, bodies: Sequence[bytes]) -> Any:
    """Decode requests that lie in one buffer, one after another, with strangers' bytes between."""
    gap = b"\xff\xff\xff"
    buffer = np.frombuffer(gap + gap.join(bodies) + gap, dtype=np.uint8)
    length = np.array([len(body) for body in bodies], dtype=np.int64)
    offset = np.cumsum(length + len(gap)) - length
    return _DECODE[signal](buffer, offset, length)


def same_or_both_refuse(signal: Signal, body: bytes) -> bool:
    """Compare the decoder with the official parser; return whether they accept the request."""
    try:
        message = official.parse(signal, body)
    except MalformedError:
        message = None
    try:
        plain = decode.canonical(signal, body, records_max=RECORDS_MAX)
    except MalformedError:
        plain = None
    assert (message is None) == (plain is None), "one refuses, the other does not"
    if message is None or plain is None:
        return False
    seen = observed(decode_bodies(signal, [plain]))
    wanted = reference.expected(signal, message)
    if plain != body or message.SerializeToString() != body:
        # Over-long lengths count in the size as received; the parsed message has forgotten them.
        for row in seen["records"] + wanted["records"]:
            del row["size"]
    for table, rows in wanted.items():
        assert len(seen[table]) == len(rows), table
        for got, want in zip(seen[table], rows, strict=True):
            differences = _differences(got, want)
            assert not differences, (table, differences)
    return True


def _differences(got: Row, want: Row) -> dict[str, tuple[Any, Any]]:
    names = got.keys() | want.keys()
    return {
        name: (got.get(name, "no such column"), want.get(name, "no such column"))
        for name in names
        if name not in got or name not in want or got[name] != want[name]
    }


def observed(records: Spans | Metrics | Logs) -> dict[str, list[Row]]:
    rows = [_common(records, row) for row in range(len(records))]
    _add_attributes(records, rows)
    if isinstance(records, Spans):
        _add_span(records, rows)
    elif isinstance(records, Metrics):
        _add_point(records, rows)
    else:
        _add_log(records, rows)
    return {"records": rows, "scopes": _scopes(records), "resources": _resources(records)}


def text(records: Records, ref: TextRef, row: int) -> bytes | None:
    offset, length = int(ref.offset[row]), int(ref.length[row])
    assert length >= 0 or offset == 0
    return records.buffer[offset : offset + length].tobytes() if length >= 0 else None


def _common(records: Records, row: int) -> Row:
    return {
        "request": int(records.request[row]),
        "index": int(records.index[row]),
        "scope": int(records.scope[row]),
        "size": int(records.size[row]),
        "slots": _slots(records, records.slots[row]),
    }


def _slots(records: Records, slots: npt.NDArray[np.int32]) -> dict[str, Any]:
    found = {}
    table = records.attributes
    for key, slot in SLOT.items():
        index = int(slots[slot])
        if index < 0:
            continue
        assert text(records, table.key, index) == key.encode()
        content = text(records, table.value, index)
        if table.kind[index] in (AttributeKind.ARRAY, AttributeKind.KVLIST):
            content = b"..."
        found[key] = (int(table.kind[index]), int(table.number[index]), content)
    return found


def _add_attributes(records: Records, rows: list[Row]) -> None:
    whole = decode.attributes_json(records, lifted=False).to_pylist()
    unlifted = decode.attributes_json(records, lifted=True).to_pylist()
    for row, one, other in zip(rows, whole, unlifted, strict=True):
        row["attributes"], row["attributes_unlifted"] = one, other


def _add_numbers(records: Records, rows: list[Row], *names: str) -> None:
    for name in names:
        values = getattr(records, name).tolist()
        for row, value in zip(rows, values, strict=True):
            row[name] = value


def _add_texts(records: Records, rows: list[Row], *names: str) -> None:
    for name in names:
        for index, row in enumerate(rows):
            row[name] = text(records, getattr(records, name), index)


def _add_doubles(records: Records, rows: list[Row], *names: str) -> None:
    for name in names:
        for row, value in zip(rows, getattr(records, name).tolist(), strict=True):
            row[name] = double_bits(value)


def _add_slices(records: Records, rows: list[Row], start: str, values: str) -> None:
    starts, flat = getattr(records, start), getattr(records, values)
    flat = flat.view(np.int64) if flat.dtype == np.float64 else flat
    for index, row in enumerate(rows):
        row[values] = flat[starts[index] : starts[index + 1]].tolist()


def _add_span(spans: Spans, rows: list[Row]) -> None:
    _add_numbers(spans, rows, "span_id", "parent_span_id", "flags", "kind", "start_ns", "end_ns")
    _add_numbers(spans, rows, "trace_id_length", "span_id_length", "parent_span_id_length")
    _add_numbers(spans, rows, "status_code", "dropped_attributes_count", "dropped_events_count")
    _add_numbers(spans, rows, "dropped_links_count")
    _add_texts(spans, rows, "name", "trace_state", "status_message")
    events = decode.span_events_json(spans).to_pylist()
    links = decode.span_links_json(spans).to_pylist()
    measured = spans.measurements
    for index, row in enumerate(rows):
        row["trace_id"] = spans.trace_id[index].tobytes()
        row["events"], row["links"] = events[index], links[index]
        row["measurements"] = [
            (text(spans, measured.name, int(at)), double_bits(float(measured.value[at])))
            for at in np.flatnonzero(measured.row == index)
        ]


def _add_log(logs: Logs, rows: list[Row]) -> None:
    _add_numbers(logs, rows, "time_ns", "observed_ns", "severity_number", "flags", "span_id")
    _add_numbers(logs, rows, "trace_id_length", "span_id_length", "dropped_attributes_count")
    _add_texts(logs, rows, "severity_text", "event_name")
    bodies = decode.any_value_json(logs.buffer, logs.body_kind, logs.body_number, logs.body_value)
    for index, (row, body) in enumerate(zip(rows, bodies.to_pylist(), strict=True)):
        row["trace_id"], row["body"] = logs.trace_id[index].tobytes(), body


def _add_point(metrics: Metrics, rows: list[Row]) -> None:
    _add_texts(metrics, rows, "metric_name", "metric_description", "metric_unit")
    _add_numbers(metrics, rows, "metric_kind", "temporality", "is_monotonic", "time_ns", "start_ns")
    _add_numbers(metrics, rows, "flags", "value_kind", "int_value", "count", "has_sum", "has_min")
    _add_numbers(metrics, rows, "has_max", "scale", "zero_count", "positive_offset")
    _add_numbers(metrics, rows, "negative_offset")
    _add_doubles(metrics, rows, "double_value", "sum", "min", "max", "zero_threshold")
    _add_slices(metrics, rows, "bounds_start", "bounds")
    _add_slices(metrics, rows, "counts_start", "counts")
    _add_slices(metrics, rows, "quantile_values_start", "quantile_values")
    _add_slices(metrics, rows, "negative_counts_start", "negative_counts")
    exemplars = decode.exemplars_json(metrics).to_pylist()
    for row, text_ in zip(rows, exemplars, strict=True):
        row["exemplars"] = text_


def _resources(records: Records) -> list[Row]:
    table = records.resources
    attributes = decode.attributes_json(records, table.attribute_start, lifted=False).to_pylist()
    return [
        {
            "request": int(table.request[row]),
            "attributes": attributes[row],
            "slots": _slots(records, table.slots[row]),
            "schema_url": text(records, table.schema_url, row),
            "dropped_attributes_count": int(table.dropped_attributes_count[row]),
        }
        for row in range(len(table.request))
    ]


def _scopes(records: Records) -> list[Row]:
    table = records.scopes
    attributes = decode.attributes_json(records, table.attribute_start, lifted=False).to_pylist()
    return [
        {
            "resource": int(table.resource[row]),
            "name": text(records, table.name, row),
            "version": text(records, table.version, row),
            "attributes": attributes[row],
            "schema_url": text(records, table.schema_url, row),
            "dropped_attributes_count": int(table.dropped_attributes_count[row]),
        }
        for row in range(len(table.resource))
    ]

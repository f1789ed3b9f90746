"""What a request must decode to, the slow and obvious way, from the officially parsed message.

Nothing here is shared with the decoder but the contract in `batch`: values are rendered by Python's
json, decimal and codecs. Each row is a dict named as the columns are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from collector.decode.reference_json import (
    array_json,
    event_json,
    exemplar_json,
    kind_of,
    link_json,
    pairs_json,
    value_json,
)
from crucible_collector.batch import (
    LIFTED,
    MEASUREMENT_PREFIX,
    MEASUREMENT_PREFIXES,
    SLOT_KEYS,
    AttributeKind,
    MetricKind,
    Signal,
)

Row = dict[str, Any]

_SLOTS = {key.encode() for key in SLOT_KEYS}


def double_bits(value: float) -> int:
    """NaNs differ by their bits, and nothing else tells them apart."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _id(content: bytes) -> int:
    return int.from_bytes(content, "big", signed=True) if len(content) == 8 else 0


def _cell(value: Any) -> tuple[int, int, bytes | None]:
    """Kind, number and content as `batch.Attributes` has them."""
    kind = kind_of(value)
    number, content = 0, None
    if kind == AttributeKind.BOOL:
        number = int(value.bool_value)
    elif kind == AttributeKind.INT:
        number = value.int_value
    elif kind == AttributeKind.DOUBLE:
        number = double_bits(value.double_value)
    elif kind == AttributeKind.STRING:
        content = value.string_value
    elif kind == AttributeKind.BYTES:
        content = value.bytes_value
    elif kind != AttributeKind.EMPTY:
        content = b"..."  # its content is compared as JSON
    return int(kind), number, content


def _surviving(pairs: Sequence[Any]) -> list[Any]:
    """All pairs but those whose key has a slot and comes again later."""
    last = {pair.key: index for index, pair in enumerate(pairs)}
    return [p for i, p in enumerate(pairs) if p.key not in _SLOTS or last[p.key] == i]


def _lifted(pair: Any) -> bool:
    return LIFTED.get(pair.key.decode("utf-8", "replace")) == kind_of(pair.value)


def _slotted(pairs: Sequence[Any]) -> Row:
    kept = _surviving(pairs)
    return {
        "attributes": pairs_json(kept) if kept else None,
        "slots": {p.key.decode(): _cell(p.value) for p in kept if p.key in _SLOTS},
    }


def _attributes(pairs: Sequence[Any]) -> Row:
    row = _slotted(pairs)
    unlifted = [pair for pair in _surviving(pairs) if not _lifted(pair)]
    row["attributes_unlifted"] = pairs_json(unlifted) if unlifted else None
    return row


def _measurements(pairs: Sequence[Any]) -> list[tuple[bytes, int]]:
    prefixes = tuple(prefix.encode() for prefix in MEASUREMENT_PREFIXES)
    found = []
    for pair in _surviving(pairs):
        kind = kind_of(pair.value)
        if not pair.key.startswith(prefixes) or pair.key in prefixes:
            continue
        name = pair.key.removeprefix(MEASUREMENT_PREFIX.encode())
        if kind == AttributeKind.INT:
            found.append((name, double_bits(float(pair.value.int_value))))
        elif kind == AttributeKind.DOUBLE:
            found.append((name, double_bits(pair.value.double_value)))
    return found


def _span(span: Any) -> Iterator[Row]:
    yield {
        **_attributes(span.attributes),
        "trace_id": span.trace_id if len(span.trace_id) == 16 else bytes(16),
        "trace_id_length": len(span.trace_id),
        "span_id": _id(span.span_id),
        "span_id_length": len(span.span_id),
        "parent_span_id": _id(span.parent_span_id),
        "parent_span_id_length": len(span.parent_span_id),
        "trace_state": span.trace_state or None,
        "flags": span.flags,
        "name": span.name or None,
        "kind": span.kind,
        "start_ns": _signed(span.start_time_unix_nano),
        "end_ns": _signed(span.end_time_unix_nano),
        "status_code": span.status.code,
        "status_message": span.status.message or None,
        "dropped_attributes_count": span.dropped_attributes_count,
        "dropped_events_count": span.dropped_events_count,
        "dropped_links_count": span.dropped_links_count,
        "events": array_json([event_json(event) for event in span.events]),
        "links": array_json([link_json(link) for link in span.links]),
        "measurements": _measurements(span.attributes),
        "size": span.ByteSize(),
    }


def _log(record: Any) -> Iterator[Row]:
    body = record.body
    yield {
        **_attributes(record.attributes),
        "time_ns": _signed(record.time_unix_nano),
        "observed_ns": _signed(record.observed_time_unix_nano),
        "severity_number": record.severity_number,
        "severity_text": record.severity_text or None,
        "body": None if kind_of(body) == AttributeKind.EMPTY else value_json(body),
        "event_name": record.event_name or None,
        "flags": record.flags,
        "trace_id": record.trace_id if len(record.trace_id) == 16 else bytes(16),
        "trace_id_length": len(record.trace_id),
        "span_id": _id(record.span_id),
        "span_id_length": len(record.span_id),
        "dropped_attributes_count": record.dropped_attributes_count,
        "size": record.ByteSize(),
    }


_METRIC_KINDS = {
    "gauge": MetricKind.GAUGE,
    "sum": MetricKind.SUM,
    "histogram": MetricKind.HISTOGRAM,
    "exponential_histogram": MetricKind.EXPONENTIAL_HISTOGRAM,
    "summary": MetricKind.SUMMARY,
}


def _metric(metric: Any) -> Iterator[Row]:
    which = metric.WhichOneof("data")
    if which is None:
        return
    data = getattr(metric, which)
    for point in data.data_points:
        yield {
            **_attributes(point.attributes),
            "metric_name": metric.name or None,
            "metric_description": metric.description or None,
            "metric_unit": metric.unit or None,
            "metric_kind": int(_METRIC_KINDS[which]),
            "temporality": getattr(data, "aggregation_temporality", 0),
            "is_monotonic": getattr(data, "is_monotonic", False),
            "time_ns": _signed(point.time_unix_nano),
            "start_ns": _signed(point.start_time_unix_nano),
            "flags": point.flags,
            "exemplars": array_json([exemplar_json(e) for e in getattr(point, "exemplars", [])]),
            "size": point.ByteSize(),
            **_number_point(point),
            **_statistics(point),
            **_distribution(point),
        }


_NAN = double_bits(math.nan)


def _number_point(point: Any) -> Row:
    row = {"value_kind": 0, "int_value": 0, "double_value": _NAN}
    if "as_int" not in point.DESCRIPTOR.fields_by_name:
        return row
    if point.WhichOneof("value") == "as_int":
        converted = double_bits(float(point.as_int))
        return {"value_kind": 1, "int_value": point.as_int, "double_value": converted}
    if point.WhichOneof("value") == "as_double":
        return {**row, "value_kind": 2, "double_value": double_bits(point.as_double)}
    return row


def _statistics(point: Any) -> Row:
    row: Row = {"count": _signed(getattr(point, "count", 0))}
    for name in ("sum", "min", "max"):
        member = point.DESCRIPTOR.fields_by_name.get(name)
        has = member is not None and (not member.has_presence or point.HasField(name))
        row[f"has_{name}"] = has
        row[name] = double_bits(getattr(point, name)) if has else _NAN
    return row


def _distribution(point: Any) -> Row:
    row: Row = {"bounds": [], "counts": [], "quantile_values": [], "negative_counts": []}
    row |= dict.fromkeys(("scale", "zero_count", "positive_offset", "negative_offset"), 0)
    row["zero_threshold"] = double_bits(0.0)
    kind = point.DESCRIPTOR.name
    if kind == "HistogramDataPoint":
        row["bounds"] = [double_bits(bound) for bound in point.explicit_bounds]
        row["counts"] = [_signed(count) for count in point.bucket_counts]
    elif kind == "ExponentialHistogramDataPoint":
        row["counts"] = [_signed(count) for count in point.positive.bucket_counts]
        row["negative_counts"] = [_signed(count) for count in point.negative.bucket_counts]
        row["positive_offset"] = point.positive.offset
        row["negative_offset"] = point.negative.offset
        row["scale"] = point.scale
        row["zero_count"] = _signed(point.zero_count)
        row["zero_threshold"] = double_bits(point.zero_threshold)
    elif kind == "SummaryDataPoint":
        row["bounds"] = [double_bits(value.quantile) for value in point.quantile_values]
        row["quantile_values"] = [double_bits(value.value) for value in point.quantile_values]
    return row


_WORDS = {
    Signal.TRACES: ("spans", "spans", _span),
    Signal.METRICS: ("metrics", "metrics", _metric),
    Signal.LOGS: ("logs", "log_records", _log),
}


def expected(signal: Signal, message: Any) -> dict[str, list[Row]]:
    """Records, scopes and resources of one parsed request, in wire order."""
    word, records_word, rows_of = _WORDS[signal]
    resources: list[Row] = []
    scopes: list[Row] = []
    records: list[Row] = []
    for around in getattr(message, f"resource_{word}"):
        resources.append(
            {
                "request": 0,
                **_slotted(around.resource.attributes),
                "schema_url": around.schema_url or None,
                "dropped_attributes_count": around.resource.dropped_attributes_count,
            }
        )
        for within in getattr(around, f"scope_{word}"):
            pairs = within.scope.attributes
            scopes.append(
                {
                    "resource": len(resources) - 1,
                    "name": within.scope.name or None,
                    "version": within.scope.version or None,
                    "attributes": pairs_json(pairs) if pairs else None,
                    "schema_url": within.schema_url or None,
                    "dropped_attributes_count": within.scope.dropped_attributes_count,
                }
            )
            for record in getattr(within, records_word):
                for row in rows_of(record):
                    place = {"request": 0, "scope": len(scopes) - 1, "index": len(records)}
                    records.append({**row, **place})
    return {"records": records, "scopes": scopes, "resources": resources}

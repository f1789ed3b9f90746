"""Span events, links and exemplars come out whole."""

from __future__ import annotations

import json

from collector.decode.observed import decode_bodies
from collector.decode.spans import decoded, put
from crucible_collector import decode
from crucible_collector.batch import Signal
from crucible_collector.decode import official

TRACE, SPAN = bytes(range(16)), bytes(range(8))


def test_an_exception_event_is_an_event_with_attributes() -> None:
    request = official.REQUEST[Signal.TRACES]()
    spans = request.resource_spans.add().scope_spans.add().spans  # type: ignore[attr-defined]
    spans.add()
    event = spans.add().events.add(name=b"exception", time_unix_nano=2**64 - 1)
    put(event.attributes.add(key=b"exception.message").value, 'a "b"\n')
    event.dropped_attributes_count = 3
    spans[1].events.add()
    found = decode.span_events_json(decoded(request.SerializeToString())).to_pylist()
    assert found[0] is None
    assert json.loads(found[1]) == [
        {
            "time_ns": 2**64 - 1,
            "name": "exception",
            "dropped_attributes_count": 3,
            "attributes": {"exception.message": 'a "b"\n'},
        },
        {},
    ]


def test_a_link_has_its_ids_in_hex() -> None:
    request = official.REQUEST[Signal.TRACES]()
    span = request.resource_spans.add().scope_spans.add().spans.add()  # type: ignore[attr-defined]
    span.links.add(trace_id=TRACE, span_id=SPAN, trace_state=b"a=b", flags=257)
    span.links.add(trace_id=b"\xff")
    found = decode.span_links_json(decoded(request.SerializeToString()))
    assert json.loads(found[0].as_py()) == [
        {"trace_id": TRACE.hex(), "span_id": SPAN.hex(), "trace_state": "a=b", "flags": 257},
        {"trace_id": "ff"},
    ]


def test_an_exemplar_keeps_whether_it_was_an_integer() -> None:
    request = official.REQUEST[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()  # type: ignore[attr-defined]
    point = metric.gauge.data_points.add()
    point.exemplars.add(time_unix_nano=5, as_int=-7, trace_id=TRACE, span_id=SPAN)
    point.exemplars.add(as_double=7.0)
    point.exemplars.add(as_int=0)
    put(point.exemplars.add().filtered_attributes.add(key=b"k").value, [1])
    found = decode.exemplars_json(decode_bodies(Signal.METRICS, [request.SerializeToString()]))
    assert found[0].as_py() == (
        f'[{{"time_ns":5,"value":-7,"trace_id":"{TRACE.hex()}","span_id":"{SPAN.hex()}"}},'
        '{"value":7.0},{"value":0},{"attributes":{"k":[1]}}]'
    )


def test_many_long_events_make_the_output_grow() -> None:
    request = official.REQUEST[Signal.TRACES]()
    spans = request.resource_spans.add().scope_spans.add().spans  # type: ignore[attr-defined]
    for size in (3, 0, 200):
        span = spans.add()
        for _ in range(size):
            span.events.add(name=b"\x01" * size)
    found = decode.span_events_json(decoded(request.SerializeToString())).to_pylist()
    assert [len(json.loads(text)) if text else 0 for text in found] == [3, 0, 200]


def test_none_at_all_are_all_null() -> None:
    request = official.REQUEST[Signal.TRACES]()
    request.resource_spans.add().scope_spans.add().spans.add()  # type: ignore[attr-defined]
    spans = decoded(request.SerializeToString())
    assert decode.span_events_json(spans).to_pylist() == [None]
    assert decode.span_links_json(spans).to_pylist() == [None]

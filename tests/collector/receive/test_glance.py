"""The quick check of spans and the close one never differ: what is quick only never refuses."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode.generated import damaged, field, random_request, varint
from collector.decode.spans import around_span
from collector.receive.checks import NOW_NS
from collector.receive.otlp import DAY_NS, SECOND_NS, span, text, traces
from crucible_collector.batch import Signal
from crucible_collector.errors import RefusedError
from crucible_collector.receive import Limits
from crucible_collector.receive.check import _at_a_glance, _closely
from crucible_collector.receive.verdicts import Asked

Change = Callable[[Span], object]

IDENTITY, NAME = "crucible.run.id", "service.name"


def is_known_at_a_glance(body: bytes, limits: Limits | None = None) -> bool:
    """Whether the glance sufficed; then the close look must have come to the same."""
    asked = Asked.at(NOW_NS, limits or Limits())
    glanced = _at_a_glance(body, asked)
    if glanced is None:
        return False
    close = _closely(Signal.TRACES, body, asked)
    assert len(close.refused) == len(glanced.refused) == 0
    assert len(close.reason) == len(glanced.reason) == 0
    assert close.body == glanced.body
    assert (close.record_count, close.is_anonymous) == (glanced.record_count, glanced.is_anonymous)
    return True


def is_refused(body: bytes, limits: Limits | None = None) -> bool:
    """Whether the close look refuses a span of the request, or all of it."""
    try:
        return bool(
            len(_closely(Signal.TRACES, body, Asked.at(NOW_NS, limits or Limits())).refused)
        )
    except RefusedError:
        return True


# --- generated requests ---------------------------------------------------------------------------


def random_body(rng: random.Random) -> bytes:
    """A random request whose spans have what a span must have, and whatever else."""
    request = random_request(Signal.TRACES, rng)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for one in scope.spans:
                _repair(one, rng)
    body: bytes = request.SerializeToString()
    return body


def _repair(one: Any, rng: random.Random) -> None:
    one.trace_id, one.span_id = rng.randbytes(16), rng.randbytes(8)
    one.parent_span_id = rng.choice([b"", bytes(8), rng.randbytes(8)])
    one.kind = rng.randrange(6)
    if one.HasField("status"):
        one.status.code = rng.randrange(3)
    one.end_time_unix_nano = NOW_NS - rng.randrange(DAY_NS)
    one.start_time_unix_nano = rng.choice([0, NOW_NS, one.end_time_unix_nano - 60 * DAY_NS])


@settings(max_examples=60, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_what_is_known_at_a_glance_has_nothing_to_refuse(rng: random.Random) -> None:
    body = random_body(rng)
    is_known_at_a_glance(body)
    is_known_at_a_glance(damaged(body, rng))


def test_most_of_what_is_not_refused_is_known_at_a_glance() -> None:
    rng = random.Random(8)
    bodies = [random_body(rng) for _ in range(300)]
    stored = [body for body in bodies if not is_refused(body)]
    assert len(stored) > 150
    assert sum(map(is_known_at_a_glance, stored)) > 0.95 * len(stored)


def test_damage_makes_some_requests_unknown_and_leaves_others_known() -> None:
    rng = random.Random(9)
    known = [
        is_known_at_a_glance(damaged(body, rng))
        for body in (random_body(rng) for _ in range(200))
        for _ in range(4)
    ]
    assert 0.1 < sum(known) / len(known) < 0.9


# --- usual requests -------------------------------------------------------------------------------


def an_llm_call(one: Span) -> None:
    one.attributes.extend([text("prompt", "x" * 5_000), text("gen_ai.request.model", "x" * 700)])
    one.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 1 << 40
    one.attributes.add(key="temperature").value.double_value = 1e300
    one.attributes.add(key="stream").value.bool_value = True


def a_failure(one: Span) -> None:
    one.status.code, one.status.message = 2, "x" * 300  # type: ignore[assignment] # ERROR
    one.events.add(name="exception", attributes=[text("exception.message", "x" * 300)])


def values_in_values(one: Span) -> None:
    tags = one.attributes.add(key="crucible.experiment.tags").value.array_value
    tags.values.add(string_value="a")
    tags.values.add().kvlist_value.values.add(key="k").value.bytes_value = b"b"
    one.attributes.add(key="nothing")


def links_and_state(one: Span) -> None:
    one.links.add(trace_id=b"x" * 16, span_id=b"y" * 8, attributes=[text("k", "v")])
    one.trace_state, one.flags, one.dropped_attributes_count = "a=b", 0x101, 3


@pytest.mark.parametrize("change", [an_llm_call, a_failure, values_in_values, links_and_state])
def test_what_clients_send_is_known_at_a_glance(change: Change) -> None:
    spans = [span(), span(), span()]
    change(spans[1])
    request = traces(*spans)
    request.resource_spans[0].resource.attributes.extend([text(NAME, "trainer"), text("k", "v")])
    request.resource_spans[0].scope_spans[0].scope.name = "scope"
    request.resource_spans.append(traces(span()).resource_spans[0])
    assert is_known_at_a_glance(request.SerializeToString())


def test_a_request_without_spans_is_known_at_a_glance() -> None:
    for request in (b"", traces().SerializeToString()):
        assert is_known_at_a_glance(request)


# --- one defect -----------------------------------------------------------------------------------


def having(**fields: object) -> Change:
    def change(one: Span) -> None:
        one.MergeFrom(Span(**fields))  # type: ignore[arg-type] # tests name the fields

    return change


def with_text(key: str, size: int) -> Change:
    return lambda one: one.attributes.extend([text("k", "v"), text(key, "x" * size)])


def with_status(code: int) -> Change:
    return lambda one: setattr(one.status, "code", code)


def never_ended(start_ns: int) -> Change:
    def change(one: Span) -> None:
        one.start_time_unix_nano = start_ns
        one.ClearField("end_time_unix_nano")

    return change


YEAR_NS = 366 * DAY_NS

# A change that is still accepted, and the next one that is not.
EDGES: dict[str, tuple[Change, Change]] = {
    "trace id, length": (having(trace_id=b"x" * 16), having(trace_id=b"x" * 15)),
    "trace id, longer": (having(trace_id=b"x" * 16), having(trace_id=b"x" * 17)),
    "trace id, zero": (having(trace_id=bytes(15) + b"x"), having(trace_id=bytes(16))),
    "trace id, none": (having(), lambda one: one.ClearField("trace_id")),
    "span id, length": (having(span_id=b"x" * 8), having(span_id=b"x" * 9)),
    "span id, zero": (having(span_id=bytes(7) + b"x"), having(span_id=bytes(8))),
    "span id, none": (having(), lambda one: one.ClearField("span_id")),
    "parent": (having(parent_span_id=bytes(8)), having(parent_span_id=b"x" * 7)),
    "kind": (having(kind=32_767), having(kind=32_768)),
    "status": (with_status(32_767), with_status(32_768)),
    "name": (having(name="x" * 800), having(name="x" * 801)),
    "identity": (with_text(IDENTITY, 256), with_text(IDENTITY, 257)),
    "naming attribute": (with_text(NAME, 800), with_text(NAME, 801)),
    "end ahead": (
        having(end_time_unix_nano=NOW_NS + 3_600 * SECOND_NS),
        having(end_time_unix_nano=NOW_NS + 3_600 * SECOND_NS + 1),
    ),
    "start ahead": (
        having(start_time_unix_nano=NOW_NS + 3_600 * SECOND_NS),
        having(start_time_unix_nano=NOW_NS + 3_600 * SECOND_NS + 1),
    ),
    "end beyond bigint": (
        having(start_time_unix_nano=0, end_time_unix_nano=NOW_NS),
        having(end_time_unix_nano=1 << 63),
    ),
    "start beyond bigint": (having(), having(start_time_unix_nano=(1 << 64) - 1)),
    "old": (
        having(start_time_unix_nano=1 + NOW_NS - 30 * DAY_NS, end_time_unix_nano=1),
        having(start_time_unix_nano=NOW_NS - 30 * DAY_NS - 1, end_time_unix_nano=1),
    ),
    "never ended": (
        never_ended(NOW_NS - 30 * DAY_NS),
        never_ended(NOW_NS - 30 * DAY_NS - 1),
    ),
    "ended long ago": (
        having(start_time_unix_nano=NOW_NS - YEAR_NS, end_time_unix_nano=NOW_NS - 30 * DAY_NS),
        having(start_time_unix_nano=NOW_NS - YEAR_NS, end_time_unix_nano=NOW_NS - 31 * DAY_NS),
    ),
    "began long ago": (
        having(start_time_unix_nano=NOW_NS - YEAR_NS),
        having(start_time_unix_nano=NOW_NS - YEAR_NS - 1),
    ),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_defect_in_one_span_is_left_to_the_close_look(edge: str, index: int) -> None:
    accepted, refused = EDGES[edge]
    for change, is_accepted in ((accepted, True), (refused, False)):
        spans = [span(), span(), span()]
        change(spans[index])
        body = traces(*spans).SerializeToString()
        assert is_refused(body) is not is_accepted
        assert is_known_at_a_glance(body) is is_accepted


@pytest.mark.parametrize(("key", "size"), [(IDENTITY, 256), (NAME, 800)])
def test_a_text_of_a_resource_is_held_to_its_limit(key: str, size: int) -> None:
    def body(text_bytes: int) -> bytes:
        request = traces(span(), span())
        request.resource_spans[0].resource.attributes.append(text(key, "x" * text_bytes))
        return request.SerializeToString()

    assert is_known_at_a_glance(body(size))
    assert is_refused(body(size + 1))
    assert not is_known_at_a_glance(body(size + 1))


@pytest.mark.parametrize("limit", ["records_max", "record_bytes_max"])
def test_limits_of_a_request_hold_at_a_glance(limit: str) -> None:
    request = traces(*(span(name="x" * 100) for _ in range(5))).SerializeToString()
    enough = {"records_max": 5, "record_bytes_max": len(request)}[limit]
    assert is_known_at_a_glance(request, Limits(**{limit: enough}))
    assert not is_known_at_a_glance(request, Limits(**{limit: enough - 1}))


def test_a_request_too_large_for_memory_is_left_to_the_close_look() -> None:
    """Within the limits of sizes and records: nothing but resources, 4 MiB of them."""
    body = b"\x0a\x00" * (2 << 20)
    assert is_refused(body)
    assert not is_known_at_a_glance(body)


@pytest.mark.parametrize("past_s", [3, 10**6, 10**12])
def test_the_window_can_be_set_to_anything(past_s: int) -> None:
    limits = Limits(past_s=past_s, ahead_s=past_s)
    body = traces(span(start_time_unix_nano=NOW_NS, end_time_unix_nano=NOW_NS)).SerializeToString()
    assert is_known_at_a_glance(body, limits)
    old = span(start_time_unix_nano=NOW_NS - 5 * SECOND_NS, end_time_unix_nano=0)
    assert is_known_at_a_glance(traces(old).SerializeToString(), limits) is (past_s > 5)


def test_smaller_limits_of_texts_hold_too() -> None:
    body = traces(span(attributes=[text(IDENTITY, "x" * 10)])).SerializeToString()
    assert is_known_at_a_glance(body, Limits(text_bytes_max=10))
    assert not is_known_at_a_glance(body, Limits(text_bytes_max=9))


# --- unusual bytes --------------------------------------------------------------------------------

_SOUND = field(1, 2, b"x" * 16) + field(2, 2, b"y" * 8)
_TIME = NOW_NS.to_bytes(8, "little")
_TEXT = field(1, 2, b"v")


def _attribute(key: bytes, value: bytes) -> bytes:
    return field(9, 2, key + value)


@pytest.mark.parametrize(
    ("is_known", "more"),
    [
        pytest.param(True, b"", id="ids only"),
        pytest.param(True, field(7, 1, _TIME) * 2, id="a time twice"),
        pytest.param(
            True, field(7, 1, bytes(7) + b"\x80") + field(7, 1, _TIME), id="the last time is good"
        ),
        pytest.param(
            False, field(7, 1, _TIME) + field(7, 1, b"\x01" * 8), id="the last time is bad"
        ),
        pytest.param(True, field(1, 2, b"z" * 16), id="an id twice"),
        pytest.param(False, field(1, 2, b""), id="an id, then none"),
        pytest.param(False, field(6, 0, varint(-1)), id="a negative kind"),
        pytest.param(False, field(20, 0, b"\x01"), id="an unknown field"),
        pytest.param(False, field(40, 0, b"\x01"), id="an unknown field of a high number"),
        pytest.param(False, field(15, 2, b"") * 2, id="two statuses to be merged"),
        pytest.param(False, field(5, 2, b"a", padding=1), id="an over-long tag"),
        pytest.param(True, b"\x2a" + varint(1, padding=1) + b"a", id="an over-long length"),
        pytest.param(False, field(6, 2, b"a"), id="another wire type"),
        pytest.param(False, b"\x39" + _TIME[:7], id="a time cut off"),
        pytest.param(
            True, _attribute(field(2, 2, _TEXT), field(1, 2, b"k")), id="value before key"
        ),
        pytest.param(True, _attribute(field(1, 2, b"k"), b""), id="no value"),
        pytest.param(True, _attribute(b"", field(2, 2, _TEXT)), id="no key"),
        pytest.param(True, field(9, 2, b""), id="neither"),
        pytest.param(True, _attribute(field(1, 2, b"k"), field(2, 2, b"")), id="an empty value"),
        pytest.param(
            True,
            _attribute(field(1, 2, b"k"), field(2, 2, _TEXT + field(99, 0, b"\x01"))),
            id="more",
        ),
        pytest.param(
            False, _attribute(field(1, 2, b"k"), field(2, 2, _TEXT + _TEXT)), id="two values"
        ),
        pytest.param(
            False, _attribute(field(1, 2, b"k"), field(2, 2, b"\x0a\x02v")), id="text cut off"
        ),
        pytest.param(
            False, _attribute(field(1, 2, b"k"), field(2, 2, b"\x18\x80")), id="integer cut off"
        ),
        pytest.param(
            False, _attribute(field(1, 2, b"k"), field(2, 2, b"\x21" + bytes(7))), id="double cut"
        ),
        pytest.param(
            False,
            _attribute(field(1, 2, b"k"), field(2, 2, b"\x21" + bytes(8) + b"\x0a\x02v")),
            id="a double, then text cut off",
        ),
        pytest.param(False, field(9, 2, b"\x0a\x05k\x12\x00"), id="key beyond the attribute"),
        pytest.param(False, field(9, 2, b"\x0a\x01k\x12\x05"), id="value beyond the attribute"),
        pytest.param(False, field(11, 2, b"\x12\x05"), id="a broken event"),
    ],
)
def test_unusual_bytes_are_known_where_the_meaning_is_plain(is_known: bool, more: bytes) -> None:
    assert is_known_at_a_glance(around_span(_SOUND + more)) is is_known


def test_every_beginning_of_a_request_is_judged_alike() -> None:
    one = span()
    for change in (an_llm_call, a_failure, values_in_values, links_and_state):
        change(one)
    body = traces(one).SerializeToString()
    assert len(ExportTraceServiceRequest.FromString(body).resource_spans) == 1
    assert [end for end in range(len(body)) if is_known_at_a_glance(body[:end])] == [0]

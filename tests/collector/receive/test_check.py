"""What becomes of a request: its entry, its flags, what its sender is told."""

from __future__ import annotations

import numpy as np
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.receive.checks import DIGEST, NOW_NS, checked, refused
from collector.receive.otlp import (
    DAY_NS,
    gauge,
    good_request,
    log_record,
    logs,
    metrics,
    point,
    span,
    text,
    traces,
)
from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError
from crucible_collector.journal import EntryFlag
from crucible_collector.receive import Limits
from crucible_collector.receive.check import check


@pytest.mark.parametrize("signal", Signal)
def test_an_entry_holds_the_request_and_its_counts(signal: Signal) -> None:
    request = good_request(signal, 5)
    found = checked(signal, request)
    assert found.entry.body == request.SerializeToString()
    assert (found.entry.signal, found.entry.record_count) == (signal, 5)
    assert (found.entry.received_ns, found.entry.digest) == (NOW_NS, DIGEST)
    assert found.entry.flags == EntryFlag(0)
    assert found.message == ""
    assert found.entry.refused_index.dtype == np.dtype(np.uint32)
    assert found.entry.refused_reason.dtype == np.dtype(np.uint8)


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_request_has_no_records(signal: Signal) -> None:
    assert check(signal, b"", NOW_NS, Limits(), digest=DIGEST).entry.record_count == 0


def test_the_message_counts_names_and_explains() -> None:
    spans = [span() for _ in range(20)]
    for index in (3, 5, 7, 9, 11, 13):
        spans[index].trace_id = b"short"
    spans[4].kind = 40_000  # type: ignore[assignment] # a newer client's
    message = checked(Signal.TRACES, traces(*spans)).message
    assert message.startswith("7 of 20 spans refused: ")
    assert (
        "the trace id is not 16 bytes long or is all zero (6, at index 3, 5, 7, 9, 11, …)"
        in message
    )
    assert "a number does not fit what it is stored in (1, at index 4)" in message


def test_the_message_calls_each_signals_records_by_their_name() -> None:
    late = NOW_NS - 40 * DAY_NS
    points = checked(Signal.METRICS, metrics(gauge(point(time_unix_nano=late))))
    assert points.message.startswith("1 of 1 data points refused")
    records = checked(Signal.LOGS, logs(log_record(time_unix_nano=late)))
    assert records.message.startswith("1 of 1 log records refused")


# --- requests without identity --------------------------------------------------------------------


def test_a_request_whose_records_all_have_a_time_or_id_can_be_recognised() -> None:
    assert checked(Signal.TRACES, traces(span(start_time_unix_nano=0))).entry.flags == EntryFlag(0)
    observed = logs(log_record(time_unix_nano=0, observed_time_unix_nano=NOW_NS))
    assert checked(Signal.LOGS, observed).entry.flags == EntryFlag(0)


def test_a_record_without_time_makes_its_request_anonymous() -> None:
    points = metrics(gauge(point(), point(time_unix_nano=0)))
    assert checked(Signal.METRICS, points).entry.flags == EntryFlag.ANONYMOUS
    records = logs(log_record(), log_record(time_unix_nano=0, span_id=b"x" * 8))
    assert checked(Signal.LOGS, records).entry.flags == EntryFlag.ANONYMOUS


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("body", [b"\x0a\xff", b"\x00", b"\x0a\x05ab", b"\xff" * 40])
def test_what_is_not_protobuf_is_malformed(signal: Signal, body: bytes) -> None:
    with pytest.raises(MalformedError):
        check(signal, body, NOW_NS, Limits(), digest=DIGEST)


def test_names_that_are_not_utf8_are_taken() -> None:
    body = traces(span(name="XXXX", attributes=[text("k", "YYYY")])).SerializeToString()
    body = body.replace(b"XXXX", b"\xff\xfe\x00x").replace(b"YYYY", b"\x00\xc3\x28\x80")
    entry = check(Signal.TRACES, body, NOW_NS, Limits(), digest=DIGEST).entry
    assert (entry.body, len(entry.refused_index)) == (body, 0)


def test_what_a_client_repeats_is_stored_as_the_official_parser_reads_it() -> None:
    whole = traces(span(name="first"))
    one = whole.resource_spans[0]
    one.resource.attributes.append(text("a", "1"))
    again = Resource(attributes=[text("b", "2")]).SerializeToString()
    encoded = one.SerializeToString() + b"\x0a" + bytes([len(again)]) + again
    body = b"\x0a" + _varint(len(encoded)) + encoded
    entry = check(Signal.TRACES, body, NOW_NS, Limits(), digest=DIGEST).entry
    merged = traces().FromString(bytes(entry.body)).resource_spans[0]
    assert [each.key for each in merged.resource.attributes] == ["a", "b"]
    assert merged.scope_spans[0].spans[0].name == "first"


def _varint(number: int) -> bytes:
    wire = b""
    while number > 0x7F:
        wire += bytes([number & 0x7F | 0x80])
        number >>= 7
    return wire + bytes([number])


def test_any_value_may_be_a_body() -> None:
    body = AnyValue()
    body.kvlist_value.values.add(key="k").value.array_value.values.add(int_value=1)
    assert refused(Signal.LOGS, logs(log_record(body=body))) == {}

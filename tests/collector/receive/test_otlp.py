"""What an OTLP server must do, one case or more for every line of the rules, on both transports.

Signals, encodings and compressions; sizes; success and partial success; overload; bad data;
duplicates; unknown fields. What HTTP alone can get wrong is in test_http.py, gRPC in test_grpc.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.receive.conftest import StartReceiver
from collector.receive.otlp import (
    RESPONSE_CLASSES,
    Response,
    as_otlp_json,
    good_request,
    rejected_count,
    request_of_bytes,
    request_with_one_bad,
    span,
    traces,
)
from collector.receive.receivers import JSON, PROTOBUF, Receiver, until
from crucible_collector.batch import Reason, Signal
from crucible_collector.journal import EntryFlag
from crucible_collector.receive import Limits


@dataclass(frozen=True)
class Said:
    """An answer in the words of both transports."""

    is_ok: bool
    is_retryable: bool
    response: Response | None
    status: Status | None
    retry_after_s: float | None


Send = Callable[[Receiver, Signal, bytes], Said]


def by_grpc(compression: grpc.Compression) -> Send:
    def send(receiver: Receiver, signal: Signal, body: bytes) -> Said:
        try:
            answer = receiver.call(body, signal, compression)
        except grpc.RpcError as error:
            return _grpc_refusal(error)
        return Said(True, False, RESPONSE_CLASSES[signal].FromString(answer), None, None)

    return send


def _grpc_refusal(error: grpc.RpcError) -> Said:
    trailers: dict[str, bytes] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type] # pairs
    info = trailers.get("google.rpc.retryinfo-bin")
    retry_after_s = None
    if info is not None:
        delay = RetryInfo.FromString(info).retry_delay
        retry_after_s = delay.seconds + delay.nanos / 1e9
    details = trailers.get("grpc-status-details-bin")
    status = Status(code=error.code().value[0], message=error.details() or "")
    if details is not None:
        status = Status.FromString(details)
        assert status.code == error.code().value[0]
        assert status.message == error.details()
        assert bool(status.details) == (info is not None)
    return Said(False, info is not None, None, status, retry_after_s)


def by_http(content_type: str, is_gzip: bool = False) -> Send:
    def send(receiver: Receiver, signal: Signal, body: bytes) -> Said:
        if is_gzip:
            answer = receiver.post(
                gzip.compress(body), signal, content_type, content_encoding="gzip"
            )
        else:
            answer = receiver.post(body, signal, content_type)
        assert answer.headers["content-type"] == content_type
        made = RESPONSE_CLASSES[signal]() if answer.is_success else Status()
        if content_type == JSON:
            json_format.Parse(answer.content, made)
        else:
            made.ParseFromString(answer.content)
        is_retryable = answer.status_code in {429, 502, 503, 504}
        after = answer.headers.get("retry-after")
        retry_after_s = None if after is None else float(after)
        if isinstance(made, Status):
            return Said(False, is_retryable, None, made, retry_after_s)
        return Said(True, is_retryable, made, None, retry_after_s)

    return send


PROTOBUF_WAYS: dict[str, Send] = {
    "grpc": by_grpc(grpc.Compression.NoCompression),
    "grpc gzip": by_grpc(grpc.Compression.Gzip),
    "http": by_http(PROTOBUF),
    "http gzip": by_http(PROTOBUF, is_gzip=True),
}
JSON_WAYS: dict[str, Send] = {
    "json": by_http(JSON),
    "json gzip": by_http(JSON, is_gzip=True),
}
protobuf_ways = pytest.mark.parametrize("send", PROTOBUF_WAYS.values(), ids=PROTOBUF_WAYS.keys())
json_ways = pytest.mark.parametrize("send", JSON_WAYS.values(), ids=JSON_WAYS.keys())
every_way = pytest.mark.parametrize(
    ("way", "send"),
    {**PROTOBUF_WAYS, **JSON_WAYS}.items(),
    ids={**PROTOBUF_WAYS, **JSON_WAYS}.keys(),
)
every_signal = pytest.mark.parametrize("signal", Signal, ids=lambda signal: signal.name.lower())


def encoded(way: str, request: object) -> bytes:
    """The request as this way sends it."""
    if way.startswith("json"):
        return json.dumps(as_otlp_json(request)).encode()  # type: ignore[arg-type] # a message
    return request.SerializeToString()  # type: ignore[attr-defined,no-any-return] # a message


# --- transports, compression, success --------------------------------------------------------------


@every_signal
@every_way
def test_a_request_is_answered_when_it_is_in_the_journal(
    receiver: Receiver, way: str, send: Send, signal: Signal
) -> None:
    request, since = good_request(signal), receiver.mark()
    said = send(receiver, signal, encoded(way, request))
    assert said.is_ok
    assert said.response == RESPONSE_CLASSES[signal]()  # partial_success is unset
    (entry,) = receiver.entries(since)
    assert type(request).FromString(entry.body) == request
    assert (entry.signal, entry.record_count, entry.refused) == (signal, 3, {})


@every_signal
@every_way
def test_an_empty_request_is_a_success_and_leaves_nothing(
    receiver: Receiver, way: str, send: Send, signal: Signal
) -> None:
    since = receiver.mark()
    said = send(receiver, signal, b"{}" if way.startswith("json") else b"")
    assert said.is_ok
    assert said.response == RESPONSE_CLASSES[signal]()
    assert receiver.journal.tail == since


# --- size ------------------------------------------------------------------------------------------


@protobuf_ways
def test_the_limit_counts_after_decompression(start_receiver: StartReceiver, send: Send) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=50_000))
    assert send(receiver, Signal.TRACES, request_of_bytes(50_000)).is_ok
    said = send(receiver, Signal.TRACES, request_of_bytes(50_001))
    assert not said.is_ok
    assert not said.is_retryable
    assert said.retry_after_s is None
    assert said.status is not None
    assert said.status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


@protobuf_ways
def test_more_records_than_one_request_may_have_are_too_large(
    start_receiver: StartReceiver, send: Send
) -> None:
    receiver = start_receiver(limits=Limits(records_max=10))
    assert send(receiver, Signal.TRACES, good_request(Signal.TRACES, 10).SerializeToString()).is_ok
    said = send(receiver, Signal.TRACES, good_request(Signal.TRACES, 11).SerializeToString())
    assert said.status is not None
    assert said.status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert not said.is_retryable


# --- partial success -------------------------------------------------------------------------------


@every_signal
@every_way
def test_one_bad_record_among_511_good_ones_is_refused_alone(
    receiver: Receiver, way: str, send: Send, signal: Signal
) -> None:
    since = receiver.mark()
    said = send(receiver, signal, encoded(way, request_with_one_bad(signal, 512, 17)))
    assert said.is_ok
    assert said.response is not None
    assert rejected_count(said.response) == 1
    message = said.response.partial_success.error_message
    assert message.startswith("1 of 512 ")
    assert "time is too far" in message
    assert "at index 17" in message
    (entry,) = receiver.entries(since)
    assert entry.record_count == 512
    assert entry.refused == {17: Reason.TIME_OUT_OF_RANGE}


# --- overload --------------------------------------------------------------------------------------


@every_way
def test_a_request_without_room_is_told_to_come_back(
    start_receiver: StartReceiver, way: str, send: Send
) -> None:
    receiver = start_receiver(bytes_in_flight_max=1 << 20, patience_s=0.02)
    body = encoded(way, good_request(Signal.TRACES))
    with receiver.intake.admission.enter(1 << 20):
        said = send(receiver, Signal.TRACES, body)
        assert said.is_retryable
        assert said.retry_after_s is not None
        assert 1 <= said.retry_after_s <= 2
        assert said.status is not None
        assert said.status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert send(receiver, Signal.TRACES, body).is_ok
    assert len(receiver.entries()) == 1


@every_way
def test_a_full_journal_refuses_until_it_has_room_again(
    start_receiver: StartReceiver, way: str, send: Send
) -> None:
    receiver = start_receiver(segment_bytes=64 << 10, bytes_max=256 << 10, retain_s=0)
    body = encoded(way, good_request(Signal.TRACES, 200))
    acknowledged = 0
    while (said := send(receiver, Signal.TRACES, body)).is_ok:
        acknowledged += 1
        assert acknowledged < 100
    assert said.is_retryable
    assert said.retry_after_s is not None
    assert 1 <= said.retry_after_s <= 2
    assert len(receiver.entries()) == acknowledged

    end = receiver.journal.tail
    receiver.journal.release(end)
    until(lambda: send(receiver, Signal.TRACES, body).is_ok)
    assert len(receiver.entries(end)) == 1


# --- bad data --------------------------------------------------------------------------------------


@every_signal
@every_way
def test_bad_data_is_never_retryable_and_counted_in_the_journal(
    receiver: Receiver, way: str, send: Send, signal: Signal
) -> None:
    since = receiver.mark()
    said = send(receiver, signal, b"\x0a\xff\xff\xff\xff\x0fnothing that either encoding reads")
    assert not said.is_ok
    assert not said.is_retryable
    assert said.status is not None
    assert said.status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert said.status.message
    receiver.journal.wait(since, 5)
    (entry,) = receiver.entries(since)
    assert entry.flags == EntryFlag.REFUSED_WHOLE | EntryFlag.ANONYMOUS
    assert (entry.body, entry.record_count) == (b"", 1)
    assert entry.refused == {0: Reason.MALFORMED_REQUEST}


@every_way
def test_damage_anywhere_gives_success_or_a_final_no(
    receiver: Receiver, way: str, send: Send
) -> None:
    whole = encoded(way, traces(span(name="n")))
    for at in range(0, len(whole), 7):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        said = send(receiver, Signal.TRACES, damaged)
        assert not said.is_retryable
        if said.status is not None:
            assert said.status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], said.status


# --- duplicates, unknown fields --------------------------------------------------------------------


def test_the_same_request_has_the_same_digest_however_it_comes(receiver: Receiver) -> None:
    body, since = good_request(Signal.TRACES).SerializeToString(), receiver.mark()
    for send in PROTOBUF_WAYS.values():
        assert send(receiver, Signal.TRACES, body).is_ok
    entries = receiver.entries(since)
    assert len(entries) == 4
    assert len({entry.digest for entry in entries}) == 1
    assert all(entry.flags == EntryFlag(0) for entry in entries)


def test_other_requests_have_other_digests(receiver: Receiver) -> None:
    since = receiver.mark()
    for _ in range(3):
        receiver.call(good_request(Signal.TRACES).SerializeToString())
    # As bytes this is a request of each of the three signals.
    assert len({entry.digest for entry in receiver.entries(since)}) == 3


@protobuf_ways
def test_unknown_fields_are_ignored(receiver: Receiver, send: Send) -> None:
    since = receiver.mark()
    request = traces(span(name="known"))
    one = request.resource_spans[0].scope_spans[0].spans[0]
    unknown_field = b"\xfa\x7f\x03new"  # number 2047, length-delimited
    one.MergeFromString(unknown_field)
    assert send(receiver, Signal.TRACES, request.SerializeToString() + unknown_field).is_ok
    (entry,) = receiver.entries(since)
    assert (entry.record_count, entry.refused) == (1, {})

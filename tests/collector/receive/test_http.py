"""What only HTTP can get wrong: paths, types, framing, slow and broken bodies."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from google.rpc.status_pb2 import Status

from collector.receive.conftest import StartReceiver
from collector.receive.otlp import good_request
from collector.receive.receivers import JSON, PROTOBUF, Receiver
from crucible_collector.batch import Reason, Signal
from crucible_collector.receive import Limits
from crucible_collector.receive.http_protocol import HEADER_BYTES_MAX

BODY = good_request(Signal.TRACES).SerializeToString()
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"


@contextmanager
def connection(receiver: Receiver) -> Iterator[socket.socket]:
    """A bare connection, for what no client library would send."""
    url = httpx.URL(receiver.http_url)
    with socket.create_connection((url.host, url.port or 0), timeout=10) as connected:
        yield connected


def answer_on(connected: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer; what follows it stays unread."""
    with connected.makefile("rb", buffering=0) as stream:
        status = int(stream.readline().split()[1])
        headers = {}
        while line := stream.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = b""
        while len(body) < int(headers["content-length"]):
            body += stream.read(int(headers["content-length"]) - len(body)) or b""
    return status, headers, body


@pytest.mark.parametrize("path", ["/", "/v1/traces/", "/v1/profiles", "/v2/traces", "/V1/TRACES"])
def test_another_path_is_not_found(receiver: Receiver, path: str) -> None:
    answer = httpx.post(receiver.http_url + path, content=BODY)
    assert answer.status_code == 404
    assert "/v1/traces" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_another_method_is_not_allowed(receiver: Receiver, method: str) -> None:
    answer = httpx.request(method, receiver.http_url + "/v1/traces")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/xml", "multipart/form-data"]
)
def test_another_content_type_is_unsupported(receiver: Receiver, content_type: str) -> None:
    answer = receiver.post(BODY, content_type=content_type)
    assert answer.status_code == 415
    assert PROTOBUF in answer.headers["accept"]


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_compression_is_unsupported(receiver: Receiver, coding: str) -> None:
    answer = receiver.post(BODY, content_encoding=coding)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip"
    assert Status.FromString(answer.content).message


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"]
)
def test_parameters_and_case_of_a_content_type_do_not_matter(
    receiver: Receiver, content_type: str
) -> None:
    answer = receiver.post(b"{}", content_type=content_type)
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    assert answer.json() == {}


@pytest.mark.parametrize("coding", ["identity", "GZIP", "x-gzip"])
def test_codings_are_known_by_all_their_names(receiver: Receiver, coding: str) -> None:
    body = BODY if coding == "identity" else gzip.compress(BODY)
    assert receiver.post(body, content_encoding=coding).status_code == 200


def test_a_partial_success_in_json_counts_in_a_string(receiver: Receiver) -> None:
    """64-bit integers are strings in the JSON of protobuf."""
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "no ids"}]}]}]})
    answer = receiver.post(body.encode(), content_type=JSON).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert "trace id" in answer["partialSuccess"]["errorMessage"]


def test_bad_json_is_named_with_its_position(receiver: Receiver) -> None:
    answer = receiver.post(b'{"resourceSpans": oops}', content_type=JSON)
    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    assert "column 19" in answer.json()["message"]


def test_a_body_in_chunks_is_read(receiver: Receiver) -> None:
    since = receiver.mark()
    pieces = (BODY[at : at + 10] for at in range(0, len(BODY), 10))
    assert receiver.post(pieces).status_code == 200
    assert receiver.entries(since)[0].body == BODY


def test_a_body_in_chunks_is_too_large_as_soon_as_it_is(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=10_000))
    answer = receiver.post(bytes(1_000) for _ in range(100))
    assert answer.status_code == 413


def test_what_is_announced_too_large_is_refused_unread(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=10_000))
    with connection(receiver) as connected:
        connected.sendall(HEAD + b"content-length: 10001\r\n\r\n")
        status, headers, body = answer_on(connected)
    assert (status, headers["connection"]) == (413, "close")
    assert "10000 bytes" in Status.FromString(body).message
    assert receiver.journal.wait(receiver.journal.head, 5)
    (entry,) = receiver.entries()
    assert entry.refused == {0: Reason.REQUEST_TOO_LARGE}


def test_a_sender_in_the_middle_of_a_refused_upload_sees_the_answer(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=10_000))
    for _ in range(5):
        assert receiver.post(bytes(20 << 20)).status_code == 413


def test_a_client_that_asks_first_is_told_before_it_sends(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=10_000))
    with connection(receiver) as connected:
        connected.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 20000\r\n\r\n")
        assert answer_on(connected)[0] == 413
        assert connected.recv(1) == b""  # closed, without waiting for the body
    with connection(receiver) as connected:
        length = str(len(BODY)).encode()
        connected.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: " + length + b"\r\n\r\n")
        assert connected.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connected.sendall(BODY)
        assert answer_on(connected)[0] == 200


def test_a_connection_outlives_its_refusals(receiver: Receiver) -> None:
    with httpx.Client(base_url=receiver.http_url, headers={"content-type": PROTOBUF}) as client:
        codes = [
            client.post("/v1/traces", content=body).status_code
            for body in (BODY, b"\xff", BODY, b"", b"\x0a\xff", BODY)
        ]
    assert codes == [200, 400, 200, 200, 400, 200]


def test_requests_one_behind_the_other_are_answered_in_order(receiver: Receiver) -> None:
    def whole(body: bytes) -> bytes:
        return HEAD + b"content-length: " + str(len(body)).encode() + b"\r\n\r\n" + body

    with connection(receiver) as connected:
        connected.sendall(whole(BODY) + whole(b"\xff") + whole(b""))
        assert [answer_on(connected)[0] for _ in range(3)] == [200, 400, 200]


@pytest.mark.parametrize(
    "framing", [b"content-length: 1000\r\n", b"transfer-encoding: chunked\r\n"]
)
def test_a_client_that_hangs_up_leaves_nothing_behind(receiver: Receiver, framing: bytes) -> None:
    since = receiver.mark()
    with connection(receiver) as connected:
        connected.sendall(HEAD + framing + b"\r\n" + b"3\r\n\x0a\x01\x01\r\n")
    assert receiver.post(BODY).status_code == 200
    assert [entry.body for entry in receiver.entries(since)] == [BODY]


def test_a_body_that_does_not_arrive_is_given_up(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(body_timeout_s=0.1)
    with connection(receiver) as connected:
        connected.sendall(HEAD + b"content-length: 1000\r\n\r\n" + b"\x0a")
        status, headers, body = answer_on(connected)
    assert (status, headers["connection"]) == (408, "close")
    assert "0.1 s" in Status.FromString(body).message
    assert receiver.entries() == []


def test_headers_without_end_are_refused(receiver: Receiver) -> None:
    with connection(receiver) as connected:
        connected.sendall(HEAD)
        line = b"x-filler: " + b"x" * 1_000 + b"\r\n"
        for _ in range(HEADER_BYTES_MAX // 1_000 + 3):
            connected.sendall(line)
        assert answer_on(connected)[0] == 400


def test_headers_that_do_not_arrive_are_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_collector.receive.http_protocol.HEADER_TIMEOUT_S", 0.1)
    for beginning in (b"", b"POST /v1/tr", HEAD):
        with connection(receiver) as connected:
            connected.sendall(beginning)
            try:
                assert connected.recv(1) == b""
            except ConnectionResetError:
                continue


def test_headers_are_waited_for_again_on_the_same_connection(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection(receiver) as connected:
        connected.sendall(HEAD + b"content-length: 0\r\n\r\n")
        assert answer_on(connected)[0] == 200
        monkeypatch.setattr("crucible_collector.receive.http_protocol.HEADER_TIMEOUT_S", 0.1)
        connected.sendall(HEAD)
        try:
            assert connected.recv(1) == b""
        except ConnectionResetError:
            return


def test_a_slow_body_holds_up_nobody(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(body_timeout_s=30)
    with connection(receiver) as slow:
        slow.sendall(HEAD + b"content-length: 1000\r\n\r\n")
        started_s = time.monotonic()
        for _ in range(20):
            assert receiver.post(BODY).status_code == 200
        assert time.monotonic() - started_s < 10

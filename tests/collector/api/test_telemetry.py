"""Events that are posted are on disk when the answer comes, once, and a bad one costs no other."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.receive.bridging import attributes_of, event
from crucible_collector import decode, metrics
from crucible_collector.api import api_server, create_app
from crucible_collector.api.models import Failure
from crucible_collector.api.telemetry import TakenEvents
from crucible_collector.journal import EntryFlag, Journal
from crucible_collector.receive import Admission, EventsIntake, Intake, Limits
from harness import eventually
from stored import Health, NoDatabase

PATH = "/api/v1/telemetry/events"
JSON = {"content-type": "application/json"}


@dataclass
class Bridge:
    client: httpx.Client
    journal: Journal
    admission: Admission

    def post(self, *events: Any, **headers: str) -> httpx.Response:
        body = json.dumps({"events": list(events)}).encode()
        return self.send(body, **headers)

    def send(self, body: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(PATH, content=body, headers={**JSON, **named})

    def spans(self) -> list[Span]:
        return [
            span
            for _, body, _ in self.entries()
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def entries(self) -> list[tuple[int, bytes, EntryFlag]]:
        """Record count, body and flags of all that is in the journal."""
        window = self.journal.read(self.journal.head, records_max=1 << 20, bytes_max=1 << 28)
        if window is None:
            return []
        return [
            (
                int(window.record_count[row]),
                window.buffer[start : start + int(window.body_length[row])].tobytes(),
                EntryFlag(int(window.flags[row])),
            )
            for row, start in enumerate(window.body_offset.tolist())
        ]

    def digests(self) -> list[bytes]:
        window = self.journal.read(self.journal.head, records_max=1 << 20, bytes_max=1 << 28)
        assert window is not None
        return [bytes(each) for each in window.digest]


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    decode.warm_up(logging.getLogger(__name__))


@contextmanager
def bridging(
    directory: Path,
    bytes_in_flight_max: int = 64 << 20,
    journal: dict[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Bridge]:
    with Journal.open(directory, **(journal or {})) as opened:
        # The times of the tests are fixed; a year is enough for whenever they run.
        limits = Limits(past_s=36_600 * 86_400 // 2, ahead_s=366 * 86_400)
        admission = Admission(bytes_in_flight_max, patience_s=0.05)
        intake = Intake(opened, limits, admission)
        app = create_app(NoDatabase(), Health(), EventsIntake(intake, **settings))
        server = api_server(app, stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        try:
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
                yield Bridge(client, opened, admission)
        finally:
            server.stop()
            intake.close()
            assert admission.bytes_used == 0


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    with bridging(tmp_path / "journal") as running:
        yield running


def taken(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    return TakenEvents.model_validate_json(response.content, strict=True).model_dump()


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, Failure.model_validate_json(response.content).error.code


def test_what_is_accepted_is_on_disk(bridge: Bridge) -> None:
    answer = taken(bridge.post(event("crucible_train.epoch.stop"), event("a.b.c")))
    assert answer == {"accepted": 2, "rejected": 0, "errors": []}
    assert {span.name for span in bridge.spans()} == {"crucible_train.epoch", "a.b.c"}


def test_the_same_body_again_is_recognised_by_its_digest(bridge: Bridge) -> None:
    for _ in range(2):
        assert taken(bridge.post(event("a.b.c")))["accepted"] == 1
    plain = json.dumps({"events": [event("a.b.c")]}).encode()
    taken(bridge.send(gzip.compress(plain), content_encoding="gzip"))
    assert len(set(bridge.digests())) == 1
    assert {flags for _, _, flags in bridge.entries()} == {EntryFlag(0)}


def test_events_with_neither_id_nor_time_are_never_taken_for_the_same(bridge: Bridge) -> None:
    taken(bridge.post({"event_name": "a.b.c"}))
    assert [flags for _, _, flags in bridge.entries()] == [EntryFlag.ANONYMOUS]


def test_refused_events_are_told_by_index_and_counted_in_the_ledger(bridge: Bridge) -> None:
    answer = taken(
        bridge.post(
            event("a.b.c"),
            event("a.b.stop", measurements={"duration": "fast"}),
            event("a.b.d", metadata={"run_id": "x" * 300}),
            {},
        )
    )
    assert (answer["accepted"], answer["rejected"]) == (1, 3)
    assert [(each["index"], each["code"]) for each in answer["errors"]] == [
        (1, "invalid_duration"),
        (2, "text_too_long"),
        (3, "invalid_event_name"),
    ]
    assert eventually(lambda: len(bridge.entries()) == 2, "the refused ones are journalled")
    whole = EntryFlag.REFUSED_WHOLE | EntryFlag.ANONYMOUS
    assert [(count, flags) for count, _, flags in bridge.entries()] == [
        (2, EntryFlag(0)),
        (2, whole),
    ]


def test_of_many_refused_events_the_first_hundred_say_why(bridge: Bridge) -> None:
    answer = taken(bridge.post(*[{}] * 150))
    assert (answer["accepted"], answer["rejected"], len(answer["errors"])) == (0, 150, 100)


def test_no_events_are_nothing_to_keep(bridge: Bridge) -> None:
    assert taken(bridge.post()) == {"accepted": 0, "rejected": 0, "errors": []}
    assert bridge.entries() == []


SMALL = {"segment_bytes": 1 << 16, "bytes_max": 1 << 18}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "story"),
    [
        ({"x_correlation_id": "story", "traceparent": TRACEPARENT}, "story"),
        ({"traceparent": TRACEPARENT}, "4bf92f3577b34da6a3ce929d0e0e4736"),
        (
            {"x_correlation_id": "c" * 129, "traceparent": TRACEPARENT},
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ),
        ({"x_correlation_id": "c" * 300}, None),
        ({"traceparent": "00-x"}, None),
        ({}, None),
    ],
)
def test_events_without_a_correlation_id_have_the_request_s(
    bridge: Bridge, headers: dict[str, str], story: str | None
) -> None:
    taken(bridge.post(event("a.b.c"), **headers))
    (span,) = bridge.spans()
    assert attributes_of(span).get("crucible.correlation.id") == story


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "malformed"),
        (b"[]", {}, 400, "malformed"),
        (b"x", {"content_encoding": "gzip"}, 400, "malformed"),
        (b"{}", {"content_type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {"content_encoding": "br"}, 415, "unsupported_media_type"),
    ],
)
def test_what_cannot_be_read_is_refused_whole_in_the_one_shape(
    bridge: Bridge, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    assert refusal(bridge.send(body, **headers)) == (status, code)


def test_a_body_that_is_too_large_is_refused_announced_or_not(tmp_path: Path) -> None:
    with bridging(tmp_path / "journal", body_bytes_max=10_000) as bridge:
        large = json.dumps({"events": [{"event_name": "x" * 20_000}]}).encode()
        assert refusal(bridge.send(large)) == (413, "too_large")
        chunked = bridge.client.post(PATH, content=iter([large[:9000], large[9000:]]), headers=JSON)
        assert refusal(chunked) == (413, "too_large")
        packed = bridge.send(gzip.compress(large), content_encoding="gzip")
        assert refusal(packed) == (413, "too_large")
        assert taken(bridge.post(event("a.b.c")))["accepted"] == 1


def test_without_room_a_client_is_told_when_to_come_back(tmp_path: Path) -> None:
    with bridging(tmp_path / "journal", bytes_in_flight_max=1 << 20) as bridge:
        with bridge.admission.enter(1 << 20):
            response = bridge.post(event("a.b.c"))
        assert refusal(response) == (503, "overloaded")
        assert response.headers["retry-after"] == "1"
        assert taken(bridge.post(event("a.b.c")))["accepted"] == 1


def test_a_journal_without_room_sends_clients_away_for_a_while(tmp_path: Path) -> None:
    with bridging(tmp_path / "journal", journal=SMALL) as bridge:
        filling = [event("a.b.c", metadata={"text": "x" * 1000})] * 50
        answers = [bridge.post(*filling) for _ in range(10)]
        full = next(answer for answer in answers if answer.status_code != 202)
        assert refusal(full) == (503, "overloaded")
        assert int(full.headers["retry-after"]) >= 1


def test_a_body_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    with bridging(tmp_path / "journal", body_timeout_s=0.05) as bridge:
        address = bridge.client.base_url
        with socket.create_connection((address.host, address.port or 0), 10) as slow:
            slow.sendall(
                f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                "content-length: 100\r\n\r\n{".encode()
            )
            assert slow.recv(1 << 16).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_is_nobody_s_error(bridge: Bridge) -> None:
    before = metrics.UNCAUGHT_ERRORS.labels("api")._value.get()
    address = bridge.client.base_url
    with socket.create_connection((address.host, address.port or 0), 10) as gone:
        gone.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            "content-length: 100\r\n\r\n{".encode()
        )
        eventually(lambda: bridge.admission.bytes_used > 0, "the request is being read")
    eventually(lambda: bridge.admission.bytes_used == 0, "its share is given back")
    assert metrics.UNCAUGHT_ERRORS.labels("api")._value.get() == before


def test_only_posts_are_taken(bridge: Bridge) -> None:
    assert refusal(bridge.client.get(PATH)) == (405, "method_not_allowed")


def test_the_description_says_what_to_post_and_what_may_come_back(bridge: Bridge) -> None:
    description = bridge.client.get("/openapi.json").json()
    post = description["paths"][PATH]["post"]
    body = post["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator.check_schema(body)
    assert "$ref" not in json.dumps(body)
    schema = jsonschema.Draft202012Validator(body)
    assert schema.is_valid({"events": [event("a.b.c"), event(["a", "b"], metadata={"x": 1})]})
    assert not schema.is_valid({"events": [{}]})
    assert {"202", "400", "413", "415", "503"} <= set(post["responses"])


def test_a_process_that_receives_nothing_has_no_such_address() -> None:
    paths = create_app(NoDatabase(), Health()).openapi()["paths"]
    assert PATH not in paths

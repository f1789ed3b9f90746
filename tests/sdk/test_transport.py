"""One attempt over gRPC and HTTP: what each answer means, and what happens without any."""

from __future__ import annotations

import os
import random
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from crucible_telemetry.destination import otlp_sender
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.transport import Kind, Outcome, Sender
from sdk.scripted import Answer, Script, partial_success, retry_info, scripted_grpc, scripted_http

Server = Callable[..., AbstractContextManager[Script]]

each_protocol = pytest.mark.parametrize(
    ("protocol", "server"), [("grpc", scripted_grpc), ("http/protobuf", scripted_http)]
)
BODY = Encoded("traces", b"\x0a\x00", 5)


def sender(protocol: str, script: Script, **headers: str) -> Sender:
    return otlp_sender(protocol, f"http://{script.address}", headers or None)


def outcome(protocol: str, script: Script) -> Outcome:
    subject = sender(protocol, script)
    try:
        return subject.send(BODY)
    finally:
        subject.close()


@each_protocol
def test_bytes_arrive_as_they_are_each_signal_at_its_place(protocol: str, server: Server) -> None:
    with server() as script:
        subject = sender(protocol, script, **{"X-Key": "k"})
        for signal in ("traces", "metrics", "logs"):
            assert subject.send(Encoded(signal, signal.encode(), 1)).kind is Kind.DELIVERED
        subject.close()
    assert script.bodies == [b"traces", b"metrics", b"logs"]
    for path, signal in zip(script.paths, ("trace", "metrics", "logs"), strict=True):
        assert signal in path
    assert script.headers[0]["x-key"] == "k"


@each_protocol
def test_partial_success_is_delivered_and_says_how_much_was_not(
    protocol: str, server: Server
) -> None:
    with server(Answer(body=partial_success(2, "span 3: no id"))) as script:
        found = outcome(protocol, script)
    assert found == Outcome(Kind.DELIVERED, "span 3: no id", rejected_count=2)


@each_protocol
def test_an_answer_that_is_no_message_is_still_a_success(protocol: str, server: Server) -> None:
    with server(Answer(body=b"\xff\xff\xff")) as script:
        assert outcome(protocol, script).kind is Kind.DELIVERED


RETRYABLE = {
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNAVAILABLE",
    "DATA_LOSS",
}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.name != "OK"])
def test_grpc_codes_mean_what_the_specification_says(code: grpc.StatusCode) -> None:
    with scripted_grpc(Answer(code, "because")) as script:
        found = outcome("grpc", script)
    assert found.kind is (Kind.RETRY if code.name in RETRYABLE else Kind.REFUSED)
    assert found.message == f"{code.name}: because"
    assert found.retry_after_s is None


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE], ids=str
)
def test_grpc_says_when_to_come_back(code: grpc.StatusCode) -> None:
    with scripted_grpc(Answer(code, "full", trailers=(retry_info(1.5),))) as script:
        found = outcome("grpc", script)
    assert found.kind is Kind.RETRY
    assert found.retry_after_s == pytest.approx(1.5)


def test_a_trailer_that_is_no_message_says_nothing() -> None:
    trailers = (("grpc-status-details-bin", b"\xff\xff"), ("google.rpc.retryinfo-bin", b"\xff"))
    with scripted_grpc(Answer(grpc.StatusCode.UNAVAILABLE, trailers=trailers)) as script:
        assert outcome("grpc", script).retry_after_s is None


@pytest.mark.parametrize("status", [300, 400, 401, 404, 413, 429, 500, 501, 502, 503, 504])
def test_http_statuses_mean_what_the_specification_says(status: int) -> None:
    body = Status(message="because").SerializeToString()
    with scripted_http(Answer(status, body=body)) as script:
        found = outcome("http/protobuf", script)
    assert found.kind is (Kind.RETRY if status in {429, 502, 503, 504} else Kind.REFUSED)
    assert f"HTTP {status}" in found.message
    assert found.message.endswith(": because")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("86400", 300.0),
        ("soon", None),
        pytest.param(formatdate(time.time() + 3600, usegmt=True), 300.0, id="in an hour"),
        (formatdate(0, usegmt=True), 0.0),
    ],
)
def test_http_says_when_to_come_back(text: str, seconds: float | None) -> None:
    with scripted_http(Answer(503, trailers=(("Retry-After", text),))) as script:
        assert outcome("http/protobuf", script).retry_after_s == seconds


@each_protocol
def test_nobody_listening_is_told_at_once(protocol: str, server: Server) -> None:
    with server() as script:
        pass
    started = time.monotonic()
    assert outcome(protocol, script).kind is Kind.RETRY
    assert time.monotonic() - started < 5


@each_protocol
def test_a_server_that_hangs_holds_nobody_beyond_the_timeout(
    protocol: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with server(Answer(is_silent=True)) as script:
        started = time.monotonic()
        assert outcome(protocol, script).kind is Kind.RETRY
        assert time.monotonic() - started < 2


@each_protocol
def test_closing_breaks_off_an_attempt(protocol: str, server: Server) -> None:
    with server(Answer(is_silent=True)) as script:
        subject = sender(protocol, script)
        found: list[Outcome] = []
        thread = threading.Thread(target=lambda: found.append(subject.send(BODY)))
        thread.start()
        assert script.came.acquire(timeout=10)
        started = time.monotonic()
        subject.close()
        thread.join(10)
        assert time.monotonic() - started < 1
        assert [each.kind for each in found] == [Kind.RETRY]
        assert subject.send(BODY).kind is Kind.RETRY  # and there is no other


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_breaks_off_a_call_that_takes_long_and_the_next_one_is_made() -> None:
    with scripted_grpc(Answer(is_silent=True)) as script:
        subject = sender("grpc", script)
        found: list[Outcome] = []
        thread = threading.Thread(target=lambda: found.append(subject.send(BODY)))
        thread.start()
        assert script.came.acquire(timeout=10)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert time.monotonic() - started < 1
        os.waitpid(child, 0)
        thread.join(10)
        assert [each.kind for each in found] == [Kind.RETRY]
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()


@each_protocol
def test_a_collector_that_restarts_is_reached_again_within_two_seconds(
    protocol: str, server: Server
) -> None:
    with server() as script:
        subject = sender(protocol, script)
        assert subject.send(BODY).kind is Kind.DELIVERED
    for _ in range(3):
        assert subject.send(BODY).kind is Kind.RETRY
    port = int(script.address.partition(":")[2])
    again = (
        scripted_grpc(address=script.address) if protocol == "grpc" else scripted_http(port=port)
    )
    with again as script:
        deadline_s = time.monotonic() + 2
        while subject.send(BODY).kind is not Kind.DELIVERED:
            assert time.monotonic() < deadline_s
            threading.Event().wait(0.05)
        subject.close()
    assert script.bodies == [BODY.body]


@each_protocol
@pytest.mark.parametrize("body", [b"", partial_success(1, "why")], ids=["empty", "with a body"])
def test_one_connection_takes_many_requests(protocol: str, server: Server, body: bytes) -> None:
    with server(*[Answer(body=body)] * 5) as script:
        subject = sender(protocol, script)
        assert {subject.send(BODY).kind for _ in range(5)} == {Kind.DELIVERED}
        subject.close()
    assert len(script.bodies) == 5


def test_a_kept_alive_connection_that_the_server_closed_is_opened_again_at_once() -> None:
    with scripted_http() as script:
        subject = sender("http/protobuf", script)
        assert subject.send(BODY).kind is Kind.DELIVERED
        (line,) = [each for name, each in vars(subject)["_lines"].items() if name == "traces"]
        line._connection.sock.shutdown(2)  # what a server's idle timeout looks like
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()
    assert len(script.bodies) == 2


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
@each_protocol
def test_compressed_bodies_arrive_as_they_were(
    protocol: str, server: Server, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    body = b"\x0a\x00" * 10_000
    with server() as script:
        subject = sender(protocol, script)
        assert subject.send(Encoded("traces", body, 1)).kind is Kind.DELIVERED
        subject.close()
    assert script.bodies == [body]
    if protocol != "grpc":
        assert script.headers[0]["content-encoding"] == compression
        assert int(script.headers[0]["content-length"]) < 1000


@each_protocol
def test_attempts_do_not_touch_the_experiments_random_numbers(
    protocol: str, server: Server
) -> None:
    random.seed(42)
    state = random.getstate()
    with server(Answer(is_silent=False)) as script:
        assert outcome(protocol, script).kind is Kind.DELIVERED
    assert random.getstate() == state


def test_a_proxy_is_asked_for_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_http() as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@{proxy.address}")
        monkeypatch.setenv("no_proxy", "other.example")
        subject = otlp_sender("http/protobuf", "http://collector.example:4318", None)
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()
    assert proxy.paths == ["http://collector.example:4318/v1/traces"]
    assert proxy.headers[0]["proxy-authorization"] == "Basic dXNlcjpwQHNz"


def test_a_host_that_needs_no_proxy_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with scripted_http() as script:
        assert outcome("http/protobuf", script).kind is Kind.DELIVERED


def test_credentials_in_the_url_are_sent_as_basic_authentication() -> None:
    with scripted_http() as script:
        subject = otlp_sender("http/protobuf", f"http://user:pass@{script.address}", None)
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()
    assert script.headers[0]["authorization"] == "Basic dXNlcjpwYXNz"
    assert script.headers[0]["host"] == script.address


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with: TLS is not tested")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(path)]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = subprocess.run(command, capture_output=True, check=True, text=True)
    with path.open("a") as file:
        file.write(made.stdout)
    return path


def tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls_trusts_the_certificate_that_the_environment_names(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_http(tls=tls_context(certificate)) as script:
        url = f"https://{script.address}"
        stranger = otlp_sender("http/protobuf", url, None)
        found = stranger.send(BODY)
        stranger.close()
        assert found.kind is Kind.RETRY
        assert "certificate" in found.message.lower()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificate))
        subject = otlp_sender("http/protobuf", url, None)
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()


def test_grpc_over_tls_with_a_client_certificate(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate.read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(pem, pem)], root_certificates=pem, require_client_auth=True
    )
    with scripted_grpc(credentials=credentials) as script:
        for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", str(certificate))
        subject = otlp_sender("grpc", f"https://{script.address}", None)
        assert subject.send(BODY).kind is Kind.DELIVERED
        subject.close()


@each_protocol
def test_a_certificate_that_cannot_be_read_is_told_at_once(
    protocol: str, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match="No such file"):
        otlp_sender(protocol, "https://127.0.0.1:1", None)

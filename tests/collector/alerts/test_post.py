"""One request: bounded in time and in what is read, to nobody but who was named, and silent on where to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.alerts.receiving import Receiver
from crucible_collector.alerts.post import (
    ANSWER_BYTES_MAX,
    RETRY_AFTER_MAX_S,
    SAID_CHARACTERS_MAX,
    UnreachableError,
    post,
)

# Of 127.0.0.1, signed by itself: nobody trusts it, and it opens nothing.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6o2JHROBiCyoumLM
YNsVosCvpWI0SBK7DJmCFpT3qCShRANCAARehgL5pW+6sVcIanomN1r6aHiszS3J
aCm7ysEagHj577n+rBi/H49DD0MNpAsbCbaymwqMGZ/gktjBynTKSoaU
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUQocneivYFi3WPqRtSttehVG+Ic8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMzE5MjMyN1oYDzIxMjYxMDMw
MTkyMzI3WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARehgL5pW+6sVcIanomN1r6aHiszS3JaCm7ysEagHj577n+rBi/H49D
D0MNpAsbCbaymwqMGZ/gktjBynTKSoaUo2QwYjAdBgNVHQ4EFgQUCyepNBJYLyaX
TQqS2q47DT8Xcu4wHwYDVR0jBBgwFoAUCyepNBJYLyaXTQqS2q47DT8Xcu4wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IC3Q0dv4UTcxe7RS4sotSKIFDdm4Ok9lcHSHg2fj/YG7AiEAiTbbuzJsKPqqSXul
buInhyvshZq5WsGptiOklNMt0ys=
-----END CERTIFICATE-----
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextlib.contextmanager
def talker(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with its one connection what it likes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(10)


def test_a_receiver_that_dribbles_is_left_when_time_is_up() -> None:
    """Each byte is well within the socket's own timeout."""

    def dribble(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 10_000:
                connection.sendall(bytes([byte]))
                time.sleep(0.01)

    began = time.monotonic()
    with (
        talker(dribble) as port,
        pytest.raises(UnreachableError, match=r"no answer within 0\.3 s"),
    ):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_no_more_of_an_answer_is_read_than_is_told(received: Receiver) -> None:
    received.body = b"<p>\n" + b"x" * (100 * ANSWER_BYTES_MAX)
    answer = post(received.url, b"{}", {})
    assert answer.status == 200
    assert answer.says == ("<p> " + "x" * SAID_CHARACTERS_MAX)[:SAID_CHARACTERS_MAX]


def test_a_redirect_is_an_answer_and_nothing_is_sent_on(received: Receiver) -> None:
    received.answers = [(307, {"Location": f"{received.url}/elsewhere"})]
    assert post(received.url, b"{}", {}).status == 307
    assert len(received.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text(CERTIFICATE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    heard: list[bytes] = []

    def shake(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as own:
            heard.append(own.recv(100))

    with talker(shake) as port, pytest.raises(UnreachableError):
        post(f"https://127.0.0.1:{port}/", b"secret", {})
    assert not any(heard)


def test_one_that_is_vouched_for_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text(CERTIFICATE)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as own:
            while not own.recv(4096).endswith(b"body"):
                continue
            own.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with talker(answer) as port:
        assert post(f"https://127.0.0.1:{port}/", b"body", {}).status == 204


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "", "127.0.0.1:80"])
def test_nothing_but_http_is_spoken(url: str) -> None:
    with pytest.raises(ValueError, match="neither http nor https"):
        post(url, b"{}", {})


def test_no_error_says_the_address() -> None:
    for url in ("http://127.0.0.1:1/services/T0/B0/secret", "http://127.0.0.1:0/\x7f/secret"):
        with pytest.raises((UnreachableError, ValueError)) as raised:
            post(url, b"{}", {})
        assert "secret" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_patience_that_is_asked_for_has_an_end(received: Receiver) -> None:
    received.answers = [(429, {"Retry-After": "1000000"})]
    assert post(received.url, b"{}", {}).retry_after_s == RETRY_AFTER_MAX_S

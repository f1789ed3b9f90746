"""TLS on all three ports, renewed while it runs, and with clients' certificates."""

from __future__ import annotations

import functools
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest

from collector.access.conftest import Certificates
from collector.access.test_keys_in_use import key_of, post, request_of, send
from crucible_collector.errors import SettingsError
from crucible_collector.settings import Settings
from crucible_collector.tls import Tls
from harness import collector, eventually


def serial_of(url: str, certificates: Certificates) -> str:
    """Of the certificate that a port shows."""
    host, port = url.removeprefix("https://").rsplit(":", 1)
    context = certificates.context()
    if not url.startswith("https://"):
        context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        found = secured.getpeercert() or {}
    return str(found["serialNumber"])


def shows_another(url: str, certificates: Certificates, before: set[str]) -> bool:
    return serial_of(url, certificates) not in before


def test_all_ports_speak_tls_and_take_up_a_renewed_certificate_without_dropping_anybody(
    tmp_path: Path, plain_database: str, certificates: Certificates
) -> None:
    key = key_of(plain_database, "ingest", "read")
    arguments = (*certificates.arguments(), "--require-keys")
    with collector(tmp_path / "data", plain_database, *arguments) as running:
        assert running.addresses["api"].startswith("https://127.0.0.1:")
        assert running.addresses["http"].startswith("https://127.0.0.1:")
        trusts = certificates.context()
        credentials = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
        send(running, request_of("sweep"), key, credentials)
        assert post(running, request_of("sweep"), key, verify=trusts).status_code == 200
        with pytest.raises(grpc.RpcError):
            send(running, request_of("sweep"), key)
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=running.api, verify=trusts, headers=headers) as held:
            assert held.get("/api/v1/runs").status_code == 200
            session = held.post("/api/v1/session", json={"key": key})
            assert "; secure" in session.headers["set-cookie"].lower()
            ports = list(running.addresses.values())
            before = {serial_of(port, certificates) for port in ports}
            assert len(before) == 1
            certificates.issue()
            for port in ports:
                renewed = functools.partial(shows_another, port, certificates, before)
                eventually(renewed, f"{port} is renewed")
            certificates.key.write_text("no key")
            assert held.get("/api/v1/runs").status_code == 200
            eventually(
                lambda: (
                    httpx.get(running.api + "/healthz", verify=trusts).status_code == 200
                    and "stays as it was" in running.log()
                ),
                "what cannot be used changes nothing and is said",
            )


def test_without_a_certificate_of_its_own_no_client_gets_in_where_these_are_asked_for(
    tmp_path: Path, plain_database: str, certificates: Certificates
) -> None:
    arguments = (*certificates.arguments(), "--tls-client-ca", str(certificates.ca))
    with collector(tmp_path / "data", plain_database, *arguments) as running:
        known, stranger = certificates.context(has_client=True), certificates.context()
        assert httpx.get(running.api + "/readyz", verify=known).status_code in {200, 503}
        assert post(running, request_of("sweep"), None, verify=known).status_code == 200
        pem, root = certificates.client.read_bytes(), certificates.ca.read_bytes()
        send(running, request_of("sweep"), None, grpc.ssl_channel_credentials(root, pem, pem))
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            httpx.get(running.api + "/readyz", verify=stranger)
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            post(running, request_of("sweep"), None, verify=stranger)
        with pytest.raises(grpc.RpcError):
            send(running, request_of("sweep"), None, grpc.ssl_channel_credentials(root))


def test_old_versions_of_tls_are_refused(certificates: Certificates) -> None:
    tls = Tls(certificates.cert, certificates.key)
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("cert.pem", "missing.pem", "tls_key = "),
        ("missing.pem", "key.pem", "No such file"),
        ("key.pem", "key.pem", "not a certificate and its key"),
        ("ca.pem", "key.pem", "not a certificate and its key"),
    ],
)
def test_bad_files_are_one_clear_line(
    certificates: Certificates, cert: str, key: str, says: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Tls(certificates.directory / cert, certificates.directory / key)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"api": "0.0.0.0:8080"}, "api = 0.0.0.0:8080: beyond loopback TLS is needed"),
        ({"grpc": "0.0.0.0:4317", "require_keys": True}, "beyond loopback TLS is needed"),
        ({"tls_cert": "c.pem"}, "TLS takes tls_key, too"),
        ({"tls_key": "k.pem"}, "TLS takes tls_cert, too"),
        ({"tls_client_ca": "ca.pem"}, "TLS takes tls_cert and tls_key, too"),
    ],
)
def test_what_would_be_half_of_it_does_not_start(given: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.model_validate(given).check_exposure()


def test_keys_are_asked_for_beyond_loopback_and_where_required() -> None:
    tls = {"tls_cert": "c", "tls_key": "k", "api": "0.0.0.0:8080"}
    beyond = Settings.model_validate(tls)
    assert [beyond.asks_for_keys(name) for name in ("grpc", "api")] == [False, True]
    assert not Settings.model_validate({**tls, "insecure": True}).asks_for_keys("api")
    required = Settings.model_validate({"require_keys": True, "insecure": True})
    assert required.asks_for_keys("grpc")


def test_beyond_loopback_without_a_valid_key_it_does_not_start_and_says_how_to_make_one(
    tmp_path: Path, plain_database: str, certificates: Certificates
) -> None:
    def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "crucible_collector", "serve", *arguments)
        places = ("--data-dir", str(tmp_path / "data"), "--database-url", plain_database)
        ports = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--api", "0.0.0.0:0")
        return subprocess.run(
            (*command, *places, *ports), capture_output=True, text=True, timeout=120, check=False
        )

    bare = serve()
    assert bare.returncode == 2
    assert "--tls-cert" in bare.stderr
    unkeyed = serve(*certificates.arguments())
    assert unkeyed.returncode == 2
    assert "crucible-collector keys create --name admin --scopes admin" in unkeyed.stderr

"""How a command asks a collector that may speak TLS and want a key.

What it trusts is told by OpenTelemetry's variables (OTEL_EXPORTER_OTLP_CERTIFICATE, …_CLIENT_CERTIFICATE and
…_CLIENT_KEY), the key by CRUCIBLE_API_KEY. Beside a collector whose settings name its certificate, that very
certificate is trusted, under whatever name the collector is asked.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc

from crucible_collector.errors import SettingsError
from crucible_collector.settings import Address, Settings

API_KEY = "CRUCIBLE_API_KEY"
_CA = "OTEL_EXPORTER_OTLP_CERTIFICATE"
_CLIENT_CERT, _CLIENT_KEY = (
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
)


class Dial:
    """Asks one collector, as its settings and the environment say."""

    def __init__(
        self, settings: Settings, timeout_s: float, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._timeout_s = timeout_s
        self._key = environment.get(API_KEY, "").strip()
        self._ca = _path(environment, _CA)
        self._own = settings.tls_cert
        self._client = _path(environment, _CLIENT_CERT), _path(environment, _CLIENT_KEY)
        self.is_secure = self._own is not None or self._ca is not None
        self.scheme = "https" if self.is_secure else "http"

    @property
    def has_key(self) -> bool:
        return bool(self._key)

    def get(self, address: Address, path: str) -> bytes:
        """The answer's body; OSError, SettingsError for files that cannot be read."""
        return self._open(urllib.request.Request(f"{self.scheme}://{address}{path}"))  # noqa: S310

    def get_json(self, address: Address, path: str) -> Any:
        """As `get`; ValueError where it is no JSON."""
        return json.loads(self.get(address, path))

    def post(self, address: Address, path: str, body: bytes, content_type: str) -> bytes:
        """As `get`."""
        headers = {"Content-Type": content_type}
        url = f"{self.scheme}://{address}{path}"
        return self._open(urllib.request.Request(url, body, headers))  # noqa: S310 - http, https

    def channel(self, address: Address) -> grpc.Channel:
        """A gRPC channel; its caller closes it. OSError, SettingsError."""
        if not self.is_secure:
            return grpc.insecure_channel(str(address))
        cert, key = self._client
        credentials = grpc.ssl_channel_credentials(
            _content(self._trusted), _content(key or cert), _content(cert)
        )
        options = []
        if self._ca is None:
            options.append(("grpc.ssl_target_name_override", self._name_at(address)))
        return grpc.secure_channel(str(address), credentials, options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        return (("authorization", f"Bearer {self._key}"),) if self._key else ()

    def _open(self, request: urllib.request.Request) -> bytes:
        if self._key:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        context = self._context if self.is_secure else None
        with urllib.request.urlopen(request, timeout=self._timeout_s, context=context) as answer:  # noqa: S310
            body: bytes = answer.read()
        return body

    @property
    def _trusted(self) -> Path | None:
        return self._ca or self._own

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._make_context()

    def _make_context(self) -> ssl.SSLContext:
        cert, key = self._client
        try:
            context = ssl.create_default_context(cafile=self._trusted)
            if cert is not None:
                context.load_cert_chain(cert, key)
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"the certificates to ask with cannot be used: {error}") from None
        if self._ca is None:
            # That very certificate, whoever has signed it and whatever the collector is called here.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.check_hostname = False
        return context

    def _name_at(self, address: Address) -> str:
        """A name that the certificate there is for; gRPC checks one, whomever it trusts."""
        context = self._make_context()
        context.set_alpn_protocols(["h2"])  # gRPC's ports speak nothing else
        with (
            socket.create_connection((address.host, address.port), self._timeout_s) as plain,
            context.wrap_socket(plain) as secured,
        ):
            found: Any = secured.getpeercert() or {}
        names = [value for _, value in found.get("subjectAltName", ())]
        return names[0].replace("*.", "any.") if names else address.host


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "").strip()
    return Path(text) if text else None


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None

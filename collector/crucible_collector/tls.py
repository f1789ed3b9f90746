"""TLS for the three ports: certificates that are taken up anew when their files change.

No connection is dropped for that: a new handshake is given what the files hold by then. What cannot be used
(a certificate whose key has not been written yet) changes nothing and is said once.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from crucible_collector.errors import SettingsError

log = logging.getLogger("crucible.tls")

# Files are looked at with a handshake, and no more often than this.
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the files held, when they were as `signature` says."""

    signature: tuple[tuple[int, int, int], ...]
    context: ssl.SSLContext
    grpc: grpc.ServerCertificateConfiguration


class Tls:
    """Certificate, key and, where clients need certificates, who signs those. Any thread."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None = None) -> None:
        """Read the files. SettingsError names the one that cannot be used."""
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._refused: tuple[tuple[int, int, int], ...] | None = None
        self._loaded = self._load()
        # The one that the servers hold; each handshake continues with what is loaded by then.
        self.context = _context(cert, key, client_ca)
        self.context.sni_callback = self._choose

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Of a gRPC server that asks here at each handshake."""
        told = self._loaded.grpc

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal told
            now = self._current().grpc
            if now is told:
                return None
            told = now
            return now

        return grpc.dynamic_ssl_server_credentials(
            told,
            renewed,  # type: ignore[arg-type] # None: as before, by grpcio's documentation
            require_client_authentication=self._client_ca is not None,
        )

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _of: ssl.SSLContext) -> None:
        """Called at each handshake, whether the client names a server or not."""
        connection.context = self._current().context

    def _current(self) -> _Loaded:
        with self._lock:
            if time.monotonic() - self._looked_at < LOOK_EVERY_S:
                return self._loaded
            self._looked_at = time.monotonic()
            try:
                signature = self._signature()
                if signature not in (self._loaded.signature, self._refused):
                    self._refused = signature
                    self._loaded = self._load()
                    log.info("the certificate has been renewed")
            except SettingsError as error:
                log.warning("the certificate stays as it was: %s", error)
            return self._loaded

    def _signature(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(
            _stat(name, path)
            for name, path in (
                ("tls_cert", self._cert),
                ("tls_key", self._key),
                ("tls_client_ca", self._client_ca),
            )
            if path is not None
        )

    def _load(self) -> _Loaded:
        signature = self._signature()
        context = _context(self._cert, self._key, self._client_ca)
        pair = (_content("tls_key", self._key), _content("tls_cert", self._cert))
        roots = None if self._client_ca is None else _content("tls_client_ca", self._client_ca)
        return _Loaded(signature, context, grpc.ssl_server_certificate_configuration([pair], roots))


def _context(cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for name, path in (("tls_cert", cert), ("tls_key", key)):
        _content(name, path)
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except _EncryptedError:
        raise SettingsError(f"tls_key = {key}: it is encrypted; give one that is not") from None
    except (ssl.SSLError, OSError) as error:
        said = getattr(error, "reason", None) or error
        raise SettingsError(
            f"tls_cert = {cert}, tls_key = {key}: not a certificate and its key in PEM: {said}"
        ) from None
    if client_ca is not None:
        _content("tls_client_ca", client_ca)
        try:
            context.load_verify_locations(client_ca)
        except (ssl.SSLError, OSError) as error:
            said = getattr(error, "reason", None) or error
            raise SettingsError(
                f"tls_client_ca = {client_ca}: no certificates in PEM: {said}"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _EncryptedError(Exception):
    """OpenSSL has asked for a password, for which it would else ask whoever is at the terminal."""


def _no_password() -> str:
    raise _EncryptedError


def _content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{name} = {path}: {error.strerror}") from None


def _stat(name: str, path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"{name} = {path}: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino

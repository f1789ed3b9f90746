"""Where requests go and how: arguments, then OTLP's environment variables, signal by signal.

What a reader could not guess: the specification gives each signal variables of its own
(`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, …), which win over those for all signals, and over HTTP a
signal's own endpoint is taken as it is while the common one gets `/v1/<signal>` appended. An
endpoint's scheme decides about TLS; `…_INSECURE` only speaks where there is none.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers

from crucible_telemetry import faults
from crucible_telemetry.transport import Sender

GRPC = "grpc"
HTTP_PROTOBUF = "http/protobuf"
PROTOCOLS = (GRPC, HTTP_PROTOBUF)

SIGNALS = ("traces", "metrics", "logs")
COMPRESSIONS = ("none", "gzip", "deflate")

_DEFAULT_ENDPOINTS = {GRPC: "http://localhost:4317", HTTP_PROTOBUF: "http://localhost:4318"}
_TIMEOUT_S = 10.0
_API_PORT = 8080
_API_TIMEOUT_S = 3.0

# What the sending thread would import at its first request. A fork in the middle of that leaves a
# child that waits for the import for ever, as soon as it needs the same module.
_IMPORTED_LATER = (
    "encodings.idna",
    "google.rpc.status_pb2",
    "opentelemetry.exporter.otlp.proto.common.trace_encoder",
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal goes."""

    endpoint: str  # gRPC: a target such as host:port; HTTP: the whole URL
    is_secure: bool
    headers: tuple[tuple[str, str], ...]  # lower-case names
    timeout_s: float
    compression: str
    certificate: Path | None = None  # whom to trust; None: the system's authorities
    client_certificate: Path | None = None
    client_key: Path | None = None


def otlp_sender(protocol: str, endpoint: str | None, headers: Mapping[str, str] | None) -> Sender:
    """Return a sender; imports only now what sending takes, in about 0.1 s.

    Raises ValueError for a compression that is none and OSError for a certificate that cannot be
    read.
    """
    for name in _IMPORTED_LATER:
        importlib.import_module(name)
    places = {signal: destination(signal, protocol, endpoint, headers) for signal in SIGNALS}
    if protocol == GRPC:
        from crucible_telemetry.grpc_sender import GrpcSender  # noqa: PLC0415 - see above

        return GrpcSender(places)
    from crucible_telemetry.http_sender import HttpSender  # noqa: PLC0415 - ssl and http.client

    return HttpSender(places)


def destination(
    signal: str, protocol: str, endpoint: str | None, headers: Mapping[str, str] | None
) -> Destination:
    """Return where a signal goes; what the arguments leave open, the environment says."""
    found = _endpoint(signal, protocol, endpoint)
    compression = (_variable(signal, "COMPRESSION") or "none").lower()
    if compression not in COMPRESSIONS:
        message = f"compression {compression!r}: expected {' or '.join(COMPRESSIONS)}"
        raise ValueError(message)
    given = {
        **parse_env_headers(_variable(signal, "HEADERS"), liberal=True),
        **{name.lower(): value for name, value in (headers or {}).items()},
    }
    return Destination(
        endpoint=_grpc_target(found) if protocol == GRPC else found,
        is_secure=_is_secure(signal, found),
        headers=tuple(given.items()),
        timeout_s=_timeout_s(signal),
        compression=compression,
        certificate=_path(signal, "CERTIFICATE"),
        client_certificate=_path(signal, "CLIENT_CERTIFICATE"),
        client_key=_path(signal, "CLIENT_KEY"),
    )


def api_destination(
    api: str | None, protocol: str, endpoint: str | None, headers: Mapping[str, str] | None
) -> Destination | None:
    """Return where the collector's REST API is; None where nobody is to be asked, or nobody knows.

    Where `api` does not say, it is on the endpoint's host. The endpoint's headers, which may hold a
    secret, go along to that host alone, and not in the clear where the endpoint is reached by TLS.
    """
    place = destination("traces", protocol, endpoint, headers)
    target = urlsplit(place.endpoint if "://" in place.endpoint else f"//{place.endpoint}")
    if api is None:
        if not target.hostname or place.endpoint.startswith("unix"):
            return None
        host = f"[{target.hostname}]" if ":" in target.hostname else target.hostname
        api = f"{'https' if place.is_secure else 'http'}://{host}:{_API_PORT}"
    if not api:
        return None
    found = urlsplit(api)
    is_secure = found.scheme == "https"
    goes_along = found.hostname == target.hostname and (is_secure or not place.is_secure)
    return replace(
        place,
        endpoint=api,
        is_secure=is_secure,
        headers=place.headers if goes_along else (),
        timeout_s=_API_TIMEOUT_S,
    )


def signal_url(endpoint: str, signal: str) -> str:
    """Return where a signal goes over HTTP.

    A base URL gets OTLP's path. A URL with a path of its own is taken as it is for spans, which are
    most of what is sent; for another signal its `/v1/traces` is replaced.
    """
    path = urlsplit(endpoint).path
    if path in {"", "/"}:
        return f"{endpoint.rstrip('/')}/v1/{signal}"
    if signal == "traces":
        return endpoint
    return f"{endpoint.rstrip('/').removesuffix('/v1/traces')}/v1/{signal}"


def _endpoint(signal: str, protocol: str, endpoint: str | None) -> str:
    if endpoint:
        return endpoint if protocol == GRPC else signal_url(endpoint, signal)
    own = _own_variable(signal, "ENDPOINT")
    if own:
        return own
    base = _common_variable("ENDPOINT") or _DEFAULT_ENDPOINTS[protocol]
    return base if protocol == GRPC else f"{base.rstrip('/')}/v1/{signal}"


def _grpc_target(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return parts.netloc if parts.scheme in {"http", "https"} else endpoint


def _is_secure(signal: str, endpoint: str) -> bool:
    scheme = urlsplit(endpoint).scheme
    if scheme in {"http", "https"}:
        return scheme == "https"
    return (_variable(signal, "INSECURE") or "").lower() != "true"


def _timeout_s(signal: str) -> float:
    text = _variable(signal, "TIMEOUT")
    try:
        seconds = float(text) if text else _TIMEOUT_S
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        faults.logger.warning("%s=%r is ignored: expected seconds", _name("TIMEOUT"), text)
        return _TIMEOUT_S
    return seconds


def _path(signal: str, name: str) -> Path | None:
    text = _variable(signal, name)
    return Path(text) if text else None


def _variable(signal: str, name: str) -> str:
    return _own_variable(signal, name) or _common_variable(name)


def _own_variable(signal: str, name: str) -> str:
    return os.environ.get(_name(f"{signal.upper()}_{name}"), "").strip()


def _common_variable(name: str) -> str:
    return os.environ.get(_name(name), "").strip()


def _name(end: str) -> str:
    return f"OTEL_EXPORTER_OTLP_{end}"

"""Makes the OTLP exporter that a configuration asks for.

Endpoint, headers, timeout, compression and certificates that the arguments leave open are read from
`OTEL_EXPORTER_OTLP_*` by the exporter itself. What a reader could not guess: the stock exporters
draw their retry jitter from the global `random` (over HTTP for every request, even one that
succeeds), which would make a seeded experiment depend on the network. They get a generator of
their own here.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.export import SpanExporter

from crucible_telemetry import delivery

GRPC = "grpc"
HTTP_PROTOBUF = "http/protobuf"
PROTOCOLS = (GRPC, HTTP_PROTOBUF)

_TRACES_PATH = "/v1/traces"
_EXPORTER_PACKAGE = "opentelemetry.exporter.otlp"


def otlp_exporter(
    protocol: str, endpoint: str | None, headers: Mapping[str, str] | None
) -> SpanExporter:
    """Return the exporter; imports gRPC or requests only now, which take 0.1 s."""
    exporter = _grpc(endpoint, headers) if protocol == GRPC else _http(endpoint, headers)
    _separate_randomness()
    _hush()
    return exporter


def _grpc(endpoint: str | None, headers: Mapping[str, str] | None) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )

    # Over gRPC, names of headers are lower-case.
    lowered = {key.lower(): value for key, value in headers.items()} if headers else None
    return OTLPSpanExporter(endpoint=endpoint, headers=lowered)


def _http(endpoint: str | None, headers: Mapping[str, str] | None) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(
        endpoint=traces_url(endpoint) if endpoint else None,
        headers=dict(headers) if headers else None,
    )


def traces_url(endpoint: str) -> str:
    """Return where spans go: a base URL gets OTLP's path, a URL that has a path is taken as it is."""
    has_path = urlsplit(endpoint).path not in {"", "/"}
    return endpoint if has_path else endpoint.rstrip("/") + _TRACES_PATH


def _separate_randomness() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(_EXPORTER_PACKAGE) and getattr(module, "random", None) is random:
            module.random = random.Random()  # type: ignore[attr-defined]  # noqa: S311 - jitter


def _hush() -> None:
    """Keep the exporters' lines about each attempt from the user's log; ours says it once.

    Only what our own delivery thread causes: a user's own exporters go on logging.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(_EXPORTER_PACKAGE):
            logger = logging.getLogger(name)
            if _not_from_delivery not in logger.filters:
                logger.addFilter(_not_from_delivery)


def _not_from_delivery(_record: logging.LogRecord) -> bool:
    return threading.current_thread().name != delivery.THREAD_NAME

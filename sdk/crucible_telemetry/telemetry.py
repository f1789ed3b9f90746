"""The process's one configuration: from `configure()` to `shutdown()`.

Until `configure()` is called nothing is recorded or sent: code instrumented with this SDK stays
silent in programs that do not ask for it. The tracer provider is our own, so neither the global one
nor the user's traces change, unless `configure(tracer_provider=…)` says to share one.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opentelemetry.sdk.environment_variables import (
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import Tracer
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from crucible_telemetry import faults, settings, values
from crucible_telemetry.delivery import Delivery, DeliveryCounts
from crucible_telemetry.exporting import otlp_exporter
from crucible_telemetry.ids import Clock, PrivateIds

SCOPE_NAME = "crucible_telemetry"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What every scope is recorded with; without a tracer nothing is recorded."""

    tracer: Tracer | None = None
    provider: AnyTracerProvider | None = None
    delivery: Delivery | None = None  # None: the provider, or its owner, delivers
    is_shared: bool = False  # the user's provider: our spans are then the parents of theirs
    exit_timeout_s: float = settings.EXIT_TIMEOUT_S
    clock: Clock = field(default_factory=Clock)
    ids: PrivateIds = field(default_factory=PrivateIds)


OFF = Telemetry()
_current = OFF
_is_silenced = False  # switched off on purpose: no reminder to configure
_lock = threading.RLock()


def current() -> Telemetry:
    return _current


def remind() -> None:
    """Tell once that nothing is recorded, unless somebody wanted that."""
    if not _is_silenced and not settings.is_switched_off():
        faults.note(
            faults.Fault.UNCONFIGURED, "Nothing is recorded: crucible.configure() comes first"
        )


def replace(telemetry: Telemetry) -> Telemetry:
    """Make this the process's configuration and return the one before it."""
    global _current
    with _lock:
        previous, _current = _current, telemetry
    return previous


def configure(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    tracer_provider: AnyTracerProvider | None = None,
    exporter: SpanExporter | None = None,
    queue_spans_max: int | None = None,
    export_interval_s: float | None = None,
    exit_timeout_s: float | None = None,
) -> None:
    """Begin to record and send. Arguments win over OTEL_* environment variables over defaults.

    endpoint: where the collector listens, e.g. "http://127.0.0.1:4317"; OTLP's default for the
        protocol when nothing says otherwise. A base URL is enough for HTTP too.
    protocol: "grpc" (default) or "http/protobuf".
    resource_attributes: what else is true of this process, beside service and host.
    tracer_provider: record into this provider instead of one of our own; delivery, resource and
        ids are then its business, and our spans become parents of the spans made within them.
    exporter: send through this instead of OTLP.
    queue_spans_max: how many ended spans may wait; beyond it the oldest go, counted.
    exit_timeout_s: how long the end of the process may wait for the last spans.

    Raises ConfigurationError for a wrong argument, and nothing else: where no exporter can be made
    (an unreadable certificate, say) that is logged and nothing is recorded. CRUCIBLE_TELEMETRY=0 or
    OTEL_SDK_DISABLED=true switch everything off. Calling it again replaces the configuration.
    """
    resolved = settings.resolve(
        protocol=protocol,
        endpoint=endpoint,
        headers=headers,
        queue_spans_max=queue_spans_max,
        export_interval_s=export_interval_s,
        exit_timeout_s=exit_timeout_s,
    )
    global _is_silenced  # noqa: PLW0603 - the one state of the process
    _close(replace(OFF))
    _is_silenced = True
    if settings.is_switched_off():
        return
    try:
        if tracer_provider is None:
            made = _own(resolved, _resource(service_name, resource_attributes), exporter)
        else:
            made = Telemetry(
                tracer=tracer_provider.get_tracer(SCOPE_NAME, version()),
                provider=tracer_provider,
                is_shared=True,
                exit_timeout_s=resolved.exit_timeout_s,
            )
    except Exception:  # noqa: BLE001 - a bad certificate must not stop a training
        faults.logger.exception("Nothing is recorded: the exporter could not be made")
        return
    replace(made)


def _own(
    resolved: settings.Settings, resource: Resource, exporter: SpanExporter | None
) -> Telemetry:
    def factory() -> SpanExporter:
        return exporter or otlp_exporter(resolved.protocol, resolved.endpoint, resolved.headers)

    delivery = Delivery(
        factory,
        queue_spans_max=resolved.queue_spans_max,
        batch_spans_max=resolved.batch_spans_max,
        interval_s=resolved.export_interval_s,
        retry_s=settings.RETRY_S,
    )
    delivery.start()
    return recording(resource, delivery, exit_timeout_s=resolved.exit_timeout_s)


def recording(
    resource: Resource,
    processor: Any,
    *,
    exit_timeout_s: float = settings.EXIT_TIMEOUT_S,
    clock: Clock | None = None,
    ids: PrivateIds | None = None,
) -> Telemetry:
    """Return a configuration with a provider of its own that hands ended spans to the processor."""
    ids = ids or PrivateIds()
    provider = TracerProvider(
        resource=resource,
        shutdown_on_exit=False,  # `_at_exit` does that, with a deadline
        id_generator=ids,
        span_limits=_limits(),
    )
    provider.add_span_processor(processor)
    return Telemetry(
        tracer=provider.get_tracer(SCOPE_NAME, version()),
        provider=provider,
        delivery=processor if isinstance(processor, Delivery) else None,
        exit_timeout_s=exit_timeout_s,
        clock=clock or Clock(),
        ids=ids,
    )


def _limits() -> SpanLimits:
    is_set = {OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT} & set(
        os.environ
    )
    return SpanLimits() if is_set else SpanLimits(max_attribute_length=values.JSON_CHARACTERS_MAX)


def _resource(service_name: str | None, more: Mapping[str, Any] | None) -> Resource:
    """Describe the process; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over what is found."""
    found = Resource(
        {
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
            "service.instance.id": str(uuid.uuid4()),
        }
    )
    given = {key: values.attribute(value) for key, value in (more or {}).items()}
    if service_name is not None:
        given["service.name"] = values.bounded_id(service_name)
    return found.merge(
        Resource.create({key: value for key, value in given.items() if value is not None})
    )


def version() -> str:
    try:
        return importlib.metadata.version("crucible-telemetry")
    except importlib.metadata.PackageNotFoundError:  # a source tree on the path, not installed
        return "0"


def flush(timeout_s: float = 5.0) -> bool:
    """Wait until what was recorded so far has been sent; False if the deadline comes first."""
    return faults.guarded(_flush)(current(), timeout_s) or False


def _flush(telemetry: Telemetry, timeout_s: float) -> bool:
    if telemetry.delivery is not None:
        return telemetry.delivery.flush(timeout_s)
    force_flush = getattr(telemetry.provider, "force_flush", None)
    return True if force_flush is None else bool(force_flush(int(timeout_s * 1000)))


def shutdown(timeout_s: float = 5.0) -> bool:
    """Send what waits and stop recording, in at most about `timeout_s`; True if all was delivered.

    A provider that was given to `configure()` is flushed and left running: it is its owner's.
    """
    return faults.guarded(_close)(replace(OFF), timeout_s) or False


def _close(telemetry: Telemetry, timeout_s: float | None = None) -> bool:
    limit_s = telemetry.exit_timeout_s if timeout_s is None else timeout_s
    if telemetry.delivery is not None:
        return telemetry.delivery.close(limit_s)
    return _flush(telemetry, limit_s)


def counts() -> dict[str, int]:
    """Return what became of the spans of this configuration, and the faults of this process."""
    delivery = current().delivery
    spans = DeliveryCounts() if delivery is None else delivery.counts()
    return {**asdict(spans), **{f"fault.{name}": count for name, count in faults.counts().items()}}


@atexit.register
def _at_exit() -> None:
    telemetry = replace(OFF)
    faults.guarded(_close)(telemetry, telemetry.exit_timeout_s)

"""`configure()`: from what a program wants to what scopes are recorded with.

The tracer provider is our own, so neither the global one nor the user's traces change, unless
`configure(tracer_provider=…)` says to share one.
"""

from __future__ import annotations

# Before any provider is made: in a forked child a provider starts a pool of threads, and waits for
# ever for a lock of this module's unless the module's own preparations for a fork come first.
import concurrent.futures.thread  # noqa: F401
import functools
import importlib
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from crucible_telemetry import (
    endings,
    faults,
    propagation,
    settings,
    spool_files,
    telemetry,
    values,
)
from crucible_telemetry.delivery import Delivery
from crucible_telemetry.destination import (
    Destination,
    api_destination,
    destination,
    otlp_sender,
)
from crucible_telemetry.encoding import Item
from crucible_telemetry.ids import Clock, PrivateIds
from crucible_telemetry.privacy import Policy
from crucible_telemetry.spool import Spool, default_root
from crucible_telemetry.subscription import Subscription
from crucible_telemetry.telemetry import Telemetry
from crucible_telemetry.transport import ExporterSender, Sender

SCOPE_NAME = "crucible_telemetry"


def configure(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    api: str | None = None,
    api_key: str | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    tracer_provider: AnyTracerProvider | None = None,
    batches_to_provider: bool = True,
    exporter: SpanExporter | None = None,
    queue_spans_max: int | None = None,
    export_interval_s: float | None = None,
    exit_timeout_s: float | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
    spool_bytes_max: int | None = None,
    events_allow: Iterable[str] | str | None = None,
    events_deny: Iterable[str] | str | None = None,
    redact: Callable[[str, Any], Any] | None = None,
    user_ids: str | None = None,
    user_id_key: str | bytes | None = None,
    capture_content: bool | None = None,
    attribute_bytes_max: int | None = None,
    attributes_max: int | None = None,
    heartbeat_s: float | None = None,
    hardware: bool | float | None = None,
    handle_sigterm: bool = True,
) -> None:
    """Begin to record and send. Arguments win over environment variables over defaults.

    endpoint: where the collector listens, e.g. "http://127.0.0.1:4317"; OTLP's default for the
        protocol when nothing says otherwise. A base URL is enough for HTTP too.
    protocol: "grpc" (default) or "http/protobuf".
    api: where the collector answers questions, for `training.should_stop()`; by default on the
        endpoint's host, port 8080. "" asks nobody.
    api_key: what the collector knows this process by, where it asks for keys; an `authorization` in
        `headers` wins over it.
    resource_attributes: what else is true of this process, beside service and host.
    tracer_provider: record into this provider instead of one of our own; delivery, resource and
        ids are then its business, and our spans become parents of the spans made within them.
    batches_to_provider: with such a provider, whether batches are spans of its own, too. If not,
        they take our own way to `endpoint`, at a tenth of the cost.
    exporter: send through this instead of OTLP.
    queue_spans_max: how many ended spans may wait; beyond it the oldest go, counted.
    exit_timeout_s: how long the end of the process may wait for the last spans.
    spool_dir, spool_bytes_max: where, and how much of, what cannot be sent is kept on disk; "" or 0
        keep nothing there.
    events_allow, events_deny: beginnings of names, e.g. "crucible_train.batch"; the longest that
        fits decides, deny where both have it. Without any to allow, all are.
    redact: called with key and value of every attribute before it leaves, numbers that were
        measured and the count of steps aside; gives what may leave, or None.
    user_ids: "omit" (default), "hash" (HMAC-SHA256 under `user_id_key`) or "plain".
    capture_content: whether prompts, completions and texts of attacks and feedback may leave.
    attribute_bytes_max, attributes_max: of one text, and of one span.
    heartbeat_s: how often a run says that it still runs; 0 for never.
    hardware: True, or seconds between two samples of what GPUs and host do.
    handle_sigterm: send what waits before SIGTERM ends the process.

    Raises ConfigurationError for a wrong argument, and nothing else: where no exporter can be made
    (an unreadable certificate, say) that is logged and nothing is recorded. CRUCIBLE_TELEMETRY=0 or
    OTEL_SDK_DISABLED=true switch everything off. Calling it again replaces the configuration.
    """
    resolved = settings.resolve(
        protocol=protocol,
        endpoint=endpoint,
        headers=headers,
        api=api,
        api_key=api_key,
        queue_spans_max=queue_spans_max,
        export_interval_s=export_interval_s,
        exit_timeout_s=exit_timeout_s,
        spool_dir=spool_dir,
        spool_bytes_max=spool_bytes_max,
        events_allow=events_allow,
        events_deny=events_deny,
        redact=redact,
        user_ids=user_ids,
        user_id_key=user_id_key,
        capture_content=capture_content,
        attribute_bytes_max=attribute_bytes_max,
        attributes_max=attributes_max,
        heartbeat_s=heartbeat_s,
        hardware=hardware,
        batches_to_provider=batches_to_provider,
        handle_sigterm=handle_sigterm,
    )
    faults.guarded(telemetry.replace(telemetry.OFF).close)()
    telemetry.silence()
    if settings.is_switched_off():
        return
    # Now, not when a thread first needs it: a child that is forked in the middle of an import waits
    # for ever when it needs the same module.
    importlib.import_module("crucible_schema.catalogue")
    try:
        resource = _resource(service_name, resource_attributes, resolved.policy)
        if tracer_provider is None:
            made = _own(resolved, resource, exporter)
        else:
            made = _shared(resolved, resource, exporter, tracer_provider)
        made = replace(made, api=_api(resolved, made, exporter))
    except Exception:  # noqa: BLE001 - a bad certificate must not stop a training
        faults.logger.exception("Nothing is recorded: the exporter could not be made")
        return
    # Of two threads that configure at a time, one ends what the other has just begun.
    faults.guarded(telemetry.replace(made).close)()
    faults.guarded(propagation.adopt_environment)()
    faults.guarded(endings.arm)(handle_sigterm=resolved.handle_sigterm)
    if resolved.hardware_s:
        put = None if made.delivery is None or exporter is not None else made.delivery.put
        faults.guarded(_sample_hardware)(made, resource, put, resolved.hardware_s)


def _sample_hardware(
    made: Telemetry,
    resource: Resource,
    put: Callable[[Item], None] | None,
    interval_s: float,
) -> None:
    if put is None:
        faults.logger.warning(
            "Hardware is not sampled: its numbers are no spans, and go by OTLP only"
        )
        return
    from crucible_telemetry import hardware  # noqa: PLC0415 - OpenTelemetry's metrics take 50 ms

    sampler = hardware.sampler(made, resource, put, interval_s)
    if sampler is not None:
        sampler.start()


def _own(
    resolved: settings.Settings, resource: Resource, exporter: SpanExporter | None
) -> Telemetry:
    delivery = _delivery(resolved, resource, exporter)
    return recording(resource, delivery, put=delivery.put, resolved=resolved)


def _shared(
    resolved: settings.Settings,
    resource: Resource,
    exporter: SpanExporter | None,
    provider: AnyTracerProvider,
) -> Telemetry:
    theirs = getattr(provider, "resource", None)
    resource = theirs if isinstance(theirs, Resource) else resource
    delivery = None if resolved.batches_to_provider else _delivery(resolved, resource, exporter)
    return Telemetry(
        tracer=provider.get_tracer(SCOPE_NAME, version()),
        provider=provider,
        delivery=delivery,
        is_shared=True,
        put=None if delivery is None else delivery.put,
        resource=resource,
        scope=InstrumentationScope(SCOPE_NAME, version()),
        exit_timeout_s=resolved.exit_timeout_s,
        heartbeat_s=resolved.heartbeat_s,
        policy=resolved.policy,
        subscription=Subscription(resolved.events_allow, resolved.events_deny),
    )


def _api(
    resolved: settings.Settings, made: Telemetry, exporter: SpanExporter | None
) -> Destination | None:
    """Return who can tell how a run is: whoever is named, else whoever the runs are told to."""
    if resolved.api is None and (made.delivery is None or exporter is not None):
        return None
    return api_destination(resolved.api, resolved.protocol, resolved.endpoint, resolved.headers)


def _delivery(
    resolved: settings.Settings, resource: Resource, exporter: SpanExporter | None
) -> Delivery:
    def factory() -> Sender:
        if exporter is not None:
            return ExporterSender(exporter)
        return otlp_sender(resolved.protocol, resolved.endpoint, resolved.headers)

    delivery = Delivery(
        factory,
        resource=resource,
        queue_spans_max=resolved.queue_spans_max,
        batch_spans_max=resolved.batch_spans_max,
        interval_s=resolved.export_interval_s,
        retry_s=settings.RETRY_S,
        spool=_spool(resolved) if exporter is None else None,
    )
    delivery.start()
    return delivery


def _spool(resolved: settings.Settings) -> Spool | None:
    """Return where requests wait on disk; None where that was not wanted or cannot be."""
    if resolved.spool_dir == "" or not resolved.spool_bytes_max or not spool_files.is_possible():
        return None
    try:
        root = Path(resolved.spool_dir) if resolved.spool_dir else default_root()
    except RuntimeError:  # a user without a home
        return None
    place = destination("traces", resolved.protocol, resolved.endpoint, resolved.headers)
    return Spool(root, place.endpoint, bytes_max=resolved.spool_bytes_max)


def recording(
    resource: Resource,
    processor: Any,
    *,
    put: Callable[[Item], None],
    resolved: settings.Settings | None = None,
    clock: Clock | None = None,
    ids: PrivateIds | None = None,
) -> Telemetry:
    """Return a configuration with a provider of its own that hands ended spans to the processor."""
    ids = ids or PrivateIds()
    resolved = resolved or settings.Settings()
    provider = TracerProvider(
        resource=resource,
        shutdown_on_exit=False,  # `telemetry` does that, with a deadline
        id_generator=ids,
        span_limits=_limits(resolved.policy),
    )
    provider.add_span_processor(processor)
    return Telemetry(
        tracer=provider.get_tracer(SCOPE_NAME, version()),
        provider=provider,
        delivery=processor if isinstance(processor, Delivery) else None,
        put=put,
        resource=resource,
        scope=InstrumentationScope(SCOPE_NAME, version()),
        exit_timeout_s=resolved.exit_timeout_s,
        heartbeat_s=resolved.heartbeat_s,
        policy=resolved.policy,
        subscription=Subscription(resolved.events_allow, resolved.events_deny),
        clock=clock or Clock(),
        ids=ids,
    )


def _limits(policy: Policy) -> SpanLimits:
    """Make OpenTelemetry's limits ours: it would cut JSON in the middle, and identity off first."""
    return SpanLimits(
        max_span_attributes=policy.attributes_max,
        max_span_attribute_length=policy.attribute_bytes_max,
        max_attribute_length=policy.attribute_bytes_max,
    )


def _resource(service_name: str | None, more: Mapping[str, Any] | None, policy: Policy) -> Resource:
    """Describe the process; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over what is found."""
    found = Resource(
        {
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
            "service.instance.id": str(uuid.uuid4()),
        }
    )
    given = {
        values.bounded_id(key): values.attribute(value)
        for key, value in (more or {}).items()
        if key
    }
    if service_name is not None:
        given["service.name"] = values.bounded_id(service_name)
    merged = found.merge(
        Resource.create({key: value for key, value in given.items() if value is not None})
    )
    unlimited = replace(policy, attributes_max=sys.maxsize)  # those of a span are meant
    return Resource(unlimited.applied(cast("Any", merged.attributes)), merged.schema_url)


@functools.cache
def version() -> str:
    from importlib import metadata  # noqa: PLC0415 - 15 ms, with e-mail and zip files

    try:
        return metadata.version("crucible-telemetry")
    except metadata.PackageNotFoundError:  # a source tree on the path, not installed
        return "0"

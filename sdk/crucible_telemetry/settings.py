"""What `configure()` decides: arguments over environment variables over defaults.

OpenTelemetry's own variables (`OTEL_*`) count where they mean the same thing; ours begin with
`CRUCIBLE_`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.environment_variables import (
    OTEL_ATTRIBUTE_COUNT_LIMIT,
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT,
    OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
)

from crucible_telemetry.destination import GRPC, PROTOCOLS
from crucible_telemetry.privacy import ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, Policy, UserIds
from crucible_telemetry.readings import (
    ConfigurationError,
    argument,
    count,
    environment,
    first,
    listed,
    milliseconds,
    one_of,
    seconds,
    seconds_or_none,
    size_bytes,
    switch,
    texts,
)

__all__ = ["ConfigurationError", "Settings", "is_switched_off", "resolve"]

CRUCIBLE_TELEMETRY = "CRUCIBLE_TELEMETRY"
CRUCIBLE_SPOOL_DIR = "CRUCIBLE_SPOOL_DIR"
CRUCIBLE_SPOOL_BYTES_MAX = "CRUCIBLE_SPOOL_BYTES_MAX"
CRUCIBLE_EVENTS_ALLOW = "CRUCIBLE_EVENTS_ALLOW"
CRUCIBLE_EVENTS_DENY = "CRUCIBLE_EVENTS_DENY"
CRUCIBLE_USER_IDS = "CRUCIBLE_USER_IDS"
CRUCIBLE_USER_ID_KEY = "CRUCIBLE_USER_ID_KEY"
CRUCIBLE_CAPTURE_CONTENT = "CRUCIBLE_CAPTURE_CONTENT"
CRUCIBLE_HEARTBEAT_S = "CRUCIBLE_HEARTBEAT_S"
CRUCIBLE_HARDWARE_S = "CRUCIBLE_HARDWARE_S"
OTEL_CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

# 10,000 spans that wait are 32 MB of Python objects (3.2 kB each), batches less than a fifth of it:
# half a minute of 300 steps a second without a collector.
QUEUE_SPANS_MAX = 10_000
BATCH_SPANS_MAX = 512
EXPORT_INTERVAL_S = 0.25
RETRY_S = 300.0
EXIT_TIMEOUT_S = 5.0
SPOOL_BYTES_MAX = 256 * 1024**2
HEARTBEAT_S = 10.0
HARDWARE_S = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration, resolved."""

    protocol: str = GRPC
    endpoint: str | None = None  # None: OTEL_EXPORTER_OTLP_* or its default
    headers: Mapping[str, str] | None = None
    queue_spans_max: int = QUEUE_SPANS_MAX
    batch_spans_max: int = BATCH_SPANS_MAX
    export_interval_s: float = EXPORT_INTERVAL_S
    exit_timeout_s: float = EXIT_TIMEOUT_S
    spool_dir: str | None = None  # None: a place of its own; "": no spool
    spool_bytes_max: int = SPOOL_BYTES_MAX  # 0: no spool
    events_allow: tuple[str, ...] = ()
    events_deny: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    heartbeat_s: float = HEARTBEAT_S  # 0: none
    hardware_s: float = 0.0  # between two samples; 0: none
    batches_to_provider: bool = True
    handle_sigterm: bool = True


def resolve(
    *,
    protocol: str | None = None,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    queue_spans_max: int | None = None,
    export_interval_s: float | None = None,
    exit_timeout_s: float | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
    spool_bytes_max: int | None = None,
    events_allow: Iterable[str] | str | None = None,
    events_deny: Iterable[str] | str | None = None,
    heartbeat_s: float | None = None,
    hardware: bool | float | None = None,
    batches_to_provider: bool = True,
    handle_sigterm: bool = True,
    **privacy: Any,
) -> Settings:
    """Decide; `privacy` is what `policy()` takes. Raises ConfigurationError."""
    return Settings(
        protocol=first(
            argument("protocol", protocol, one_of(*PROTOCOLS)),
            environment(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, one_of(*PROTOCOLS)),
            environment(OTEL_EXPORTER_OTLP_PROTOCOL, one_of(*PROTOCOLS)),
            default=GRPC,
        ),
        endpoint=endpoint,
        headers=headers,
        queue_spans_max=first(
            argument("queue_spans_max", queue_spans_max, count),
            environment(OTEL_BSP_MAX_QUEUE_SIZE, count),
            default=QUEUE_SPANS_MAX,
        ),
        batch_spans_max=first(
            environment(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, count), default=BATCH_SPANS_MAX
        ),
        export_interval_s=first(
            argument("export_interval_s", export_interval_s, seconds),
            environment(OTEL_BSP_SCHEDULE_DELAY, milliseconds),
            default=EXPORT_INTERVAL_S,
        ),
        exit_timeout_s=first(
            argument("exit_timeout_s", exit_timeout_s, seconds), default=EXIT_TIMEOUT_S
        ),
        spool_dir=os.environ.get(CRUCIBLE_SPOOL_DIR) if spool_dir is None else str(spool_dir),
        spool_bytes_max=first(
            argument("spool_bytes_max", spool_bytes_max, size_bytes),
            environment(CRUCIBLE_SPOOL_BYTES_MAX, size_bytes),
            default=SPOOL_BYTES_MAX,
        ),
        events_allow=first(
            listed("events_allow", events_allow),
            environment(CRUCIBLE_EVENTS_ALLOW, texts),
            default=(),
        ),
        events_deny=first(
            listed("events_deny", events_deny),
            environment(CRUCIBLE_EVENTS_DENY, texts),
            default=(),
        ),
        policy=policy(**privacy),
        heartbeat_s=first(
            argument("heartbeat_s", heartbeat_s, seconds_or_none),
            environment(CRUCIBLE_HEARTBEAT_S, seconds_or_none),
            default=HEARTBEAT_S,
        ),
        hardware_s=first(_hardware_s(hardware), _hardware_s_of_environment(), default=0.0),
        batches_to_provider=bool(batches_to_provider),
        handle_sigterm=bool(handle_sigterm),
    )


def policy(
    *,
    redact: Callable[[str, Any], Any] | None = None,
    user_ids: str | None = None,
    user_id_key: str | bytes | None = None,
    capture_content: bool | None = None,
    attribute_bytes_max: int | None = None,
    attributes_max: int | None = None,
) -> Policy:
    """Decide what may leave. Raises ConfigurationError."""
    if redact is not None and not callable(redact):
        raise ConfigurationError(f"configure(redact={redact!r}): expected a function of key, value")
    key = os.environ.get(CRUCIBLE_USER_ID_KEY, "") if user_id_key is None else user_id_key
    return Policy(
        redact=redact,
        user_ids=UserIds(
            first(
                argument("user_ids", user_ids, one_of(*UserIds)),
                environment(CRUCIBLE_USER_IDS, one_of(*UserIds)),
                default=UserIds.OMIT,
            )
        ),
        user_id_key=key.encode() if isinstance(key, str) else bytes(key),
        capture_content=first(
            argument("capture_content", capture_content, switch),
            environment(CRUCIBLE_CAPTURE_CONTENT, switch),
            environment(OTEL_CAPTURE_CONTENT, _genai_content),
            default=False,
        ),
        attribute_bytes_max=first(
            argument("attribute_bytes_max", attribute_bytes_max, count),
            environment(OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT, count),
            environment(OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, count),
            default=ATTRIBUTE_BYTES_MAX,
        ),
        attributes_max=first(
            argument("attributes_max", attributes_max, count),
            environment(OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, count),
            environment(OTEL_ATTRIBUTE_COUNT_LIMIT, count),
            default=ATTRIBUTES_MAX,
        ),
    )


def is_switched_off() -> bool:
    """Whether the environment says that nothing is to be emitted."""
    told = os.environ.get(CRUCIBLE_TELEMETRY, "").strip().lower()
    disabled = os.environ.get(OTEL_SDK_DISABLED, "").strip().lower()
    return told in {"0", "false", "off", "no"} or disabled == "true"


def _genai_content(text: str) -> bool:
    """OpenTelemetry's variable knows where to put contents, too; we have one place for them."""
    known = {"span_only", "event_only", "span_and_event", "no_content"}
    if text.lower() in known:
        return text.lower() != "no_content"
    return switch(text)


def _hardware_s(told: bool | float | None) -> float | None:
    if isinstance(told, bool):
        return HARDWARE_S if told else 0.0
    return argument("hardware", told, seconds_or_none)


def _hardware_s_of_environment() -> float | None:
    return environment(CRUCIBLE_HARDWARE_S, seconds_or_none)

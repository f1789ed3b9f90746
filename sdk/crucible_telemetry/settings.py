"""What `configure()` decides: arguments over environment variables over defaults.

OpenTelemetry's own variables (`OTEL_*`) count where they mean the same thing; ours begin with
`CRUCIBLE_`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
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
    Setting,
    anything,
    api_key,
    count,
    milliseconds,
    one_of,
    prefixes,
    seconds,
    seconds_or_none,
    setting,
    size_bytes,
    switch,
    web_address,
)

__all__ = ["ConfigurationError", "Settings", "is_switched_off", "resolve"]

CRUCIBLE_TELEMETRY = "CRUCIBLE_TELEMETRY"
CRUCIBLE_API_URL = "CRUCIBLE_API_URL"
CRUCIBLE_API_KEY = "CRUCIBLE_API_KEY"
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
    api: str | None = None  # None: where the endpoint is; "": nobody is asked


def _hardware_s(text: str) -> float:
    """`hardware=True` is every so often, a number how often."""
    told = {"True": HARDWARE_S, "False": 0.0}
    return told[text] if text in told else seconds_or_none(text)


def _genai_content(text: str) -> bool:
    """OpenTelemetry's variable knows where to put contents, too; we have one place for them."""
    known = {"span_only", "event_only", "span_and_event", "no_content"}
    return text.lower() != "no_content" if text.lower() in known else switch(text)


SETTINGS: Mapping[str, Setting[Any]] = {
    "protocol": setting(
        one_of(*PROTOCOLS), GRPC, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL
    ),
    "api": setting(web_address, None, CRUCIBLE_API_URL),
    "api_key": setting(api_key, "", CRUCIBLE_API_KEY),
    "queue_spans_max": setting(count, QUEUE_SPANS_MAX, OTEL_BSP_MAX_QUEUE_SIZE),
    "batch_spans_max": setting(count, BATCH_SPANS_MAX, OTEL_BSP_MAX_EXPORT_BATCH_SIZE),
    "export_interval_s": Setting(
        seconds, EXPORT_INTERVAL_S, ((OTEL_BSP_SCHEDULE_DELAY, milliseconds),)
    ),
    "exit_timeout_s": setting(seconds, EXIT_TIMEOUT_S),
    "spool_bytes_max": setting(size_bytes, SPOOL_BYTES_MAX, CRUCIBLE_SPOOL_BYTES_MAX),
    "events_allow": setting(prefixes, (), CRUCIBLE_EVENTS_ALLOW),
    "events_deny": setting(prefixes, (), CRUCIBLE_EVENTS_DENY),
    "heartbeat_s": setting(seconds_or_none, HEARTBEAT_S, CRUCIBLE_HEARTBEAT_S),
    "hardware": setting(_hardware_s, 0.0, CRUCIBLE_HARDWARE_S),
    "batches_to_provider": setting(switch, default=True),
    "handle_sigterm": setting(switch, default=True),
}
"""Arguments of `configure()` that are one value each."""

POLICY_SETTINGS: Mapping[str, Setting[Any]] = {
    "user_ids": setting(one_of(*UserIds), UserIds.OMIT.value, CRUCIBLE_USER_IDS),
    "user_id_key": setting(anything, "", CRUCIBLE_USER_ID_KEY),
    "capture_content": Setting(
        switch,
        default=False,
        variables=((CRUCIBLE_CAPTURE_CONTENT, switch), (OTEL_CAPTURE_CONTENT, _genai_content)),
    ),
    "attribute_bytes_max": setting(
        count,
        ATTRIBUTE_BYTES_MAX,
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    ),
    "attributes_max": setting(
        count, ATTRIBUTES_MAX, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, OTEL_ATTRIBUTE_COUNT_LIMIT
    ),
}
"""Arguments of `configure()` about what may leave."""


def resolve(
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
    redact: Callable[[str, Any], Any] | None = None,
    **arguments: Any,
) -> Settings:
    """Decide; `arguments` are those of the two tables above. Raises ConfigurationError."""
    decided = {name: each.decide(name, arguments.get(name)) for name, each in SETTINGS.items()}
    told_dir = os.environ.get(CRUCIBLE_SPOOL_DIR) if spool_dir is None else os.fsdecode(spool_dir)
    return Settings(
        endpoint=endpoint,
        headers=_with_key(headers, decided.pop("api_key")),
        spool_dir=told_dir,
        policy=_policy(redact, arguments),
        hardware_s=decided.pop("hardware"),
        **decided,
    )


def _with_key(headers: Mapping[str, str] | None, key: str) -> Mapping[str, str] | None:
    """The headers, with the key where they have no authorization of their own."""
    if not key or any(name.lower() == "authorization" for name in headers or {}):
        return headers
    return {**(headers or {}), "authorization": f"Bearer {key}"}


def _policy(redact: Callable[[str, Any], Any] | None, arguments: Mapping[str, Any]) -> Policy:
    if redact is not None and not callable(redact):
        raise ConfigurationError(f"configure(redact={redact!r}): expected a function of key, value")
    decided = {
        name: each.decide(name, arguments.get(name)) for name, each in POLICY_SETTINGS.items()
    }
    return Policy(
        redact=redact,
        user_ids=UserIds(decided.pop("user_ids")),
        user_id_key=decided.pop("user_id_key").encode("utf-8", "surrogateescape"),
        **decided,
    )


def is_switched_off() -> bool:
    """Whether the environment says that nothing is to be emitted."""
    told = os.environ.get(CRUCIBLE_TELEMETRY, "").strip().lower()
    disabled = os.environ.get(OTEL_SDK_DISABLED, "").strip().lower()
    return told in {"0", "false", "off", "no"} or disabled == "true"

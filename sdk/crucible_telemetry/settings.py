"""What `configure()` decides: arguments over OTEL_* environment variables over defaults.

A wrong argument is the programmer's and raises; a wrong environment variable is warned about and
ignored, as OpenTelemetry asks, since it must not stop a training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
)

from crucible_telemetry import faults
from crucible_telemetry.exporting import GRPC, PROTOCOLS

CRUCIBLE_TELEMETRY = "CRUCIBLE_TELEMETRY"

# 10,000 batch spans of six measurements are 32 MB of Python objects (3.2 kB each): half a minute of
# 300 steps a second without a collector.
QUEUE_SPANS_MAX = 10_000
BATCH_SPANS_MAX = 512
EXPORT_INTERVAL_S = 0.25
RETRY_S = 300.0
EXIT_TIMEOUT_S = 5.0

T = TypeVar("T", int, float, str)


class ConfigurationError(ValueError):
    """An argument of `configure()` is wrong; the message names it and what is accepted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration, resolved."""

    protocol: str
    endpoint: str | None  # None: the exporter reads OTEL_EXPORTER_OTLP_* or takes its default
    headers: Mapping[str, str] | None
    queue_spans_max: int
    batch_spans_max: int
    export_interval_s: float
    exit_timeout_s: float


def resolve(
    *,
    protocol: str | None,
    endpoint: str | None,
    headers: Mapping[str, str] | None,
    queue_spans_max: int | None,
    export_interval_s: float | None,
    exit_timeout_s: float | None,
) -> Settings:
    return Settings(
        protocol=_argument("protocol", protocol, _protocol)
        or _environment(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, _protocol)
        or _environment(OTEL_EXPORTER_OTLP_PROTOCOL, _protocol)
        or GRPC,
        endpoint=endpoint,
        headers=headers,
        queue_spans_max=_argument("queue_spans_max", queue_spans_max, _count)
        or _environment(OTEL_BSP_MAX_QUEUE_SIZE, _count)
        or QUEUE_SPANS_MAX,
        batch_spans_max=_environment(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, _count) or BATCH_SPANS_MAX,
        export_interval_s=_argument("export_interval_s", export_interval_s, _seconds)
        or _environment(OTEL_BSP_SCHEDULE_DELAY, _milliseconds)
        or EXPORT_INTERVAL_S,
        exit_timeout_s=_argument("exit_timeout_s", exit_timeout_s, _seconds) or EXIT_TIMEOUT_S,
    )


def is_switched_off() -> bool:
    """Whether the environment says that nothing is to be emitted."""
    switch = os.environ.get(CRUCIBLE_TELEMETRY, "").strip().lower()
    disabled = os.environ.get(OTEL_SDK_DISABLED, "").strip().lower()
    return switch in {"0", "false", "off", "no"} or disabled == "true"


def _argument(name: str, value: T | None, read: Callable[[str], T]) -> T | None:
    if value is None:
        return None
    try:
        return read(str(value))
    except ValueError as error:
        message = f"configure({name}={value!r}): expected {error}"
        raise ConfigurationError(message) from None


def _environment(name: str, read: Callable[[str], T]) -> T | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        faults.logger.warning("%s=%r is ignored: expected %s", name, text, error)
        return None


def _protocol(text: str) -> str:
    if text not in PROTOCOLS:
        raise ValueError(" or ".join(PROTOCOLS))
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number of at least 1")
    return int(text)


def _seconds(text: str) -> float:
    return _positive(text, "a number of seconds above 0")


def _milliseconds(text: str) -> float:
    return _positive(text, "a number of milliseconds above 0") / 1000


def _positive(text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(expected) from None
    if not 0 < value < float("inf"):
        raise ValueError(expected)
    return value

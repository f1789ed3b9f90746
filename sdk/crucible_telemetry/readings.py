"""Reads single settings: what a text must look like, and who is told when it does not.

A wrong argument is the programmer's and raises; a wrong environment variable is warned about and
ignored, as OpenTelemetry asks, since it must not stop a training.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from crucible_telemetry import faults

T = TypeVar("T")


class ConfigurationError(ValueError):
    """An argument of `configure()` is wrong; the message names it and what is accepted."""


def first(*found: T | None, default: T) -> T:
    """Return the first that was said."""
    return next((value for value in found if value is not None), default)


def argument(name: str, value: object, read: Callable[[str], T]) -> T | None:
    """Read an argument; None where it was not given. Raises ConfigurationError."""
    return None if value is None else _read(name, value, str(value), read)


def listed(name: str, value: Iterable[str] | str | None) -> tuple[str, ...] | None:
    """Read an argument that is a list of texts, or one text with commas."""
    if value is None:
        return None
    try:
        items = value.split(",") if isinstance(value, str) else list(value)
        if all(isinstance(item, str) for item in items):
            return texts(",".join(items))
    except TypeError:
        pass
    raise ConfigurationError(f"configure({name}={value!r}): expected texts, or one with commas")


def environment(name: str, read: Callable[[str], T]) -> T | None:
    """Read an environment variable; None where it is not set, empty or wrong."""
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        faults.logger.warning("%s=%r is ignored: expected %s", name, text, error)
        return None


def _read(name: str, value: object, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError as error:
        message = f"configure({name}={value!r}): expected {error}"
        raise ConfigurationError(message) from None


# What a setting may be; each raises ValueError with what it accepts.


def one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return read


def texts(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number of at least 1")
    return int(text)


def size_bytes(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number of bytes, 0 for none")
    return int(text)


def switch(text: str) -> bool:
    lowered = text.lower()
    if lowered in {"1", "true", "on", "yes"}:
        return True
    if lowered in {"0", "false", "off", "no"}:
        return False
    raise ValueError("true or false")


def seconds(text: str) -> float:
    return _number(text, "a number of seconds above 0", is_zero_allowed=False)


def seconds_or_none(text: str) -> float:
    return _number(text, "a number of seconds, 0 for never", is_zero_allowed=True)


def milliseconds(text: str) -> float:
    return _number(text, "a number of milliseconds above 0", is_zero_allowed=False) / 1000


def _number(text: str, expected: str, *, is_zero_allowed: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(expected) from None
    if not math.isfinite(value) or value < 0 or (value == 0 and not is_zero_allowed):
        raise ValueError(expected)
    return value

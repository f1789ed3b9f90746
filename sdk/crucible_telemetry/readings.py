"""Reads single settings: what a text must look like, and who is told when it does not.

A wrong argument is the programmer's and raises; a wrong environment variable is warned about and
ignored, as OpenTelemetry asks, since it must not stop a training.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from crucible_telemetry import faults

T = TypeVar("T")


class ConfigurationError(ValueError):
    """An argument of `configure()` is wrong; the message names it and what is accepted."""


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """How one argument of `configure()` is read, and what decides where it is not given.

    `variables` are environment variables, the first that says something counts; each may be written
    in a way of its own.
    """

    read: Callable[[str], T]
    default: T
    variables: tuple[tuple[str, Callable[[str], T]], ...] = ()

    def decide(self, name: str, argument: object) -> T:
        """Return the argument, read, or else the environment's word or the default."""
        if argument is not None:
            try:
                return self.read(_text(argument))
            except ValueError as error:
                message = f"configure({name}={argument!r}): expected {error}"
                raise ConfigurationError(message) from None
        found = (_of_environment(variable, read) for variable, read in self.variables)
        return next((value for value in found if value is not None), self.default)


def setting(read: Callable[[str], T], default: T, *variables: str) -> Setting[T]:
    """Return a setting whose variables are written as its argument is."""
    return Setting(read, default, tuple((variable, read) for variable in variables))


def _text(argument: Any) -> str:
    if isinstance(argument, str | int | float):
        return str(argument)
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "surrogateescape")  # encoded again, they are as they were
    if isinstance(argument, Iterable):
        items = list(argument)
        if all(isinstance(item, str) for item in items):
            return ",".join(items)
    raise ValueError("a text, a number or a list of texts")


def _of_environment(name: str, read: Callable[[str], T]) -> T | None:
    """Return None where a variable is not set, empty or wrong."""
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        faults.logger.warning("%s=%r is ignored: expected %s", name, text, error)
        return None


# What a setting may be; each raises ValueError with what it accepts.


def one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return read


def anything(text: str) -> str:
    return text


def api_key(text: str) -> str:
    """Refuses nothing: what is said of a wrong value repeats it."""
    return text.strip()


def web_address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("http:// or https:// and a host; empty for none")
    return text.rstrip("/")


def prefixes(text: str) -> tuple[str, ...]:
    found = tuple(item.strip() for item in text.split(",") if item.strip())
    if not all(prefix[0].isalpha() or prefix[0] in "_*" for prefix in found):
        raise ValueError("beginnings of events' names")
    return found


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

"""Strict reading of YAML: a mapping gives up its keys one by one, and what is left over is a mistake.

The set of accepted keys is therefore never written down twice: it is what the reader asked for.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Hashable
from pathlib import Path
from typing import TypeVar

import yaml

Choice = TypeVar("Choice", bound=enum.StrEnum)

_NAME = re.compile(r"[a-z][a-z0-9]*([._/]?[a-z0-9]+)*")


class Stability(enum.StrEnum):
    """OpenTelemetry's words for how settled a convention is."""

    DEVELOPMENT = "development"
    ALPHA = "alpha"
    BETA = "beta"
    RELEASE_CANDIDATE = "release_candidate"
    STABLE = "stable"


class RegistryError(ValueError):
    """A mistake in the registry; the message says file, group and key."""


class Form:
    """One mapping of the registry and the place where it stands."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise RegistryError(f"{place}: expected a mapping, found {_kind(value)}")
        self.place = place
        self._values = value
        self._asked: set[str] = set()

    def wrong(self, key: str, message: str) -> RegistryError:
        """Make the error that names this place and `key`."""
        return RegistryError(f"{self.place}: {key}: {message}")

    def has(self, key: str) -> bool:
        """Ask whether `key` is there, and thereby accept it."""
        self._asked.add(key)
        return key in self._values

    def value(self, key: str) -> object:
        """Take a required key of any type."""
        if not self.has(key):
            raise self.wrong(key, "required, but missing")
        return self._values[key]

    def text(self, key: str) -> str:
        """Take a required text; line breaks and runs of blanks become one blank."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.wrong(key, f"expected text, found {_kind(value)}")
        if not value.strip():
            raise self.wrong(key, "empty")
        return " ".join(value.split())

    def optional_text(self, key: str) -> str:
        """Take a text that may be missing: the empty string then."""
        return self.text(key) if self.has(key) else ""

    def name(self, key: str) -> str:
        """Take a required dotted lower-case name."""
        text = self.text(key)
        if not _NAME.fullmatch(text):
            raise self.wrong(key, f"{text!r} is not a lower-case dotted name")
        return text

    def flag(self, key: str) -> bool | None:
        """Take true or false, or None where the key is missing."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, bool):
            raise self.wrong(key, f"expected true or false, found {_kind(value)}")
        return value

    def choice(self, key: str, choices: type[Choice]) -> Choice:
        """Take a required word out of an enumeration."""
        text = self.text(key)
        try:
            return choices(text)
        except ValueError:
            accepted = ", ".join(choices)
            raise self.wrong(key, f"{text!r} is not one of {accepted}") from None

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of distinct texts; an empty tuple where the key is missing."""
        if not self.has(key):
            return ()
        values = self._list(key)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.wrong(key, f"expected a list of texts, found {_kind(value)} in it")
        texts = tuple(str(value) for value in values)
        if len(set(texts)) != len(texts):
            raise self.wrong(key, "says the same twice")
        return texts

    def child(self, key: str) -> Form | None:
        """Take a mapping, or None where the key is missing."""
        return Form(self._values[key], f"{self.place}: {key}") if self.has(key) else None

    def children(self, key: str) -> list[Form]:
        """Take a list of mappings; empty where the key is missing."""
        if not self.has(key):
            return []
        places = (f"{self.place}: {key}[{index}]" for index in range(len(self._list(key))))
        return [Form(value, place) for value, place in zip(self._list(key), places, strict=True)]

    def keys(self) -> list[str]:
        """List every key there is."""
        return [str(key) for key in self._values]

    def close(self) -> None:
        """Refuse every key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                accepted = ", ".join(sorted(self._asked))
                raise self.wrong(str(key), f"unknown key; accepted here: {accepted}")

    def _list(self, key: str) -> list[object]:
        value = self._values[key]
        if not isinstance(value, list):
            raise self.wrong(key, f"expected a list, found {_kind(value)}")
        if not value:
            raise self.wrong(key, "empty list; leave the key out")
        return value


# The same loader in C where PyYAML was built with it: 8 times as fast.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """SafeLoader that refuses a key written twice, where YAML's own rule lets the last one win."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused as unhashable a few lines on
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: key {key.value!r} written twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load(path: Path) -> Form:
    """Read one file of the registry."""
    try:
        return Form(yaml.load(path.read_bytes(), _Loader), path.name)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise RegistryError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from None


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"{type(value).__name__} {value!r}"

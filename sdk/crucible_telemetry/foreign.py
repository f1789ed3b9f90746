"""Looks into objects of libraries that are not ours, without disturbing them.

What a reader could not guess: `__getattr__` is never asked, since what it does is anybody's guess
(a mock answers everything, a lazy client asks its server); a property is, but only by name and only
where its class declares it, and may raise what it likes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol


class Fields(Protocol):
    """What can be asked for a field by its name: a mapping is one."""

    def get(self, name: str, /) -> Any: ...


_NOTHING: Mapping[str, Any] = {}


def fields_of(thing: Any) -> Fields:
    """Return the fields of a mapping or an object; `get` gives None where there is none.

    0.2 µs, and 0.1 µs a field: what pydantic does for an attribute that is missing takes ten times
    as long.
    """
    kind = type(thing)
    if kind is dict:
        return thing  # type: ignore[no-any-return]
    if thing is None or kind is str or kind is int or kind is float or kind is list:
        return _NOTHING
    return thing if issubclass(kind, Mapping) else _Object(thing)


def get(thing: Any, name: str) -> Any:
    """Return one field of whatever a thing is; None where it has none."""
    return fields_of(thing).get(name)


class _Object:
    """An object's own attributes, those that pydantic keeps beside them, and its properties."""

    __slots__ = ("_declared", "_own", "_thing")

    def __init__(self, thing: Any) -> None:
        kind: Any = type(thing)  # mypy takes a type for something that cannot be hashed
        self._thing = thing
        self._declared = _declared(kind)
        try:
            self._own: Mapping[str, Any] = object.__getattribute__(thing, "__dict__")
        except AttributeError:
            self._own = _NOTHING

    def get(self, name: str, /) -> Any:
        found = self._own.get(name)
        if found is not None:
            return found
        try:
            if name in self._declared:
                return getattr(self._thing, name)
            if "__pydantic_extra__" in self._declared:
                more = self._thing.__pydantic_extra__
                return more.get(name) if more else None
        except Exception:  # noqa: BLE001 - a foreign property may raise what it likes
            return None
        return None


@functools.lru_cache(maxsize=1024)
def _declared(kind: Any) -> frozenset[str]:
    """Return what a class and its bases declare: slots, properties, defaults."""
    return frozenset(name for base in kind.__mro__ if base is not object for name in vars(base))

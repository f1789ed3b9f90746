"""Puts one method of one object under watch.

What a reader could not guess: the wrapper is an attribute of the object, and people pickle and copy
their estimators and trainers. What leaves by pickle or copy is the object without it, so that it
can be loaded where this package is not installed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Called with the plain method and its arguments in place of the method.
Around = Callable[..., Any]
_GETSTATE = "__getstate__"


class Watched:
    """What stands in the place of a method: `around(method, *args, **kwargs)`."""

    def __init__(self, plain: Callable[..., Any], around: Around) -> None:
        self.plain, self._around = plain, around
        functools.update_wrapper(self, plain)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(self.plain, *args, **kwargs)


def watch(owner: Any, name: str, around: Around) -> bool:
    """Watch a method for as long as the object lives; False where it is already."""
    if is_watched(owner, name):
        return False
    if not is_watched(owner, _GETSTATE):
        setattr(owner, _GETSTATE, Watched(owner.__getstate__, _state_without))
    setattr(owner, name, Watched(getattr(owner, name), around))
    return True


def is_watched(owner: Any, name: str) -> bool:
    return isinstance(vars(owner).get(name), Watched)


def unwatch(owner: Any, name: str) -> None:
    if is_watched(owner, name):
        delattr(owner, name)


@contextmanager
def watching(owner: Any, name: str, around: Around) -> Iterator[None]:
    """Watch a method for the length of a `with` block."""
    began = watch(owner, name, around)
    try:
        yield
    finally:
        if began:
            unwatch(owner, name)


def _state_without(plain: Callable[[], Any]) -> Any:
    state = plain()
    if not isinstance(state, dict):
        return state
    return {name: value for name, value in state.items() if not isinstance(value, Watched)}

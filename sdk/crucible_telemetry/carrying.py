"""Takes a function along to other threads, tasks and processes, with what it belongs to."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

from crucible_telemetry.faults import guarded
from crucible_telemetry.propagation import current_context, extract

P = ParamSpec("P")
R = TypeVar("R")


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, to be called by another thread or process as if from here.

    For executors, threads and process pools: what it records belongs to what surrounds this line.
    A process must have called `configure()`; in a pool of spawned ones `initializer=` is the place.
    """
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _carried_coroutine(function))
    return cast("Callable[P, R]", _Carried(function))


class _Carried(Generic[P, R]):
    """A function with a context; pickled, it becomes the function with a carrier."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self._context = contextvars.copy_context()
        guarded(functools.update_wrapper)(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        # A copy for each call: one context cannot be entered by two threads at a time.
        return self._context.copy().run(self._function, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _continued, (self._function, self._context.copy().run(current_context))


def _continued(function: Callable[..., Any], carrier: dict[str, str]) -> Callable[..., Any]:
    return functools.partial(_call_in, function, carrier)


def _call_in(
    function: Callable[..., Any], carrier: dict[str, str], *args: Any, **kwargs: Any
) -> Any:
    with extract(carrier):
        return function(*args, **kwargs)


def _carried_coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    captured = contextvars.copy_context()

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        import asyncio  # noqa: PLC0415 - it takes 30 ms, and who is here has it already

        loop = asyncio.get_running_loop()
        return await loop.create_task(function(*args, **kwargs), context=captured.copy())

    return call

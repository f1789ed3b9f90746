"""Makes a decorator of an inference: one call of the function, or one stream of it, is one call.

The function stays what it was, a coroutine function or a generator function say, for frameworks
that look. Whether anything is recorded is decided at each call, so that `configure()` may come
later. What a reader could not guess: a generator sees its call as the current one only while it
runs, never the code that consumes it, which may be in the middle of another call by then.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import context
from opentelemetry.context import Context

from crucible_telemetry import telemetry
from crucible_telemetry.scope import Scope, current_scope, innermost_open

if TYPE_CHECKING:
    from crucible_telemetry.inference import Inference

P = ParamSpec("P")
R = TypeVar("R")


def wrapped(function: Callable[P, R], begin: Callable[[], Inference]) -> Callable[P, R]:
    """Return the function, each call of which `begin` makes an inference of."""
    if inspect.isasyncgenfunction(function):
        made: Callable[..., Any] = _async_stream(function, begin)
    elif inspect.isgeneratorfunction(function):
        made = _stream(function, begin)
    elif inspect.iscoroutinefunction(function):
        made = _coroutine(function, begin)
    else:
        made = _plain(function, begin)
    return cast("Callable[P, R]", functools.wraps(function)(made))


def _plain(function: Callable[..., Any], begin: Callable[[], Inference]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.current().tracer is None:
            return function(*args, **kwargs)
        with begin() as inference:
            result = function(*args, **kwargs)
            inference.respond(result)
            return result

    return call


def _coroutine(function: Callable[..., Any], begin: Callable[[], Inference]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.current().tracer is None:
            return await function(*args, **kwargs)
        with begin() as inference:
            result = await function(*args, **kwargs)
            inference.respond(result)
            return result

    return call


def _stream(function: Callable[..., Any], begin: Callable[[], Inference]) -> Callable[..., Any]:
    def stream(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        made = function(*args, **kwargs)
        inference = begin()
        inside = _Inside(inference)
        step: Callable[[], Any] = partial(next, made)
        try:
            while True:
                try:
                    with inside:
                        piece = step()
                        inference.chunk(piece)
                except StopIteration as stop:
                    inference.close()
                    return stop.value
                try:
                    step = partial(made.send, (yield piece))
                except GeneratorExit:
                    inference.leave()
                    with inside:
                        made.close()
                    inference.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - what the consumer throws in
                    step = partial(made.throw, error)
        except BaseException as error:
            inference.close(error)
            raise

    return stream


def _async_stream(
    function: Callable[..., Any], begin: Callable[[], Inference]
) -> Callable[..., Any]:
    async def stream(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        inference = begin()
        inside = _Inside(inference)
        step: Callable[[], Any] = partial(anext, made)
        try:
            while True:
                try:
                    with inside:
                        piece = await step()
                        inference.chunk(piece)
                except StopAsyncIteration:
                    inference.close()
                    return
                try:
                    step = partial(made.asend, (yield piece))
                except GeneratorExit:
                    inference.leave()
                    with inside:
                        await made.aclose()
                    inference.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - what the consumer throws in
                    step = partial(made.athrow, error)
        except BaseException as error:
            inference.close(error)
            raise

    return stream


class _Inside:
    """Makes a call the current one while its generator runs, and puts back what was before."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._is_begun = False
        self._inner: tuple[Scope | None, Context] = (None, Context())
        self._outer: tuple[Scope | None, Context] = self._inner

    def __enter__(self) -> None:
        self._outer = current_scope.get(), context.get_current()
        if self._is_begun:
            _make_current(*self._inner)
        else:
            self._is_begun = True
            self._inference.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        self._inner = current_scope.get(), context.get_current()
        _make_current(*self._outer)


def _make_current(scope: Scope | None, otel: Context) -> None:
    current_scope.set(innermost_open(scope))
    context.attach(otel)

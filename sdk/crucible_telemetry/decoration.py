"""Runs functions inside scopes, whatever kind of function they are.

A coroutine function stays one, so do generators and async generators, methods, static and class
methods; a class has its `run` method decorated. The scope is made anew for every call, so that
`configure()` may come after the decoration.

What a reader could not guess: the scope of a generator lasts as long as the iteration, but it is
the current one only while the generator's own code runs. What a consumer does with an item is not
part of the stage that made the item. A consumer that stops early has ended the scope well.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from typing import Any, TypeVar

from opentelemetry import context

from crucible_telemetry import faults, telemetry
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import Scope, current_scope

F = TypeVar("F", bound=Callable[..., Any])

# Under these names a decorated function takes what it shares with other stages, and its options.
CONTEXT_PARAMETERS = ("ctx", "context")
OPTIONS_PARAMETERS = ("opts", "options")


class Call:
    """One call of a decorated function: what its scope may want to know."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs

    @property
    def name(self) -> str:
        return str(getattr(self._function, "__name__", type(self._function).__name__))

    @property
    def module(self) -> str:
        """Where the function is, as an import would name it."""
        module = getattr(self._function, "__module__", None)
        qualified = getattr(self._function, "__qualname__", self.name)
        return f"{module}.{qualified}" if module else str(qualified)

    @functools.cached_property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments by name, defaults included; empty where they do not fit."""
        return guarded(self._bound)() or {}

    def _bound(self) -> Mapping[str, Any]:
        signature = _signature(self._function)
        if signature is None:
            return {}
        try:
            bound = signature.bind(*self._args, **self._kwargs)
        except TypeError:  # the function itself will say so
            return {}
        bound.apply_defaults()
        return bound.arguments

    def first(self, names: tuple[str, ...]) -> Any:
        """Return the first argument that has one of these names, or None."""
        return next((self.arguments[name] for name in names if name in self.arguments), None)


class DecoratingScope(Scope):
    """A scope that may also be put in front of a function; it is then made anew for each call."""

    def __init__(self, parent: Scope | None) -> None:
        super().__init__(parent)
        self._outside = self._inside = _Current()

    def __call__(self, function: F) -> F:
        """Return the function, each call of which is such a scope."""
        return decorated(function, self._for_call)

    def _for_call(self, call: Call) -> DecoratingScope:
        raise NotImplementedError

    def _returned(self, result: Any) -> None:
        """Look at what the function returned."""

    def _yielded(self, item: Any) -> None:
        """Look at what the generator made."""

    def _left(self) -> None:
        """Note that the consumer wants no more of the generator."""

    def _suspend(self) -> None:
        """Put back what was current before the generator's code ran, its own scopes set aside."""
        self._inside = _Current()
        self._outside.restore()

    def _resume(self) -> None:
        self._outside = _Current()
        self._inside.restore()

    def _end(self, error: BaseException | None) -> None:
        self.close(error)
        self._outside.restore()  # the consumer may be elsewhere than where the generator began


class _Current:
    """The scope and the OpenTelemetry context that are the current ones.

    Kept together: a generator may hold scopes of its own open while its consumer runs, and its
    consumer others while it runs itself. Neither may see the other's.
    """

    __slots__ = ("_context", "_scope")

    def __init__(self) -> None:
        self._scope = current_scope.get()
        self._context = context.get_current()

    def restore(self) -> None:
        current_scope.set(self._scope)
        context.attach(self._context)


ScopeOf = Callable[[Call], DecoratingScope]


def decorated(function: F, scope_of: ScopeOf) -> F:
    """Return the function with every call inside a scope; never raises."""
    made: Any
    if isinstance(function, staticmethod | classmethod):
        made = type(function)(decorated(function.__func__, scope_of))
    elif inspect.isclass(function):
        made = _class(function, scope_of)
    else:
        made = _wrapper(function)(function, scope_of)
        guarded(functools.update_wrapper)(made, function)
    return made  # type: ignore[no-any-return]


def can_be_decorated(value: object) -> bool:
    return callable(value) or isinstance(value, staticmethod | classmethod)


def _wrapper(function: Callable[..., Any]) -> Callable[[Callable[..., Any], ScopeOf], Any]:
    # An object that can be called is what its method is.
    method = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    for is_kind, wrapper in (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.isgeneratorfunction, _generator),
        (inspect.iscoroutinefunction, _coroutine),
    ):
        if is_kind(function) or is_kind(method):
            return wrapper
    return _plain


def _class(function: type, scope_of: ScopeOf) -> type:
    run = inspect.getattr_static(function, "run", None)
    if callable(run) or isinstance(run, staticmethod | classmethod):
        named = functools.partial(_named_after, function.__name__, scope_of)
        guarded(setattr)(function, "run", decorated(run, named))
    else:
        faults.note(
            faults.Fault.OUT_OF_ORDER, "%s has no run() to be decorated", function.__qualname__
        )
    return function


def _named_after(name: str, scope_of: ScopeOf, call: Call) -> DecoratingScope:
    return scope_of(_MethodCall(name, call))


class _MethodCall(Call):
    """A call of a class's `run`, which goes by the class's name."""

    def __init__(self, name: str, call: Call) -> None:
        super().__init__(call._function, call._args, call._kwargs)
        self._name = name

    @property
    def name(self) -> str:
        return self._name


class _Nothing:
    """Stands for the scope where nothing is recorded."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...

    def _end(self, error: BaseException | None) -> None: ...

    def _returned(self, result: Any) -> None: ...

    def _yielded(self, item: Any) -> None: ...

    def _left(self) -> None: ...

    def _suspend(self) -> None: ...

    def _resume(self) -> None: ...


_NOTHING = _Nothing()


def _begin(
    function: Callable[..., Any], scope_of: ScopeOf, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> DecoratingScope | _Nothing:
    if telemetry.current().tracer is None:
        telemetry.remind()
        return _NOTHING
    scope: DecoratingScope | None = guarded(scope_of)(Call(function, args, kwargs))
    if scope is None:
        return _NOTHING
    scope.open()
    return scope


def _plain(function: Callable[..., Any], scope_of: ScopeOf) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.current().tracer is None:  # `_begin` would say so too, at some cost
            telemetry.remind()
            return function(*args, **kwargs)
        scope = _begin(function, scope_of, args, kwargs)
        with scope:
            result = function(*args, **kwargs)
            scope._returned(result)
            return result

    return call


def _coroutine(function: Callable[..., Any], scope_of: ScopeOf) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        scope = _begin(function, scope_of, args, kwargs)
        with scope:
            result = await function(*args, **kwargs)
            scope._returned(result)
            return result

    return call


def _generator(function: Callable[..., Any], scope_of: ScopeOf) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        scope = _begin(function, scope_of, args, kwargs)
        with _ended_well_if_left(scope):
            result = yield from _driven(function(*args, **kwargs), scope)
            scope._returned(result)
            return result

    return call


def _driven(
    inner: Generator[Any, Any, Any], scope: DecoratingScope | _Nothing
) -> Generator[Any, Any, Any]:
    """`yield from inner`, with the scope set aside at every yield (PEP 380 gives the rules)."""
    step: Callable[[Any], Any] = inner.send
    argument: Any = None
    while True:
        try:
            item = step(argument)
        except StopIteration as stop:
            return stop.value
        scope._yielded(item)
        scope._suspend()
        try:
            step, argument = inner.send, (yield item)
        except GeneratorExit:
            scope._resume()
            scope._left()
            inner.close()
            raise
        except BaseException as thrown:  # noqa: BLE001 - it goes where it was thrown to
            step, argument = inner.throw, thrown
        del item  # or the next step would begin while the last item is still held
        scope._resume()


def _async_generator(function: Callable[..., Any], scope_of: ScopeOf) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        scope = _begin(function, scope_of, args, kwargs)
        with _ended_well_if_left(scope):
            inner: AsyncGenerator[Any, Any] = function(*args, **kwargs)
            step: Callable[[Any], Any] = inner.asend
            argument: Any = None
            while True:  # as `_driven`; there is no `yield from` in an async generator
                try:
                    item = await step(argument)
                except StopAsyncIteration:
                    return
                scope._yielded(item)
                scope._suspend()
                try:
                    step, argument = inner.asend, (yield item)
                except GeneratorExit:
                    scope._resume()
                    scope._left()
                    await inner.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it goes where it was thrown to
                    step, argument = inner.athrow, thrown
                del item
                scope._resume()

    return call


class _ended_well_if_left:  # noqa: N801 - read as a verb after `with`
    """Ends the scope with what comes out of the block, but for the end of interest in a generator."""

    def __init__(self, scope: DecoratingScope | _Nothing) -> None:
        self._scope = scope

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace_back: object) -> None:
        self._scope._end(None if isinstance(error, GeneratorExit) else error)


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return None

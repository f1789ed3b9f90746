"""Carries the story across threads, processes and HTTP: who is whose part, and in which trace.

    subprocess.run(command, env={**os.environ, **crucible.current_context(as_environment=True)})

    with crucible.extract(request.headers):
        …

A carrier holds W3C's `traceparent` and `baggage` and, for services that know neither, the
correlation id as `X-Correlation-Id`; in an environment the names are upper-case (OpenTelemetry,
"Environment Variables as Context Propagation Carriers"). A process that was started with such an
environment is part of the story as soon as it calls `configure()`.

What a reader could not guess: OpenTelemetry's own baggage propagator writes a space as `+`, which
readers other than Python's take for a plus. So baggage is written here, with `%20`, which all of
them read, its own included; it is read by the stock propagator. Of the two places for a correlation
id the baggage counts, as gateways make up an `X-Correlation-Id` where they miss one.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast
from urllib.parse import quote

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from crucible_schema import events as names
from crucible_telemetry import endings, faults, scope, telemetry, values
from crucible_telemetry.faults import Fault, guarded
from crucible_telemetry.scope import CARRIED, Scope, surrounding
from crucible_telemetry.staged import Staged
from crucible_telemetry.values import AttributeValue

P = ParamSpec("P")
R = TypeVar("R")

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
CORRELATION_HEADER = "X-Correlation-Id"
_FIELDS = {TRACEPARENT, TRACESTATE, BAGGAGE, CORRELATION_HEADER.lower()}
# What W3C's baggage lets every implementation expect of the others.
BAGGAGE_BYTES_MAX = 8192
_BAGGAGE_MEMBERS_MAX = 64
_PREFIX = "crucible."
_WHOLE_NUMBERS = {names.STAGE_INDEX, names.LOOP_INDEX}
_WHOLE_NUMBER_DIGITS_MAX = 9

_trace_context = TraceContextTextMapPropagator()
_baggage = W3CBaggagePropagator()


# Out.


def current_context(*, as_environment: bool = False) -> dict[str, str]:
    """Return where in the story this code is, as headers, or as environment variables.

    Empty where nothing is recorded.
    """
    carrier = guarded(_current_context)() or {}
    if as_environment:
        return {name.upper().replace("-", "_"): value for name, value in carrier.items()}
    return carrier


def inject(carrier: MutableMapping[str, str]) -> None:
    """Add the current context to the headers of a request, or whatever takes names and values."""
    guarded(_inject)(carrier)


def _inject(carrier: MutableMapping[str, str]) -> None:
    for name, value in current_context().items():
        carrier[name] = value


def _current_context() -> dict[str, str]:
    around = surrounding()
    using = telemetry.current() if around is None else around._telemetry
    if using.tracer is None:
        return {}
    users = context.get_current()
    entries: dict[str, object] = {} if around is None else dict(around._story())
    for name, value in baggage.get_all(users).items():
        entries.setdefault(name, value)
    carrier: dict[str, str] = {}
    _trace_context.inject(carrier, _innermost_span(around, users))
    written = _baggage_header(entries)
    if written:
        carrier[BAGGAGE] = written
    correlation_id = str(entries.get(names.CORRELATION_ID, ""))
    if correlation_id and correlation_id.isascii() and correlation_id.isprintable():
        carrier[CORRELATION_HEADER] = correlation_id  # others travel in the baggage alone
    return carrier


def _innermost_span(around: Scope | None, users: Context) -> Context:
    """Return the context of our span, or of the user's own where that is inside ours."""
    if around is None or not around.span_context.is_valid:
        return users
    inside = trace.get_current_span(users).get_span_context()
    is_inside = around._telemetry.is_shared and inside.trace_id == around.span_context.trace_id
    return users if is_inside else around._context


def _baggage_header(entries: Mapping[str, object]) -> str:
    """Return as many entries as fit, in their order; ours come first."""
    written: list[str] = []
    length = 0
    for name, value in entries.items():
        entry = f"{quote(name, safe='')}={quote(str(value), safe='')}"
        length += len(entry) + 1
        if length > BAGGAGE_BYTES_MAX or len(written) == _BAGGAGE_MEMBERS_MAX:
            faults.note(Fault.TOO_LARGE, "baggage is too large to be sent from %s on", name)
            break
        written.append(entry)
    return ",".join(written)


# In.

Carrier = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[Any, Any]]


def extract(carrier: Carrier | None = None) -> Continuation:
    """Return the story that a carrier tells of, to be gone on with inside a `with`.

    carrier: the headers of a request in any form (mapping or pairs, text or bytes, in any case, as
    WSGI's environ too), what `current_context()` returned in another process, or by default this
    process's environment. What is inside belongs to the experiment, the run and the stage that it
    names, and to its trace. A carrier that tells nothing changes nothing.
    """
    return Continuation(os.environ if carrier is None else carrier)


class Continuation(Staged):
    """A story that began elsewhere, gone on with here. It has no span of its own."""

    span_name: ClassVar[str] = "crucible_telemetry.continuation"  # in the logs: never sent
    has_own_trace: ClassVar[bool] = False
    has_start_marker: ClassVar[bool] = False

    def __init__(self, carrier: Carrier) -> None:
        super().__init__(surrounding())
        self.tells_of_us = False  # the carrier: of an experiment, a run, a correlation id
        self._others: dict[str, str] = {}  # entries of the baggage that are not ours
        self._remote = trace.INVALID_SPAN_CONTEXT
        self._take(carrier)
        if self._parent is not None:
            self._context = self._parent._context
        if self._remote.is_valid:
            self._context = trace.set_span_in_context(trace.NonRecordingSpan(self._remote))

    @guarded
    def _take(self, carrier: Carrier) -> None:
        read = guarded(_read)(carrier)
        if read is None:
            return
        self._remote, told, self._others = read
        self.tells_of_us = bool(told)
        if names.EXPERIMENT_ID in told or names.RUN_ID in told:
            self._inherited.clear()  # the whole of another story, not the rest of this one
            self._pipeline_id = None
        pipeline_id = told.pop(names.PIPELINE_ID, None)
        if pipeline_id is not None:
            self._pipeline_id = str(pipeline_id)
        if names.CORRELATION_ID not in told and self._remote.is_valid:
            told[names.CORRELATION_ID] = trace.format_trace_id(self._remote.trace_id)
        self._inherited.update(told)

    def adopt(self) -> None:
        """Make this what surrounds every scope of the process that nothing else surrounds."""
        self._is_open = True
        endings.opened(self)  # with the process end the scopes inside that nobody has ended
        if names.CORRELATION_ID not in self._inherited:
            self._set_correlation(self._trace_id())
        scope.adopted = self

    def _start_span(self, tracer: trace.Tracer) -> None:
        pass

    def _begin(self) -> None:
        self._correlate()

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002
        self._exit_context()

    def _enter_context(self) -> None:
        super()._enter_context()
        entered = context.get_current()
        for name, value in self._others.items():
            entered = baggage.set_baggage(name, value, entered)
        if self._telemetry.is_shared and self._remote.is_valid:
            entered = trace.set_span_in_context(trace.NonRecordingSpan(self._remote), entered)
        self._entered_context = entered
        context.attach(entered)


def adopt_environment() -> None:
    """Take up the story that this process was started in, if its environment tells of one of ours."""
    scope.adopted = None
    if _PREFIX in os.environ.get(BAGGAGE.upper(), ""):
        guarded(_adopt)(os.environ)


def _adopt(carrier: Carrier) -> None:
    continuation = Continuation(carrier)
    if continuation.tells_of_us:
        continuation.adopt()


Read = tuple[SpanContext, dict[str, AttributeValue], dict[str, str]]


def _read(carrier: Carrier) -> Read:
    """Return the remote span, what is told of our story, and the other entries of the baggage."""
    fields = _fields(carrier)
    with _quiet():
        found = _baggage.extract(fields, _trace_context.extract(fields, Context()))
    told: dict[str, AttributeValue] = {}
    others: dict[str, str] = {}
    for name, value in baggage.get_all(found).items():
        if not name.startswith(_PREFIX):
            others[name] = str(value)
        elif name in CARRIED or name == names.PIPELINE_ID:
            cleaned = _cleaned(name, str(value))
            if cleaned is not None:
                told[name] = cleaned
    if names.CORRELATION_ID not in told:
        header = fields.get(CORRELATION_HEADER.lower(), "")
        cleaned = _cleaned(names.CORRELATION_ID, header)
        if cleaned is not None:
            told[names.CORRELATION_ID] = cleaned
    return trace.get_current_span(found).get_span_context(), told, others


def _fields(carrier: Carrier) -> dict[str, str]:
    """Return what matters of a carrier under the names that HTTP/2 gives them."""
    pairs = carrier.items() if isinstance(carrier, Mapping) else carrier
    found: dict[str, str] = {}
    for given, value in pairs:
        name = _text(given).lower().replace("_", "-").removeprefix("http-")
        if name in _FIELDS:
            several = isinstance(value, list | tuple)
            texts = [_text(each) for each in value] if several else [_text(value)]
            found[name] = ",".join(filter(None, [found.get(name), *texts]))
    return found


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _cleaned(name: str, value: str) -> AttributeValue | None:
    """Return a value as we would have sent it; None where nothing is left of it."""
    text = "".join(character for character in value if character.isprintable()).strip()
    if name in _WHOLE_NUMBERS:
        is_number = text.isascii() and text.isdecimal() and len(text) <= _WHOLE_NUMBER_DIGITS_MAX
        return int(text) if is_number else None
    if not text:
        return None
    if name == names.CORRELATION_ID:
        return values.bounded_correlation_id(text)
    return values.bounded_id(text)


_is_reading = contextvars.ContextVar("crucible_telemetry_is_reading", default=False)


class _quiet:  # noqa: N801 - read as an adverb after `with`
    """Keeps the propagators' lines about a bad carrier, which quote it, out of the log."""

    def __enter__(self) -> None:
        for name in (
            "opentelemetry.baggage.propagation",
            "opentelemetry.trace.propagation.tracecontext",
        ):
            logging.getLogger(name).addFilter(_not_while_reading)  # once; the list has no doubles
        self._token = _is_reading.set(True)

    def __exit__(self, *_error: object) -> None:
        _is_reading.reset(self._token)


def _not_while_reading(_record: logging.LogRecord) -> bool:
    return not _is_reading.get()


# Along.


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
        functools.update_wrapper(self, function)

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

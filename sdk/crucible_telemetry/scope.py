"""What experiments, trainings, epochs and batches have in common: a span with a life.

A scope records nothing but its beginning until it ends; then everything goes out as one span. The
long-lived ones also send a start marker at once, so that a run is visible while it runs.

What a reader could not guess: a `for` loop never tells its iterator why it was left. `break` and an
exception both just close the generator. A scope that was left that way is therefore *left*, not
ended: it ends well when its parent goes on (logs, opens the next scope, ends without an error) and
fails if an exception comes out of the parent. An exception that is caught between the two looks
like a `break`.

No method raises; each counts its own errors (see `faults`). The current scope is put back by
comparing, not by token, because a generator may be closed from another context than it was
started in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Self

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext

from crucible_schema import events as names
from crucible_telemetry import endings, faults, telemetry, values
from crucible_telemetry.emission import end_span, send_point
from crucible_telemetry.encoding import measurement_key
from crucible_telemetry.faults import Fault, guarded
from crucible_telemetry.outcome import outcome
from crucible_telemetry.values import AttributeValue

__all__ = [
    "CARRIED",
    "MEASUREMENTS_MAX",
    "Scope",
    "current_scope",
    "innermost_open",
    "link_to_current_span",
    "surrounding",
]

# Of OpenTelemetry's 128 attributes a span; beyond those the oldest go, and identity is the oldest.
MEASUREMENTS_MAX = 96

# Where in the story a process, a request or a user's own span belongs; the rest of what scopes
# inherit (epoch, step, rank) is no matter of others.
CARRIED = (
    names.CORRELATION_ID,
    names.EXPERIMENT_ID,
    names.CONDITION,
    names.RUN_ID,
    names.RUN_PARENT_ID,
    names.STAGE_NAME,
    names.STAGE_INDEX,
    names.LOOP_NAME,
    names.LOOP_INDEX,
)

current_scope: ContextVar[Scope | None] = ContextVar("crucible_telemetry_scope", default=None)
# The story that this process was started in by another one; `propagation` sets it.
adopted: Scope | None = None


class Scope:
    """An open span, what its children inherit, and the children that are still open."""

    span_name: ClassVar[str]
    has_own_trace: ClassVar[bool] = True
    has_start_marker: ClassVar[bool] = True
    hosts_runs: ClassVar[bool] = False  # whether a run that begins inside is part of this

    def __init__(self, parent: Scope | None) -> None:
        self._telemetry: telemetry.Telemetry = parent._telemetry if parent else telemetry.current()
        self._parent = parent
        self._inherited: dict[str, AttributeValue] = dict(parent._inherited) if parent else {}
        self._attributes: dict[str, AttributeValue] = {}
        self._measurements: dict[str, values.Number] = {}
        self._children: dict[int, Scope] = {}
        self._span: Span | None = None
        self._context = Context()  # what spans inside are started in
        self._outer_scope: Scope | None = None
        self._outer_context: Context | None = None
        self._entered_context: Context | None = None
        self._start_ns = self._start_monotonic_ns = 0
        self._left_ns: int | None = None
        self._fork_count = telemetry.fork_count
        self._is_open = self._is_ended = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        self.close(error)

    @guarded
    def open(self) -> None:
        """Begin. `with` does it; call it yourself where begin and end lie in different functions."""
        if self._is_ended:
            faults.note(Fault.AFTER_END, "%s had ended when it was to begin again", self.span_name)
        if self._is_open or self._is_ended:
            return
        if self._parent is not None:
            self._parent._settle()
            self._parent._adopt(self)
        self._is_open = True
        tracer = self._telemetry.tracer
        if tracer is None:
            self._begin_silently()
        else:
            self._begin_recording(tracer)
        self._enter()

    def _begin_silently(self) -> None:
        telemetry.remind()
        if names.CORRELATION_ID not in self._inherited:
            self._inherited[names.CORRELATION_ID] = self._trace_id()

    def _begin_recording(self, tracer: trace.Tracer) -> None:
        self._fork_count = telemetry.fork_count
        clock = self._telemetry.clock
        self._start_ns, self._start_monotonic_ns = clock.wall_ns(), clock.monotonic_ns()
        if self._parent is None or not self._parent._is_open:
            endings.opened(self)
        self._start_span(tracer)
        self._begin()
        if self.has_start_marker:
            attributes = {**self._inherited, **self._attributes}
            self._emit(f"{self.span_name}.start", self._start_ns, self._start_ns, attributes)

    @guarded
    def close(self, error: BaseException | None = None) -> None:
        """End, with the exception that ended it if one did. A second call does nothing."""
        if not self._is_open:
            return
        self._is_open, self._is_ended = False, True
        endings.closed(self)
        end_ns = self._now_ns() if self._left_ns is None else self._left_ns
        for child in list(self._children.values()):
            child.close(error)
        self._exit()
        if self._parent is not None:
            self._parent._children.pop(id(self), None)
        if self._telemetry.tracer is None:
            return
        try:
            self._finish(error)
        finally:
            if self._span is not None:
                self._end_span(self._span, error, end_ns)

    def log(self, measurements: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Record numbers; the last one of a name counts. None stands for "not measured".

        A mapping takes names that are no Python identifiers: `log({"optim/entropy": 0.3})`.
        """
        if self._telemetry.tracer is None:
            return
        try:
            if self._children:
                self._settle()
            if self._is_ended:
                faults.note(Fault.AFTER_END, "%s had ended when it was to log", self.span_name)
                return
            if measurements is not None:
                self._record({**measurements, **named})
            else:
                self._record(named)
        except Exception:  # noqa: BLE001 - the outermost line; spelt out, a wrapper costs 0.2 µs
            faults.note(Fault.ERROR, "log failed", exc_info=True)

    @property
    def parent(self) -> Scope | None:
        return self._parent

    @property
    def span_context(self) -> SpanContext:
        """What spans inside have as their parent; not valid where nothing is recorded."""
        return trace.get_current_span(self._context).get_span_context()

    @property
    def correlation_id(self) -> str:
        """What joins everything of one story; known once the outermost scope is open."""
        return str(self._inherited.get(names.CORRELATION_ID, ""))

    # What subclasses add.

    def _begin(self) -> None:
        """Set what is known only once the span has its ids; the start marker comes after this."""

    def _finish(self, error: BaseException | None) -> None:
        """Set the last attributes."""

    def _links(self) -> Sequence[Link]:
        return ()

    def _status(self, error: BaseException | None) -> str | None:
        """The value of `crucible.status` at the end; None leaves it out."""
        return None if error is None else outcome(error)

    # What is inside.

    def _record(self, measurements: Mapping[str, Any]) -> None:
        recorded = self._measurements
        for name, value in measurements.items():
            number = value if type(value) is float else values.number(value)
            if number is None:
                if value is not None:
                    kind = type(value).__name__
                    faults.note(Fault.NOT_A_NUMBER, "%s=%s is not a number; left out", name, kind)
            elif name in recorded or len(recorded) < MEASUREMENTS_MAX:
                recorded[name] = number
            else:
                faults.note(
                    Fault.TOO_MANY_MEASUREMENTS,
                    "%s has more than %d measurements; %s left out",
                    self.span_name,
                    MEASUREMENTS_MAX,
                    name,
                )

    def _describe(self, key: str, value: Any) -> None:
        """Set an attribute of this scope alone."""
        converted = values.attribute(value)
        if converted is not None:
            self._attributes[key] = converted
        elif value is not None:
            faults.note(Fault.TOO_LARGE, "%s is too large to be sent", key)

    def _now_ns(self) -> int:
        if not self._start_ns:  # never opened
            return self._telemetry.clock.wall_ns()
        elapsed_ns = self._telemetry.clock.monotonic_ns() - self._start_monotonic_ns
        return self._start_ns + elapsed_ns

    def _adopt(self, child: Scope) -> None:
        self._children[id(child)] = child

    def _settle(self) -> None:
        """Let the children that were left by a `break` end well."""
        for child in list(self._children.values()):
            if child._left_ns is not None:
                child.close()

    @guarded
    def _leave(self) -> None:
        """Note that the loop over this scope was left; how it ended will show."""
        self._left_ns = self._now_ns()
        self._exit()

    def _starts_trace(self) -> bool:
        return self.has_own_trace

    def _start_span(self, tracer: trace.Tracer) -> None:
        around = None if self._starts_trace() else self._parent
        self._span = tracer.start_span(
            self.span_name,
            context=Context() if around is None else around._context,
            links=self._links(),
            start_time=self._start_ns,
        )
        self._context = trace.set_span_in_context(self._span, Context())

    def _emit(
        self, name: str, start_ns: int, end_ns: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """Send an event of its own as a child of this scope."""
        send_point(self._telemetry, self._context, name, start_ns, end_ns, attributes)

    def _end_span(self, span: Span, error: BaseException | None, end_ns: int) -> None:
        if self._fork_count == telemetry.fork_count:  # opened before a fork: the parent ends it
            told = self._all_attributes(error)
            end_span(self._telemetry, span, self.span_name, told, error, end_ns)

    def _all_attributes(self, error: BaseException | None) -> dict[str, AttributeValue]:
        """Return what the span ends with, what was inherited first."""
        attributes = {**self._inherited, **self._attributes}
        for name, number in self._measurements.items():
            attributes[measurement_key(name)] = number
        status = self._status(error)
        if status is not None:
            attributes[names.STATUS] = status
        return attributes

    def _enter(self) -> None:
        self._outer_scope = innermost_open(current_scope.get())
        current_scope.set(self)

    def _exit(self) -> None:
        current_scope.set(innermost_open(current_scope.get(), other_than=self))

    @guarded
    def _set_correlation(self, correlation_id: str | None) -> None:
        if correlation_id is not None:
            self._inherited[names.CORRELATION_ID] = values.bounded_correlation_id(correlation_id)

    def _correlate(self) -> None:
        """Settle the correlation id, and let OpenTelemetry's propagators carry it as baggage."""
        if names.CORRELATION_ID not in self._inherited:
            carried = baggage.get_baggage(names.CORRELATION_ID)
            self._set_correlation(str(carried) if carried else self._trace_id())
        self._enter_context()

    def _story(self) -> dict[str, AttributeValue]:
        """Return what other processes are told: where in the story this is."""
        return {key: self._inherited[key] for key in CARRIED if key in self._inherited}

    def _enter_context(self) -> None:
        self._outer_context = context.get_current()
        entered = self._outer_context
        for key, value in self._story().items():
            entered = baggage.set_baggage(key, value, entered)
        if self._telemetry.is_shared and self._span is not None:
            # Only in a provider that is shared: the user's own spans would otherwise get parents
            # that their backend never sees.
            entered = trace.set_span_in_context(self._span, entered)
        self._entered_context = entered
        context.attach(entered)

    def _trace_id(self) -> str:
        span_context = (
            trace.INVALID_SPAN_CONTEXT if self._span is None else self._span.get_span_context()
        )
        return trace.format_trace_id(
            span_context.trace_id or self._telemetry.ids.generate_trace_id()
        )

    def _exit_context(self) -> None:
        if self._outer_context is not None and context.get_current() is self._entered_context:
            context.attach(self._outer_context)
        self._outer_context = self._entered_context = None


def link_to_current_span() -> tuple[Link, ...]:
    """Return a link to the user's own span around this, if there is one."""
    span_context = trace.get_current_span().get_span_context()
    return (Link(span_context),) if span_context.is_valid else ()


def innermost_open(scope: Scope | None, other_than: Scope | None = None) -> Scope | None:
    """Return the scope, or the one around it where it is over (closed from another context, say)."""
    while scope is not None and (
        scope is other_than or not scope._is_open or scope._left_ns is not None
    ):
        scope = scope._outer_scope
    return scope


def surrounding() -> Scope | None:
    """Return the innermost open scope here, else the story that this process was started in."""
    scope = innermost_open(current_scope.get())
    if scope is None and adopted is not None and adopted._telemetry is telemetry.current():
        return adopted
    return scope

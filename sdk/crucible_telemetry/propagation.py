"""Carries the story across processes: who is whose part, and in which trace.

    subprocess.run(command, env={**os.environ, **crucible.current_context(as_environment=True)})

    with crucible.extract(request.headers):
        …

A process that was started with such an environment is part of the story as soon as it calls
`configure()`. What travels, and in which form, is `carrier`'s business; threads and pools are
`carrying`'s.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import ClassVar

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context

from crucible_schema import events as names
from crucible_telemetry import endings, scope, telemetry, values
from crucible_telemetry.carrier import BAGGAGE, OURS, Carrier, written
from crucible_telemetry.carrier import read as carrier_read
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import Scope, surrounding
from crucible_telemetry.staged import NEXT_INDEX, Places, Staged


def current_context(*, as_environment: bool = False) -> dict[str, str]:
    """Return where in the story this code is, as headers, or as environment variables.

    Empty where nothing is recorded. The ids are carried as they are: `redact` is for what is sent to
    the collector, by this process and by the other.
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
    return written(_innermost_span(around, users), entries)


def _innermost_span(around: Scope | None, users: Context) -> Context:
    """Return the context of our span, or of the user's own where that is inside ours."""
    if around is None or not around.span_context.is_valid:
        return users
    inside = trace.get_current_span(users).get_span_context()
    is_inside = around._telemetry.is_shared and inside.trace_id == around.span_context.trace_id
    return users if is_inside else around._context


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
        read = guarded(carrier_read)(carrier)
        if read is None:
            return
        self._remote, told, self._others = read
        self.tells_of_us = bool(told)
        self._places = Places(first=values.whole(told.pop(NEXT_INDEX, 0)))
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
    if OURS in os.environ.get(BAGGAGE.upper(), ""):
        guarded(_adopt)(os.environ)


def _adopt(carrier: Carrier) -> None:
    continuation = Continuation(carrier)
    if continuation.tells_of_us:
        continuation.adopt()

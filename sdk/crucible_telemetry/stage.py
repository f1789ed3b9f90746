"""A stage: one step of a pipeline.

A stage finds what it is part of by context: the pipeline, the stage or the iteration around it, in
this process or in the one that started it. Outside any pipeline it stands alone, with a trace of
its own.

What a reader could not guess: the numbers of the pipeline's metrics that a stage changed are sent
with their new value; by how much they changed is `crucible.stage.metrics_delta`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, overload

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import fields, values
from crucible_telemetry.decoration import (
    CONTEXT_PARAMETERS,
    OPTIONS_PARAMETERS,
    Call,
    DecoratingScope,
    can_be_decorated,
)
from crucible_telemetry.faults import guarded
from crucible_telemetry.outcome import is_failure, kind_of, outcome, reason_of, why_cancelled
from crucible_telemetry.scope import MEASUREMENTS_MAX, surrounding
from crucible_telemetry.staged import Staged, given_name, innermost_within, links
from crucible_telemetry.values import Number

F = TypeVar("F", bound=Callable[..., Any])

Metrics = Mapping[Any, Any] | Callable[[], Mapping[Any, Any]]

OK, ERROR, SKIPPED = "ok", "error", "skipped"


class Stage(DecoratingScope, Staged):
    """One stage; `crucible.stage()` says what it takes."""

    span_name: ClassVar[str] = names.CRUCIBLE_FRAMEWORK_STAGE

    def __init__(
        self,
        name: str | None,
        *,
        within: Staged | None = None,
        index: int | None = None,
        attempt: int | None = None,
        module: str | None = None,
        metrics: Metrics | None = None,
        options: Mapping[str, Any] | None = None,
        allowed_options: Iterable[str] = (),
    ) -> None:
        super().__init__(innermost_within(within))
        self._given_name, self._within = given_name(name), within
        self._index, self._attempt, self._module = index, attempt, module
        self._metrics, self._options = metrics, options
        self._allowed = guarded(values.texts)(allowed_options) or []
        self.name = self._given_name or "stage"
        self.index = 0 if index is None else index
        self.attempt = 1
        self._before: dict[str, Number] | None = None
        self._skip_reason: str | None = None
        self.failure: str | None = None  # as told by `fail()`

    def skip(self, reason: str | None = None) -> None:
        """Say that there was nothing to do: the stage ends with status `skipped`."""
        self._skip_reason = "" if reason is None else guarded(values.bounded_text)(reason) or ""

    def fail(self, reason: object) -> None:
        """Say that the stage failed, where no exception will: it ends with status `error`.

        reason: a text, or the exception that was caught.
        """
        guarded(self._note_failure)(reason)

    def _for_call(self, call: Call) -> Stage:
        arguments = call.arguments
        options = self._options
        if options is None and self._allowed:
            given = call.first(OPTIONS_PARAMETERS)
            options = {**arguments, **(given if isinstance(given, Mapping) else {})}
        return Stage(
            self._given_name or call.name,
            within=self._within,
            index=self._index,
            attempt=self._attempt,
            module=self._module or call.module,
            metrics=self._metrics or guarded(metrics_of)(call.first(CONTEXT_PARAMETERS)),
            options=options,
            allowed_options=self._allowed,
        )

    def _returned(self, result: Any) -> None:
        if self._before is not None:
            self._metrics = guarded(metrics_of)(result) or self._metrics

    # The beginning.

    def _starts_trace(self) -> bool:
        around = self._parent
        return around is None or around.span_name == names.CRUCIBLE_TELEMETRY_EXPERIMENT

    def _links(self) -> tuple[Link, ...]:
        return links(self)

    def _begin(self) -> None:
        place, attempt = (
            self._parent._places.take(self.name) if isinstance(self._parent, Staged) else (0, 1)
        )
        self.index = place if self._index is None else values.whole(self._index)
        self.attempt = attempt if self._attempt is None else values.whole(self._attempt)
        self._inherited[names.STAGE_NAME] = self.name
        self._inherited[names.STAGE_INDEX] = self.index
        self._attributes[names.STAGE_ATTEMPT] = self.attempt
        self._describe(names.PIPELINE_ID, self._pipeline_id)
        self._describe(names.STAGE_MODULE, self._module)
        self._correlate()
        guarded(self._tell_options)()
        if self._metrics is not None:
            self._before = guarded(numbers)(self._metrics)

    def _tell_options(self) -> None:
        if self._options is not None:
            told = {key: self._options[key] for key in self._allowed if key in self._options}
            if told:
                metadata = {"options": told}
                self._attributes.update(
                    fields.attributes(names.CRUCIBLE_FRAMEWORK_STAGE_START, metadata)
                )

    # The end.

    def _note_failure(self, reason: object) -> None:
        self.failure = failure_text(reason)

    def _finish(self, error: BaseException | None) -> None:
        self._exit_context()
        guarded(self._tell_difference)()
        reason = self.failure if self.failure is not None else self._skip_reason
        if error is not None and not is_failure(error):
            reason = why_cancelled(error)
        if reason:
            self._describe(names.ERROR_REASON, reason)
        if isinstance(self._parent, Staged):
            has_failed = self._status(error) == ERROR
            self._parent._places.ended(self.name, self.attempt, has_failed=has_failed)
            self._parent._stage_ended(self, error)

    def _tell_difference(self) -> None:
        """Tell what became of the pipeline's metrics: by how much they changed, and to what."""
        if self._metrics is None or self._before is None:
            return
        after, before = numbers(self._metrics), self._before
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        if not changed:
            return
        difference = {name: value - before.get(name, 0) for name, value in changed.items()}
        metadata = {"metrics_delta": difference}
        self._attributes.update(fields.attributes(names.CRUCIBLE_FRAMEWORK_STAGE_STOP, metadata))
        self._record(
            {name: value for name, value in changed.items() if name not in self._measurements}
        )

    def _status(self, error: BaseException | None) -> str | None:
        if error is not None:
            return ERROR if is_failure(error) else outcome(error)
        if self.failure is not None:
            return ERROR
        return OK if self._skip_reason is None else SKIPPED


@overload
def stage(function: F, /) -> F: ...


@overload
def stage(
    name: str | None = None,
    /,
    *,
    index: int | None = None,
    attempt: int | None = None,
    metrics: Metrics | None = None,
    options: Mapping[str, Any] | None = None,
    allowed_options: Iterable[str] = (),
) -> Stage: ...


def stage(
    name: Any = None,
    /,
    *,
    index: int | None = None,
    attempt: int | None = None,
    metrics: Metrics | None = None,
    options: Mapping[str, Any] | None = None,
    allowed_options: Iterable[str] = (),
) -> Any:
    """Return a stage, to be used with `with` or as a decorator; `@crucible.stage` alone works too.

    name: the function's where it is a decorator and none is given. index, attempt: counted unless
    given. metrics: a mapping, or what returns one; its numbers are compared before and after.
    A decorated function that takes a `ctx` with `metrics` needs not to say so. options: of these,
    those in `allowed_options` are sent, no others; a decorated function's are its arguments, and
    what is in its argument `opts`.
    """
    is_function = can_be_decorated(name)
    made = Stage(
        None if is_function else name,
        index=index,
        attempt=attempt,
        metrics=metrics,
        options=options,
        allowed_options=allowed_options,
    )
    return made(name) if is_function else made


def current_stage() -> Stage:
    """Return the stage that this code runs in; outside any, one that records nothing."""
    scope = surrounding()
    while scope is not None and not isinstance(scope, Stage):
        scope = scope.parent
    return Stage(None) if scope is None else scope


def numbers(metrics: Metrics) -> dict[str, Number]:
    """Return the numbers of a mapping, as many as an event may have."""
    source = metrics() if callable(metrics) else metrics
    found: dict[str, Number] = {}
    for name, value in source.items():
        number = values.number(value)
        if number is not None and len(found) < MEASUREMENTS_MAX:
            found[str(name)] = number
    return found


def metrics_of(context: Any) -> Mapping[Any, Any] | None:
    """Return the `metrics` of what stages hand on to each other, an object or a mapping."""
    metrics = (
        context.get("metrics")
        if isinstance(context, Mapping)
        else getattr(context, "metrics", None)
    )
    return metrics if isinstance(metrics, Mapping) else None


def failure_text(reason: object) -> str:
    """Return the reason that a user gives for a failure, a text or an exception, in one line."""
    if isinstance(reason, BaseException):
        reason = f"{kind_of(reason)}: {reason_of(reason)}"
    return values.bounded_text(" ".join(str(reason).split()))

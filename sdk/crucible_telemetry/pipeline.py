"""A pipeline: one run through an order of stages, which share its trace.

    with crucible.pipeline("tokenise-and-train") as pipeline:
        with pipeline.stage("tokenise"):
            …

What a reader could not guess: a pipeline has failed if an exception leaves it, or if the last
attempt at one of its stages was told to have failed. A stage's exception that was caught is the
program's own decision to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, overload

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import fields, values
from crucible_telemetry.decoration import (
    CONTEXT_PARAMETERS,
    Call,
    DecoratingScope,
    can_be_decorated,
)
from crucible_telemetry.faults import guarded
from crucible_telemetry.outcome import (
    FAILED,
    is_failure,
    kind_of,
    outcome,
    reason_of,
    why_cancelled,
)
from crucible_telemetry.run import Run, host_of_runs
from crucible_telemetry.scope import Scope, surrounding
from crucible_telemetry.stage import ERROR, OK, Metrics, Stage, failure_text, metrics_of, numbers
from crucible_telemetry.staged import Places, Staged, given_name, links

F = TypeVar("F", bound=Callable[..., Any])


class Pipeline(Run, DecoratingScope, Staged):
    """One execution of a pipeline; `crucible.pipeline()` says what it takes."""

    span_name: ClassVar[str] = names.CRUCIBLE_FRAMEWORK_PIPELINE

    def __init__(
        self,
        name: str | None,
        *,
        within: Scope | None = None,
        run_id: str | None = None,
        correlation_id: str | None = None,
        stages: Iterable[str] = (),
        metrics: Metrics | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(host_of_runs(within))
        self._given_name, self._within = given_name(name), within
        self._given_run_id = run_id
        self._given_correlation_id, self._metrics = correlation_id, metrics
        self._stages = guarded(values.texts)(stages) or []
        self._metadata = dict(metadata or {})
        self.name = self._given_name or "pipeline"
        self._is_inside = self._pipeline_id is not None
        self._pipeline_id = self.name
        self._places = Places(self._stages)
        self._counting = threading.Lock()  # stages may run side by side
        self._completed_count = 0
        self._failures: dict[str, str] = {}  # of the stages whose last attempt was told to fail
        self._raised: tuple[object, str] | None = None  # what, and by which stage
        self._failure: str | None = None
        self._has_run_id = False

    @property
    def run_id(self) -> str:
        """What this execution is found by; it is there without `configure()`, too."""
        self._identify()
        return str(self._inherited.get(names.RUN_ID, ""))

    def stage(
        self,
        name: str | None = None,
        *,
        index: int | None = None,
        attempt: int | None = None,
        metrics: Metrics | None = None,
        options: Mapping[str, Any] | None = None,
        allowed_options: Iterable[str] = (),
    ) -> Stage:
        """Return a stage of this pipeline; `crucible.stage()` says what it takes."""
        return Stage(
            name,
            within=self,
            index=index,
            attempt=attempt,
            metrics=metrics,
            options=options,
            allowed_options=allowed_options,
        )

    def fail(self, reason: object) -> None:
        """Say that the pipeline failed, where no exception will."""
        guarded(self._note_failure)(reason)

    def describe(self, **metadata: Any) -> None:
        """Add what is known only later, e.g. `backend_id="vllm"`."""
        guarded(self._describe_all)(metadata)

    def open(self) -> None:
        self._identify()
        super().open()

    def _for_call(self, call: Call) -> Pipeline:
        return Pipeline(
            self._given_name or call.name,
            within=self._within,
            run_id=self._given_run_id,
            correlation_id=self._given_correlation_id,
            stages=self._stages,
            metrics=self._metrics or guarded(metrics_of)(call.first(CONTEXT_PARAMETERS)),
            metadata=self._metadata,
        )

    def _returned(self, result: Any) -> None:
        self._metrics = guarded(metrics_of)(result) or self._metrics

    # The beginning.

    @guarded
    def _identify(self) -> None:
        """Take a run id, once: a pipeline that only decorates needs none."""
        if not self._has_run_id:
            self._has_run_id = True
            self._set_run_id(self._given_run_id or self._telemetry.ids.generate_run_id())

    def _starts_trace(self) -> bool:
        return not self._is_inside

    def _links(self) -> tuple[Link, ...]:
        return links(self)

    def _begin(self) -> None:
        self._set_correlation(self._given_correlation_id)
        self._correlate()
        self._describe(names.PIPELINE_ID, self._pipeline_id)
        guarded(self._describe_all)(self._metadata)
        if self._stages:
            guarded(self._describe_all)({"stage_count": len(self._stages)})

    def _describe_all(self, metadata: Mapping[str, Any]) -> None:
        self._attributes.update(
            fields.attributes(names.CRUCIBLE_FRAMEWORK_PIPELINE_START, metadata)
        )

    # The end.

    def _note_failure(self, reason: object) -> None:
        self._failure = failure_text(reason)

    def _stage_ended(self, stage: Stage, error: BaseException | None) -> None:
        status = stage._status(error)
        with self._counting:
            self._failures.pop(stage.name, None)
            if status == OK:
                self._completed_count += 1
            elif status == ERROR and error is None:
                self._failures[stage.name] = stage.failure or ""
            self._raised = None if error is None else (_mark(error), stage.name)

    def _finish(self, error: BaseException | None) -> None:
        self._exit_context()
        self._attributes.pop(names.MEASUREMENT_STAGE_COUNT, None)  # the start's alone
        self._measurements.setdefault("stages_completed", self._completed_count)
        if self._metrics is not None:
            final = guarded(numbers)(self._metrics) or {}
            self._record({name: final[name] for name in final.keys() - self._measurements.keys()})
        if error is not None:
            if self._raised is not None and self._raised[0] == _mark(error):
                self._describe(names.PIPELINE_FAILED_STAGE, self._raised[1])
            if not is_failure(error):
                self._describe(names.ERROR_REASON, why_cancelled(error))
            return
        for stage_name, reason in self._failures.items():
            self._describe(names.PIPELINE_FAILED_STAGE, stage_name)
            self._describe(names.ERROR_REASON, reason or None)
        self._describe(names.ERROR_REASON, self._failure)

    def _status(self, error: BaseException | None) -> str | None:
        has_failed = self._failure is not None or bool(self._failures)
        return FAILED if error is None and has_failed else outcome(error)


def _mark(error: BaseException) -> object:
    """Return what an exception is known again by, without it: its frames hold the stage's data."""
    return id(error), kind_of(error), reason_of(error)


@overload
def pipeline(function: F, /) -> F: ...


@overload
def pipeline(
    name: str | None = None,
    /,
    *,
    run_id: str | None = None,
    correlation_id: str | None = None,
    stages: Iterable[str] = (),
    metrics: Metrics | None = None,
    **metadata: Any,
) -> Pipeline: ...


def pipeline(
    name: Any = None,
    /,
    *,
    run_id: str | None = None,
    correlation_id: str | None = None,
    stages: Iterable[str] = (),
    metrics: Metrics | None = None,
    **metadata: Any,
) -> Any:
    """Return a pipeline, to be used with `with` or as a decorator; `@crucible.pipeline` alone works too.

    name: what executions of it have in common; the function's where it is a decorator and none is
    given. run_id: this execution's; a fresh UUID unless given. stages: their names in order, where
    they are known beforehand. metrics: a mapping, or what returns one, whose numbers are the
    pipeline's at its end. A decorated function that takes a `ctx` with `metrics` needs not to say so.

    metadata: the registry's fields, e.g. experiment_type, dataset_name, owner, tags, backend_id;
    other names are sent as they are. Inside an experiment the pipeline belongs to that.
    """
    is_function = can_be_decorated(name)
    made = Pipeline(
        None if is_function else name,
        run_id=run_id,
        correlation_id=correlation_id,
        stages=stages,
        metrics=metrics,
        metadata=metadata,
    )
    return made(name) if is_function else made


def current_pipeline() -> Pipeline:
    """Return the pipeline that this code runs in; outside any, one that records nothing."""
    scope = surrounding()
    while scope is not None and not isinstance(scope, Pipeline):
        scope = scope.parent
    return Pipeline(None) if scope is None else scope

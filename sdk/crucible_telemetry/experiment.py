"""An experiment: the question that runs are made to answer, and one condition of it.

Processes that name the same experiment belong to the same experiment: its id is its name unless
told otherwise, so the processes of a sweep need to agree on nothing else.

What a reader could not guess: an experiment inside a pipeline is no part of the pipeline's run; the
runs inside it name that run as theirs around.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import faults, fields, values
from crucible_telemetry.faults import Fault, guarded
from crucible_telemetry.outcome import Aborted
from crucible_telemetry.pipeline import Pipeline
from crucible_telemetry.run import host_of_runs
from crucible_telemetry.scope import Scope
from crucible_telemetry.stage import Metrics
from crucible_telemetry.staged import Staged, links
from crucible_telemetry.training import Training
from crucible_telemetry.values import AttributeValue


class Experiment(Scope):
    """One stretch of work on an experiment, under one condition; `experiment()` makes it."""

    span_name: ClassVar[str] = names.CRUCIBLE_TELEMETRY_EXPERIMENT
    hosts_runs: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        *,
        experiment_id: str | None = None,
        condition: str | None = None,
        correlation_id: str | None = None,
        hypothesis: str | None = None,
        tags: Iterable[str] = (),
        owner: str | None = None,
        experiment_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        around = host_of_runs()
        super().__init__(around if isinstance(around, Staged) else None)
        self._pausing = threading.RLock()  # a watchdog may pause what another thread trains
        self._paused_since_ns: int | None = None  # by `_now_ns`
        self._paused_ns = 0
        self._pause_count = 0
        self._aborted: Aborted | None = None
        self._identify(name, experiment_id, condition)
        self._tell(name, hypothesis, tags)
        self._tell_metadata(owner, experiment_type, metadata)
        self._set_correlation(correlation_id)

    @guarded
    def _identify(self, name: str, experiment_id: str | None, condition: str | None) -> None:
        outer_run_id = self._inherited.pop(names.RUN_ID, None)
        if outer_run_id is not None:
            self._inherited[names.RUN_PARENT_ID] = outer_run_id
        own_id = values.bounded_id(experiment_id or name)
        if self._inherited.get(names.EXPERIMENT_ID) != own_id:
            self._inherited.pop(names.CONDITION, None)
        self._inherited[names.EXPERIMENT_ID] = own_id
        if condition is not None:
            self._inherited[names.CONDITION] = values.bounded_id(condition)

    @guarded
    def _tell(self, name: str, hypothesis: str | None, tags: Iterable[str]) -> None:
        self._describe(names.EXPERIMENT_NAME, values.bounded_id(name))
        self._describe(names.EXPERIMENT_STATUS, "running")
        if hypothesis is not None:
            text = values.bounded_text(hypothesis, values.HYPOTHESIS_BYTES_MAX)
            self._attributes[names.EXPERIMENT_HYPOTHESIS] = text
        listed = [tags] if isinstance(tags, str) else [str(tag) for tag in tags]
        self._describe(names.EXPERIMENT_TAGS, listed or None)

    @guarded
    def _tell_metadata(
        self, owner: str | None, experiment_type: str | None, metadata: Mapping[str, Any] | None
    ) -> None:
        told = {
            "owner": owner,
            "experiment_type": experiment_type,
            "experiment_metadata": metadata or None,
        }
        self._attributes.update(fields.attributes(names.CRUCIBLE_TELEMETRY_EXPERIMENT_START, told))

    @property
    def experiment_id(self) -> str:
        """What the experiment is found by: its name, unless another id was given."""
        return str(self._inherited.get(names.EXPERIMENT_ID, ""))

    @property
    def is_paused(self) -> bool:
        """Whether `pause()` was called, and `resume()` not since."""
        return self._paused_since_ns is not None

    def training(
        self,
        *,
        run_id: str | None = None,
        first_step: int = 0,
        rank: int | None = None,
        **metadata: Any,
    ) -> Training:
        """Return a training run of this experiment; `crucible.training()` says what it takes."""
        return Training(
            host_of_runs(self),
            run_id=run_id,
            first_step=first_step,
            rank=rank,
            correlation_id=None,
            metadata=metadata,
        )

    def pipeline(
        self,
        name: str | None = None,
        *,
        run_id: str | None = None,
        stages: Iterable[str] = (),
        metrics: Metrics | None = None,
        **metadata: Any,
    ) -> Pipeline:
        """Return a pipeline of this experiment; `crucible.pipeline()` says what it takes."""
        return Pipeline(
            name, within=self, run_id=run_id, stages=stages, metrics=metrics, metadata=metadata
        )

    # Its course.

    def pause(self, reason: str | None = None) -> None:
        """Say that work halts for a while. Runs go on recording, and sending heartbeats."""
        self._pause(reason)

    def resume(self) -> None:
        """Say that work goes on."""
        self._resume()

    @contextlib.contextmanager
    def paused(self, reason: str | None = None) -> Iterator[None]:
        """Pause for the length of a `with` block."""
        is_mine = self._pause(reason)
        try:
            yield
        finally:
            if is_mine:
                self._resume()

    def abort(self, reason: str | None = None) -> None:
        """Give the experiment up: it ends now, and what is open in it ends as cancelled.

        The program goes on; loops over `epochs()` end by themselves.
        """
        guarded(self._abort)(reason)

    @guarded
    def _pause(self, reason: str | None) -> bool:
        with self._pausing:
            if not self._is_open or self._paused_since_ns is not None:
                self._refuse("paused")
                return False
            now_ns = self._paused_since_ns = self._now_ns()
            self._pause_count += 1
            told = {names.MEASUREMENT_PAUSE_COUNT: self._pause_count}
        self._tell_course(
            names.CRUCIBLE_TELEMETRY_EXPERIMENT_PAUSED, "paused", now_ns, told, reason
        )
        return True

    @guarded
    def _resume(self) -> None:
        with self._pausing:
            if not self._is_open or self._paused_since_ns is None:
                self._refuse("resumed")
                return
            now_ns = self._now_ns()
            lasted_ns, self._paused_since_ns = now_ns - self._paused_since_ns, None
            self._paused_ns += lasted_ns
            told = {
                names.MEASUREMENT_PAUSE_COUNT: self._pause_count,
                names.MEASUREMENT_PAUSED_DURATION: lasted_ns,
            }
        self._tell_course(
            names.CRUCIBLE_TELEMETRY_EXPERIMENT_RESUMED, "running", now_ns, told, None
        )

    def _refuse(self, what: str) -> None:
        state = "paused" if self.is_paused else "running" if self._is_open else "not open"
        faults.note(
            Fault.OUT_OF_ORDER, "experiment %s was %s when it was to be %s",
            self.experiment_id, state, what,
        )  # fmt: skip

    def _tell_course(
        self, event: str, status: str, now_ns: int, measured: Mapping[str, int], reason: str | None
    ) -> None:
        attributes: dict[str, AttributeValue] = {**self._inherited, **measured}
        attributes[names.EXPERIMENT_STATUS] = status
        if reason is not None:
            attributes[names.EXPERIMENT_PAUSE_REASON] = values.bounded_text(reason)
        self._emit(event, now_ns, now_ns, attributes)

    def _abort(self, reason: str | None) -> None:
        if not self._is_open:
            self._refuse("aborted")
            return
        self._aborted = Aborted(None if reason is None else values.bounded_text(reason))
        self.close(self._aborted)

    # Beginning and end.

    def _begin(self) -> None:
        self._correlate()

    def _links(self) -> Sequence[Link]:
        return links(self)

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002
        self._exit_context()
        self._describe(names.EXPERIMENT_STATUS, "stopped")
        now_ns = self._now_ns()
        if self._paused_since_ns is not None:
            self._paused_ns += now_ns - self._paused_since_ns
            self._paused_since_ns = None
        active_ns = now_ns - self._start_ns - self._paused_ns
        self._record(
            {
                "active_duration": max(0, active_ns),
                "paused_duration": self._paused_ns,
                "pause_count": self._pause_count,
            }
        )
        if self._aborted is not None:
            self._describe(names.EXPERIMENT_ABORTED, value=True)
            self._describe(names.EXPERIMENT_ABORT_REASON, self._aborted.reason)

    def _status(self, error: BaseException | None) -> str | None:  # noqa: ARG002
        return None  # runs have outcomes; an experiment is only over


def experiment(
    name: str,
    *,
    experiment_id: str | None = None,
    condition: str | None = None,
    hypothesis: str | None = None,
    tags: Iterable[str] = (),
    owner: str | None = None,
    experiment_type: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
) -> Experiment:
    """Return an experiment, to be used with `with`.

    experiment_id: its name, unless given. condition: which arm of it this is; what comparisons are
    made between. owner: who answers for it. experiment_type: evaluation, training, comparison or
    ablation. metadata: whatever else is to be known of it, sent as JSON. correlation_id: what joins
    everything that is part of this story, in other processes too; comes from what surrounds it or
    from W3C baggage if that has one, else it is the experiment's trace id.
    """
    return Experiment(
        name,
        experiment_id=experiment_id,
        condition=condition,
        correlation_id=correlation_id,
        hypothesis=hypothesis,
        tags=tags,
        owner=owner,
        experiment_type=experiment_type,
        metadata=metadata,
    )


def training(
    *,
    run_id: str | None = None,
    first_step: int = 0,
    rank: int | None = None,
    correlation_id: str | None = None,
    **metadata: Any,
) -> Training:
    """Return a training run, to be used with `with`; inside an experiment or a stage it belongs there.

    run_id: a fresh UUID unless given, or what the ranks of a torchrun job share. first_step: where
    the count of steps begins. rank: which process of a distributed run this is; from torchrun's
    RANK unless given.

    metadata: what is known of the training. The registry's fields, e.g. model_name, model_version,
    dataset_name, epochs, batch_size, learning_rate, optimizer, seed, device, and `config`, a
    mapping, dataclass or namespace that is sent as JSON; other names are sent as they are.
    """
    return Training(
        host_of_runs(),
        run_id=run_id,
        first_step=first_step,
        rank=rank,
        correlation_id=correlation_id,
        metadata=metadata,
    )

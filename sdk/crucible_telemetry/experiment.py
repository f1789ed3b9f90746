"""An experiment: the question that runs are made to answer, and one condition of it.

Processes that name the same experiment belong to the same experiment: its id is its name unless
told otherwise, so the processes of a sweep need to agree on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import values
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import Scope, current_scope, innermost_open, link_to_current_span
from crucible_telemetry.training import Training


class Experiment(Scope):
    """One stretch of work on an experiment, under one condition; `experiment()` makes it."""

    span_name: ClassVar[str] = "crucible_telemetry.experiment"

    def __init__(
        self,
        name: str,
        *,
        experiment_id: str | None,
        condition: str | None,
        correlation_id: str | None,
        hypothesis: str | None,
        tags: Iterable[str],
    ) -> None:
        super().__init__(None)
        self._identify(name, experiment_id, condition)
        self._tell(name, hypothesis, tags)
        self._set_correlation(correlation_id)

    @guarded
    def _identify(self, name: str, experiment_id: str | None, condition: str | None) -> None:
        self._inherited[names.EXPERIMENT_ID] = values.bounded_id(experiment_id or name)
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

    @property
    def experiment_id(self) -> str:
        return str(self._inherited.get(names.EXPERIMENT_ID, ""))

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
            self,
            run_id=run_id,
            first_step=first_step,
            rank=rank,
            correlation_id=None,
            metadata=metadata,
        )

    def _begin(self) -> None:
        self._correlate()

    def _links(self) -> Sequence[Link]:
        return link_to_current_span()

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002
        self._exit_context()
        self._describe(names.EXPERIMENT_STATUS, "stopped")

    def _status(self, error: BaseException | None) -> str | None:  # noqa: ARG002
        return None  # runs have outcomes; an experiment is only over


def experiment(
    name: str,
    *,
    experiment_id: str | None = None,
    condition: str | None = None,
    hypothesis: str | None = None,
    tags: Iterable[str] = (),
    correlation_id: str | None = None,
) -> Experiment:
    """Return an experiment, to be used with `with`.

    experiment_id: its name, unless given. condition: which arm of it this is; what comparisons are
    made between. correlation_id: what joins everything that is part of this story, in other
    processes too; comes from W3C baggage if that has one, else it is the experiment's trace id.
    """
    return Experiment(
        name,
        experiment_id=experiment_id,
        condition=condition,
        correlation_id=correlation_id,
        hypothesis=hypothesis,
        tags=tags,
    )


def training(
    *,
    run_id: str | None = None,
    first_step: int = 0,
    rank: int | None = None,
    correlation_id: str | None = None,
    **metadata: Any,
) -> Training:
    """Return a training run, to be used with `with`; inside an experiment it belongs to that.

    run_id: a fresh UUID unless given. first_step: where the count of steps begins. rank: which
    process of a distributed run this is; from torchrun's RANK unless given.

    metadata: what is known of the training. The registry's fields, e.g. model_name, model_version,
    dataset_name, epochs, batch_size, learning_rate, optimizer, seed, device, and `config`, a
    mapping, dataclass or namespace that is sent as JSON; other names are sent as they are.
    """
    return Training(
        _surrounding_experiment(),
        run_id=run_id,
        first_step=first_step,
        rank=rank,
        correlation_id=correlation_id,
        metadata=metadata,
    )


def _surrounding_experiment() -> Experiment | None:
    scope = innermost_open(current_scope.get())
    while scope is not None and not isinstance(scope, Experiment):
        scope = scope.parent
    return scope

"""A run: one execution, of a training or a pipeline, with an id of its own and signs of life.

What a reader could not guess: a run that begins inside another one is not a part of its trace; it
names the other as `crucible.run.parent_id`. Epochs and batches host no runs: a training that begins
inside a batch is its experiment's, or its stage's.
"""

from __future__ import annotations

from crucible_schema import events as names
from crucible_telemetry import heartbeat, values
from crucible_telemetry.scope import Scope, surrounding
from crucible_telemetry.values import AttributeValue


class Run(Scope):
    """What trainings and pipelines have in common."""

    def _set_run_id(self, run_id: object) -> None:
        around = surrounding()
        outer = None if around is None else around._inherited.get(names.RUN_ID)
        outer = outer or self._inherited.get(names.RUN_ID)
        if outer is not None:
            self._inherited[names.RUN_PARENT_ID] = outer
        self._inherited[names.RUN_ID] = values.bounded_id(run_id)

    def open(self) -> None:
        super().open()
        if self._is_open:
            heartbeat.begin(self)

    def close(self, error: BaseException | None = None) -> None:
        heartbeat.end(self)
        super().close(error)

    def _progress(self) -> dict[str, AttributeValue]:
        """Return how far the run is, for its heartbeats."""
        return {}


def host_of_runs(owner: Scope | None = None) -> Scope | None:
    """Return what a run that begins here is part of.

    That is the innermost scope around that hosts runs; given an owner, only if it is inside that,
    else the owner.
    """
    scope = surrounding()
    while scope is not None and not scope.hosts_runs:
        scope = scope.parent
    host = scope
    while scope is not None and scope is not owner:
        scope = scope.parent
    return host if owner is None or scope is owner else owner

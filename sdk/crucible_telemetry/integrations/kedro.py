"""Kedro: a run is a pipeline, its nodes are stages.

    HOOKS = (CrucibleHooks(),)       # in settings.py; or crucible.instrument(session)

What a reader could not guess: nodes may run in threads or in other processes, so a stage is kept by
its node's name and given its pipeline and index outright. `ParallelRunner` makes its hooks anew in
every process, from `settings.py` alone; a process that it forked still knows the pipeline, one that
it spawned finds the story in its environment, where it lies while the pipeline runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from kedro.framework.hooks import hook_impl

from crucible_telemetry import propagation
from crucible_telemetry.faults import guarded
from crucible_telemetry.pipeline import Pipeline
from crucible_telemetry.pipeline import pipeline as new_pipeline
from crucible_telemetry.stage import Stage
from crucible_telemetry.stage import stage as new_stage


class CrucibleHooks:
    """The hooks of one session."""

    def __init__(self, *, allowed_options: Iterable[str] = (), **metadata: Any) -> None:
        """Take what `crucible.pipeline()` takes, which wins over what Kedro knows.

        allowed_options: which parameters of nodes may be sent, by their names: "params:alpha".
        """
        self._allowed = tuple(allowed_options)
        self._metadata = metadata
        self._pipeline: Pipeline | None = None
        self._indices: dict[str, int] = {}
        self._stages: dict[str, Stage] = {}
        self._environment: dict[str, str | None] = {}

    @hook_impl
    def before_pipeline_run(self, run_params: Mapping[str, Any], pipeline: Any) -> None:
        self._end(GeneratorExit())  # one that nobody ended was left, not failed
        self._begin(run_params, [node.name for node in pipeline.nodes])

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._end(None)

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        self._end(error)

    @hook_impl
    def before_node_run(self, node: Any, inputs: Mapping[str, Any]) -> None:
        self._begin_stage(node.name, inputs)

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        self._end_stage(node.name, None)

    @hook_impl
    def on_node_error(self, error: Exception, node: Any) -> None:
        self._end_stage(node.name, error)

    @guarded
    def _begin(self, run_params: Mapping[str, Any], nodes: list[str]) -> None:
        known: dict[str, Any] = {
            "run_id": run_params.get("run_id") or run_params.get("session_id"),
            "tags": list(run_params.get("tags") or ()) or None,
            "environment": run_params.get("env"),
            "kedro_version": run_params.get("kedro_version"),
        }
        self._indices = {name: index for index, name in enumerate(nodes)}
        self._pipeline = new_pipeline(_name(run_params), stages=nodes, **(known | self._metadata))
        self._pipeline.open()
        if "Parallel" in str(run_params.get("runner")):
            carried = propagation.current_context(as_environment=True)
            self._environment = {name: os.environ.get(name) for name in carried}
            os.environ.update(carried)

    @guarded
    def _end(self, error: BaseException | None) -> None:
        for name, value in self._environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        running, self._pipeline = self._pipeline, None
        self._environment, self._stages = {}, {}
        if running is not None:
            running.close(error)

    @guarded
    def _begin_stage(self, name: str, inputs: Mapping[str, Any]) -> None:
        make = new_stage if self._pipeline is None else self._pipeline.stage
        stage = make(
            name,
            index=self._indices.get(name),
            options={key: inputs[key] for key in self._allowed if key in inputs},
            allowed_options=self._allowed,
        )
        self._stages[name] = stage
        stage.open()

    @guarded
    def _end_stage(self, name: str, error: BaseException | None) -> None:
        stage = self._stages.pop(name, None)
        if stage is not None:
            stage.close(error)


def instrument(target: Any, **options: Any) -> Any:
    """Register the hooks with a session or its plugin manager; returns it."""
    manager = getattr(target, "_hook_manager", target)
    if not any(isinstance(known, CrucibleHooks) for known in manager.get_plugins()):
        manager.register(CrucibleHooks(**options))
    return target


def _name(run_params: Mapping[str, Any]) -> str:
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    return "+".join(str(name) for name in names if name) or "__default__"

"""Which runs are on which side of a comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crucible_collector.api.comparison import GROUPS_MAX, RUNS_MAX, CompareRequest
from crucible_collector.errors import ForbiddenError, NotComparableError
from crucible_collector.store.read import Reads


@dataclass(frozen=True, slots=True)
class RunFound:
    """A run as `compare_runs` answers it."""

    run_id: str
    experiment_id: str | None
    condition: str | None
    kind: str | None
    status: str
    last_step: int | None
    duration_ms: float | None
    pair_id: str | None


@dataclass(frozen=True)
class Side:
    """One side: its runs, and the experiment (and condition) whose requests without a run are its, too."""

    name: str
    runs: tuple[RunFound, ...]
    experiment: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Sides:
    """All sides, the baseline first, and what there is to say of how they were made."""

    sides: tuple[Side, ...]
    warnings: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Side]:
        return iter(self.sides)

    @property
    def run_ids(self) -> list[str]:
        return [run.run_id for side in self.sides for run in side.runs]


def found_sides(reads: Reads, asked: CompareRequest, within: str | None) -> Sides:
    """Look the runs up. NotComparableError where a side is unknown, or is another one, too.

    `within`: with which the ids of experiments begin that may be asked for; ForbiddenError for others.
    """
    if within is not None:
        _check_named(asked, within)
    rows = reads.json_rows("compare_runs", **_parameters(asked), limit=RUNS_MAX + 1)
    runs = [RunFound(**json.loads(row)) for row in rows]
    if within is not None:
        _check_runs(asked, runs, within)
    if len(runs) > RUNS_MAX:
        raise NotComparableError(
            f"more than {RUNS_MAX} runs: a period or fewer conditions may help"
        )
    sides = _sides(reads, asked, runs)
    if len(sides) < 2:
        have = f"only {sides[0].name!r}" if sides else "none"
        raise NotComparableError(f"two sides are needed to compare, and there is {have}")
    if len(sides) > GROUPS_MAX:
        raise NotComparableError(f"{len(sides)} sides: at most {GROUPS_MAX} are compared at once")
    return Sides(tuple(_baseline_first(sides, asked.baseline)), _warnings(sides))


def _check_named(asked: CompareRequest, prefix: str) -> None:
    """Before anything is read: not even how much there is of others is told."""
    if not all(
        name.startswith(prefix) for name in (asked.experiment or prefix, *asked.experiments)
    ):
        raise _beyond(prefix)


def _check_runs(asked: CompareRequest, runs: list[RunFound], prefix: str) -> None:
    """What is not there is refused alike: the answer does not tell which of the two it is."""
    wanted = {run for runs in asked.runs.values() for run in runs}
    are_within = all((run.experiment_id or "").startswith(prefix) for run in runs)
    if not are_within or wanted - {run.run_id for run in runs}:
        raise _beyond(prefix)


def _beyond(prefix: str) -> ForbiddenError:
    return ForbiddenError(
        f"the key is for experiments whose id begins with {prefix!r}: what was asked for is not of these,"
        " or is not there"
    )


def _parameters(asked: CompareRequest) -> dict[str, Any]:
    key = "seed" if asked.pair_by == "auto" else asked.pair_by
    wanted = [run for runs in asked.runs.values() for run in runs]
    experiments = [asked.experiment] if asked.experiment is not None else asked.experiments
    return {
        "runs": wanted or None,
        "experiments": experiments or None,
        "conditions": asked.conditions or None,
        "path": key.split("."),
        "wants_seed": key == "seed",
        "from_time": asked.from_time,
        "to_time": asked.to_time,
    }


def _sides(reads: Reads, asked: CompareRequest, runs: list[RunFound]) -> list[Side]:
    if asked.runs:
        return _of_runs(asked, runs)
    if asked.experiments:
        for experiment in {*asked.experiments} - {run.experiment_id for run in runs}:
            _check_experiment(reads, experiment)
        return [
            Side(name, tuple(run for run in runs if run.experiment_id == name), experiment=name)
            for name in asked.experiments
        ]
    assert asked.experiment is not None
    if not runs:
        _check_experiment(reads, asked.experiment)
    return _of_conditions(reads, asked, asked.experiment, runs)


def _of_conditions(
    reads: Reads, asked: CompareRequest, experiment: str, runs: list[RunFound]
) -> list[Side]:
    known = [run.condition for run in runs if run.condition is not None]
    names = asked.conditions or list(dict.fromkeys(known))
    missing = [name for name in asked.conditions if name not in known]
    # Requests may name a condition that no run has; only where a metric of requests is asked for.
    if missing and not any(metric.event for metric in asked.asked_metrics()):
        rows = reads.json_rows("compare_conditions", experiment=experiment, limit=GROUPS_MAX)
        there = [json.loads(row)["condition"] for row in rows]
        raise NotComparableError(
            f"experiment {experiment!r} has no run of condition {missing[0]!r}"
            + (" in this period" if missing[0] in there else "")
            + f"; it has {', '.join(map(repr, there)) or 'none'}"
        )
    return [
        Side(name, tuple(run for run in runs if run.condition == name), experiment, name)
        for name in names
    ]


def _of_runs(asked: CompareRequest, runs: list[RunFound]) -> list[Side]:
    by_id = {run.run_id: run for run in runs}
    taken: dict[str, str] = {}
    sides = []
    for name, wanted in asked.runs.items():
        for run_id in dict.fromkeys(wanted):
            if run_id not in by_id:
                period = " in this period" if asked.from_time or asked.to_time else ""
                raise NotComparableError(f"there is no run {run_id!r}{period}, on side {name!r}")
            if run_id in taken:
                raise NotComparableError(
                    f"run {run_id!r} is on both sides, {taken[run_id]!r} and {name!r}"
                )
            taken[run_id] = name
        sides.append(Side(name, tuple(by_id[run_id] for run_id in dict.fromkeys(wanted))))
    return sides


def _check_experiment(reads: Reads, experiment: str) -> None:
    if not reads.json_rows("experiment", experiment=experiment):
        raise NotComparableError(f"there is no experiment {experiment!r}")


def _baseline_first(sides: list[Side], baseline: str | None) -> list[Side]:
    if baseline is None:
        return sides
    if baseline not in {side.name for side in sides}:
        names = ", ".join(repr(side.name) for side in sides)
        raise NotComparableError(f"the baseline {baseline!r} is none of the sides: {names}")
    return sorted(sides, key=lambda side: side.name != baseline)


def _warnings(sides: list[Side]) -> list[str]:
    running = sum(run.status in {"running", "pending"} for side in sides for run in side.runs)
    if not running:
        return []
    word = "run is" if running == 1 else "runs are"
    text = (
        f"{running} {word} still running: their numbers will change, and who"
        " looks again and again until p is small finds differences that are not there"
    )
    return [text]

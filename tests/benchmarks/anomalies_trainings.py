"""The part `trainings` of `make bench-anomalies`: trainings and servings in which something goes wrong.

Each run with a fault has a twin without it, of the same seed, the same to the last bit until the fault
begins. A fault counts where it visibly moved a metric of the run, by the twins' difference (`moved`); an
injected fault that moves nothing does not count, for or against. The trainings that thresholds were chosen
by are judged apart from those that came after; time is simulated in both. A period of any severity finds
a fault, or is false; but for plateaus, which are no more than information, and levels of servings, whose
rare values are: these count where they warn. What a killed run is known by is its silence, no number: tests
of stalled runs have it, against a real database.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import servings, training_faults
from benchmarks.report import Figure, Goal, at_least, at_most, figure
from benchmarks.servings import Served, serve
from benchmarks.trainings import Curves, recipes, train
from benchmarks.visible import moved
from benchmarks.watching import Period, Series, watch
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.observations import Source, Subject

BATCH = "crucible_train.batch.stop"
EPOCH = "crucible_train.epoch.stop"
INFERENCE = "crucible_deployment.inference.stop"
# The time of steps is judged apart: on shared machines it is theirs as much as the training's.
PACE = ("pace", "throughput")
# That a training has come to rest is no fault of it, but where it should not have.
INFORMATION = ("plateau",)


@dataclass(frozen=True, slots=True)
class Group:
    """Which recipes and seeds are judged together."""

    name: str
    recipes: tuple[str, ...]
    seeds: range
    serving_seeds: range
    goals: bool = True


# Thresholds were chosen by the first. Of the second only the kinds of trainings had been looked at before, with
# seeds from 101 and from 201 on; detectors were changed after either. Whoever changes one after having looked
# at these changes the seeds.
CHOSEN = Group("chosen by", ("softmax", "deep", "recurrent"), range(1, 4), range(1, 4), goals=False)
KEPT = Group("judged", ("mlp", "convolution", "regression"), range(301, 308), range(301, 308))


@dataclass(slots=True)
class Tally:
    """What became of the faults of one kind."""

    injected: int = 0
    visible: int = 0
    found: int = 0
    warned: int = 0
    waits: list[int] = field(default_factory=list)  # steps until it was found

    def note(self, periods: Sequence[Period], at: int) -> None:
        """What was told that began with the fault or after."""
        since = [each for each in periods if each.first_step >= at]
        self.found += bool(since)
        self.warned += any(warns(each) for each in since)
        if since:
            self.waits.append(min(each.first_step for each in since) - at)


def trainings(*, quick: bool) -> Iterator[Figure]:
    """Every figure; quick: two seeds of each."""
    # These networks are small: more than one thread makes them several times as slow.
    with threadpool_limits(1):
        for group in (CHOSEN, KEPT):
            yield from figures(shortened(group) if quick else group)


def shortened(group: Group) -> Group:
    """The same with two seeds."""
    return Group(group.name, group.recipes, group.seeds[:2], group.serving_seeds[:2], group.goals)


def figures(group: Group) -> Iterator[Figure]:
    """Faults found and false periods of one group."""
    tallies: dict[str, Tally] = {}
    clean = [_trained(name, seed, tallies) for name in group.recipes for seed in group.seeds]
    served = [_served(seed, tallies) for seed in group.serving_seeds]
    yield from _found(group, tallies)
    yield from _false(group, clean, served)


def _found(group: Group, tallies: dict[str, Tally]) -> Iterator[Figure]:
    for kind, tally in tallies.items():
        name = f"{group.name}: {kind}"
        yield figure(f"{name}, found of visible", _share(tally.found, tally.visible), "%")
        yield figure(f"{name}, visible of injected", _share(tally.visible, tally.injected), "%")
        yield figure(f"{name}, warned of visible", _share(tally.warned, tally.visible), "%")
        if tally.waits:
            yield figure(f"{name}, until found, median", statistics.median(tally.waits), "steps")
            yield figure(f"{name}, until found, longest", max(tally.waits), "steps")
    found, visible = (sum(getattr(t, n) for t in tallies.values()) for n in ("found", "visible"))
    goal = at_least(95.0) if group.goals else None
    warned = sum(tally.warned for tally in tallies.values())
    yield figure(f"{group.name}: all faults, visible", visible, "runs")
    yield figure(f"{group.name}: all faults, warned of visible", _share(warned, visible), "%")
    yield figure(f"{group.name}: all faults, found of visible", _share(found, visible), "%", goal)


def _share(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else float("nan")


def _false(
    group: Group, clean: Sequence[list[Period]], served: Sequence[list[Period]]
) -> Iterator[Figure]:
    def per_20(runs: Sequence[list[Period]], goal: Goal | None, what: str) -> Figure:
        return figure(
            f"{group.name}: {what}", 20.0 * sum(map(len, runs)) / len(runs), "periods/20 runs", goal
        )

    told = [[each for each in run if each.detector in INFORMATION] for run in clean]
    of_pace = [[each for each in run if each.detector in PACE] for run in clean]
    others = [[e for e in run if e.detector not in (*PACE, *INFORMATION)] for run in clean]
    warned = [[each for each in run if warns(each)] for run in served]
    goal = at_most(1.0) if group.goals else None
    yield figure(f"{group.name}: clean trainings", len(clean), "runs")
    yield per_20(others, goal, "clean trainings, false")
    yield per_20(of_pace, None, "clean trainings, false of the pace")
    yield per_20(told, None, "clean trainings, for information")
    yield per_20(warned, None, "clean servings, warnings")
    yield per_20(served, None, "clean servings, for information too")


def warns(period: Period) -> bool:
    return period.step_of(Severity.WARNING) is not None


def _trained(recipe_name: str, seed: int, tallies: dict[str, Tally]) -> list[Period]:
    """The periods of a clean training; its faulty twins are tallied."""
    recipe = recipes()[recipe_name]
    clean = train(recipe, seed)
    for name, kind in training_faults.KINDS.items():
        fault = kind.at(seed)
        curves = train(recipe, seed, fault)
        tally = tallies.setdefault(name, Tally())
        is_visible = not kind.metrics or any(
            moved(curves.by_step[metric], clean.by_step[metric], fault.at, metric)
            for metric in kind.metrics
            if metric in curves.by_step
        )
        tally.injected += 1
        if is_visible:
            tally.visible += 1
            told = watch(series_of(curves))
            if not kind.is_information:
                told = [each for each in told if each.detector not in INFORMATION]
            tally.note(told, fault.at)
    return watch(series_of(clean))


def series_of(curves: Curves) -> list[Series]:
    """What the collector would see of a training."""
    steps = np.arange(len(curves.time_s))
    by_step = [
        Series(Subject(Source.POINT, BATCH, metric), steps, curves.time_s, value, curves.epoch)
        for metric, value in curves.by_step.items()
    ]
    by_epoch = [
        Series(
            Subject(Source.POINT, EPOCH, metric),
            curves.val_step,
            curves.time_s[curves.val_step],
            value,
        )
        for metric, value in curves.by_epoch.items()
    ]
    pace = Subject(Source.STEP, BATCH, "steps_per_second")
    ones = np.ones(len(steps))
    return [*by_step, *by_epoch, Series(pace, steps, curves.time_s, ones, curves.epoch)]


def _served(seed: int, tallies: dict[str, Tally]) -> list[Period]:
    """The periods of a clean serving; its faulty twins are tallied, in requests instead of steps."""
    clean = serve(seed)
    for name, make in servings.KINDS.items():
        at = int(np.random.default_rng([seed, 7]).uniform(0.4, 0.6) * servings.REQUESTS)
        served = serve(seed, make(at))
        tally = tallies.setdefault(name, Tally())
        tally.injected += 1
        if any(
            moved(served.by_metric[metric], clean.by_metric[metric], at, metric)
            for metric in ("duration_ms", "cost_usd")
        ):
            tally.visible += 1
            tally.note([e for e in watch(requests_of(served)) if warns(e)], at)
    return watch(requests_of(clean))


def requests_of(served: Served) -> list[Series]:
    """What the collector would see of a serving; the number of a request stands for a step."""
    number = np.arange(len(served.end_s))
    source = {"duration_ms": Source.DURATION}
    return [
        Series(
            Subject(source.get(metric, Source.SPAN), INFERENCE, metric),
            number,
            served.end_s,
            value,
        )
        for metric, value in served.by_metric.items()
    ]

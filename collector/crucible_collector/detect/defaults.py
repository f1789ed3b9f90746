"""How a number is watched unless a rule says otherwise: what the registry says of it, and what suits its class.

The registry's word is found once for each subject. Whatever may come has one of few bases, so that the
plans of all rules can be made before the first number is there.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import crucible_schema
from crucible_collector.detect.observations import Source, Subject
from crucible_schema import Phase, Watch, WatchDirection, WatchScale

DIRECTIONS = {WatchDirection.UP: 1, WatchDirection.DOWN: -1, WatchDirection.BOTH: 0}
# Latencies, durations and costs have heavy tails: spikes begin at six deviations, not at the five of a loss,
# and rarity asks for as much more. Of 10,000 values that are lognormal (0.3 and 1), gamma, t with 3 degrees of
# freedom in their logarithm, or of two modes, rarity flags 0.3 to 3 so, and 2 to 11 otherwise; a threefold
# level is found after 23 to 33 values all the same (medians of 20), by `shift`.
LEVEL_SENSITIVITY = 5 / 6

NON_FINITE = "non_finite"
ALWAYS_FINITE = frozenset({Source.DURATION, Source.STATUS, Source.STEP})
# What has a class of its own, which no measurement of the registry has.
STATUS_CLASS, STEP_CLASS = "error_rate", "steps"


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known of a number before any rule is asked."""

    watch_class: str
    is_log: bool = False
    direction: int = 0  # as in Plan
    sensitivity: float = 1.0
    lower_is_better: bool | None = None  # as the registry has it
    is_marked: bool = True  # whether it is watched without a rule that names it
    is_known: bool = True  # whether the registry says how it is watched
    can_be_non_finite: bool = True
    is_own: bool = False  # its class is its own: only a rule that names the metric changes it
    is_point: bool = False  # of an event's series: that it is not finite is told in any case


_UNKNOWN = Basis("level", is_marked=False, is_known=False)
_POINT = Basis("level", is_marked=False, is_known=False, is_point=True)
_STATUS = Basis(STATUS_CLASS, direction=1, can_be_non_finite=False, is_own=True)
_STEP = Basis(STEP_CLASS, is_log=True, direction=-1, can_be_non_finite=False, is_own=True)
_OWN = {Source.STATUS: _STATUS, Source.STEP: _STEP}
_LENGTH = Basis("level", is_log=True, direction=1, lower_is_better=True, can_be_non_finite=False)


@functools.lru_cache(65_536)
def basis_of(subject: Subject) -> Basis:
    """What the registry says of a subject; of what it does not know, that it is a level."""
    if subject.source in _OWN:
        return _OWN[subject.source]
    if subject.source is Source.DURATION:
        return _of_duration(subject.event)
    known = _measured().get(subject.metric)
    if subject.source is not Source.METRIC:
        return known or (_POINT if subject.source is Source.POINT else _UNKNOWN)
    of_metric = crucible_schema.METRICS.get(subject.metric)
    if of_metric is not None and of_metric.watch is not None:
        return _of_watch(of_metric.watch, of_metric.lower_is_better)
    # A rule that names it has it watched as the measurement of that name is.
    return _unmarked(known) if known else _UNKNOWN


def _of_watch(
    watch: Watch, lower_is_better: bool | None, *, can_be_non_finite: bool = True
) -> Basis:
    return Basis(
        watch.watch_class.value,
        watch.scale is WatchScale.LOG,
        DIRECTIONS[watch.direction],
        watch.sensitivity,
        lower_is_better,
        can_be_non_finite=can_be_non_finite,
    )


def _of_duration(event: str) -> Basis:
    """That of any event is watched, but where the registry knows that it has none, or says not to."""
    definition = crucible_schema.EVENTS.get(event)
    if definition is None:
        return _LENGTH
    duration = definition.duration
    if duration is None or definition.phase is Phase.START or not duration.is_watched:
        return _unmarked(_LENGTH)
    if duration.watch is None:
        return _LENGTH
    return _of_watch(duration.watch, lower_is_better=True, can_be_non_finite=False)


def _unmarked(basis: Basis) -> Basis:
    return Basis(
        basis.watch_class,
        basis.is_log,
        basis.direction,
        basis.sensitivity,
        basis.lower_is_better,
        is_marked=False,
        can_be_non_finite=basis.can_be_non_finite,
    )


@functools.cache
def _measured() -> dict[str, Basis]:
    """The watched measurements, by their names and by the keys that other producers' have."""
    found = {}
    for name, measurement in crucible_schema.MEASUREMENTS.items():
        if measurement.watch is not None:
            basis = _of_watch(measurement.watch, measurement.lower_is_better)
            found[name] = found[measurement.key] = basis
    return found


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """Every subject that the registry has watched."""
    found = []
    for name, event in crucible_schema.EVENTS.items():
        if event.phase is Phase.START:
            continue
        for use in event.measurements:
            source = Source.POINT if use.is_series else Source.SPAN
            found.append(Subject(source, name, use.measurement.name))
        found.append(Subject(Source.DURATION, name, "duration_ms"))
        if event.phase is not Phase.EXCEPTION:
            found.append(Subject(Source.STATUS, name, "error_rate"))
    batch = crucible_schema.events.CRUCIBLE_TRAIN_BATCH_STOP
    found.append(Subject(Source.STEP, batch, "steps_per_second"))
    found += [Subject(Source.METRIC, "", name) for name in crucible_schema.METRICS]
    return tuple(each for each in found if basis_of(each).is_marked)


@functools.cache
def bases() -> tuple[Basis, ...]:
    """All that `basis_of` can answer."""
    measured = _measured().values()
    marked = [basis_of(each) for each in subjects()]
    rest = (_UNKNOWN, _POINT, _STATUS, _STEP, _LENGTH, _unmarked(_LENGTH))
    return tuple(dict.fromkeys((*marked, *measured, *map(_unmarked, measured), *rest)))


def detectors_of(
    watch_class: str, *, is_log: bool, direction: int, lower_is_better: bool | None
) -> tuple[str, ...]:
    """What watches a class, but for what finds numbers that are not finite.

    >>> detectors_of("trend", is_log=True, direction=1, lower_is_better=True)
    ('ewma', 'drift', 'plateau')
    """
    if watch_class == "trend":
        # A loss has spikes, drifts away and comes to rest; of a score a batch's is noise, and its drift
        # tells; what is neither has no best value to drift from, but a norm may stay too high.
        if lower_is_better is None:
            return ("ewma", "shift") if is_log and direction == 1 else ("ewma",)
        return ("ewma", "drift", "plateau") if lower_is_better else ("drift",)
    if watch_class == "level":
        # Values of which none is remarkable may all be worse than they were.
        has_more = has_spikes(watch_class, is_log, direction)
        return ("rarity", "ewma", "shift") if has_more else ("rarity",)
    return {
        "throughput": ("throughput",),
        "learning_rate": ("zero",),
        STATUS_CLASS: ("proportion",),
        STEP_CLASS: ("pace",),
    }[watch_class]


def has_spikes(watch_class: str, is_log: bool, direction: int) -> bool:
    """Whether spikes of a level are looked for: of latencies, durations and costs."""
    return watch_class == "level" and is_log and direction == 1

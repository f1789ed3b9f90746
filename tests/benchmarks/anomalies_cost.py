"""What a number costs that is watched, and what is remembered of its series, by how it is watched.

Numbers come in random order of their series, which is the worst for memory, each series often enough for no
detector to be in its warm-up. Time is this thread's own: of the whole engine, and of its detectors alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.report import Figure, at_most, figure
from collector.detect.numbers import observations
from crucible_collector.batch import F64, I64
from crucible_collector.detect.detector import NO_STEP, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.observations import Observations, Source, Subject
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.watches import Watches

SERIES = (1, 1_000, 100_000)
QUICK_SERIES = (1, 100)
WARM_VALUES = 300  # a series
WINDOW_VALUES = 50_000
TIMED_WINDOWS = 9
COST_US = at_most(0.5)
SERIES_BYTES = at_most(300)


@dataclass(frozen=True, slots=True)
class Kind:
    """Numbers that the registry has watched in one way."""

    name: str
    subject: Subject
    draw: Callable[[np.random.Generator, int], F64]


KINDS = (
    Kind("level", Subject(Source.METRIC, "", "benchmark.value"), lambda r, n: r.normal(50, 5, n)),
    Kind(
        "latency",
        Subject(Source.DURATION, "crucible_deployment.inference.stop", "duration_ms"),
        lambda r, n: r.lognormal(3, 0.5, n),
    ),
    Kind(
        "loss",
        Subject(Source.POINT, "crucible_train.batch.stop", "loss"),
        lambda r, n: r.lognormal(0, 0.1, n),
    ),
    Kind(
        "error rate",
        Subject(Source.STATUS, "crucible_deployment.inference.stop", "error_rate"),
        lambda r, n: (r.random(n) < 0.01).astype(np.float64),
    ),
)
_RULES = {"rules": [{"metrics": ["benchmark.value"]}]}


def cost(*, quick: bool) -> Iterator[Figure]:
    """Of a number, in the engine and in its detectors."""
    for kind in KINDS:
        for series in QUICK_SERIES if quick else SERIES:
            name = f"{kind.name}, {series:,} series"
            detectors_us = _detectors_us(kind, series, quick=quick)
            yield figure(f"{name}: detectors", detectors_us, "µs/value", COST_US)
            engine_us = _engine_us(kind, series, quick=quick)
            yield figure(f"{name}: engine", engine_us, "µs/value", COST_US)


def memory(*, quick: bool) -> Iterator[Figure]:
    """Of a live series, all that the engine remembers of it."""
    series = QUICK_SERIES[-1] if quick else SERIES[-1]
    for kind in KINDS:
        engine = Engine(Detection.parse(_RULES))
        engine.look([_window(kind, np.arange(series), 0)])
        use = engine.use()
        size = use.memory_bytes / use.series_count
        yield figure(f"{kind.name}: memory of a series", size, "bytes", SERIES_BYTES)
        held = sum(each.nbytes for each in engine.state().values())
        yield figure(f"{kind.name}: checkpoint of a series", held / series, "bytes")


def _windows(series: int, *, quick: bool) -> Iterator[tuple[bool, I64]]:
    """Whether it is timed, and whose number each is."""
    size = WINDOW_VALUES // 10 if quick else WINDOW_VALUES
    warm = -(-series * (10 if quick else WARM_VALUES) // size)
    random = np.random.default_rng(series)
    for number in range(warm + (3 if quick else TIMED_WINDOWS)):
        yield number >= warm, random.integers(0, series, size)


def _engine_us(kind: Kind, series: int, *, quick: bool) -> float:
    engine = Engine(Detection.parse(_RULES))
    took_us = []
    for number, (is_timed, key) in enumerate(_windows(series, quick=quick)):
        window = [_window(kind, key, number)]
        took_us.append(_timed_us(lambda: engine.look(window), len(key)))  # noqa: B023
        if not is_timed:
            took_us.clear()
    return float(np.median(took_us))


def _detectors_us(kind: Kind, series: int, *, quick: bool) -> float:
    plan = Watches(Detection.parse(_RULES)).plan_for(kind.subject, {})
    assert plan is not None
    detectors = [DETECTORS[name] for name in plan.detectors if name != "non_finite"]
    records = [np.zeros(series, detector.record) for detector in detectors]
    took_us = []
    for number, (is_timed, key) in enumerate(_windows(series, quick=quick)):
        count = len(key)
        values = Values(
            key,
            number * count + np.arange(count),
            kind.draw(np.random.default_rng(number), count),
            np.full(count, NO_STEP),
            np.full(count, NO_STEP),
            np.full(count, plan.is_log),
            np.full(count, plan.direction, np.int8),
            np.full(count, plan.sensitivity),
        )

        def look(values: Values = values) -> None:
            for detector, record in zip(detectors, records, strict=True):
                detector.score(record, values)

        took_us.append(_timed_us(look, count))
        if not is_timed:
            took_us.clear()
    return float(np.median(took_us))


def _window(kind: Kind, key: I64, number: int) -> Observations:
    values = kind.draw(np.random.default_rng(number), len(key))
    first = number * len(key)
    return observations(values, kind.subject, key=key + 1, first=first, with_steps=False)


def _timed_us(step: Callable[[], object], values: int) -> float:
    began_s = time.thread_time()
    step()
    return (time.thread_time() - began_s) / values * 1e6

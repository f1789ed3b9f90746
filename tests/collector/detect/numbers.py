"""Observations for tests: numbers of named series, without OTLP around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import Bool, Signal
from crucible_collector.candidates import U64
from crucible_collector.decode import xxh64
from crucible_collector.detect.observations import (
    NO_SERIES,
    NO_STEP,
    Observations,
    Source,
    Subject,
)

LOSS = Subject(Source.POINT, "crucible_train.batch.stop", "loss")
ACCURACY = Subject(Source.POINT, "crucible_train.batch.stop", "accuracy")
LATENCY = Subject(Source.DURATION, "crucible_deployment.inference.stop", "duration_ms")
GAUGE = Subject(Source.METRIC, "", "hw.temperature")
SECOND_NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND_NS


@dataclass
class Labels:
    """Whose records are, the same of all: see `candidates.Columns`."""

    count: int
    labels: dict[str, str] = field(default_factory=dict)

    def key(self, name: str) -> U64:
        return np.full(self.count, xxh64(self.labels.get(name, "").encode()), np.uint64)

    def label(self, name: str, row: int) -> str:
        assert 0 <= row < self.count
        return self.labels.get(name, "")

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        return np.full(self.count, self.labels.get("event", "") in patterns)

    def has(self, attribute: str, value: str) -> Bool:
        return np.full(self.count, self.labels.get(attribute) == value)


def observations(
    values: npt.ArrayLike,
    subject: Subject = LOSS,
    *,
    key: int | Sequence[int] | npt.NDArray[np.int64] = 1,
    first: int = 0,
    with_steps: bool = True,
    is_ordered: bool = True,
    is_cumulative: bool = False,
    period_ns: int = SECOND_NS,
    request: int = 0,
    **labels: str,
) -> Observations:
    """Numbers of one subject, one a record and second; `first` is the step of the first of them."""
    value = np.array(values, np.float64)
    count = len(value)
    keys = np.broadcast_to(np.asarray(key, np.int64), count).copy()
    steps = first + np.arange(count)
    no_series = np.full(count, NO_SERIES, np.int64)
    return Observations(
        signal=Signal.METRICS if subject.source is Source.METRIC else Signal.TRACES,
        columns=Labels(count, {"run": "run-1", "experiment": "exp-1", **labels}),
        record_count=count,
        subjects=[subject],
        subject=np.zeros(count, np.int32),
        key=keys,
        series_id=keys if subject.source in {Source.POINT, Source.METRIC} else no_series,
        time_ns=BEGIN_NS + steps * period_ns,
        value=value,
        step=steps if with_steps else np.full(count, NO_STEP, np.int64),
        epoch=np.full(count, NO_STEP, np.int64),
        is_ordered=np.full(count, is_ordered),
        is_cumulative=np.full(count, is_cumulative),
        start_ns=np.full(count, BEGIN_NS if is_cumulative else 0, np.int64),
        record=np.arange(count),
        request=np.full(count, request, np.int32),
        index=np.arange(count, dtype=np.int32),
        trace_id=np.full((count, 16), 7, np.uint8),
        span_id=np.arange(1, count + 1),
    )


def losses(count: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """A training that goes well: what is left of the loss falls, with noise that is a share of it."""
    random = np.random.default_rng(seed)
    course = 0.1 + 2.0 * np.exp(-np.arange(count) / 150)
    return course * np.exp(random.normal(0, 0.05, count))

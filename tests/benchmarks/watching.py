"""Numbers of one run through plans and detectors, as the stream has them; what comes out, as periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import Bool, Signal
from crucible_collector.candidates import U64
from crucible_collector.decode import xxh64
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.observations import NO_SERIES, NO_STEP, Observations, Subject
from crucible_collector.detect.settings import Detection

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

WINDOWS = 40  # that the numbers of a run come in
_NS = 1_000_000_000
_BEGIN_NS = 1_700_000_000 * _NS


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one subject; `step` orders them among those of others."""

    subject: Subject
    step: I64
    time_s: F64
    value: F64
    epoch: I64 | None = None


@dataclass(slots=True)
class Period:
    """Of one series and detector: at which of its steps each severity was first reached."""

    metric: str
    detector: str
    first_step: int
    steps: dict[Severity, int]

    def step_of(self, severity: Severity) -> int | None:
        """When it was at least so severe."""
        found = [step for each, step in self.steps.items() if each >= severity]
        return min(found, default=None)


def watch(series: Iterable[Series], settings: dict[str, object] | None = None) -> list[Period]:
    """The periods that the default settings, or these, find."""
    engine = Engine(Detection.parse(settings or {}))
    observations = _observations([each for each in series if len(each.step)])
    order = np.argsort(observations.time_ns, kind="stable")
    periods: list[Period] = []
    open_periods: dict[tuple[int, str], Period] = {}
    for rows in np.array_split(order, WINDOWS):
        for episode in engine.look([_only(observations, rows)]).episodes:
            key = episode.watched.key, episode.detector
            if episode.opens:
                first = int(episode.flags[0].step or 0)
                open_periods[key] = Period(episode.watched.metric, episode.detector, first, {})
                periods.append(open_periods[key])
            for flag in episode.flags:
                open_periods[key].steps.setdefault(flag.severity, int(flag.step or 0))
    return periods


class _Run:
    """Records that are all of one run, and have no attributes."""

    def __init__(self, count: int) -> None:
        self._count = count

    def key(self, name: str) -> U64:
        return np.full(self._count, xxh64(self.label(name, 0).encode()), np.uint64)

    def label(self, name: str, row: int) -> str:  # noqa: ARG002 - the same of every row
        return "run" if name == "run" else ""

    def is_event(self, patterns: tuple[str, ...]) -> Bool:  # noqa: ARG002
        return np.zeros(self._count, np.bool_)

    def has(self, attribute: str, value: str) -> Bool:  # noqa: ARG002
        return np.zeros(self._count, np.bool_)


def _observations(series: list[Series]) -> Observations:
    counts = [len(each.step) for each in series]
    count = sum(counts)
    number = np.repeat(np.arange(len(series)), counts)
    zeros = np.zeros(count, np.int64)
    time_s = np.concatenate([each.time_s for each in series])
    epochs = [np.full(len(s.step), NO_STEP) if s.epoch is None else s.epoch for s in series]
    return Observations(
        signal=Signal.TRACES,
        columns=_Run(count),
        record_count=count,
        subjects=[each.subject for each in series],
        subject=number.astype(np.int32),
        key=number + 1,
        series_id=np.full(count, NO_SERIES),
        time_ns=_BEGIN_NS + (time_s * _NS).astype(np.int64),
        value=np.concatenate([each.value for each in series]),
        step=np.concatenate([each.step for each in series]),
        epoch=np.concatenate(epochs),
        is_ordered=np.ones(count, np.bool_),
        is_cumulative=np.zeros(count, np.bool_),
        start_ns=zeros,
        record=np.arange(count),
        request=zeros.astype(np.int32),
        index=zeros.astype(np.int32),
        trace_id=np.zeros((count, 16), np.uint8),
        span_id=zeros,
    )


_COLUMNS = (
    *("subject", "key", "series_id", "time_ns", "value", "step", "epoch", "is_ordered"),
    *("is_cumulative", "start_ns", "record", "request", "index", "trace_id", "span_id"),
)


def _only(all_of_it: Observations, rows: I64) -> Observations:
    columns = {name: getattr(all_of_it, name)[rows] for name in _COLUMNS}
    return Observations(
        signal=all_of_it.signal,
        columns=all_of_it.columns,
        record_count=all_of_it.record_count,
        subjects=all_of_it.subjects,
        **columns,
    )

"""A stream through the whole engine, window by window, as the pipeline calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collector.sample.strategies.streams import Stream, steps, windows_of
from crucible_collector.batch import F64, I64, U8, Bool, Signal
from crucible_collector.candidates import THRESHOLD_MAX, Candidates, Decided
from crucible_collector.sample.sampler import Sampler


def trace_ids(stream: Stream) -> U8:
    """Ids of the stream's traces that have their randomness; one a record."""
    words = np.empty((len(stream.randomness), 2), ">u8")
    words[:, 0] = np.arange(1, len(words) + 1)
    words[:, 1] = stream.randomness.astype(np.uint64)
    return words.view(np.uint8)[stream.trace]


def with_ids(stream: Stream) -> Stream:
    return replace(stream, candidates=replace(stream.candidates, trace_id=trace_ids(stream)))


def only(stream: Stream, chosen: Bool) -> Stream:
    """The records that arrive."""
    at, given = np.flatnonzero(chosen), stream.candidates
    names = [name for name in given.__slots__ if name not in {"signal", "columns"}]
    columns: Any = given.columns
    arrays: dict[str, Any] = {name: getattr(given, name)[at] for name in names}
    some = Candidates(signal=given.signal, columns=columns.part(at), **arrays)
    return Stream(some, stream.trace[at], stream.randomness)


@dataclass
class Decisions:
    """What was decided about each record of a stream."""

    keep: Bool
    threshold: I64
    reason: U8
    window: I64

    @property
    def probability(self) -> F64:
        return (THRESHOLD_MAX - self.threshold).astype(np.float64) / THRESHOLD_MAX

    def estimate(self, values: F64) -> float:
        return float((values / self.probability)[self.keep].sum())


def decide(
    engine: Sampler,
    stream: Stream,
    is_log: Bool | None = None,
    before: Callable[[Sampler, int], Sampler] = lambda engine, _: engine,
) -> Decisions:
    """Decide a stream; `before` a window another engine may take over."""
    count, windows = len(stream), windows_of(stream)
    logs = np.zeros(count, np.bool_) if is_log is None else is_log
    found = Decisions(
        np.zeros(count, np.bool_),
        np.zeros(count, np.int64),
        np.zeros(count, np.uint8),
        np.zeros(count, np.int64),
    )
    for start, stop, is_observed in steps(engine, stream, windows):  # type: ignore[arg-type]
        parts = [
            np.flatnonzero(~logs[start:stop]) + start,
            np.flatnonzero(logs[start:stop]) + start,
        ]
        window = [
            replace(only(stream, _chosen(count, at)).candidates, signal=signal)
            for at, signal in zip(parts, (Signal.TRACES, Signal.LOGS), strict=True)
        ]
        if is_observed:
            engine.observe(window, stop)
            continue
        engine = before(engine, start)
        for at, decided in zip(parts, engine.decide(window, stop), strict=True):
            _take(found, at, decided)
            found.window[at] = start
    return found


def _chosen(count: int, at: I64) -> Bool:
    chosen = np.zeros(count, np.bool_)
    chosen[at] = True
    return chosen


def _take(found: Decisions, at: I64, decided: Decided) -> None:
    found.keep[at] = decided.keep
    found.threshold[at] = decided.threshold
    found.reason[at] = decided.reason

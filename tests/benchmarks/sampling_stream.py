"""A stream of inferences as columns, straight for the sampler: no bytes, no database, known truth.

Durations have a lognormal body and a Pareto tail, each event its own; one span in two hundred fails. Time
is the stream's own: nothing here looks at a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crucible_collector.batch import F64, I64, U8, Bool, Signal
from crucible_collector.candidates import NOT_TOLD, U64, Candidates, Decided
from crucible_collector.decode import xxh64
from crucible_collector.sample.sampler import Sampler

ERROR_SHARE = 0.005
TAIL_SHARE, LONGEST_S = 0.01, 600.0
STATUSES = ("unset", "ok", "error")
START_NS = 1_800_000_000_000_000_000
WINDOW_RECORDS_MAX, WINDOW_S = 16_384, 0.5  # as the pipeline cuts them
_NS_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of span: how many of all, its median, the width of its body and its tail's start."""

    name: str
    share: float
    median_s: float
    sigma: float
    tail_s: float


EVENTS = (
    Event("crucible_deployment.inference.stop", 0.60, 0.8, 0.8, 5.0),
    Event("crucible_framework.stage.stop", 0.25, 0.08, 0.5, 0.5),
    Event("crucible_framework.pipeline.stop", 0.10, 2.5, 0.6, 20.0),
    Event("crucible_evaluation.metric.stop", 0.05, 0.01, 1.2, 0.2),
)


@dataclass(slots=True)
class Columns:
    """See `candidates.Columns`: texts by number, a number a record."""

    codes: dict[str, I64]
    texts: dict[str, Callable[[int], str]]
    hashes: dict[str, U64]  # of each number's text
    events: dict[tuple[str, ...], Bool]  # of patterns asked for before: each number's event

    def key(self, name: str) -> U64:
        return self.hashes[name][self.codes[name]]

    def label(self, name: str, row: int) -> str:
        return self.texts[name](int(self.codes[name][row]))

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        if patterns not in self.events:
            names = map(self.texts["event"], range(len(self.hashes["event"])))
            fits = [any(f"{name}.".startswith(f"{each}.") for each in patterns) for name in names]
            self.events[patterns] = np.array(fits, np.bool_)
        return self.events[patterns][self.codes["event"]]

    def has(self, attribute: str, value: str) -> Bool:
        raise NotImplementedError("no rule of these benchmarks asks for an attribute")


def hashes_of(texts: Callable[[int], str], count: int) -> U64:
    return np.array([xxh64(texts(number).encode()) for number in range(count)], np.uint64)


@dataclass(frozen=True)
class Stream:
    """`count` spans at a steady rate, `trace_spans` in a row to a trace, each of one of `runs`."""

    count: int
    per_s: float
    trace_spans: int = 1
    runs: int = 1
    seed: int = 1

    @cached_property
    def received_ns(self) -> I64:
        return START_NS + (np.arange(self.count) * (_NS_S / self.per_s)).astype(np.int64)

    @cached_property
    def event(self) -> I64:
        shares = np.array([each.share for each in EVENTS])
        drawn = self._random(0).choice(len(EVENTS), size=self.count, p=shares)
        return drawn.astype(np.int64)

    @cached_property
    def duration_ns(self) -> I64:
        random, event = self._random(1), self.event % len(EVENTS)
        median, sigma, tail_s = (
            np.array([getattr(each, name) for each in EVENTS])[event]
            for name in ("median_s", "sigma", "tail_s")
        )
        seconds = median * np.exp(sigma * random.standard_normal(self.count))
        in_tail = random.random(self.count) < TAIL_SHARE
        seconds += in_tail * tail_s * random.pareto(1.5, size=self.count)
        found: I64 = (np.minimum(seconds, LONGEST_S) * _NS_S).astype(np.int64)
        return found

    @cached_property
    def status(self) -> I64:
        failed = self._random(2).random(self.count) < ERROR_SHARE
        return np.where(failed, 2, 1).astype(np.int64)

    @cached_property
    def trace_id(self) -> U8:
        traces = -(-self.count // self.trace_spans)
        drawn = np.frombuffer(self._random(3).bytes(traces * 16), np.uint8).reshape(traces, 16)
        return drawn.repeat(self.trace_spans, axis=0)[: self.count]

    @cached_property
    def run(self) -> I64:
        return self._random(4).integers(self.runs, size=self.count)

    @cached_property
    def _texts(self) -> dict[str, Callable[[int], str]]:
        return {
            "event": lambda number: EVENTS[number].name,
            "status": lambda number: STATUSES[number],
            "run": lambda number: f"run-{number}",
        }

    @property
    def _counts(self) -> dict[str, int]:
        return {"event": len(EVENTS), "status": len(STATUSES), "run": self.runs}

    @cached_property
    def _hashes(self) -> dict[str, U64]:
        counts = self._counts
        return {name: hashes_of(self._texts[name], count) for name, count in counts.items()}

    @cached_property
    def _events(self) -> dict[tuple[str, ...], Bool]:
        return {}

    def _random(self, what: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, what))

    def windows(self) -> list[slice]:
        """Cut by time of receipt."""
        records = max(1, min(WINDOW_RECORDS_MAX, round(self.per_s * WINDOW_S)))
        return [slice(at, min(at + records, self.count)) for at in range(0, self.count, records)]

    def candidates(self, at: slice) -> Candidates:
        """The records of a window, made anew as the pipeline does it."""
        trace_id = self.trace_id[at]
        words = np.ascontiguousarray(trace_id[:, 8:]).view(">u8")[:, 0].astype(np.uint64)
        count = len(trace_id)
        return Candidates(
            Signal.TRACES,
            Columns(
                {"event": self.event[at], "status": self.status[at], "run": self.run[at]},
                self._texts,
                self._hashes,
                self._events,
            ),
            np.ones(count, np.bool_),
            self.received_ns[at],
            trace_id,
            (words & np.uint64((1 << 56) - 1)).astype(np.int64),
            np.full(count, NOT_TOLD, np.int64),
            self.status[at],
            self.duration_ns[at],
            np.zeros(count),
            np.zeros(count),
        )


def decided(stream: Stream, sampler: Sampler) -> Iterator[tuple[slice, Decided]]:
    """Each window's decisions, in order; windows are seen as far ahead as the strategies wait."""
    waiting: list[slice] = []
    wait_ns = round(sampler.wait_s * _NS_S)
    for at in stream.windows():
        if wait_ns:
            sampler.observe([stream.candidates(at)], at.stop)
        waiting.append(at)
        now_ns = int(stream.received_ns[at.stop - 1])
        while waiting and stream.received_ns[waiting[0].stop - 1] + wait_ns <= now_ns:
            yield _decide(stream, sampler, waiting.pop(0))
    for at in waiting:
        yield _decide(stream, sampler, at)


def _decide(stream: Stream, sampler: Sampler, at: slice) -> tuple[slice, Decided]:
    (found,) = sampler.decide([stream.candidates(at)], at.stop)
    return at, found


@dataclass(frozen=True, slots=True)
class Kept:
    """What of a stream was kept: which rows, and their weights."""

    rows: I64
    weight: F64


def kept(stream: Stream, sampler: Sampler) -> Kept:
    """Run all of a stream through a sampler."""
    rows, weights = [], []
    for at, found in decided(stream, sampler):
        chosen = np.flatnonzero(found.keep)
        rows.append(at.start + chosen)
        weights.append(1 / found.probability[chosen])
    return Kept(np.concatenate(rows), np.concatenate(weights))

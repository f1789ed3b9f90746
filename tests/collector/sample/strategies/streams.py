"""Streams of records for samplers, and a harness that runs one strategy over them without an engine.

The harness does what the engine promises: observes windows ahead and decides them when the strategy's
wait is over, gives a trace the smallest threshold of its records and of what is remembered of it, and
remembers kept traces only. It does nothing else, so that what the suite finds is the strategy's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crucible_collector.batch import F64, I64, U8, Bool, Signal
from crucible_collector.candidates import (
    NOT_TOLD,
    THRESHOLD_MAX,
    U64,
    Candidates,
    KeepReason,
    probability,
)
from crucible_collector.decode import xxh64
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.strategies import made
from crucible_collector.sample.strategy import Rows, Strategy

SECOND_NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND_NS


@dataclass
class Texts:
    """Columns whose texts are given: names by key, and for each record which of them it has."""

    names: dict[str, list[str]]
    which: dict[str, I64]
    attributes: dict[tuple[str, str], Bool]
    hashes: dict[str, U64] = field(default_factory=dict)  # of the names, made once

    def key(self, name: str) -> U64:
        if name not in self.hashes:
            words = [xxh64(each.encode()) for each in self.names[name]]
            self.hashes[name] = np.array(words, np.uint64)
        return self.hashes[name][self.which[name]]

    def label(self, name: str, row: int) -> str:
        return self.names[name][int(self.which[name][row])]

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        fits = [
            any(f"{name}.".startswith(f"{p}.") for p in patterns) for name in self.names["event"]
        ]
        found: Bool = np.array(fits)[self.which["event"]]
        return found

    def has(self, attribute: str, value: str) -> Bool:
        return self.attributes[attribute, value]

    def part(self, places: I64) -> Texts:
        which = {name: each[places] for name, each in self.which.items()}
        attributes = {told: each[places] for told, each in self.attributes.items()}
        return Texts(self.names, which, attributes, self.hashes)


@dataclass
class Stream:
    """Records in the order of their receipt."""

    candidates: Candidates
    trace: I64  # which trace each belongs to, 0 to traces - 1
    randomness: I64  # by trace

    def __len__(self) -> int:
        return len(self.trace)

    @property
    def trace_randomness(self) -> I64:
        return self.randomness[self.trace]

    def with_randomness(self, randomness: I64) -> Stream:
        candidates = replace(self.candidates, randomness=randomness[self.trace])
        return Stream(candidates, self.trace, randomness)

    def part(self, start: int, stop: int) -> tuple[Candidates, I64]:
        at = np.arange(start, stop)
        given = self.candidates
        arrays: dict[str, Any] = {
            name: getattr(given, name)[at]
            for name in given.__slots__
            if name not in {"signal", "columns"}
        }
        columns: Any = given.columns
        return Candidates(signal=given.signal, columns=columns.part(at), **arrays), self.trace[at]


def randomness(traces: int, seed: int) -> I64:
    return np.random.default_rng(seed).integers(0, THRESHOLD_MAX, traces, dtype=np.int64)


def stream(
    seed: int,
    traces: int = 2000,
    spans: int = 3,
    seconds: float = 60.0,
    events: int = 5,
    runs: int = 20,
    error_rate: float = 0.02,
    anomaly_rate: float = 0.005,
    spread_s: float = 1.0,
) -> Stream:
    """Traces that begin at random and are `spread_s` long; some events are frequent and some slow."""
    chance = np.random.default_rng(seed)
    trace = np.repeat(np.arange(traces), spans)
    count = len(trace)
    received = np.repeat(chance.uniform(0, seconds, traces), spans)
    received += chance.uniform(0, spread_s, count)
    order = np.argsort(received, kind="stable")
    trace, received = trace[order], received[order]
    share = 1.0 / np.arange(1, events + 1)
    event = chance.choice(events, count, p=share / share.sum())
    names = {
        "event": [f"app.event_{n}" for n in range(events)],
        "run": ["", *(f"run-{n}" for n in range(1, runs))],
        "model": ["small", "large"],
        **{name: ["one"] for name in ("experiment", "service", "condition")},
    }
    which = {name: np.zeros(count, np.int64) for name in names}
    which |= {
        "event": event,
        "run": trace % runs,
        "model": chance.integers(0, 2, count),
    }
    is_error = chance.random(count) < error_rate
    duration = chance.lognormal(0.0, 1.0, count) * 1e7 * (1 + event) ** 2
    candidates = Candidates(
        signal=Signal.TRACES,
        columns=Texts(names, which, {("tier", "gold"): chance.random(count) < 0.01}),
        wanted=np.ones(count, np.bool_),
        received_ns=BEGIN_NS + (received * SECOND_NS).astype(np.int64),
        trace_id=np.zeros((count, 16), np.uint8),
        randomness=np.zeros(count, np.int64),
        upstream=np.full(count, NOT_TOLD, np.int64),
        status_code=np.where(is_error, 2, chance.integers(0, 2, count)),
        duration_ns=duration.astype(np.int64),
        cost_usd=np.where(chance.random(count) < 0.5, chance.exponential(0.01, count), 0.0),
        score=np.where(chance.random(count) < anomaly_rate, 2.0, 0.0),
    )
    return Stream(candidates, trace, np.empty(0, np.int64)).with_randomness(
        randomness(traces, seed + 1)
    )


def strategy_of(settings: dict[str, Any], wait_s: float = 10.0) -> Strategy:
    """Through the settings, as everybody else comes by one."""
    (rule,) = Rules.parse({"rules": [settings]}).rules
    return made(rule, Signal.TRACES, wait_s)


def rows_of(stream: Stream, start: int, stop: int, flags: U8 | None = None) -> Rows:
    candidates, trace = stream.part(start, stop)
    distinct, number = np.unique(trace, return_inverse=True)
    told = np.zeros(len(trace), np.uint8) if flags is None else flags[trace]
    return Rows(
        candidates=candidates,
        at=np.arange(len(trace)),
        trace=number,
        trace_count=len(distinct),
        randomness=candidates.randomness,
        flags=told,
        received_ns=candidates.received_ns,
    )


def windows_of(stream: Stream, rows_max: int = 400, length_s: float = 0.5) -> list[tuple[int, int]]:
    """As the journal's reader would cut it, by receipt."""
    received = stream.candidates.received_ns
    bounds = [0]
    while bounds[-1] < len(stream):
        start = bounds[-1]
        late = int(np.searchsorted(received, received[start] + int(length_s * SECOND_NS)))
        bounds.append(min(start + rows_max, max(late, start + 1), len(stream)))
    return list(itertools.pairwise(bounds))


@dataclass
class Outcome:
    """What was decided about each record, whole traces together."""

    own: I64  # the strategy's threshold of the record
    threshold: I64  # of its trace, in force
    reason: U8
    stream: Stream

    @property
    def keep(self) -> Bool:
        found: Bool = self.stream.trace_randomness >= self.threshold
        return found

    @property
    def probability(self) -> F64:
        return probability(self.threshold)

    @property
    def place(self) -> F64:
        """(R - T)/(2^56 - T) of every record; uniform on [0, 1) where it was kept."""
        above = (self.stream.trace_randomness - self.threshold).astype(np.float64)
        found: F64 = above / (THRESHOLD_MAX - self.threshold)
        return found

    def estimate(self, values: F64) -> float:
        keep = self.keep
        return float((values[keep] / self.probability[keep]).sum())


def run(
    strategy: Strategy,
    stream: Stream,
    windows: list[tuple[int, int]] | None = None,
    restart: Any = None,
) -> Outcome:
    """Decide everything; `restart` may put another strategy in the place of this one, by state."""
    count, traces = len(stream), len(stream.randomness)
    own, found = np.zeros(count, np.int64), np.zeros(count, np.int64)
    reason = np.zeros(count, np.uint8)
    remembered = np.full(traces, THRESHOLD_MAX, np.int64)
    flags = np.zeros(traces, np.uint8)
    for start, stop, observed in steps(strategy, stream, windows or windows_of(stream)):
        if observed:
            told = strategy.observe(rows_of(stream, start, stop))
            np.bitwise_or.at(flags, stream.trace[start:stop], told)
            continue
        rows = rows_of(stream, start, stop, flags)
        verdict = strategy.decide(rows)
        own[start:stop], reason[start:stop] = verdict.threshold, verdict.reason
        trace = stream.trace[start:stop]
        smallest = remembered.copy()
        np.minimum.at(smallest, trace, verdict.threshold)
        found[start:stop] = smallest[trace]
        kept = trace[rows.randomness >= smallest[trace]]
        remembered[kept] = smallest[kept]
        if restart is not None:
            strategy = restart(strategy)
    assert KeepReason.NONE not in reason
    return Outcome(own, found, reason, stream)


def steps(
    strategy: Strategy, stream: Stream, windows: list[tuple[int, int]]
) -> Iterator[tuple[int, int, bool]]:
    """Windows in the order in which they are looked at; the last: whether observed, else decided."""
    if not strategy.wait_s:
        yield from ((start, stop, False) for start, stop in windows)
        return
    received, wait_ns, waiting = stream.candidates.received_ns, int(strategy.wait_s * SECOND_NS), 0
    for start, stop in windows:
        yield start, stop, True
        now = int(received[stop - 1])
        while int(received[windows[waiting][1] - 1]) + wait_ns <= now:
            yield *windows[waiting], False
            waiting += 1
    yield from ((start, stop, False) for start, stop in windows[waiting:])


def with_columns(given: Stream, **columns: Any) -> Stream:
    return replace(given, candidates=replace(given.candidates, **columns))


def single(seed: int, traces: int, seconds: float, **settings: Any) -> Stream:
    """One record a trace."""
    return stream(seed, traces=traces, spans=1, seconds=seconds, spread_s=0.0, **settings)


def event_of(given: Stream) -> I64:
    columns: Any = given.candidates.columns
    found: I64 = columns.which["event"]
    return found


def warm_after(given: Stream, seconds: int) -> Bool:
    received = given.candidates.received_ns
    found: Bool = received >= received[0] + seconds * SECOND_NS
    return found


def reasons(outcome: Outcome, rows: Any) -> set[KeepReason]:
    return {KeepReason(each) for each in np.unique(outcome.reason[rows])}

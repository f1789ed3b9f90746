"""Settings tried on stored records: the real sampler decides about them again, and nothing is written.

Memory stays the same however long the period is, but for what settings wait for: of records that are
held for a decision there are at most HELD_RECORDS_MAX, and beyond those the oldest are decided early.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from crucible_collector.batch import Signal
from crucible_collector.candidates import Candidates
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.simulate.records import candidates, table_of
from crucible_collector.simulate.tally import Tally
from crucible_collector.simulate.windows import Window, windows

HELD_RECORDS_MAX = 1_000_000
SECOND_NS = 1_000_000_000
SIGNALS = (Signal.TRACES, Signal.LOGS)


class Stored(Protocol):
    """The records of a period, each signal's in the order of their start (see store.replay)."""

    def spans(self) -> Iterator[Mapping[str, Sequence[Any]]]:
        """Batches of columns by name."""
        ...

    def logs(self) -> Iterator[Mapping[str, Sequence[Any]]]:
        """As `spans`."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to stop before the end; None: nowhere."""

    records_max: int | None = None
    seconds_max: float | None = None


@dataclass(slots=True)
class _Held:
    """A window that waits for its decision."""

    window: Window
    candidates: list[Candidates]
    end: int


@dataclass(slots=True)
class Replayed:
    """How it went."""

    stopped_because: str | None = None
    decided_early_count: int = 0
    until_ns: int | None = None  # the last end; None where there was no record


def replayed(
    stored: Stored,
    rules: Rules,
    tally: Tally,
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
) -> Replayed:
    """Have `rules` decide about stored records, window by window, and `tally` count what it decides."""
    attributes = asked_attributes(rules.as_json())
    sampler = Sampler(rules)
    wait_ns = round(sampler.wait_s * SECOND_NS)
    found = Replayed()
    held: deque[_Held] = deque()
    held_count, end, began = 0, 0, clock()
    for window in windows(_tables(stored.spans()), _tables(stored.logs())):
        found.stopped_because = _reached(limits, end, clock() - began) if end else None
        if found.stopped_because is not None:
            break
        end += len(window)
        found.until_ns = window.until_ns
        one = _Held(window, _candidates(window, attributes), end)
        if wait_ns:
            sampler.observe(one.candidates, end)
        held.append(one)
        held_count += len(window)
        while held and held[0].window.until_ns + wait_ns <= window.until_ns:
            held_count -= _decide(sampler, held.popleft(), tally)
        while held_count > HELD_RECORDS_MAX:
            early = _decide(sampler, held.popleft(), tally)
            held_count -= early
            found.decided_early_count += early
    while held:
        _decide(sampler, held.popleft(), tally)
    return found


def _reached(limits: Limits, count: int, took_s: float) -> str | None:
    if limits.records_max is not None and count >= limits.records_max:
        return f"{limits.records_max:,} records were replayed, which is as many as are"
    if limits.seconds_max is not None and took_s >= limits.seconds_max:
        return f"it took {limits.seconds_max:g} s, which is as long as it may"
    return None


def _tables(batches: Iterable[Mapping[str, Sequence[Any]]]) -> Iterator[pa.Table]:
    return map(table_of, batches)


def _candidates(window: Window, attributes: tuple[str, ...]) -> list[Candidates]:
    tables = zip(SIGNALS, (window.spans, window.logs), strict=True)
    return [candidates(signal, table, attributes) for signal, table in tables if len(table)]


def _decide(sampler: Sampler, held: _Held, tally: Tally) -> int:
    """Decide about a window's records; returns how many they are."""
    decided = sampler.decide(held.candidates, held.end)
    for looked_at, verdicts in zip(held.candidates, decided, strict=True):
        is_spans = looked_at.signal is Signal.TRACES
        tally.add(looked_at, verdicts, held.window.spans if is_spans else held.window.logs)
    return len(held.window)


def asked_attributes(settings: object) -> tuple[str, ...]:
    """The keys of all attributes that settings, as JSON, look at."""
    return tuple(sorted(set(_attributes(settings))))


def _attributes(settings: object) -> Iterator[str]:
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            if name == "attributes" and isinstance(value, Mapping):
                yield from map(str, value)
            else:
                yield from _attributes(value)
    elif isinstance(settings, list | tuple):
        for each in settings:
            yield from _attributes(each)

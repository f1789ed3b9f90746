"""What deciding costs, in processor time and in memory, with few and with very many strata.

Every event and every run is a stratum here, so that each strategy has as many as the others, whatever it
tells apart. Time is this process's own, beside that of decoding spans of the same windows; memory is what
the interpreter allocated while the sampler learned.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.reference import WINDOW_REQUESTS, windows
from benchmarks.report import Figure, at_most, figure
from benchmarks.sampling_stream import WINDOW_RECORDS_MAX, Stream
from benchmarks.workload import SPANS, Workload
from crucible_collector.batch import I64
from crucible_collector.decode import decode_spans
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler

STRATA = (1_000, 100_000)
DECIDE_US = at_most(0.3)
STATE_MB = at_most(100)
PER_S = 200_000.0  # so that the windows are full ones
KINDS = 6  # events are of as many kinds as there are strategies
TIMED_WINDOWS, QUICK_WINDOWS = 30, 4
_MB = 1_000_000

STRATEGIES: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": 0.01},
    "stratified": {
        "strategy": "stratified",
        "by": ["run"],
        "budget_per_s": PER_S / 100,
        "allocation": "neyman",
    },
    "reservoir": {"strategy": "reservoir", "k": 10, "by": ["run"]},
    "adaptive": {"strategy": "adaptive", "by": ["run"], "target_per_s": 10},
    "importance": {"strategy": "importance", "budget_per_s": PER_S / 100},
    "tail": {"strategy": "tail", "otherwise": {"strategy": "uniform", "probability": 0.01}},
}


class Stratified(Stream):
    """As many events as runs."""

    @cached_property
    def event(self) -> I64:
        return self.run

    @cached_property
    def _texts(self) -> dict[str, Callable[[int], str]]:
        return {**super()._texts, "event": lambda number: f"kind-{number % KINDS}.event-{number}"}

    @property
    def _counts(self) -> dict[str, int]:
        return {**super()._counts, "event": self.runs}


def cost(*, quick: bool) -> Iterator[Figure]:
    """Every strategy by itself, with few and with many strata."""
    decode_us = _decode_us(QUICK_WINDOWS if quick else TIMED_WINDOWS)
    yield figure("decode", decode_us, "µs/span")
    for strata in STRATA:
        stream = _stream(strata, quick=quick)
        for name, rule in {"no rules": None, **STRATEGIES}.items():
            rules = Rules.parse({"rules": [] if rule is None else [rule]})
            took_us = _decide_us(stream, rules, QUICK_WINDOWS if quick else TIMED_WINDOWS)
            place = f"{name}, {strata:,} strata: deciding"
            yield figure(place, took_us, "µs/span", DECIDE_US)
            yield figure(f"{place} / decode", took_us / decode_us, "ratio")


def memory(*, quick: bool) -> Iterator[Figure]:
    """Every strategy by itself with many strata, and all six with a sixth of them each."""
    strata = max(STRATA)
    stream = _stream(strata, quick=quick)
    together = {
        "rules": [
            {**rule, "name": name, "events": [f"kind-{number}"]}
            for number, (name, rule) in enumerate(STRATEGIES.items())
        ]
    }
    tables = {name: {"rules": [rule]} for name, rule in STRATEGIES.items()}
    for name, table in {**tables, "all six": together}.items():
        held_mb, state_mb = _held_mb(stream, Rules.parse(table))
        yield figure(f"{name}, {strata:,} strata: memory", held_mb, "MB", STATE_MB)
        yield figure(f"{name}, {strata:,} strata: checkpoint", state_mb, "MB")


def _stream(strata: int, *, quick: bool) -> Stratified:
    """Long enough for every stratum to be met, and for the longest wait to have passed."""
    seconds = 1 if quick else 15
    return Stratified(round(seconds * PER_S), PER_S, runs=strata)


def _decode_us(repeats: int) -> float:
    (window,) = windows(Workload(7, 1), WINDOW_REQUESTS)
    took_s = [
        _timed(lambda: decode_spans(window.buffer, window.body_offset, window.body_length))
        for _ in range(repeats + 1)
    ]
    return float(np.median(took_s[1:])) / (WINDOW_REQUESTS * SPANS) * 1e6


def _timed(step: Callable[[], object]) -> float:
    began_s = time.process_time()
    step()
    return time.process_time() - began_s


def _decide_us(stream: Stream, rules: Rules, timed_windows: int) -> float:
    """Median of what the last windows of a stream took, looking ahead included."""
    sampler = Sampler(rules)
    took_s = []
    for at in stream.windows():
        if sampler.wait_s:
            candidates = [stream.candidates(at)]
            observed_s = _timed(lambda: sampler.observe(candidates, at.stop))  # noqa: B023
        else:
            observed_s = 0.0
        again = [stream.candidates(at)]
        took_s.append(observed_s + _timed(lambda: sampler.decide(again, at.stop)))  # noqa: B023
    return float(np.median(took_s[-timed_windows:])) / WINDOW_RECORDS_MAX * 1e6


def _held_mb(stream: Stream, rules: Rules) -> tuple[float, float]:
    """What a sampler holds once it has seen a stream, and what a checkpoint of it takes."""
    for at in stream.windows()[:1]:
        stream.candidates(at)  # the stream's own columns are not the sampler's
    gc.collect()
    tracemalloc.start()
    try:
        sampler = Sampler(rules)
        behind = 0
        cut = stream.windows()
        wait_ns = round(sampler.wait_s * 1e9)
        for at in cut:
            if wait_ns:
                sampler.observe([stream.candidates(at)], at.stop)
            now_ns = int(stream.received_ns[at.stop - 1])
            while stream.received_ns[cut[behind].stop - 1] + wait_ns <= now_ns:
                sampler.decide([stream.candidates(cut[behind])], cut[behind].stop)
                behind += 1
                if behind == len(cut):
                    break
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    state = sampler.state()
    return held / _MB, sum(each.nbytes for each in state.values()) / _MB

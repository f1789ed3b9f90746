"""Compiling, or loading, every kernel of sampling before the first window has to wait for it.

Rules may be put in force at any time, so that all strategies are made ready whatever the settings are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crucible_collector.batch import Bool, Signal, TextRef
from crucible_collector.candidates import NOT_TOLD, U64, Candidates
from crucible_collector.sample.memory import Generations
from crucible_collector.sample.randomness import final_trace_states, randomness
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.variance import KeptRows, Variances

_STRATEGIES: tuple[dict[str, Any], ...] = (
    {"strategy": "stratified", "rates": {"error": 1.0}},
    {"strategy": "stratified", "budget_per_s": 1.0, "allocation": "neyman"},
    {"strategy": "reservoir", "k": 10, "window_s": 1},
    {"strategy": "adaptive", "target_per_s": 1.0},
    {"strategy": "importance", "budget_per_s": 1.0},
    {
        "strategy": "tail",
        "rules": [{"slow_quantile": 0.99}],
        "otherwise": {"strategy": "uniform", "probability": 0.5},
    },
)
_EACH = 4  # records for each strategy
_RECEIVED_NS = 1_000_000_000


def warm_up() -> None:
    """Make every kernel ready: eight seconds of one core where none is kept, else 0.1."""
    state = np.frombuffer(b"ot=th:8", np.uint8)
    one = TextRef(np.zeros(1, np.int64), np.array([len(state)], np.int32))
    nothing = np.zeros(1, np.uint64), np.zeros(1, np.int32)
    _, upstream = randomness(state, one, np.full((1, 16), 255, np.uint8), *nothing)
    final_trace_states(state, one, upstream, upstream >= 0, upstream)
    sampler = Sampler(_rules())
    window = [_records(Signal.TRACES), _records(Signal.LOGS)]
    sampler.observe(window, 1)
    sampler.decide(window, 1)
    sampler.decide(window, 2)
    sampler.restore(sampler.state())
    Variances().terms(_kept())
    small = Generations(1)
    small.put(np.array([2, 3, 4], np.uint64), np.zeros((3, 1), np.int64))  # forgets the oldest


def _rules() -> Rules:
    """One of each strategy, each about records of its own."""
    about = {"signals": ["spans", "logs"]}
    rules = [
        {**strategy, **about, "events": [f"event_{number}"]}
        for number, strategy in enumerate(_STRATEGIES)
    ]
    return Rules.parse({"rules": rules})


class _Columns:
    """Records of one event after the other."""

    def key(self, name: str) -> U64:  # noqa: ARG002 - nothing else tells them apart
        return np.arange(_EACH * len(_STRATEGIES)).astype(np.uint64)

    def label(self, name: str, row: int) -> str:
        return f"{name}_{row // _EACH}"

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        rows = range(_EACH * len(_STRATEGIES))
        return np.array([self.label("event", row) in patterns for row in rows], np.bool_)

    def has(self, attribute: str, value: str) -> Bool:  # noqa: ARG002 - none has any
        return np.zeros(_EACH * len(_STRATEGIES), np.bool_)


def _records(signal: Signal) -> Candidates:
    rows = _EACH * len(_STRATEGIES)
    trace_id = np.zeros((rows, 16), np.uint8)
    trace_id[:, 8] = np.arange(rows) // 2
    return Candidates(
        signal,
        _Columns(),
        wanted=np.ones(rows, np.bool_),
        received_ns=np.full(rows, _RECEIVED_NS),
        trace_id=trace_id,
        randomness=np.arange(rows),
        upstream=np.full(rows, NOT_TOLD),
        status_code=np.arange(rows) % 3,
        duration_ns=np.arange(rows) + 1,
        cost_usd=np.zeros(rows),
        score=np.where(np.arange(rows) % 2 == 0, 0.0, 2.0),
    )


def _kept() -> KeptRows:
    words, places = np.ones(2, np.uint64), np.zeros(2, np.int64)
    p = np.array([0.5, 0.25])
    return KeptRows(words, words, words, places, places, p, p < 1, {"duration": p})

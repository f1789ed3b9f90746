"""What is kept stands for everything, whatever the rules: the properties that make weights true.

Each setting decides one stream for many random numbers of its traces, through the whole engine: windows,
memory, two cursors. Of every trace one record is looked at, chosen beforehand, since the records of a
trace share one random number.
"""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from collector.sample.engine import Decisions, decide, only, with_ids
from collector.sample.scripted import Script, rule, rules
from collector.sample.strategies.streams import Stream, randomness, stream
from crucible_collector.batch import Bool
from crucible_collector.candidates import THRESHOLD_MAX, KeepReason, threshold
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.strategies import made
from crucible_collector.sample.strategy import Rows, State

ROUNDS = 24
TRACES = 1000
SECONDS = 12.0
SEEDS_FROM = 1000  # not those of the stream, whose times would follow the random numbers

BOTH = ["spans", "logs"]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "uniform": [rule("all", 0.2)],
    "uniform, logs too": [rule("spans", 0.3), rule("logs", 0.1, signals=["logs"])],
    "rules": [
        rule("rare", 0.5, events=["app.event_3"], signals=BOTH),
        rule("frequent", 0.1, events=["app.event_0", "app.event_1"], signals=BOTH),
    ],
    "stratified": [{"strategy": "stratified", "rates": {"error": 1.0, "success": 0.1}}],
    "budget": [
        {"strategy": "stratified", "by": ["event"], "budget_per_s": 60, "allocation": "neyman"}
    ],
    "reservoir": [
        {"strategy": "reservoir", "k": 20, "window_s": 3, "by": ["event"], "signals": BOTH}
    ],
    "adaptive": [{"strategy": "adaptive", "target_per_s": 10, "min_samples": 10}],
    "importance": [{"strategy": "importance", "budget_per_s": 60, "signals": BOTH}],
    "tail": [
        {
            "strategy": "tail",
            "rules": [{"error": True}, {"slow_quantile": 0.95}],
            "otherwise": {"strategy": "uniform", "probability": 0.1},
        }
    ],
}


def moving(rows: Rows) -> Any:
    """Thresholds that change with what is seen, from window to window and record to record."""
    p = np.where(rows.candidates.duration_ns[rows.at] % 2 == 0, 0.15, 0.6)
    return threshold(p / (1 + len(rows) % 3))


def upstream_of(whole: Stream) -> Stream:
    """The stream after a sampler that keeps two thirds of every other trace, and tells so."""
    told = np.where(whole.trace % 2 == 0, int(threshold(2 / 3)), -1)
    sampled = replace(whole.candidates, upstream=told)
    return only(replace(whole, candidates=sampled), whole.trace_randomness >= told)


@dataclass
class Found:
    """Of all rounds: estimates of sums, and where one record of each trace lies above its threshold."""

    counts: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)

    def add(self, arrived: Stream, decided: Decisions, generator: np.random.Generator) -> None:
        duration = arrived.candidates.duration_ns.astype(np.float64)
        self.counts.append(decided.estimate(np.ones(len(duration))))
        self.durations.append(decided.estimate(duration))
        order = generator.permutation(len(duration))
        _, first = np.unique(arrived.trace[order], return_index=True)
        chosen = order[first]
        chosen = chosen[decided.keep[chosen]]
        above = arrived.trace_randomness[chosen] - decided.threshold[chosen]
        self.places += (above / (THRESHOLD_MAX - decided.threshold[chosen])).tolist()


def engine_of(name: str) -> Sampler:
    if name == "moving":
        script = Script()
        engine = Sampler(rules(rule("all", signals=BOTH)), script)
        for each in script.made.values():
            each.thresholds = moving
        return engine
    return Sampler(rules(*SETTINGS[name.removesuffix(", sampled before")]), made)


@functools.cache
def whole_stream() -> tuple[Stream, Bool]:
    """Records, of traces that last over several windows, and which of them are logs."""
    made_ = stream(5, traces=TRACES, spans=4, seconds=SECONDS, spread_s=3.0)
    return made_, np.random.default_rng(6).random(len(made_)) < 0.3


@functools.cache
def outcome(name: str) -> Found:
    whole, is_log = whole_stream()
    found, generator = Found(), np.random.default_rng(7)
    for seed in range(ROUNDS):
        one = with_ids(whole.with_randomness(randomness(TRACES, SEEDS_FROM + seed)))
        arrived, logs = one, is_log
        if name.endswith("sampled before"):
            arrived = upstream_of(one)
            logs = np.zeros(len(arrived), np.bool_)
        found.add(arrived, decide(engine_of(name), arrived, logs), generator)
    return found


NAMES = [*SETTINGS, "moving", "uniform, sampled before", "importance, sampled before"]
EVERY = pytest.mark.parametrize("name", NAMES)


@EVERY
def test_kept_traces_lie_evenly_above_their_thresholds(name: str) -> None:
    places = outcome(name).places
    assert len(places) > 1000
    assert stats.kstest(places, "uniform").pvalue > 0.001
    cells = np.bincount((np.array(places) * 10).astype(np.int64), minlength=10)
    assert stats.chisquare(cells).pvalue > 0.001


def close(estimates: list[float], truth: float, spread_max: float) -> None:
    """The mean is within 4 standard errors, and these are small enough for that to mean something."""
    error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
    assert error < spread_max * truth
    assert abs(np.mean(estimates) - truth) < 4 * error


@EVERY
def test_counts_are_estimated_without_bias(name: str) -> None:
    close(outcome(name).counts, len(whole_stream()[0]), spread_max=0.02)


@EVERY
def test_sums_of_durations_are_estimated_without_bias(name: str) -> None:
    truth = float(whole_stream()[0].candidates.duration_ns.sum())
    close(outcome(name).durations, truth, spread_max=0.04)


def test_thresholds_that_look_at_their_own_randomness_are_found_out() -> None:
    """Else the checks above would pass for anything."""
    whole, is_log = whole_stream()
    script = Script()
    engine = Sampler(rules(rule("all", signals=BOTH)), script)
    for each in script.made.values():
        each.thresholds = lambda rows: np.where(rows.randomness < THRESHOLD_MAX * 0.6, 1 << 55, 0)
    found = Found()
    found.add(whole, decide(engine, with_ids(whole), is_log), np.random.default_rng(7))
    assert stats.kstest(found.places, "uniform").pvalue < 1e-9


def of(name: str, **columns: Any) -> tuple[Stream, Bool, Decisions]:
    whole, is_log = whole_stream()
    whole = with_ids(whole)
    return whole, is_log, decide(engine_of(name), whole, is_log, **columns)


@pytest.mark.parametrize("name", [*SETTINGS, "moving"])
def test_spans_of_a_trace_are_kept_or_dropped_together_in_a_window(name: str) -> None:
    whole, is_log, decided = of(name)
    spans = ~is_log
    group = whole.trace[spans] * (len(whole) + 1) + decided.window[spans]
    _, number = np.unique(group, return_inverse=True)
    kept = np.bincount(number, decided.keep[spans])
    assert set(np.unique(kept / np.bincount(number))) == {0.0, 1.0}


def test_logs_are_kept_where_the_spans_of_their_trace_are() -> None:
    whole, is_log, decided = of("uniform, logs too")
    kept = set(whole.trace[~is_log & decided.keep])
    for trace, window in zip(whole.trace[~is_log], decided.window[~is_log], strict=True):
        if trace in kept:
            later = is_log & (whole.trace == trace) & (decided.window >= window)
            assert decided.keep[later].all()
    followed = decided.reason[is_log & decided.keep] == KeepReason.TRACE
    assert 0.2 < followed.mean() < 1


def test_of_two_decisions_the_looser_keeps_all_that_the_stricter_keeps() -> None:
    whole, is_log = whole_stream()
    whole, kept = with_ids(whole), list[Bool]()
    for probability in (0.05, 0.2, 0.8):
        engine = Sampler(rules(rule("all", probability, signals=BOTH)))
        kept.append(decide(engine, whole, is_log).keep)
    for strict, loose in itertools.pairwise(kept):
        assert not (strict & ~loose).any()
        assert loose.sum() > strict.sum()


def test_collectors_that_share_a_stream_agree_with_one_where_thresholds_are_constant() -> None:
    whole, is_log, alone = of("uniform")
    share = np.random.default_rng(8).integers(0, 3, len(whole))
    for collector in range(3):
        own = share == collector
        decided = decide(engine_of("uniform"), only(whole, own), is_log[own])
        assert decided.keep.tolist() == alone.keep[own].tolist()
        assert decided.threshold.tolist() == alone.threshold[own].tolist()


def stored(state: State) -> State:
    """What comes back from the disk."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as read:
        return dict(read)


def restarting(name: str, every: int) -> Callable[[Sampler, int], Sampler]:
    seen = 0

    def restart(engine: Sampler, start: int) -> Sampler:
        nonlocal seen
        seen += 1
        if seen % every:
            return engine
        other = engine_of(name)
        other.restore(stored(engine.state()))
        return other

    return restart


@pytest.mark.parametrize("name", SETTINGS)
def test_a_restart_in_between_changes_no_decision(name: str) -> None:
    _, _, alone = of(name)
    _, _, restarted = of(name, before=restarting(name, every=4))
    assert restarted.keep.tolist() == alone.keep.tolist()
    assert restarted.reason.tolist() == alone.reason.tolist()
    assert np.allclose(restarted.probability, alone.probability, rtol=1e-9)


def test_state_that_does_not_fit_a_rule_leaves_it_to_begin_anew() -> None:
    engine, other = engine_of("importance"), Sampler(rules(rule("rule-1", 0.5)))
    whole, is_log = whole_stream()
    decide(engine, with_ids(whole), is_log)
    other.restore(engine.state())
    (use,) = other.use()
    assert use.rule == "rule-1"
    decided = decide(other, with_ids(whole))
    assert 0.4 < decided.keep.mean() < 0.7


def test_state_of_another_version_is_refused() -> None:
    engine = engine_of("uniform")
    with pytest.raises(ValueError, match="not those of this memory"):
        engine.restore({**engine.state(), "traces/values": np.zeros((0, 9), np.int64)})

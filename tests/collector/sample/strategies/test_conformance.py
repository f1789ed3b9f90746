"""What every strategy promises, whatever it does: probabilities are right, and state is bounded.

Everything here goes through `Strategy` alone. The first test exposes every wrong rule: thresholds that
depend on the trace's own randomness, on what was kept, or that are off by one.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from collector.sample.strategies.streams import (
    Outcome,
    Stream,
    rows_of,
    run,
    strategy_of,
    stream,
    windows_of,
)
from collector.sample.strategies.variants import BUDGET_PER_S, BUDGETED, CONSTANT, VARIANTS, WHOLE
from crucible_collector.candidates import THRESHOLD_MAX
from crucible_collector.sample.strategy import Strategy

SEEDS = range(100, 124)
WAIT_S = 2.0
BINS = 20

every_strategy = pytest.mark.parametrize("variant", VARIANTS)


@functools.cache
def streams() -> list[Stream]:
    return [stream(10 * seed, traces=1500, seconds=40.0) for seed in SEEDS]


@functools.cache
def outcomes(variant: str) -> list[Outcome]:
    """Independent streams, each of some ten windows, strata and bursts."""
    return [run(strategy_of(VARIANTS[variant], WAIT_S), each) for each in streams()]


def first_rows(outcome: Outcome) -> Any:
    """One record of each trace: those of one trace say the same again."""
    return np.unique(outcome.stream.trace, return_index=True)[1]


def last_rows(outcome: Outcome) -> Any:
    _, behind = np.unique(outcome.stream.trace[::-1], return_index=True)
    return len(outcome.stream) - 1 - behind


@every_strategy
def test_kept_records_are_uniform_above_their_threshold(variant: str) -> None:
    for rows_at in (first_rows, last_rows):
        places = []
        for outcome in outcomes(variant):
            at = rows_at(outcome)
            uncertain = outcome.keep[at] & (outcome.threshold[at] > 0)
            places.append(outcome.place[at][uncertain])
        found = np.concatenate(places)
        assert len(found) > 1000
        counts = np.bincount((found * BINS).astype(np.int64), minlength=BINS)
        assert chisquare(counts).pvalue > 1e-3


@every_strategy
def test_estimates_are_right_on_average(variant: str) -> None:
    """Counts and sums of durations, within four standard errors, and these are small."""
    for values_of in (
        lambda each: np.ones(len(each)),
        lambda each: each.candidates.duration_ns.astype(np.float64),
        lambda each: (each.candidates.status_code == 2).astype(np.float64),
    ):
        found = []
        for outcome in outcomes(variant):
            values = values_of(outcome.stream)
            found.append(outcome.estimate(values) / values.sum())
        error = float(np.std(found, ddof=1)) / len(found) ** 0.5
        assert abs(float(np.mean(found)) - 1.0) <= 4.0 * error
        assert error < 0.1


@every_strategy
def test_thresholds_are_in_range_and_no_probability_is_zero(variant: str) -> None:
    for outcome in outcomes(variant):
        assert outcome.own.min() >= 0
        assert outcome.own.max() < THRESHOLD_MAX
        assert outcome.probability.min() > 0


@every_strategy
def test_a_threshold_does_not_depend_on_the_traces_own_randomness(variant: str) -> None:
    """Where the record is kept: what a reservoir's T is where it is not enters no estimate."""
    given, before = streams()[0], outcomes(variant)[0]
    chance = np.random.default_rng(7)
    uncertain = before.keep & (before.threshold > 0)
    for trace in chance.choice(np.unique(given.trace[uncertain]), 8, replace=False):
        highest = int(before.threshold[given.trace == trace].max())
        changed = given.randomness.copy()
        changed[trace] = chance.integers(highest, THRESHOLD_MAX)
        after = run(strategy_of(VARIANTS[variant], WAIT_S), given.with_randomness(changed))
        rows = (given.trace == trace) & before.keep
        assert np.array_equal(after.threshold[rows], before.threshold[rows])


@every_strategy
def test_restarts_in_between_change_no_decision(variant: str) -> None:
    def restarted(old: Strategy) -> Strategy:
        new = strategy_of(VARIANTS[variant], WAIT_S)
        new.restore({name: each.copy() for name, each in old.state().items()})
        return new

    given, before = streams()[1], outcomes(variant)[1]
    after = run(strategy_of(VARIANTS[variant], WAIT_S), given, restart=restarted)
    assert np.array_equal(after.own, before.own)
    assert np.array_equal(after.reason, before.reason)


@pytest.mark.parametrize("variant", CONSTANT)
def test_how_a_stream_is_cut_changes_nothing_where_thresholds_are_constant(variant: str) -> None:
    given, before = streams()[2], outcomes(variant)[2]
    for rows_max in (7, 5000):
        windows = windows_of(given, rows_max, length_s=1e3)
        after = run(strategy_of(VARIANTS[variant]), given, windows)
        assert np.array_equal(after.own, before.own)


@pytest.mark.parametrize("variant", WHOLE)
def test_with_room_for_everything_everything_is_kept(variant: str) -> None:
    outcome = run(strategy_of(WHOLE[variant], WAIT_S), streams()[3])
    assert not outcome.threshold.any()
    assert outcome.keep.all()


@pytest.mark.parametrize("variant", BUDGETED)
@pytest.mark.parametrize("spans", [1, 4])
def test_a_budget_is_met_on_average_after_warming_up(variant: str, spans: int) -> None:
    """By the rows that are expected, whole traces within a window counted as such."""
    given = stream(5, traces=6000 // spans, spans=spans, seconds=60.0, spread_s=0.0)
    outcome = run(strategy_of(BUDGETED[variant], WAIT_S), given)
    warm = given.candidates.received_ns > given.candidates.received_ns[0] + 20 * 10**9
    spent = float(outcome.probability[warm].sum()) / 40.0
    assert spent == pytest.approx(BUDGET_PER_S, rel=0.2)


@every_strategy
def test_a_window_of_nothing_is_nothing(variant: str) -> None:
    strategy = strategy_of(VARIANTS[variant])
    nothing = rows_of(streams()[0], 0, 0)
    assert not len(strategy.observe(nothing))
    assert not len(strategy.decide(nothing).threshold)


@every_strategy
def test_the_state_of_another_strategy_is_refused(variant: str) -> None:
    state = dict(learned(variant).state())
    for name, other in VARIANTS.items():
        if other["strategy"] != VARIANTS[variant]["strategy"] and state and name not in CONSTANT:
            with pytest.raises(ValueError, match="state"):
                strategy_of(other).restore(state)


def learned(variant: str) -> Strategy:
    strategy = strategy_of(VARIANTS[variant], WAIT_S)
    run(strategy, streams()[4])
    return strategy


@every_strategy
def test_every_stratum_of_a_verdict_has_a_name(variant: str) -> None:
    strategy, rows = learned(variant), rows_of(streams()[4], 0, 500)
    verdict = strategy.decide(rows)
    if verdict.stratum is None:
        assert strategy.stratum(0) == ""
        return
    names = {strategy.stratum(int(number)) for number in np.unique(verdict.stratum)}
    assert all(names)
    assert len(names) == len(np.unique(verdict.stratum))


@every_strategy
def test_memory_is_bounded_whatever_comes_in(variant: str) -> None:
    """140,000 strata: what is learned stays below 10 MB, and who left is counted."""
    strategy = strategy_of(VARIANTS[variant])
    given = many_strata(140_000)
    for start in range(0, len(given), 20_000):
        rows = rows_of(given, start, start + 20_000)
        strategy.observe(rows)
        strategy.decide(rows)
    use = strategy.use()
    assert sum(each.nbytes for each in strategy.state().values()) < 10e6
    assert use.stratum_count <= 100_000
    if use.stratum_count > 1000:
        assert use.evicted_count >= 30_000


@functools.cache
def many_strata(count: int) -> Stream:
    """Each record is an event, a run and a trace of its own."""
    given = stream(9, traces=count, spans=1, seconds=20.0, spread_s=0.0)
    columns: Any = given.candidates.columns
    for name in ("event", "run"):
        columns.which[name] = np.arange(count)
        columns.names[name] = [f"{name}-{number}" for number in range(count)]
        columns.hashes[name] = np.random.default_rng(1).integers(0, 2**63, count, dtype=np.uint64)
    return given

"""Each key is kept at its target; bursts and anomalies change that at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collector.sample.strategies.streams import (
    SECOND_NS,
    event_of,
    reasons,
    run,
    single,
    strategy_of,
    warm_after,
    windows_of,
    with_columns,
)
from crucible_collector.candidates import KeepReason


def adaptive(**settings: Any) -> dict[str, Any]:
    return {"strategy": "adaptive", "target_per_s": 10, "min_samples": 100, **settings}


def test_each_key_is_kept_at_the_target_whatever_its_traffic() -> None:
    given = single(9, 60_000, 60.0, events=4)
    outcome = run(strategy_of(adaptive(anomaly_rate=1e-5)), given, windows_of(given, 5000))
    warm = warm_after(given, 20)
    spent = np.bincount(event_of(given)[warm], weights=outcome.probability[warm]) / 40.0
    assert spent == pytest.approx(np.full(4, 10.0), rel=0.05)


def test_a_key_below_its_target_is_whole_and_so_are_the_first_records_of_any() -> None:
    quiet = single(10, 300, 60.0, events=1, anomaly_rate=0.0)
    assert not run(strategy_of(adaptive(min_samples=0)), quiet).threshold.any()
    busy = single(11, 20_000, 10.0, events=1, anomaly_rate=0.0)
    outcome = run(strategy_of(adaptive()), busy)
    assert not outcome.threshold[:100].any()
    assert outcome.probability[1000:].max() <= 0.1


def test_a_burst_is_noticed_before_the_interval_is_over() -> None:
    calm, burst = single(12, 600, 60.0, events=1), single(13, 40_000, 4.0, events=1)
    shifted = with_columns(
        burst, received_ns=burst.candidates.received_ns + 61 * SECOND_NS, score=np.zeros(40_000)
    )
    strategy = strategy_of(adaptive(anomaly_rate=1e-5))
    run(strategy, calm)
    expected = float(run(strategy, shifted).probability.sum())
    assert expected < 700  # 10 a second and one window of 400 that was whole


def test_after_an_anomaly_its_run_and_its_event_are_kept_for_a_while() -> None:
    given = single(14, 30_000, 60.0, events=4, runs=5, anomaly_rate=0.0)
    score = np.zeros(len(given))
    at = int(np.flatnonzero((event_of(given) == 2) & (given.trace % 5 == 3))[200])
    score[at] = 2.5
    received = given.candidates.received_ns
    outcome = run(strategy_of(adaptive(hold_s=5.0)), with_columns(given, score=score))
    noticed, after = received[at], received[at] + 5 * SECOND_NS
    held = (received > noticed + SECOND_NS) & (received < after - SECOND_NS)
    its_own = (event_of(given) == 2) | (given.trace % 5 == 3)
    assert outcome.keep[held & its_own].all()
    assert reasons(outcome, held & its_own) == {KeepReason.ANOMALY}
    assert not outcome.keep[held & ~its_own].all()
    assert reasons(outcome, received > after + SECOND_NS) <= {KeepReason.QUOTA, KeepReason.RANDOM}


def test_what_is_anomalous_for_information_is_kept_and_holds_nobody_elses() -> None:
    given = single(14, 30_000, 60.0, events=4, runs=5, anomaly_rate=0.0)
    score = np.zeros(len(given))
    score[20_000:20_050] = 1.9
    outcome = run(strategy_of(adaptive(hold_s=60.0)), with_columns(given, score=score))
    assert outcome.keep[20_000:20_050].all()
    rest = np.ones(len(given), np.bool_)
    rest[20_000:20_050] = False
    assert KeepReason.ANOMALY not in reasons(outcome, rest)


def test_an_anomaly_of_no_run_holds_nobody_elses() -> None:
    given = single(15, 20_000, 30.0, events=2, runs=2, anomaly_rate=0.0)  # run 0 has no name
    columns: Any = given.candidates.columns
    at = int(np.flatnonzero((event_of(given) == 1) & (columns.which["run"] == 0))[100])
    score = np.zeros(len(given))
    score[at] = 2.5
    outcome = run(strategy_of(adaptive()), with_columns(given, score=score))
    others = (np.arange(len(given)) > at) & (event_of(given) == 0)
    assert KeepReason.ANOMALY not in reasons(outcome, others)

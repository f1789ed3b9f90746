"""What is seen ahead of a decision reaches it, for as long as it can matter."""

from __future__ import annotations

import numpy as np

from collector.sample.scripted import rule, sampler
from collector.sample.windows import of_randomness, records
from crucible_collector.batch import Signal
from crucible_collector.sample.notable import ENTRIES_MAX, Notable
from crucible_collector.sample.strategy import Flag

ONE, OTHER = of_randomness(1, 2)[:1], of_randomness(1, 2)[1:]
TWO = np.concatenate([ONE, OTHER])
LATE = Flag.SLOW | Flag.COST


def test_an_error_or_an_anomaly_of_any_record_flags_its_trace() -> None:
    engine, script = sampler(rule())
    window = [
        records(np.concatenate([ONE, ONE, OTHER]), status_code=[2, 0, 1]),
        records(OTHER, signal=Signal.LOGS, score=1.5),
    ]
    engine.decide(window, 1)
    assert script["all"].asked[0].flags.tolist() == [Flag.ERROR, Flag.ERROR, Flag.ANOMALY]


def test_a_record_that_is_not_wanted_flags_nothing() -> None:
    engine, script = sampler(rule())
    engine.decide([records(np.concatenate([ONE, ONE]), status_code=2, wanted=[True, False])], 1)
    engine.decide(
        [records(np.concatenate([ONE, ONE]), status_code=[0, 2], wanted=[True, False])], 2
    )
    assert [rows.flags.tolist() for rows in script["all"].asked] == [[Flag.ERROR], [Flag.NONE]]


def test_what_comes_later_is_known_when_a_trace_is_decided() -> None:
    engine, script = sampler(rule(), wait_s=10)
    script["all"].raises = lambda rows: np.where(rows.candidates.duration_ns > 5, LATE, 0)
    early, late = records(TWO, duration_ns=1), records(TWO, duration_ns=[9, 1])
    engine.observe([early], 100)
    engine.observe([late], 200)
    engine.decide([early], 100)
    assert script["all"].asked[0].flags.tolist() == [LATE, 0]
    assert [rows.flags.tolist() for rows in script["all"].observed] == [[0, 0], [0, 0]]


def test_flags_end_with_the_window_that_raised_them() -> None:
    engine, script = sampler(rule(), wait_s=10)
    windows = [records(ONE), records(ONE, status_code=2), records(ONE), records(ONE)]
    for place, window in enumerate(windows):
        engine.observe([window], 10 * place)
    for place, window in enumerate(windows):
        engine.decide([window], 10 * place)
    found = [int(rows.flags[0]) for rows in script["all"].asked]
    assert found == [Flag.ERROR, Flag.ERROR, Flag.NONE, Flag.NONE]


def test_flags_of_windows_that_are_waiting_add_up() -> None:
    engine, script = sampler(rule(), wait_s=10)
    for end, window in enumerate(
        (records(ONE, status_code=2), records(ONE, score=1.5), records(ONE))
    ):
        engine.observe([window], end)
    engine.decide([records(ONE)], 0)
    engine.decide([records(ONE)], 1)
    both = Flag.ERROR | Flag.ANOMALY
    assert [int(rows.flags[0]) for rows in script["all"].asked] == [both, both]


def test_an_anomaly_that_is_worth_a_warning_says_so_of_its_trace() -> None:
    engine, script = sampler(rule(), wait_s=10)
    engine.observe([records(ONE, score=2)], 0)
    engine.decide([records(ONE)], 0)
    assert int(script["all"].asked[0].flags[0]) == Flag.ANOMALY | Flag.ALARM


def test_records_without_a_trace_have_flags_of_their_own() -> None:
    engine, script = sampler(rule("logs", signals=["logs"]), wait_s=10)
    script.logs("logs").raises = lambda rows: np.where(rows.randomness == 7, LATE, 0)
    nothing = records(np.zeros((2, 16), np.uint8), signal=Signal.LOGS, randomness=[7, 8])
    engine.observe([nothing], 1)
    engine.decide([nothing], 1)
    assert script.logs("logs").asked[0].flags.tolist() == [LATE, 0]


def test_a_strategy_that_does_not_wait_is_not_asked_to_observe() -> None:
    engine, script = sampler(rule("a", events=["a"]), rule("b"))
    script["b"].wait_s = 5
    window = records(TWO, texts={"event": ["a", "b"]})
    engine.observe([window], 1)
    assert not script["a"].observed
    assert [rows.at.tolist() for rows in script["b"].observed] == [[1]]


def test_only_undecided_traces_that_leave_are_counted() -> None:
    notable = Notable()
    generator = np.random.default_rng(5)

    def add(end: int) -> None:
        keys = generator.integers(2, 1 << 63, ENTRIES_MAX, np.uint64)
        notable.add(keys, np.full(ENTRIES_MAX, Flag.ERROR, np.uint8), end)

    for end in (1, 2, 3, 4):
        add(end)
        notable.decided(end)
    assert notable.evicted_count == 0
    for end in (5, 6, 7, 8):
        add(end)
    assert notable.evicted_count == 2 * ENTRIES_MAX

"""The benchmark of the SDK itself: that it measures what it says, and fails where data is lost."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest

from benchmarks import bench_sdk, sdk_subject


def test_a_quick_run_measures_everything_and_every_batch_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench_sdk, "PEER_NAMES", ())  # they are where somebody installed them
    figures = {figure.name: figure for figure in bench_sdk.measure(bench_sdk.QUICK)}
    assert all(math.isfinite(figure.value) for figure in figures.values())
    goals = {name: figure.goal for name, figure in figures.items() if figure.goal}
    assert list(goals.values()) == ["<= 5.00", "<= 12.00", "<= 2.00", "<= 1,000", "<= 150"]
    ours = figures["a batch of five numbers: CPU in all"].value
    caller = figures["a batch of five numbers: caller"].value
    assert 0 < caller < ours
    # Within one run, so that it holds on a slow machine: a tenth in quiet, a quarter here.
    assert figures["stock / ours: CPU in all"].value > 4


def test_batches_that_do_not_arrive_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def told_too_many(*_arguments: Any) -> dict[str, Any]:
        return {"steps": 5, "caller_us": 1.0, "cpu_us": 1.0, "version": "1"}

    monkeypatch.setattr(bench_sdk, "_run", told_too_many)
    with pytest.raises(RuntimeError, match="0 batches of 5 arrived"):
        bench_sdk.measure(bench_sdk.QUICK)


def test_a_library_that_fails_is_an_error_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'nobody'"):
        bench_sdk._run(sys.executable, "nobody", "", "cost", 0.1, 1)


def test_cost_counts_the_steps_that_it_took() -> None:
    taken: list[int] = []
    measured = sdk_subject.cost(taken.append, lambda: None, burst_steps=3, seconds=0)
    assert measured["steps"] == sum(taken)
    assert measured["caller_us"] >= 0


def test_a_loop_that_sleeps_while_it_logs_is_seen_to_be_slower() -> None:
    import time

    def run(count: int, work: Any) -> None:
        for _ in range(count):
            work()
            time.sleep(0.01)  # many times a step, so that a busy machine cannot hide it

    measured = sdk_subject.slow_down(run, lambda: None, seconds=0)
    assert measured["slow_down"] > 0.05
    assert measured["step_ms"] > 0

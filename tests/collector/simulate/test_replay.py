"""Replaying takes as much memory for a long period as for a short one, and holds no more than it may."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from collector.simulate.columns import BEGIN_NS, SECOND_NS, row
from crucible_collector.batch import I64
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate import replay as module
from crucible_collector.simulate.replay import Limits, Replayed, asked_attributes, replayed
from crucible_collector.simulate.tally import Busiest, Tally

Batch = Mapping[str, Sequence[Any]]
MIB = 1024 * 1024
A_BATCH = 1000


@dataclass
class Generated:
    """Spans that are made as they are read: two thousand a second, in traces of four."""

    count: int
    arrow_bytes_max: int = 0  # of Arrow's own memory, which nobody else looks at

    def spans(self) -> Iterator[Batch]:
        for first in range(0, self.count, A_BATCH):
            yield self.some(np.arange(first, min(first + A_BATCH, self.count)))
            self.arrow_bytes_max = max(self.arrow_bytes_max, pa.total_allocated_bytes())

    def some(self, number: I64) -> Batch:
        trace = np.zeros((len(number), 2), np.uint64)
        trace[:, 1] = (number // 4 + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        ids = trace.tobytes()
        return {name: [value] * len(number) for name, value in row(0).items()} | {
            "start_ns": (BEGIN_NS + number * (SECOND_NS // 2000)).tolist(),
            "duration_ns": (number % 97 * SECOND_NS // 1000).tolist(),
            "trace_id": [ids[at : at + 16] for at in range(0, len(ids), 16)],
            "run_id": [f"run-{each}" for each in number],
            "status_code": np.where(number % 200 == 0, 2, 1).tolist(),
        }

    def logs(self) -> Iterator[Batch]:
        yield from ()


def tried(stored: Generated, rule: dict[str, Any]) -> tuple[Replayed, Tally]:
    rules = Rules.parse({"decision_wait_s": 1, "rules": [rule]})
    tally = Tally(rules)
    return replayed(stored, rules, tally, Limits()), tally


def peak_bytes(count: int, rule: dict[str, Any]) -> int:
    stored = Generated(count)
    tracemalloc.start()
    try:
        _, tally = tried(stored, rule)
        assert tally.span_count() == count
        return tracemalloc.get_traced_memory()[1] + stored.arrow_bytes_max
    finally:
        tracemalloc.stop()


UNIFORM = {"strategy": "uniform", "probability": 0.1}
TAIL = {"strategy": "tail", "rules": [{"error": True}], "otherwise": UNIFORM}


@pytest.mark.parametrize("rule", [UNIFORM, TAIL], ids=["at once", "waiting"])
def test_ten_times_as_many_rows_take_no_more_memory(rule: dict[str, Any]) -> None:
    tried(Generated(A_BATCH), rule)  # what is made once
    assert peak_bytes(40 * A_BATCH, rule) < peak_bytes(4 * A_BATCH, rule) + MIB


def test_what_waits_for_too_long_is_decided_early_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = Generated(4000)
    assert tried(stored, TAIL)[0].decided_early_count == 0
    monkeypatch.setattr(module, "HELD_RECORDS_MAX", 1200)
    found, tally = tried(stored, TAIL)
    assert 2000 < found.decided_early_count < 4000
    assert tally.span_count() == 4000


def test_attributes_that_any_part_of_the_settings_asks_for_are_read() -> None:
    rules = Rules.parse(
        {
            "rules": [
                {**UNIFORM, "attributes": {"tier": "gold"}},
                {
                    "strategy": "tail",
                    "rules": [{"attributes": {"region": "north"}}],
                    "otherwise": UNIFORM,
                    "attributes": {"tier": "silver", "attributes": "x"},
                },
            ]
        }
    )
    assert asked_attributes(rules.as_json()) == ("attributes", "region", "tier")


def test_the_busiest_second_is_found_for_each_group() -> None:
    busiest = Busiest(2)
    seconds = np.array([0, 0, 0, 1, 1, 5, 5, 5, 5], np.int64)
    group = np.array([0, 0, 1, 1, 1, 0, 1, 1, 1], np.int64)
    for part in (slice(0, 4), slice(4, 6), slice(6, 9)):  # seconds are cut by windows
        busiest.add(seconds[part] * SECOND_NS + 7, group[part])
    assert busiest.most == [2, 3]

"""Replaying takes as much memory for a long period as for a short one, and holds no more than it may."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from collector.simulate.columns import SECOND_NS, batch, row
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate import replay as module
from crucible_collector.simulate.replay import Limits, Replayed, asked_attributes, replayed
from crucible_collector.simulate.tally import Busiest, Tally

Batch = Mapping[str, Sequence[Any]]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Generated:
    """Spans that are made as they are read: a hundred a second, in traces of four."""

    count: int
    a_batch: int = 1000

    def spans(self) -> Iterator[Batch]:
        for start in range(0, self.count, self.a_batch):
            yield batch([self.span(each) for each in range(start, start + self.a_batch)])

    def span(self, number: int) -> dict[str, Any]:
        trace = (number // 4 + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)
        return row(
            at_s=number / 100,
            trace_id=trace.to_bytes(16),
            duration_ns=number % 97 * SECOND_NS // 1000,
            run_id=f"run-{number}",
            status_code=2 if number % 200 == 0 else 1,
        )

    def logs(self) -> Iterator[Batch]:
        yield from ()


def tried(count: int, rule: dict[str, Any], **limits: Any) -> tuple[Replayed, Tally]:
    rules = Rules.parse({"rules": [rule]})
    tally = Tally(rules)
    return replayed(Generated(count), rules, tally, Limits(**limits)), tally


def peak_bytes(count: int, rule: dict[str, Any]) -> int:
    tracemalloc.start()
    try:
        _, tally = tried(count, rule)
        assert tally.span_count() == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


UNIFORM = {"strategy": "uniform", "probability": 0.1}
TAIL = {"strategy": "tail", "rules": [{"error": True}], "otherwise": UNIFORM}


@pytest.mark.parametrize("rule", [UNIFORM, TAIL], ids=["at once", "waiting"])
def test_ten_times_as_many_rows_take_no_more_memory(rule: dict[str, Any]) -> None:
    tried(1000, rule)  # what is made once
    assert peak_bytes(40_000, rule) < peak_bytes(4_000, rule) + 4 * MIB


def test_what_waits_for_too_long_is_decided_early_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tried(4000, TAIL)[0].decided_early_count == 0
    monkeypatch.setattr(module, "HELD_RECORDS_MAX", 300)
    found, tally = tried(4000, TAIL)
    assert 3000 < found.decided_early_count < 4000
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

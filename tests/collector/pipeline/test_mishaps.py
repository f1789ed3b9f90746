"""Sampling goes on whatever befalls it: a clock that is set back, a damaged checkpoint, a sampler's defect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from collector.pipeline.sampled_place import Place, span
from crucible_collector.errors import OverloadedError
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline import relearning, windows
from crucible_collector.pipeline.checkpoints import Checkpoints
from crucible_collector.rows import Phase
from crucible_collector.sample.strategies.tail import Tail
from harness import eventually
from rows_of import SECOND_NS, imbalance, ledger, span_ids, traces

HALF = {"rules": [{"strategy": "uniform", "probability": 0.5}]}
ERRORS = {
    "rules": [
        {
            "strategy": "tail",
            "rules": [{"error": True}, {"slow_quantile": 0.9}],
            "otherwise": {"strategy": "uniform", "probability": 1e-9},
        }
    ]
}


@pytest.fixture
def place(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(windows, "IDLE_WAIT_S", 0.02)
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(tmp_path / "journal", segment_bytes=1 << 16, bytes_max=1 << 24)
        )
        dead_letters = stack.enter_context(DeadLetters.open(tmp_path / "dead"))
        made = Place(database, tmp_path, journal, dead_letters)
        made.rule(ERRORS)
        yield made


@pytest.mark.parametrize("comes_more", [True, False])
def test_what_a_clock_received_that_was_set_back_is_decided_all_the_same(
    place: Place, comes_more: bool
) -> None:
    with place.running():
        place.now_ns += 3600 * SECOND_NS
        early = place.append(traces(span(1, error=True)))
        place.until(Phase.AHEAD, early)
        place.now_ns -= 3600 * SECOND_NS
        if comes_more:
            later = place.append(traces(span(2, error=True)))
            place.until(Phase.AHEAD, later)
            place.until(Phase.BEHIND, early)
            place.now_ns += 11 * SECOND_NS
            place.until(Phase.BEHIND, later)
        place.until(Phase.BEHIND, early)
    assert imbalance(ledger(place.dsn)) == {"spans": 0}


@pytest.mark.parametrize("rules", [HALF, ERRORS])
def test_a_journal_without_room_waits_for_no_decision_and_no_checkpoint(
    place: Place, monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any]
) -> None:
    """Its clock stands still: what is undecided would wait for ever."""
    monkeypatch.setattr(windows, "CHECKPOINT_S", 1e9)
    place.rule(rules)
    with (
        Journal.open(
            place.directory / "small", segment_bytes=1 << 16, bytes_max=1 << 18, retain_s=0
        ) as place.journal,
        place.running(),
    ):
        for request in range(20):
            many = traces(*(span(request * 200 + n) for n in range(1, 201)))
            eventually(partial(_is_taken, place, many), "there is room", 20)
    counts = ledger(place.dsn)
    assert counts["spans", "received", ""] == 4000
    assert imbalance(counts) == {"spans": 0}


def _is_taken(place: Place, request: Message) -> bool:
    try:
        place.append(request)
    except OverloadedError:
        return False
    return True


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without(part: str) -> Callable[[Path], None]:
    def remove(path: Path) -> None:
        with np.load(path) as found:
            arrays: dict[str, Any] = {name: found[name] for name in found if part not in name}
        np.savez(path, **arrays)

    return remove


def _about(path: Path) -> None:
    np.savez(path, about=np.frombuffer(json.dumps([1]).encode(), np.uint8))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(_cut, id="cut"),
        pytest.param(_about, id="of nothing"),
        pytest.param(_without("notable/"), id="without a memory"),
        pytest.param(_without("told"), id="without part of a strategy"),
    ],
)
def test_a_damaged_checkpoint_is_done_without(place: Place, damage: Callable[[Path], None]) -> None:
    with place.running():
        place.append(traces(*(span(n, error=n % 2 == 0) for n in range(1, 9))))
    damage(place.directory / "learned.npz")
    with place.running():
        place.append(traces(span(10, error=True)))
    assert span_ids(place.dsn) == [2, 4, 6, 8, 10]
    assert Checkpoints(place.directory, place.journal.journal_id).load() is not None


def test_a_sampler_that_cannot_look_ahead_costs_nothing_but_what_it_would_have_learned(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Tail, "observe", failing)
    with place.running():
        place.append(traces(span(1, error=True), span(2)))
    assert place.points() == 2
    assert span_ids(place.dsn) == [1]
    assert list(place.dead_letters) == []


def test_a_window_that_cannot_be_learned_from_again_keeps_no_collector_from_its_start(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    with place.killed(monkeypatch):
        place.until(Phase.AHEAD, place.append(traces(span(1, error=True))))
    monkeypatch.setattr(relearning, "replay", failing)
    with place.running():
        place.append(traces(span(2, error=True)))
    assert span_ids(place.dsn) == [1, 2]


def test_a_reservoir_keeps_its_k_through_a_crash_in_the_middle_of_its_window(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of its windows are decided, some wait, some are yet to come; there is no checkpoint."""
    monkeypatch.setattr(windows, "CHECKPOINT_S", 1e9)
    place.rule({"rules": [{"strategy": "reservoir", "k": 10, "window_s": 10}]})
    place.now_ns = (place.now_ns // (10 * SECOND_NS) + 1) * 10 * SECOND_NS
    ends = []
    with place.killed(monkeypatch):
        for second in range(15):
            ends.append(place.append(traces(*(span(second * 20 + n) for n in range(1, 21)))))
            place.until(Phase.AHEAD, ends[-1])
            place.now_ns += SECOND_NS
        place.until(Phase.BEHIND, ends[4])
    assert 0 < len(span_ids(place.dsn)) < 10
    with place.running():
        pass
    kept = np.array(span_ids(place.dsn))
    assert [np.count_nonzero(kept <= 200), np.count_nonzero(kept > 200)] == [10, 10]

"""The engine decides as a plain loop over dictionaries does, whatever windows bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sample.scripted import rule, sampler
from collector.sample.windows import records
from crucible_collector.batch import Signal
from crucible_collector.candidates import NOT_TOLD, THRESHOLD_MAX, Candidates, KeepReason

PART = THRESHOLD_MAX // 8
TRACES = 4
SPANS, LOGS = Signal.TRACES, Signal.LOGS


@dataclass(frozen=True)
class Record:
    trace: int  # TRACES: none
    has_rule: bool
    threshold: int  # that its rule gives it, in eighths
    upstream: int  # in eighths; -1: none
    told: int  # rv in eighths; -1: none
    wanted: bool
    alone: int  # randomness without a trace, in eighths


RECORD = st.builds(
    Record,
    st.integers(0, TRACES),
    st.booleans(),
    st.integers(0, 8),
    st.integers(-1, 7),
    st.sampled_from([-1, -1, -1, 2, 6]),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 7),
)
WINDOW = st.lists(
    st.tuples(st.sampled_from([SPANS, LOGS]), st.lists(RECORD, max_size=6)), max_size=4
)


def of_id(trace: int) -> int:
    """The randomness of a trace's id: in the middle of an eighth."""
    return (2 * trace + 1) * PART + PART // 2


def candidates(signal: Signal, rows: list[Record]) -> Candidates:
    whole = b"".join(
        bytes(16) if row.trace == TRACES else (1 << 64 | of_id(row.trace)).to_bytes(16, "big")
        for row in rows
    )
    return records(
        np.frombuffer(whole, np.uint8).reshape(-1, 16),
        signal=signal,
        texts={"event": ["ruled" if row.has_rule else "" for row in rows]},
        wanted=[row.wanted for row in rows],
        randomness=[own_randomness(row) for row in rows],
        upstream=[row.upstream * PART if row.upstream >= 0 else NOT_TOLD for row in rows],
        duration_ns=[row.threshold * PART for row in rows],
    )


def own_randomness(row: Record) -> int:
    if row.trace == TRACES:
        return row.alone * PART + 1
    return row.told * PART + 3 if row.told >= 0 else of_id(row.trace)


@dataclass
class Model:
    """What is remembered: thresholds under which traces were kept, and explicit randomness."""

    kept: dict[int, int] = field(default_factory=dict)
    explicit: dict[int, int] = field(default_factory=dict)

    def decide(self, window: list[tuple[Signal, list[Record]]]) -> list[list[Any]]:
        wanted = [(signal, row) for signal, rows in window for row in rows if row.wanted]
        for _, row in wanted:
            if row.trace < TRACES and row.told >= 0:
                self.explicit.setdefault(row.trace, own_randomness(row))
        of_traces = {
            trace: self._of_trace(trace, [each for each in wanted if each[1].trace == trace])
            for trace in range(TRACES)
        }
        decided = [
            [self._of_record(signal, row, of_traces, wanted) for row in rows]
            for signal, rows in window
        ]
        for trace, (spans, _, is_ruled) in of_traces.items():
            if is_ruled and self._randomness(trace) >= spans[0]:
                self.kept[trace] = spans[0]
        return decided

    def _randomness(self, trace: int) -> int:
        return self.explicit.get(trace, of_id(trace))

    def _of_trace(self, trace: int, rows: list[tuple[Signal, Record]]) -> Any:
        """(threshold, reason) of its spans and of its logs, and whether a rule is about its spans."""
        none = THRESHOLD_MAX, KeepReason.NONE
        spans, logs = (
            min(
                (own_threshold(row) for of, row in rows if of == signal and row.has_rule),
                default=none,
            )
            for signal in (SPANS, LOGS)
        )
        is_ruled = spans != none
        if is_ruled and any(of == SPANS and not row.has_rule for of, row in rows):
            spans = min(spans, (0, KeepReason.TRACE))
        before = self.kept.get(trace, THRESHOLD_MAX), KeepReason.TRACE
        if is_ruled:
            spans = min(spans, before)
        said = spans[0] if is_ruled else before[0]
        if said < logs[0]:
            logs = said, KeepReason.TRACE
        return spans, logs, is_ruled

    def _of_record(
        self, signal: Signal, row: Record, of_traces: Any, wanted: list[tuple[Signal, Record]]
    ) -> Any:
        if not row.wanted:
            return False, 0, KeepReason.NONE, NOT_TOLD, 0
        count, own, random = 0, own_threshold(row), own_randomness(row)
        if row.trace < TRACES:
            own = of_traces[row.trace][signal == LOGS]
            random = self._randomness(row.trace)
            count = sum(of == signal and each.trace == row.trace for of, each in wanted)
        if not row.has_rule:
            own = 0, KeepReason.NONE
        upstream = row.upstream * PART if 0 <= row.upstream * PART <= random else NOT_TOLD
        final = max(own[0], upstream)
        reason = own[1] if row.has_rule or upstream <= 0 else KeepReason.UPSTREAM
        keep = random >= final
        return keep, final, reason if keep else KeepReason.NONE, upstream, count


def own_threshold(row: Record) -> tuple[int, KeepReason]:
    return min(row.threshold * PART, THRESHOLD_MAX - 1), KeepReason.RANDOM


@settings(deadline=None, max_examples=300)
@given(st.lists(WINDOW, min_size=1, max_size=4))
def test_decisions_are_those_of_the_model(windows: list[list[tuple[Signal, list[Record]]]]) -> None:
    engine, script = sampler(rule("all", events=["ruled"], signals=["spans", "logs"]))
    for each in script.made.values():
        each.thresholds = lambda rows: rows.candidates.duration_ns[rows.at]
    model = Model()
    for end, parts in enumerate(windows):
        window = sorted(parts, key=lambda part: part[0])  # spans before logs
        decided = engine.decide([candidates(signal, rows) for signal, rows in window], end)
        found = [
            list(
                zip(
                    made.keep.tolist(),
                    made.threshold.tolist(),
                    map(KeepReason, made.reason.tolist()),
                    made.upstream.tolist(),
                    made.trace_count.tolist(),
                    strict=True,
                )
            )
            for made in decided
        ]
        assert found == model.decide(window)

"""What is counted of each rule: exactly what was seen, by stratum and minute, in a bounded number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sample.scripted import rule, sampler
from collector.sample.windows import ids, of_randomness, records
from crucible_collector.batch import Signal
from crucible_collector.candidates import THRESHOLD_MAX, RuleCount
from crucible_collector.sample.ledger import MINUTE_NS, OTHER, STRATA_MAX, grouped

EVENTS = ["a", "b", "c"]
ROW = st.tuples(
    st.sampled_from(EVENTS),
    st.integers(0, 3),
    st.integers(0, 4),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([10, MINUTE_NS - 1, MINUTE_NS, 5 * MINUTE_NS]),
    st.booleans(),
)


def thresholds(rows: Any) -> Any:
    return (rows.candidates.duration_ns[rows.at] * (THRESHOLD_MAX // 5)).astype(np.int64)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=30), st.integers(0, 1000))
def test_counts_are_those_of_a_loop_over_the_records(rows: list[Any], seed: int) -> None:
    engine, script = sampler(
        rule("a", events=["a"], signals=["spans", "logs"]), rule("b", events=["b"])
    )
    for each in script.made.values():
        each.thresholds = thresholds
        each.strata = lambda rows: rows.candidates.score[rows.at].astype(np.int64)
    traces = ids(np.random.default_rng(seed), len(rows))
    columns = {
        "duration_ns": [row[2] for row in rows],
        "score": [row[1] for row in rows],
        "status_code": [row[3] for row in rows],
        "received_ns": [row[4] for row in rows],
        "wanted": [row[5] for row in rows],
    }
    texts = {"event": [row[0] for row in rows]}
    one: dict[str, Any] = {"trace_id": traces, "texts": texts, **columns}
    window = [records(**one), records(signal=Signal.LOGS, **one)]
    decided = engine.decide(window, 1)
    expected: dict[Any, RuleCount] = {}
    for candidates, made in zip(window, decided, strict=True):
        for at, (event, stratum, _, status, received, wanted) in enumerate(rows):
            if not wanted or event == "c" or (event == "b" and candidates.signal == Signal.LOGS):
                continue
            minute_ns = received // MINUTE_NS * MINUTE_NS
            key = event, candidates.signal, f"stratum {stratum}", minute_ns
            count = expected.setdefault(key, RuleCount(*key))
            p, kept = float(made.probability[at]), bool(made.keep[at])
            count.seen_count += 1
            count.kept_count += kept
            count.weight_sum += kept / p
            count.weight_square_sum += kept / p**2
            count.probability_min = min(count.probability_min, p)
            if status == 2:
                count.error_seen_count += 1
                count.error_kept_count += kept
                count.error_probability_min = min(count.error_probability_min, p)
    assert engine.counted().rows == expected


def test_counts_are_of_the_last_window_only() -> None:
    engine, _ = sampler(rule())
    for end in (1, 2):
        engine.decide([records(of_randomness(1, 2))], end)
        (count,) = engine.counted().rows.values()
        assert count.seen_count == 2


def test_what_was_not_kept_tells_the_probability_in_force() -> None:
    engine, _ = sampler(rule(probability=0.25))
    engine.decide([records(of_randomness(1, 2), status_code=[0, 2])], 1)
    (count,) = engine.counted().rows.values()
    assert (count.seen_count, count.kept_count, count.weight_sum) == (2, 0, 0)
    assert (count.probability_min, count.error_probability_min) == (0.25, 0.25)


def test_the_probability_in_force_is_the_final_one() -> None:
    engine, _ = sampler(rule(probability=0.5))
    high = of_randomness(THRESHOLD_MAX - 1)
    engine.decide([records(high, upstream=THRESHOLD_MAX // 4 * 3)], 1)
    (count,) = engine.counted().rows.values()
    assert (count.probability_min, count.weight_sum) == (0.25, 4)


def test_only_the_largest_strata_have_a_row_of_their_own() -> None:
    stratum = np.repeat(np.arange(5, 305), np.arange(1, 301))
    group, names = grouped(stratum, str, len(stratum))
    assert len(names) == STRATA_MAX + 1
    sizes = np.bincount(group)
    found = {name: int(size) for name, size in zip(names, sizes, strict=True)}
    assert found.pop(OTHER) == sum(range(1, 201))
    assert found == {str(number): number - 4 for number in range(205, 305)}
    assert [names[each] for each in group[-300:].tolist()] == ["304"] * 300


def test_a_strategy_without_strata_has_one_row_without_a_name() -> None:
    assert grouped(None, str, 3)[1] == [""]
    assert grouped(np.zeros(0, np.int64), str, 0)[1] == [""]

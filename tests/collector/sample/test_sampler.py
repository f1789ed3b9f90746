"""What the engine decides: rules, whole traces, what is remembered, what was sampled before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collector.sample.scripted import rule, rules, sampler
from collector.sample.windows import of_randomness, records, taken
from crucible_collector.batch import Signal
from crucible_collector.candidates import (
    NOT_TOLD,
    THRESHOLD_MAX,
    Candidates,
    Decided,
    KeepReason,
)
from crucible_collector.sample.sampler import Sampler

HALF = 1 << 55
HIGH = of_randomness(HALF + 7)  # kept at one half and looser
LOW = of_randomness(HALF - 7)  # dropped there
BOTH = np.concatenate([HIGH, LOW])
LOGS = Signal.LOGS


def spread(count: int) -> Candidates:
    """A span in each of some traces whose randomness is spread evenly."""
    step = THRESHOLD_MAX // count
    return records(of_randomness(*range(step // 2, THRESHOLD_MAX, step)))


def reasons(decided: Decided) -> list[str | None]:
    return [KeepReason(each).label for each in decided.reason.tolist()]


def p(decided: Decided) -> list[float]:
    return [float(each) for each in decided.probability]


def test_without_rules_everything_that_is_wanted_is_kept_and_nothing_is_told() -> None:
    (decided,) = Sampler(rules()).decide([records(BOTH, wanted=[True, False])], 1)
    assert decided.keep.tolist() == [True, False]
    assert p(decided) == [1, 1]
    assert reasons(decided) == [None, None]
    assert decided.upstream.tolist() == [NOT_TOLD, NOT_TOLD]
    assert decided.rule.tolist() == [-1, -1]


def test_without_rules_the_threshold_of_the_sender_is_final() -> None:
    window = records(np.repeat(HIGH, 4, axis=0), upstream=[NOT_TOLD, 0, HALF, HALF + 8])
    (decided,) = Sampler(rules()).decide([window], 1)
    assert decided.keep.all()
    assert decided.threshold.tolist() == [0, 0, HALF, 0]
    assert decided.upstream.tolist() == [NOT_TOLD, 0, HALF, NOT_TOLD]
    assert reasons(decided) == [None, None, "upstream", None]
    assert decided.trace_count.tolist() == [4] * 4


def test_a_sender_that_keeps_everything_has_sampled_nothing() -> None:
    (decided,) = Sampler(rules()).decide([records(BOTH, upstream=[0, NOT_TOLD])], 1)
    assert decided.keep.all()
    assert p(decided) == [1, 1]
    assert decided.upstream.tolist() == [0, NOT_TOLD]
    assert reasons(decided) == [None, None]


def test_what_has_a_randomness_below_the_threshold_is_dropped() -> None:
    engine, _ = sampler(rule(probability=0.5))
    (decided,) = engine.decide([records(of_randomness(HALF - 1, HALF, THRESHOLD_MAX - 1))], 1)
    assert decided.keep.tolist() == [False, True, True]
    assert p(decided) == [0.5, 0.5, 0.5]
    assert reasons(decided) == [None, "random", "random"]


def test_records_that_are_not_wanted_are_never_seen_by_a_rule() -> None:
    engine, script = sampler(rule())
    (decided,) = engine.decide([records(BOTH, wanted=[False, True])], 1)
    assert decided.keep.tolist() == [False, True]
    assert decided.rule.tolist() == [-1, 0]
    assert script["all"].asked[0].at.tolist() == [1]
    (count,) = engine.counted().rows.values()
    assert count.seen_count == 1


@pytest.mark.parametrize(
    ("about", "fits"),
    [
        ({}, [True, True, True]),
        ({"events": ["a.b"]}, [True, True, False]),
        ({"events": ["a.b.c", "x"]}, [True, False, True]),
        ({"experiments": ["e"]}, [True, False, False]),
        ({"services": ["s", "t"]}, [True, True, False]),
        ({"conditions": ["c"]}, [False, False, True]),
        ({"models": ["m"]}, [True, True, True]),
        ({"attributes": {"user": "1"}}, [False, True, False]),
        ({"events": ["a"], "services": ["t"]}, [False, True, False]),
        ({"services": ["nobody"]}, [False, False, False]),
    ],
)
def test_a_rule_is_about_what_it_names(about: dict[str, Any], fits: list[bool]) -> None:
    window = records(
        of_randomness(1, 2, 3),
        texts={
            "event": ["a.b.c", "a.b", "x"],
            "experiment": ["e", "f", ""],
            "service": ["s", "t", ""],
            "condition": ["", "", "c"],
            "model": "m",
        },
        attributes={"user": ["", "1", "2"]},
    )
    engine, _ = sampler(rule(probability=0.5, **about))
    (decided,) = engine.decide([window], 1)
    assert (decided.rule == 0).tolist() == fits
    assert decided.keep.tolist() == [not fit for fit in fits]
    assert p(decided) == [0.5 if fit else 1 for fit in fits]


def test_the_first_rule_that_fits_decides() -> None:
    window = records(of_randomness(5, 6, 7), texts={"event": ["a", "b", "c"]})
    engine, _ = sampler(
        rule("a", 0.5, events=["a"]), rule("a-or-b", 0.25, events=["a", "b"]), rule("rest", 0.125)
    )
    (decided,) = engine.decide([window], 1)
    assert decided.rule.tolist() == [0, 1, 2]
    assert p(decided) == [0.5, 0.25, 0.125]


def test_a_trace_takes_the_smallest_threshold_of_its_spans_and_its_reason() -> None:
    trace = np.repeat(HIGH, 3, axis=0)
    window = records(trace, texts={"event": ["a", "b", "c"]})
    engine, script = sampler(rule("a", 0.125, events=["a"]), rule("rest", 0.5))
    script["rest"].reason = KeepReason.SLOW
    (decided,) = engine.decide([window], 1)
    assert p(decided) == [0.5, 0.5, 0.5]
    assert reasons(decided) == ["slow", "slow", "slow"]
    assert decided.rule.tolist() == [0, 1, 1]
    assert decided.trace_count.tolist() == [3, 3, 3]


def test_of_two_reasons_for_one_threshold_the_first_is_told() -> None:
    window = records(np.repeat(HIGH, 2, axis=0), texts={"event": ["a", "b"]})
    engine, script = sampler(rule("a", events=["a"]), rule("b", events=["b"]))
    script["a"].reason, script["b"].reason = KeepReason.COST, KeepReason.ERROR
    (decided,) = engine.decide([window], 1)
    assert reasons(decided) == ["error", "error"]


def test_a_span_without_a_rule_keeps_its_whole_trace() -> None:
    window = records(np.concatenate([LOW, LOW, HIGH]), texts={"event": ["a", "b", "a"]})
    engine, _ = sampler(rule("a", 0.25, events=["a"]))
    (decided,) = engine.decide([window], 1)
    assert decided.keep.tolist() == [True, True, False]
    assert p(decided) == [1, 1, 0.25]
    assert reasons(decided) == ["trace", None, None]


def test_the_stricter_of_two_samplers_one_after_the_other_counts() -> None:
    upstream = [NOT_TOLD, 0, HALF // 2, HALF + 5, HALF + 8]
    engine, _ = sampler(rule(probability=0.5))
    (decided,) = engine.decide([records(np.repeat(HIGH, 5, axis=0), upstream=upstream)], 1)
    assert decided.threshold.tolist() == [HALF, HALF, HALF, HALF + 5, HALF]
    assert decided.upstream.tolist() == [*upstream[:-1], NOT_TOLD]
    assert decided.keep.all()
    assert reasons(decided) == ["random"] * 5


def test_a_kept_trace_is_kept_later_under_the_looser_threshold() -> None:
    engine, script = sampler(rule())
    found = []
    for end, probability in enumerate((0.5, 0.125, 0.75)):
        script["all"].probability = probability
        (decided,) = engine.decide([records(BOTH)], end)
        found.append((decided.keep.tolist(), p(decided), reasons(decided)))
    assert found == [
        ([True, False], [0.5, 0.5], ["random", None]),
        ([True, False], [0.5, 0.125], ["trace", None]),
        ([True, True], [0.75, 0.75], ["random", "random"]),
    ]


def test_only_traces_that_a_rule_is_about_are_remembered() -> None:
    engine, _ = sampler(rule("a", 0.25, events=["a"]))
    engine.decide([records(LOW, texts={"event": "b"})], 1)
    (decided,) = engine.decide([records(LOW, texts={"event": "a"})], 2)
    assert decided.keep.tolist() == [False]


def test_records_without_a_trace_are_decided_alone_and_not_remembered() -> None:
    nothing = np.zeros((2, 16), np.uint8)
    engine, script = sampler(rule("logs", 0.5, signals=["logs"]))
    (decided,) = engine.decide([records(nothing, signal=LOGS, randomness=[HALF, 5])], 1)
    assert decided.keep.tolist() == [True, False]
    assert decided.trace_count.tolist() == [0, 0]
    script.logs("logs").probability = 0.25
    (decided,) = engine.decide([records(nothing, signal=LOGS, randomness=[HALF, 5])], 2)
    assert decided.keep.tolist() == [False, False]


def test_logs_follow_the_spans_of_their_trace_at_once_and_later() -> None:
    engine, script = sampler(rule("spans", 0.75), rule("logs", 0.125, signals=["logs"]))
    traces = of_randomness(HALF + 7, HALF - 7, 7)
    spans, logs = engine.decide([records(traces[:2]), records(traces, signal=LOGS)], 1)
    assert spans.keep.tolist() == [True, True]
    assert logs.keep.tolist() == [True, True, False]
    assert p(logs) == [0.75, 0.75, 0.125]
    assert reasons(logs) == ["trace", "trace", None]
    (logs,) = engine.decide([records(traces, signal=LOGS)], 2)
    assert (logs.keep.tolist(), p(logs)) == ([True, True, False], [0.75, 0.75, 0.125])
    script["spans"].probability = 0.125
    (logs,) = engine.decide([records(traces[:1], signal=LOGS)], 3)
    assert p(logs) == [0.75]


def test_logs_never_loosen_the_threshold_of_spans() -> None:
    engine, _ = sampler(rule("spans", 0.25), rule("logs", 1.0, signals=["logs"]))
    spans, logs = engine.decide([records(HIGH), records(HIGH, signal=LOGS)], 1)
    assert (spans.keep.tolist(), logs.keep.tolist()) == ([False], [True])
    (spans,) = engine.decide([records(HIGH)], 2)
    assert spans.keep.tolist() == [False]


def test_logs_without_a_rule_are_kept_and_keep_nothing_else() -> None:
    engine, _ = sampler(rule("logs", 0.25, signals=["logs"], events=["a"]))
    window = records(np.repeat(LOW, 2, axis=0), signal=LOGS, texts={"event": ["a", "b"]})
    (logs,) = engine.decide([window], 1)
    assert logs.keep.tolist() == [False, True]


def test_spans_without_a_rule_say_nothing_about_logs() -> None:
    engine, _ = sampler(rule("logs", 0.25, signals=["logs"]))
    spans, logs = engine.decide([records(LOW), records(LOW, signal=LOGS)], 1)
    assert (spans.keep.tolist(), logs.keep.tolist()) == ([True], [False])


def test_all_records_of_a_trace_have_the_randomness_that_one_of_them_tells() -> None:
    """Of spans whose tracestate was lost on the way, of logs, which have none, and of later ones."""
    engine, _ = sampler(rule("all", 0.5, signals=["spans", "logs"]))
    told = records(np.repeat(LOW, 2, axis=0), randomness=[HALF - 7, HALF + 1])
    for decided in engine.decide([told, records(LOW, signal=LOGS)], 1):
        assert decided.keep.all()
    for decided in engine.decide([records(LOW), records(LOW, signal=LOGS)], 2):
        assert decided.keep.all()


def test_that_holds_for_traces_that_were_dropped_too() -> None:
    """Else what is known of a trace would depend on whether it was kept."""
    engine, script = sampler(rule("all", 0.5, signals=["spans", "logs"]))
    (decided,) = engine.decide([records(HIGH, randomness=5)], 1)
    assert not decided.keep.any()
    for decided in engine.decide([records(HIGH), records(HIGH, signal=LOGS)], 2):
        assert not decided.keep.any()
    assert script.logs("all").asked[0].randomness.tolist() == [5]


def test_requests_that_were_decoded_apart_are_decided_together() -> None:
    whole = records(np.concatenate([HIGH, LOW, LOW]), texts={"event": ["a", "b", "a"]})
    parts = [taken(whole, np.array([0, 1])), taken(whole, np.array([2]))]
    of_rules = rule("b", 0.75, events=["b"]), rule("rest", 0.125)
    (together,) = sampler(*of_rules)[0].decide([whole], 1)
    apart = sampler(*of_rules)[0].decide(parts, 1)
    for name in ("keep", "threshold", "reason", "trace_count", "rule"):
        expected = getattr(together, name).tolist()
        assert np.concatenate([getattr(each, name) for each in apart]).tolist() == expected


def test_a_strategy_sees_its_traces_numbered_without_gaps() -> None:
    window = records(
        np.concatenate([LOW, HIGH, of_randomness(1, 2, 3)[2:], HIGH]),
        texts={"event": ["b", "a", "a", "a"]},
        received_ns=[10, 11, 12, 13],
    )
    engine, script = sampler(rule("a", events=["a"]))
    engine.decide([window], 1)
    (rows,) = script["a"].asked
    assert rows.at.tolist() == [1, 2, 3]
    assert rows.trace.tolist() == [0, 1, 0]
    assert rows.trace_count == 2
    assert rows.randomness.tolist() == [HALF + 7, 3, HALF + 7]
    assert rows.received_ns.tolist() == [11, 12, 13]
    assert rows.candidates is window


def test_thresholds_out_of_range_are_brought_into_it() -> None:
    engine, script = sampler(rule())
    script["all"].thresholds = lambda _: [-5, THRESHOLD_MAX]
    (decided,) = engine.decide([records(BOTH)], 1)
    assert decided.threshold.tolist() == [0, THRESHOLD_MAX - 1]
    assert decided.keep.tolist() == [True, False]


def test_an_empty_window_is_decided() -> None:
    engine, _ = sampler(rule())
    empty = records(BOTH[:0])
    engine.observe([empty], 1)
    (decided,) = engine.decide([empty], 1)
    assert len(decided.keep) == 0
    assert engine.decide([], 2) == []
    assert not engine.counted().rows


def test_memory_is_bounded_and_what_leaves_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_collector.sample.sampler.TRACES_MAX", 1024)
    engine, _ = sampler(rule(probability=0.5))
    for end in range(10):
        traces = np.random.default_rng(end).integers(0, 256, (1000, 16), np.uint8)
        engine.decide([records(traces)], end)
    state = engine.state()
    assert len(state["traces/keys"]) + len(state["traces/old_keys"]) <= 2048
    kept = sum(each.kept_count for each in engine.use())
    assert engine.evicted_count == kept - len(state["traces/keys"]) - len(state["traces/old_keys"])
    assert engine.evicted_count > 0


def test_rules_that_are_still_there_keep_what_they_have_learned() -> None:
    engine, script = sampler(rule("stays", events=["a"]), rule("changes"), rule("goes"))
    stays, changes = script["stays"], script["changes"]
    stays.probability = changes.probability = 0.5
    engine.decide([records(BOTH, texts={"event": ["a", "b"]})], 1)
    engine.change(
        rules(rule("new"), rule("changes", 0.125), rule("stays", services=["s"], events=["a"]))
    )
    assert script["changes"] is not changes
    assert script["changes"].probability == 0.5  # learned, in this strategy of tests
    assert script["stays"] is stays
    use = {each.rule: (each.seen_count, each.kept_count) for each in engine.use()}
    assert use == {"new": (0, 0), "changes": (1, 0), "stays": (1, 1)}


def test_traces_stay_remembered_when_rules_change() -> None:
    engine, _ = sampler(rule("old", 0.5))
    engine.decide([records(BOTH)], 1)
    engine.change(rules(rule("new", 0.125)))
    (decided,) = engine.decide([records(BOTH)], 2)
    assert decided.keep.tolist() == [True, False]
    assert p(decided) == [0.5, 0.125]


def test_what_a_rule_has_done_can_be_asked() -> None:
    engine, script = sampler(rule("all", 0.5, signals=["spans", "logs"]))
    engine.decide([spread(100), records(HIGH, signal=LOGS)], 1)
    script["all"].probability = 0.125
    engine.decide([spread(100)], 2)
    spans, logs = engine.use()
    assert (spans.rule, spans.signal, spans.seen_count, spans.kept_count) == (
        "all",
        Signal.TRACES,
        200,
        100,
    )
    assert spans.weight_mean == 2  # those that passed one half are remembered under it
    assert (logs.seen_count, logs.kept_count, logs.weight_mean) == (1, 1, 2)
    assert spans.use.stratum_count == 2


def test_the_longest_waiting_strategy_says_how_long_all_wait() -> None:
    engine, script = sampler(rule("a", events=["a"]), rule("b"))
    assert engine.wait_s == 0
    script["b"].wait_s = 7
    assert engine.wait_s == 7
    assert Sampler(rules()).wait_s == 0

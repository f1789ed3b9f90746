"""What is sampled by each strategy is told truly: estimates against what was sent, over OTLP and REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import pytest

from databases import TestServer
from delivered import assert_ledger_adds_up
from harness import Collector, collector, eventually
from thinned import (
    MEASURES,
    Sent,
    assert_near,
    by_run,
    covered,
    decided,
    holds,
    in_all,
    inferences,
    rows,
    stored_ids,
)
from traffic import export

RUNS, TRACES = 40, 250
PROBABILITY = 0.25
COVERED_MIN, COVERED_EACH_MIN = 0.91, 0.8
RULES: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": PROBABILITY},
    "stratified": {"strategy": "stratified", "rates": {"error": 1.0, "success": PROBABILITY}},
    "reservoir": {"strategy": "reservoir", "k": 50, "window_s": 1, "by": ["run"]},
    "adaptive": {
        "strategy": "adaptive",
        "by": ["run"],
        "base_rate": PROBABILITY,
        "min_samples": 0,
    },
    "importance": {"strategy": "importance", "budget_per_s": 5_000},
    "tail": {
        "strategy": "tail",
        "rules": [{"error": True}, {"slow_quantile": 0.99}],
        "otherwise": {"strategy": "uniform", "probability": PROBABILITY},
    },
}
SETTINGS = {
    "decision_wait_s": 1,
    "rules": [{"name": name, "experiments": [name], **rule} for name, rule in RULES.items()],
}


@dataclass
class Sampled:
    """A collector that has decided about everything that was sent."""

    dsn: str
    collector: Collector
    sent: dict[str, Sent]


@pytest.fixture(scope="module")
def sent() -> dict[str, Sent]:
    """An experiment for each strategy, and one that no rule is about."""
    return {name: inferences(name, runs=RUNS, traces=TRACES) for name in [*RULES, "all"]}


@pytest.fixture(scope="module")
def sampled(
    module_server: TestServer, tmp_path_factory: pytest.TempPathFactory, sent: dict[str, Sent]
) -> Iterator[Sampled]:
    told = ("--sampling", json.dumps(SETTINGS))
    place = tmp_path_factory.mktemp("estimates") / "data"
    with module_server.database() as dsn, collector(place, dsn, *told) as one:
        in_turn = zip_longest(*(each.requests() for each in sent.values()))
        requests = [each for each in chain.from_iterable(in_turn) if each is not None]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda each: export(one.addresses["grpc"], each), requests))
        count = sum(len(each.spans) for each in sent.values())
        eventually(lambda: decided(one) == count, "everything is decided", 120)
        yield Sampled(dsn, one, sent)


def test_intervals_of_many_groups_hold_the_truth_as_often_as_they_say(sampled: Sampled) -> None:
    """Nineteen in twenty, in the mean over strategies; none of them lies often."""
    found: dict[str, list[bool]] = {}
    for name in RULES:
        by_measure = covered(by_run(sampled.collector, name), sampled.sent[name].truth)
        found[name] = list(chain.from_iterable(by_measure.values()))
        assert len(found[name]) > RUNS, f"{name}: hardly an interval is reliable"
    shares = {name: sum(each) / len(each) for name, each in found.items()}
    assert min(shares.values()) >= COVERED_EACH_MIN, shares
    everything = list(chain.from_iterable(found.values()))
    assert sum(everything) / len(everything) >= COVERED_MIN, shares


def test_percentiles_hold_the_truth(sampled: Sampled) -> None:
    for name in RULES:
        truth = sampled.sent[name].truth
        held = []
        for run, row in by_run(sampled.collector, name).items():
            durations_ms = sorted(each / 1e6 for each in truth[run].durations_ns)
            median = durations_ms[-(-len(durations_ms) // 2) - 1]
            held.append(holds(row["p50_ms_interval"], median, slack=0.011))
        assert sum(held) / len(held) >= COVERED_EACH_MIN, name


@pytest.mark.parametrize("name", RULES)
def test_sums_over_all_are_near_the_truth(sampled: Sampled, name: str) -> None:
    row = in_all(sampled.collector, name)
    assert row["estimated"]
    assert row["interval_reliable"]
    assert_near(row, sampled.sent[name].truth.values())
    assert row["stored_count"] < len(sampled.sent[name].spans)


def test_what_no_rule_is_about_is_exact(sampled: Sampled) -> None:
    everything = sampled.sent["all"]
    assert stored_ids(sampled.dsn, "all") == everything.ids
    row = in_all(sampled.collector, "all")
    assert not row["estimated"]
    for measure in MEASURES:
        low, high = row[f"{measure}_interval"]
        truth = sum(getattr(each, measure) for each in everything.truth.values())
        assert low == row[measure] == high == pytest.approx(truth)


def test_a_constant_threshold_keeps_exactly_what_its_definition_says(sampled: Sampled) -> None:
    uniform = sampled.sent["uniform"]
    assert stored_ids(sampled.dsn, "uniform") == uniform.ids_kept(PROBABILITY)


@pytest.mark.parametrize("name", ["stratified", "tail"])
def test_every_error_is_kept_with_its_trace(sampled: Sampled, name: str) -> None:
    sent = sampled.sent[name].spans
    failed = {span.trace_id for span in sent if span.status.code == 2}
    wanted = {span.span_id for span in sent if span.trace_id in failed}
    assert wanted <= stored_ids(sampled.dsn, name)
    row = in_all(sampled.collector, name)
    assert row["error_count"] == sum(each.error_count for each in sampled.sent[name].truth.values())
    low, high = row["error_count_interval"]
    assert (
        low == row["error_count"] <= high
    )  # other rules thin errors, and the ledger is one for all


def test_every_row_says_why_it_is_there_and_with_which_probability(sampled: Sampled) -> None:
    told = rows(
        sampled.dsn,
        "select experiment_id, keep_reason, min(sample_probability), max(sample_probability),"
        " bool_and(sample_threshold is not null) from crucible.spans group by 1, 2",
    )
    reasons = {name: {each[1] for each in told if each[0] == name} for name in [*RULES, "all"]}
    assert reasons["all"] == {None}
    assert reasons["uniform"] == {"random"}
    assert {"error", "random"} <= reasons["tail"]
    assert {"error", "random"} <= reasons["importance"]
    assert {"slow", "slow_thinned"} & reasons["importance"]
    for name, reason, least, most, has_threshold in told:
        assert 0 < least <= most <= 1
        assert has_threshold == (name != "all"), (name, reason)


def test_rows_of_a_trace_are_kept_or_left_together(sampled: Sampled) -> None:
    """Its spans came in one request, or in two that were decided on end to end."""
    for name in RULES:
        ids = stored_ids(sampled.dsn, name)
        traces: dict[bytes, set[bool]] = {}
        for request in sampled.sent[name].requests():
            of_request: dict[bytes, set[bool]] = {}
            for span in request.resource_spans[0].scope_spans[0].spans:
                of_request.setdefault(span.trace_id, set()).add(span.span_id in ids)
            assert all(len(each) == 1 for each in of_request.values()), name
            traces |= of_request
        assert {True, False} == set().union(*traces.values())


def test_the_ledgers_add_up(sampled: Sampled) -> None:
    """That of deliveries, and that of each rule, which knows exactly what it saw and kept."""
    assert_ledger_adds_up(sampled.collector)
    counts = sampled.collector.get("/api/v1/sampling/ledger?signal=spans&limit=1000")["data"]
    for name in RULES:
        of_rule = [each for each in counts if each["rule"] == name]
        assert sum(each["seen_count"] for each in of_rule) == len(sampled.sent[name].spans)
        kept = stored_ids(sampled.dsn, name)
        assert sum(each["kept_count"] for each in of_rule) == len(kept)

"""Three collectors that share a stream sample it as one does."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from databases import TestServer
from delivered import assert_ledger_adds_up
from harness import Collector, collector, eventually
from thinned import (
    Sent,
    assert_near,
    by_run,
    covered,
    decided,
    in_all,
    inferences,
    rows,
    stored_ids,
)
from traffic import export

COLLECTORS = 3
RUNS, TRACES = 20, 200
PROBABILITY = 0.25
COVERED_MIN = 0.85
RULES: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": PROBABILITY},
    "stratified": {
        "strategy": "stratified",
        "by": ["experiment"],
        "rates": {"stratified": PROBABILITY},
    },
    "adaptive": {"strategy": "adaptive", "by": ["run"], "target_per_s": 20, "min_samples": 20},
    "importance": {"strategy": "importance", "budget_per_s": 1_000},
}
SETTINGS = {
    "decision_wait_s": 1,
    "rules": [{"name": name, "experiments": [name], **rule} for name, rule in RULES.items()],
}


@dataclass
class Shared:
    """One database that three collectors filled, and one that a single collector did."""

    three: Collector
    three_dsn: str
    one: Collector
    one_dsn: str
    sent: dict[str, Sent]


@pytest.fixture(scope="module")
def shared(plain_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    place = tmp_path_factory.mktemp("shared")
    sent = {name: inferences(name, runs=RUNS, traces=TRACES) for name in RULES}
    told = ("--sampling", json.dumps(SETTINGS))
    with ExitStack() as stack:
        three_dsn, one_dsn = (stack.enter_context(plain_server.database()) for _ in range(2))
        first = stack.enter_context(collector(place / "node-0", three_dsn, *told))
        # The others are told nothing: the rules in force are the database's.
        others = [
            stack.enter_context(collector(place / f"node-{number}", three_dsn))
            for number in range(1, COLLECTORS)
        ]
        one = stack.enter_context(collector(place / "alone", one_dsn, *told))
        nodes = itertools.cycle([first, *others])
        for each in sent.values():
            for request in each.requests():
                export(next(nodes).addresses["grpc"], request)
                export(one.addresses["grpc"], request)
        count = sum(len(each.spans) for each in sent.values())
        for node in (first, one):
            eventually(lambda node=node: decided(node) == count, "all is decided", 120)  # type: ignore[misc]
        yield Shared(first, three_dsn, one, one_dsn, sent)


@pytest.mark.parametrize("name", ["uniform", "stratified"])
def test_constant_thresholds_decide_alike_span_for_span(shared: Shared, name: str) -> None:
    kept = shared.sent[name].ids_kept(PROBABILITY)
    assert stored_ids(shared.three_dsn, name) == kept == stored_ids(shared.one_dsn, name)
    question = (
        f"select distinct sample_threshold from crucible.spans where experiment_id = '{name}'"
    )
    assert rows(shared.three_dsn, question) == rows(shared.one_dsn, question)


@pytest.mark.parametrize("name", ["adaptive", "importance"])
def test_other_thresholds_tell_the_same_within_their_intervals(shared: Shared, name: str) -> None:
    truth = shared.sent[name].truth
    for node in (shared.three, shared.one):
        row = in_all(node, name)
        assert row["estimated"]
        assert row["stored_count"] < len(shared.sent[name].spans)
        assert_near(row, truth.values())
        held = covered(by_run(node, name), truth)
        everything = list(itertools.chain.from_iterable(held.values()))
        assert sum(everything) >= COVERED_MIN * len(everything)


def test_each_collector_counts_what_it_saw_and_all_of_it_adds_up(shared: Shared) -> None:
    assert_ledger_adds_up(shared.three)
    question = (
        "select rule, sum(seen_count)::bigint from crucible.sampling_ledger group by 1 order by 1"
    )
    wanted = sorted((name, len(each.spans)) for name, each in shared.sent.items())
    assert rows(shared.three_dsn, question) == wanted == rows(shared.one_dsn, question)
    journals = "select count(distinct journal_id) from crucible.sampling_ledger"
    assert rows(shared.three_dsn, journals) == [(COLLECTORS,)]


def test_rules_put_while_it_runs_hold_from_then_on(shared: Shared) -> None:
    """What is stored keeps its probability, what comes later has the new one, sums are of both."""
    before, after = (inferences("put", runs=1, traces=600, seed=seed) for seed in (1, 2))
    _send_and_await(shared.one, before)
    _put(shared.one, [{"name": "put", "strategy": "uniform", "probability": PROBABILITY}])
    _send_and_await(shared.one, after)
    kept = before.ids | after.ids_kept(PROBABILITY)
    assert stored_ids(shared.one_dsn, "put") == kept
    row = in_all(shared.one, "put")
    assert_near(row, [*before.truth.values(), *after.truth.values()])
    low, high = row["count_interval"]
    assert len(kept) < low < row["count"] < high


def _send_and_await(running: Collector, sent: Sent) -> None:
    wanted = decided(running) + len(sent.spans)
    for request in sent.requests():
        export(running.addresses["grpc"], request)
    eventually(lambda: decided(running) == wanted, "all is decided", 60)


def _put(running: Collector, rules: list[dict[str, Any]]) -> None:
    """Put rules in force, and wait until the collector works by them."""
    request = urllib.request.Request(
        f"{running.api}/api/v1/sampling",
        json.dumps({"rules": rules}).encode(),
        {"content-type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        version = json.load(answer)["data"]["version"]
    eventually(
        lambda: running.get("/api/v1/sampling")["data"]["collector"]["version"] == version,
        "the rules are followed",
    )

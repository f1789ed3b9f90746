"""What the doctor says of sampling."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from crucible_collector.sample.rules import Rules
from crucible_collector.store.examine_sampling import sampling
from crucible_collector.store.sampling import put
from crucible_collector.store.versions import Connection

AFFORD = {"name": "afford", "strategy": "importance", "budget_per_s": 200}
HALF = {"name": "half", "strategy": "uniform", "probability": 0.5}
SLOWEST = {
    "name": "slowest",
    "strategy": "tail",
    "rules": [{"slow_quantile": 0.99}],
    "otherwise": {"strategy": "uniform", "probability": 0.25},
}
CAREFREE = {**AFFORD, "name": "carefree", "weights": {"error": 0}}


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with psycopg.connect(plain_database, autocommit=True) as opened:
        yield opened


def have(connection: Connection, *told: dict[str, Any]) -> int:
    rules = Rules.parse({"rules": list(told)})
    return put(connection, rules.as_json(), rules.digest())


def count(connection: Connection, rule: str, error_probability_min: float) -> None:
    connection.execute(
        "insert into crucible.sampling_ledger"
        " (time, rule, signal, journal_id, seen_count, kept_count, error_probability_min)"
        " values (now(), %s, 'spans', %s, 1000000, 20000, %s)",
        (rule, uuid.uuid4(), error_probability_min),
    )


def test_without_rules_everything_is_said_to_be_kept(connection: Connection) -> None:
    [finding] = sampling(connection)
    assert (finding.level, finding.says) == (
        "ok",
        "nobody ever had anything sampled: everything is kept",
    )


def test_what_is_in_force_is_told_with_what_it_kept_lately(connection: Connection) -> None:
    version = have(connection, AFFORD, HALF)
    count(connection, "half", 0.5)
    [finding] = sampling(connection)
    assert finding.level == "ok"
    assert finding.says == (
        f"version {version} is in force with 2 rules;"
        " within the last hour half kept 20,000 of 1,000,000"
    )


def test_a_budget_that_does_not_suffice_for_errors_is_told_of_those_who_keep_errors(
    connection: Connection,
) -> None:
    have(connection, AFFORD, HALF, SLOWEST, CAREFREE)
    for rule in ("afford", "half", "slowest", "carefree"):
        count(connection, rule, 0.25)
    _, warning = sampling(connection)
    assert warning.level == "warning"
    assert warning.says == "afford had to thin errors, too, down to 0.25 of them"
    assert "budget_per_s" in warning.remedy


def test_rules_of_a_newer_collector_are_wrong(connection: Connection) -> None:
    put(connection, {"rules": [{"strategy": "clairvoyant"}]}, uuid.uuid4())
    [finding] = sampling(connection)
    assert finding.level == "wrong"
    assert "clairvoyant" in finding.says

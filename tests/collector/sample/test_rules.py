"""Settings of sampling are checked whole, and whoever wrote them is told what is wrong in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crucible_collector.batch import Signal
from crucible_collector.errors import SettingsError
from crucible_collector.sample.rules import RULES_MAX, Rules
from crucible_collector.sample.strategies import made
from crucible_collector.sample.strategy_settings import SETTINGS

UNIFORM = {"strategy": "uniform", "probability": 0.1}
BY_TWO = {"strategy": "stratified", "by": ["model", "status"]}
EVERY: dict[str, dict[str, Any]] = {
    "uniform": UNIFORM,
    "stratified": {"strategy": "stratified", "rates": {"error": 1, "success": 0.1}},
    "reservoir": {"strategy": "reservoir", "k": 20},
    "adaptive": {"strategy": "adaptive", "target_per_s": 20},
    "importance": {"strategy": "importance", "budget_per_s": 200},
    "tail": {"strategy": "tail", "otherwise": UNIFORM},
}


def rule(**settings: Any) -> dict[str, Any]:
    return {"rules": [settings]}


def complaint(value: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Rules.parse(value)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_nothing_is_sampled_unless_it_is_asked_for() -> None:
    assert Rules.parse({}).rules == ()
    assert Rules.parse({}) == Rules.parse("{}")


def test_every_strategy_can_be_asked_for_and_made_of_its_settings() -> None:
    assert EVERY.keys() == SETTINGS.keys()
    for name, settings in EVERY.items():
        (given,) = Rules.parse(rule(**settings)).rules
        strategy = made(given, Signal.LOGS, 7.0)
        assert given.settings.strategy == name
        assert strategy.wait_s == {"reservoir": 10.0, "importance": 7.0, "tail": 7.0}.get(name, 0.0)


@pytest.mark.parametrize("strategy", EVERY)
def test_the_canonical_form_says_the_same_and_spells_out_every_default(strategy: str) -> None:
    rules = Rules.parse(rule(**EVERY[strategy]))
    form = rules.as_json()
    assert Rules.parse(form) == Rules.parse(json.dumps(form)) == rules
    assert Rules.parse(form).digest() == rules.digest()
    assert form["decision_wait_s"] == 10.0
    assert {"name", "signals", "events", "attributes"} <= form["rules"][0].keys()


def test_equal_settings_have_one_digest_however_they_are_written() -> None:
    short = rule(events=["crucible_train.*"], **UNIFORM)
    long = {
        "decision_wait_s": 10,
        "rules": [
            {"probability": 0.1, "signals": ["spans"], "events": ["crucible_train"], **UNIFORM}
            | {"name": "rule-1"}
        ],
    }
    assert Rules.parse(short).digest() == Rules.parse(long).digest()
    assert Rules.parse(short).digest() != Rules.parse(rule(**UNIFORM)).digest()


def test_rules_without_a_name_have_that_of_their_place() -> None:
    rules = Rules.parse({"rules": [UNIFORM, {**UNIFORM, "name": "cheap"}, UNIFORM]}).rules
    assert [each.name for each in rules] == ["rule-1", "cheap", "rule-3"]


def test_settings_that_are_in_force_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Rules.parse({}).decision_wait_s = 5.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**UNIFORM, "name": "cheap", "probabilty": 0.1}, "cheap: probabilty: unknown setting; probability is one"),
        ({"strategy": "uniform", "probabilty": 0.1}, "rule-1: probabilty: unknown setting; probability is one"),
        ({"strategy": "uniform"}, "rule-1: probability: expected a value"),
        ({**UNIFORM, "probability": 2}, "probability = 2: expected more than 0 and at most 1"),
        ({**UNIFORM, "probability": 0}, "name their events in events_deny"),
        ({**UNIFORM, "probability": "much"}, "probability = 'much': input should be a valid number"),
        ({**UNIFORM, "probability": float("nan")}, "probability = nan"),
        ({**UNIFORM, "zzz": 1}, "zzz: unknown setting; known are name, signals"),
        ({"strategy": "uniform", "rate": 0.1}, "rate: unknown setting; known are name, signals"),
        ({"strategy": "importance", "budget": 200}, "budget: unknown setting; budget_per_s is one"),
        ({"strategy": "unifrom"}, "strategy = 'unifrom': expected one of uniform, stratified"),
        ({}, "rule-1: strategy: expected one of uniform, stratified"),
        ({**UNIFORM, "name": "a b"}, "name = 'a b': expected 1 to 64 letters"),
        ({**UNIFORM, "signals": []}, "signals = []: expected at least one"),
        ({**UNIFORM, "signals": ["metrics"]}, "signals.0 = 'metrics': input should be 'spans' or 'logs'"),
        ({**UNIFORM, "events": "a"}, "events = 'a': expected a list"),
        ({**UNIFORM, "events": ["a b"]}, "events.0 = 'a b': 'a b' is neither an event's name"),
        ({**UNIFORM, "attributes": {"a": 3}}, "attributes.a = 3: input should be a valid string"),
        ({"strategy": "stratified"}, "expected either rates or budget_per_s"),
        ({"strategy": "stratified", "rates": {"error": 1}, "allocation": "equal"}, "allocation shares out"),
        ({"strategy": "stratified", "rates": {"eror": 1}}, "rates.eror: a status is one of unset, ok, error"),
        ({"strategy": "stratified", "rates": {"ok": 1, "success": 1}}, "success is ok and unset together"),
        ({"strategy": "stratified", "rates": {"error": 0}}, "rates.error = 0: expected more than 0"),
        ({**BY_TWO, "rates": {"error": 1}}, "rates.error: expected a value of each, as in model/status"),
        ({**BY_TWO, "rates": {"a/b/success": 1}}, "rates.a/b/success: a status is one of unset, ok, error"),
        ({"strategy": "stratified", "budget_per_s": 3, "by": ["evnt"]}, "by.0 = 'evnt': input should be 'event'"),
        ({"strategy": "stratified", "budget_per_s": 3, "by": ["run", "run"]}, "expected at least one, each once"),
        ({"strategy": "reservoir", "k": 9}, "k = 9: input should be greater than or equal to 10"),
        ({"strategy": "reservoir", "k": 10, "window_s": 1e4}, "window_s = 10000.0: input should be less"),
        ({"strategy": "importance", "budget_per_s": 0}, "budget_per_s = 0: input should be greater than 0"),
        ({**EVERY["importance"], "weights": {"slwo": 1}}, "weights.slwo: unknown setting; slow is one"),
        ({"strategy": "tail"}, "otherwise: expected a value"),
        ({"strategy": "tail", "otherwise": {}}, "otherwise.strategy: expected one of uniform"),
        ({"strategy": "tail", "otherwise": EVERY["tail"]}, "otherwise.strategy = 'tail': expected one of"),
        ({"strategy": "tail", "otherwise": {**UNIFORM, "probability": 7}}, "otherwise.probability = 7: expected"),
        ({"strategy": "tail", "otherwise": {**UNIFORM, "k": 7}}, "otherwise.k: unknown setting; known are strategy"),
        ({**EVERY["tail"], "rules": [{"error": True, "anomaly": True}]}, "rules.0: expected exactly one of"),
        ({**EVERY["tail"], "rules": []}, "rules = []: expected at least one"),
        ({**EVERY["tail"], "rules": [{"eror": True}]}, "rules.0.eror: unknown setting; error is one"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_told_with_its_name_its_key_and_what_is_accepted(
    settings: dict[str, Any], said: str
) -> None:
    line = complaint(rule(**settings))
    assert line.startswith("sampling rule ")
    assert said in line


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "sampling: not JSON"),
        ("[]", "sampling = []: expected a table"),
        ({"rules": 3}, "sampling: rules = 3: expected a list"),
        ({"rules": [3]}, "sampling rule rule-1: expected a table"),
        ({"decision_wait": 3}, "decision_wait: unknown setting; decision_wait_s is one"),
        ({"decision_wait_s": 0}, "decision_wait_s = 0: input should be greater than or equal to 1"),
        ({"rules": [{**UNIFORM, "name": "x"}] * 2}, "two rules are named 'x'"),
        ({"rules": [UNIFORM] * (RULES_MAX + 1)}, "should have at most 100 items"),
    ],
)
def test_what_is_wrong_as_a_whole_is_told_too(value: Any, said: str) -> None:
    assert said in complaint(value)

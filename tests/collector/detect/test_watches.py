"""Each number has the plan that the registry and the rules say, whatever a window brings."""

from __future__ import annotations

import doctest
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from crucible_collector.batch import Bool, Signal
from crucible_collector.candidates import U64
from crucible_collector.decode import xxh64
from crucible_collector.detect import defaults, settings, watches
from crucible_collector.detect.defaults import bases, basis_of, subjects
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.observations import Observations, Source, Subject
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.settings import RULES_MAX, Detection
from crucible_collector.detect.watches import NOT_WATCHED, Watches

BATCH, EPOCH = "crucible_train.batch.stop", "crucible_train.epoch.stop"
INFERENCE = "crucible_deployment.inference.stop"
LOSS = Subject(Source.POINT, BATCH, "loss")
QUEUE = Subject(Source.METRIC, "", "queue.length")
OPS = {"name": "ops", "url": "http://127.0.0.1:9/"}
CHAT = {"name": "chat", "url_env": "CHAT"}


def having(*rules: Mapping[str, Any], **other: Any) -> Watches:
    return Watches(Detection.parse({"rules": list(rules), **other}))


def plan(subject: Subject, *rules: Mapping[str, Any], **told: str) -> Plan | None:
    return having(*rules).plan_for(subject, told)


def planned(subject: Subject, *rules: Mapping[str, Any], **told: str) -> Plan:
    found = plan(subject, *rules, **told)
    assert found is not None
    return found


@dataclass
class Records:
    """Whose numbers they are: one mapping a record."""

    told: Sequence[Mapping[str, str]]
    asked: list[str] = field(default_factory=list)

    def key(self, name: str) -> U64:
        self.asked.append(name)
        return np.array([xxh64(each.get(name, "").encode()) for each in self.told], np.uint64)

    def label(self, name: str, row: int) -> str:
        return self.told[row].get(name, "")

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        raise NotImplementedError

    def has(self, attribute: str, value: str) -> Bool:
        self.asked.append(attribute)
        return np.array([each.get(attribute) == value for each in self.told], np.bool_)


def observed(numbers: Sequence[tuple[Subject, int]], records: Records) -> Observations:
    """Numbers as (subject, record)."""
    found = list(dict.fromkeys(subject for subject, _ in numbers))
    count = len(numbers)
    zeros, none = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    subject = np.array([found.index(each) for each, _ in numbers], np.int32)
    record = np.array([row for _, row in numbers], np.int64)
    many = len(records.told)
    return Observations(
        Signal.TRACES, records, many, found, subject, zeros, zeros, zeros, np.zeros(count),
        zeros, zeros, none, none, zeros, record, subject, subject, np.zeros((count, 16), np.uint8), zeros,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "detectors", "is_log", "direction", "sensitivity"),
    [
        (LOSS, ("non_finite", "ewma", "drift", "plateau"), True, 1, 1),
        (Subject(Source.POINT, EPOCH, "val_accuracy"), ("non_finite", "drift"), False, -1, 1),
        (Subject(Source.POINT, BATCH, "gradient_norm"), ("non_finite", "ewma", "shift"), True, 1, 0.8333),
        (Subject(Source.POINT, BATCH, "learning_rate"), ("non_finite", "zero"), True, 0, 1),
        (Subject(Source.SPAN, INFERENCE, "tokens_per_second"), ("non_finite", "throughput"), True, -1, 1),
        (Subject(Source.SPAN, INFERENCE, "cost_usd"), ("non_finite", "rarity", "ewma", "shift"), True, 1, 5 / 6),
        (Subject(Source.SPAN, INFERENCE, "time_to_first_token_ms"), ("non_finite", "rarity", "ewma", "shift"), True, 1, 5 / 6),
        (Subject(Source.SPAN, INFERENCE, "output_tokens"), ("non_finite", "rarity"), True, 0, 1),
        (Subject(Source.POINT, BATCH, "kl_divergence"), ("non_finite", "rarity"), False, 0, 1),
        (Subject(Source.METRIC, "", "system.cpu.utilization"), ("non_finite", "rarity"), False, 0, 1),
        (Subject(Source.METRIC, "", "hw.gpu.utilization"), ("non_finite", "throughput"), False, -1, 1),
        (Subject(Source.DURATION, INFERENCE, "duration_ms"), ("rarity", "ewma", "shift"), True, 1, 5 / 6),
        (Subject(Source.DURATION, "GET /items", "duration_ms"), ("rarity", "ewma", "shift"), True, 1, 5 / 6),
        (Subject(Source.DURATION, EPOCH, "duration_ms"), ("throughput",), True, 1, 1),
        (Subject(Source.STATUS, INFERENCE, "error_rate"), ("proportion",), False, 1, 1),
        (Subject(Source.STEP, BATCH, "steps_per_second"), ("pace",), True, -1, 1),
        (Subject(Source.POINT, BATCH, "optim/entropy"), ("non_finite",), False, 0, 1),
    ],
)  # fmt: skip
def test_by_default_each_class_has_its_detectors(
    subject: Subject,
    detectors: tuple[str, ...],
    is_log: bool,
    direction: int,
    sensitivity: float,
) -> None:
    found = planned(subject)
    assert found.detectors == detectors
    assert (found.is_log, found.direction) == (is_log, direction)
    assert found.sensitivity == pytest.approx(sensitivity)
    assert (found.rule, found.severity_min, found.is_silenced) == ("", Severity.INFO, False)


@pytest.mark.parametrize(
    "subject",
    [
        QUEUE,
        Subject(Source.METRIC, "", "loss"),
        Subject(Source.SPAN, INFERENCE, "payload_bytes"),
        Subject(Source.DURATION, BATCH, "duration_ms"),
        Subject(Source.DURATION, "crucible_train.epoch.start", "duration_ms"),
        Subject(Source.DURATION, "crucible_telemetry.run.heartbeat", "duration_ms"),
    ],
)
def test_what_nobody_marks_is_not_watched(subject: Subject) -> None:
    assert plan(subject) is None
    assert not having().wants(subject)


def test_a_rule_that_names_a_metric_has_it_watched() -> None:
    rule = {"metrics": ["queue"]}
    assert having(rule).wants(QUEUE)
    found = planned(QUEUE, rule)
    assert (found.watch_class, found.detectors) == ("level", ("non_finite", "rarity"))
    assert found.rule == "rule-1"
    assert planned(QUEUE, {"metrics": ["*"]}) == found
    assert plan(Subject(Source.METRIC, "", "queues"), rule) is None
    as_measured = planned(Subject(Source.METRIC, "", "loss"), {"metrics": ["loss"]})
    assert as_measured.detectors == planned(LOSS).detectors


def test_a_rule_about_other_things_watches_only_what_is_watched_anyhow() -> None:
    rule = {"runs": ["run-1"], "severity_min": "warning"}
    assert plan(QUEUE, rule, run="run-1") is None
    assert planned(LOSS, rule, run="run-1").severity_min is Severity.WARNING
    assert planned(QUEUE, rule | {"watch": True}, run="run-1").rule == "rule-1"
    assert plan(LOSS, {"runs": ["run-1"], "watch": False}, run="run-1") is None
    assert planned(LOSS, {"runs": ["run-1"], "watch": False}, run="run-2").rule == ""


def test_what_is_silenced_is_so_for_points_that_nobody_marked_too() -> None:
    free = Subject(Source.POINT, BATCH, "optim/entropy")
    found = planned(free, {"runs": ["run-1"], "silenced": True}, run="run-1")
    assert (found.detectors, found.is_silenced) == (("non_finite",), True)
    named = planned(free, {"metrics": ["optim/entropy"]})
    assert named.detectors == ("non_finite", "rarity")


def test_a_rule_changes_what_it_says_and_nothing_else() -> None:
    usual = planned(LOSS)
    assert planned(LOSS, {"sensitivity": 2}).sensitivity == 2
    assert planned(LOSS, {"sensitivity": 2}).detectors == usual.detectors
    assert not planned(LOSS, {"scale": "linear"}).is_log
    assert planned(LOSS, {"direction": "both"}).direction == 0
    assert planned(LOSS, {"sample_more": False}).samples_more is False
    level = planned(LOSS, {"class": "level"})
    assert level.detectors == ("non_finite", "rarity", "ewma", "shift")
    named = planned(LOSS, {"detectors": ["zscore", "iqr"]})
    assert named.detectors == ("non_finite", "zscore", "iqr")


def test_of_what_the_registry_does_not_know_the_direction_says_what_is_better() -> None:
    mine = Subject(Source.POINT, BATCH, "my_loss")
    rule = {"metrics": ["my_loss"], "class": "trend"}
    assert planned(mine, rule | {"direction": "up"}).detectors == planned(LOSS).detectors
    assert planned(mine, rule | {"direction": "down"}).detectors == ("non_finite", "drift")
    assert planned(mine, rule).detectors == ("non_finite", "ewma")


def test_errors_and_steps_keep_their_own_detectors_unless_they_are_named() -> None:
    errors = Subject(Source.STATUS, INFERENCE, "error_rate")
    steps = Subject(Source.STEP, BATCH, "steps_per_second")
    rule = {"detectors": ["zscore"], "class": "level", "silenced": True}
    for subject, own in ((errors, "proportion"), (steps, "pace")):
        found = planned(subject, rule)
        assert (found.detectors, found.is_silenced) == ((own,), True)
    assert planned(errors, rule | {"metrics": ["error_rate"]}).detectors == ("zscore",)


def test_the_first_rule_that_fits_decides() -> None:
    rules = (
        {"name": "one", "runs": ["run-1"], "watch": False},
        {"name": "batches", "events": ["crucible_train.batch"], "sensitivity": 2},
        {"name": "all", "silenced": True},
    )
    assert plan(LOSS, *rules, run="run-1") is None
    assert planned(LOSS, *rules, run="run-2").rule == "batches"
    epoch = Subject(Source.POINT, EPOCH, "loss")
    assert planned(epoch, *rules, run="run-2").rule == "all"


def test_all_webhooks_are_alerted_but_where_a_rule_names_some() -> None:
    told = {"webhooks": [OPS, CHAT]}
    rules = ({"runs": ["a"], "webhooks": ["chat"]}, {"runs": ["b"], "webhooks": []})
    watches = having(*rules, **told)
    names = {}
    for run in ("a", "b", "c"):
        found = watches.plan_for(LOSS, {"run": run})
        assert found is not None
        names[run] = [each.name for each in found.webhooks]
    assert names == {"a": ["chat"], "b": [], "c": ["ops", "chat"]}


def test_nothing_is_watched_where_detection_is_not_enabled() -> None:
    watches = having({"metrics": ["*"]}, enabled=False)
    assert watches.plans == []
    assert not any(map(watches.wants, (*subjects(), QUEUE)))
    window = observed([(LOSS, 0)], Records([{}]))
    assert watches.plan_of(window).tolist() == [NOT_WATCHED]


def every_kind() -> Iterator[dict[str, Any]]:
    yield {"name": "attribute", "attributes": {"region": "eu"}, "sensitivity": 3}
    yield {"name": "both", "runs": ["r1", "r2"], "models": ["large"], "silenced": True}
    yield {"name": "not", "experiments": ["e1"], "metrics": ["loss"], "watch": False}
    yield {"name": "events", "events": ["crucible_train"], "conditions": ["a"], "scale": "linear"}
    yield {"name": "service", "services": ["gateway"], "watch": True}
    yield {"name": "epochs", "events": [EPOCH], "severity_min": "critical"}


def test_a_window_s_numbers_have_the_plans_that_each_of_them_has_alone() -> None:
    rng = np.random.default_rng(4)
    words = {
        "run": ["r1", "r2", "r3"],
        "model": ["large", "small"],
        "experiment": ["e1", "e2"],
        "condition": ["a", "b", ""],
        "service": ["gateway", "worker"],
        "region": ["eu", "us"],
    }
    records = Records(
        [{key: str(rng.choice(each)) for key, each in words.items()} for _ in range(200)]
    )
    all_subjects = [*subjects()[::7], QUEUE, Subject(Source.POINT, EPOCH, "loss")]
    numbers = [
        (all_subjects[int(rng.integers(len(all_subjects)))], int(rng.integers(200)))
        for _ in range(3000)
    ]
    watches = having(*every_kind())
    found = watches.plan_of(observed(numbers, records))
    assert len({int(each) for each in found}) > 20
    for (subject, row), number in zip(numbers, found, strict=True):
        told = records.told[row]
        attributes = {"region": told["region"]}
        alone = watches.plan_for(subject, told, attributes)
        assert alone == (None if number == NOT_WATCHED else watches.plans[number])


def test_records_are_asked_only_for_what_rules_about_the_window_s_subjects_want() -> None:
    watches = having(
        {"runs": ["r1"], "metrics": ["queue"]}, {"attributes": {"region": "eu"}, "events": [EPOCH]}
    )
    records = Records([{}])
    watches.plan_of(observed([(LOSS, 0)], records))
    assert records.asked == []
    watches.plan_of(observed([(QUEUE, 0), (LOSS, 0)], records))
    assert records.asked == ["run"]


def test_all_plans_are_there_before_the_first_number() -> None:
    rules = [{"runs": [f"run-{n}"], "sensitivity": 1 + n} for n in range(RULES_MAX - 6)]
    watches = having(*rules, *every_kind())
    before = list(watches.plans)
    assert len(set(before)) == len(before)
    unknown = [Subject(source, "my.event", "my.metric") for source in Source]
    for subject in (*subjects(), *unknown, QUEUE, LOSS):
        watches.ways_of(subject)
    assert watches.plans == before


def test_every_basis_is_known_beforehand() -> None:
    unknown = [Subject(source, "my.event", "my.metric") for source in Source]
    assert {basis_of(each) for each in (*subjects(), *unknown)} <= set(bases())


def test_what_the_issue_names_is_watched_without_a_rule() -> None:
    names = {each.metric for each in subjects()}
    assert {"loss", "gradient_norm", "learning_rate", "accuracy", "tokens_per_second"} <= names
    assert {"time_to_first_token_ms", "latency_ms", "error_rate", "cost_usd"} <= names
    assert {"input_tokens", "output_tokens", "duration_ms", "steps_per_second"} <= names


def test_names_that_are_made_up_take_no_memory_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_SUBJECTS_MAX", 10)
    found = having()
    for number in range(100):
        found.wants(Subject(Source.METRIC, "", f"m{number}"))
    assert len(found._ways) <= 10


@pytest.mark.parametrize("module", [defaults, settings, watches])
def test_examples_run(module: Any) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0

"""Events of one moment: in the registry's fields, part of what is around them, never in the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import baggage, context

import crucible_telemetry as crucible
from crucible_telemetry import faults, telemetry
from crucible_telemetry.privacy import Policy, UserIds
from crucible_telemetry.testing import capture
from sdk.registered import assert_registered, only

Record = Callable[..., None]

# Each as a user would write it, and the name it is sent under.
RECORDS: list[tuple[Record, tuple[Any, ...], dict[str, Any], str]] = [
    (
        crucible.record_explanation,
        ("kernel_shap",),
        {
            "num_features": 64, "num_samples": 500, "n_instances": 2, "score": 0.9,
            "faithfulness": 0.8, "infidelity": 0.1, "sensitivity": 0.2, "model_name": "mlp",
            "instance_id": "digit-42", "kernel": "cosine", "parallel": True, "duration_s": 0.5,
            "top_features": [f"pixel_{index}" for index in range(20)],
        },
        "crucible_xai.explanation.generated",
    ),
    (
        crucible.record_attack,
        ("character_swap",),
        {
            "success": True, "original_text": "attack at dawn", "attacked_text": "attcak at dwan",
            "perturbation_rate": 0.2, "model_name": "gpt", "seed": 1, "defense_detected": False,
            "risk_level": "low", "batch_id": "b-1", "duration_s": 0.25,
        },
        "crucible_adversary.attack.executed",
    ),
    (
        crucible.record_evaluation,
        (),
        {
            "original_accuracy": 0.8, "attacked_accuracy": 0.6, "overall_asr": 0.25,
            "test_set_size": 100, "attack_types": ["character_swap"], "severity": "high",
            "vulnerabilities": 2, "model_name": "gpt",
        },
        "crucible_adversary.evaluation.complete",
    ),
    (
        crucible.record_health_check,
        ("d-1",),
        {
            "status": "degraded", "latency_p50": 12.5, "latency_p99": 900.0, "error_rate": 0.01,
            "requests_per_second": 40.0, "target": "vllm",
        },
        "crucible_deployment.health_check.completed",
    ),
    *(
        (
            crucible.record_deployment,
            (action, "d-1"),
            {
                "target": "vllm", "strategy": "canary", "environment": "test",
                "traffic_percent": 10, "model_name": "gpt", "model_version": "2",
            },
            f"crucible_deployment.{action}",
        )
        for action in ("deploy", "promote", "rollback", "terminate")
    ),
    (
        crucible.record_feedback,
        ("thumbs",),
        {
            "rating": 1.0, "label": "wrong", "content": "It is Canberra.", "request_id": "r-1",
            "deployment_id": "d-1", "model_name": "gpt", "model_version": "2", "session_id": "s",
            "user_id": "ada", "latency_ms": 81.5,
        },
        "crucible_feedback.feedback.recorded",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "args", "kwargs", "name"),
    RECORDS,
    ids=lambda value: getattr(value, "__name__", str(value))[:40],
)
def test_a_record_is_what_the_registry_says_it_should_be(
    record: Record, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> None:
    with capture() as captured:
        record(*args, **kwargs)
    event = only(captured, name)
    assert_registered(captured)
    assert event.duration_ns == int(kwargs.get("duration_s", 0) * 1e9)
    assert event.span.parent is None
    assert event.attributes["crucible.correlation.id"] == f"{event.span.context.trace_id:032x}"


@pytest.mark.parametrize(
    ("record", "args", "kwargs", "name"),
    RECORDS,
    ids=lambda value: getattr(value, "__name__", str(value))[:40],
)
def test_a_record_in_a_run_is_a_part_of_it(
    record: Record, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> None:
    with capture() as captured, crucible.experiment("e", condition="a") as experiment:
        with experiment.training(run_id="r"):
            record(*args, **kwargs, measurements={"my_own": 3}, my_note="x")
    event, run = only(captured, name), only(captured, "crucible_train.training.stop")
    assert event.span.parent == run.span.context
    assert event.attributes["crucible.run.id"] == "r"
    assert event.attributes["crucible.condition"] == "a"
    assert event.measurements["my_own"] == 3
    assert "x" in event.attributes.values()


@pytest.mark.parametrize(
    ("record", "args", "kwargs", "name"),
    RECORDS,
    ids=lambda value: getattr(value, "__name__", str(value))[:40],
)
def test_a_record_that_is_given_nonsense_is_sent_without_it(
    record: Record, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no")

        def __str__(self) -> str:
            raise RuntimeError("no")

    with capture() as captured:
        for nonsense in (Hostile(), object(), float("nan"), b"\xff", [Hostile()], 10**400, ""):
            record(*args, **dict.fromkeys(kwargs, nonsense))
            record(*args, **{**kwargs, "duration_s": nonsense})
    assert len(captured.named(name)) == 14


def test_texts_of_attacks_and_users_stay_here_unless_asked_for() -> None:
    def record() -> None:
        crucible.record_attack("x", success=False, original_text="secret", attacked_text="secre7")
        crucible.record_feedback("correction", content="secret", user_id="secret ada")

    with capture() as kept:
        record()
    with capture() as told:
        policy = Policy(capture_content=True, user_ids=UserIds.PLAIN)
        telemetry.replace(dataclasses.replace(telemetry.current(), policy=policy))
        record()
    assert not any("secre" in str(event.attributes) for event in kept.events)
    attack, feedback = told.events
    assert attack.attributes["crucible.attack.original_text"] == "secret"
    assert attack.attributes["crucible.attack.attacked_text"] == "secre7"
    assert feedback.attributes["crucible.feedback.content"] == "secret"
    assert feedback.attributes["user.id"] == "secret ada"


def test_lengths_are_those_of_the_texts_unless_told() -> None:
    with capture() as captured:
        crucible.record_attack("x", success=0, original_text="Grüße", attacked_text="G")  # type: ignore[arg-type]
        crucible.record_attack("x", success=True, original_text="Grüße", input_length=9)
    first, second = (event.measurements for event in captured.events)
    assert first == {"success": 0, "input_length": 5, "output_length": 1}
    assert second == {"success": 1, "input_length": 9}
    assert [event.attributes["crucible.attack.success"] for event in captured.events] == [
        False,
        True,
    ]


def test_drops_of_accuracy_are_worked_out() -> None:
    with capture() as captured:
        crucible.record_evaluation(
            original_accuracy=0.8, attacked_accuracy=0.6, overall_asr=0.2, test_set_size=5
        )
        crucible.record_evaluation(
            original_accuracy=0.0, attacked_accuracy=0.0, overall_asr=0.2, test_set_size=5
        )
    first, second = (event.measurements for event in captured.events)
    assert first["absolute_drop"] == pytest.approx(0.2)
    assert first["relative_drop"] == pytest.approx(0.25)
    assert second["absolute_drop"] == 0.0
    assert "relative_drop" not in second


@pytest.mark.parametrize(
    ("numbers", "is_exceeded"),
    [
        ({"error_rate": 0.01, "latency_p99": 100.0}, False),
        ({"error_rate": 0.06, "latency_p99": 100.0}, True),
        ({"error_rate": 0.01, "latency_p99": 501.0}, True),
        ({"error_rate": 0.06, "latency_p99": 9.0, "thresholds": {"error_rate": 0.1}}, False),
        ({"error_rate": 0.06, "latency_p99": 9.0, "threshold_exceeded": False}, False),
    ],
)
def test_a_health_check_is_compared_with_its_thresholds(
    numbers: dict[str, Any], is_exceeded: bool
) -> None:
    with capture() as captured:
        crucible.record_health_check("d", status="healthy", latency_p50=1.0, **numbers)
    attributes = captured.events[0].attributes
    assert attributes["crucible.health_check.threshold_exceeded"] is is_exceeded
    assert attributes["crucible.health_check.thresholds.p99_latency"] == 500.0


def test_the_ten_best_features_are_enough() -> None:
    with capture() as captured:
        crucible.record_explanation(
            "lime", num_features=99, top_features=[str(i) for i in range(99)]
        )
    assert len(captured.events[0].attributes["crucible.explanation.top_features"]) == 10


def test_an_event_of_ones_own_keeps_its_name_and_the_fields_that_all_have() -> None:
    with capture() as captured:
        crucible.event(
            "my_app.cache.evicted", {"entries": 12, "bad": "x"}, {"reason": "size", "step": 3},
            duration_s=0.002,
        )  # fmt: skip
    event = only(captured, "my_app.cache.evicted")
    assert event.attributes["crucible.cache.reason"] == "size"
    assert event.attributes["crucible.step"] == 3
    assert event.attributes["crucible.event.name"] == "my_app.cache.evicted"  # it calls itself one
    assert event.measurements == {"entries": 12}
    assert event.duration_ns == 2_000_000
    assert faults.counts() == {"not_a_number": 1}


def test_any_registered_event_can_be_sent_by_its_name_or_its_parts() -> None:
    with capture() as captured:
        crucible.event(
            ["crucible_model_registry", "upload"], {"size_bytes": 7}, {"model_version_id": "v"}
        )
        crucible.event("crucible_ensemble.vote.complete", {"cluster_count": 2}, {"strategy": "m"})
    upload, _ = captured.events
    assert upload.name == "crucible_model_registry.upload"
    assert upload.measurements == {"model_size_bytes": 7}


def test_tokens_of_an_event_are_found_where_opentelemetry_has_them() -> None:
    with capture() as captured:
        crucible.event("crucible_deployment.inference.stop", {"input_tokens": 5, "cost_usd": 0.1})
    (event,) = captured.events
    assert event.attributes["gen_ai.usage.input_tokens"] == 5
    assert event.measurements == {"cost_usd": 0.1}


def test_an_event_alone_is_part_of_the_story_that_baggage_tells_of() -> None:
    token = context.attach(baggage.set_baggage("crucible.correlation.id", "story-1"))
    with capture() as captured:
        crucible.event("my_app.thing.done")
    context.detach(token)
    assert captured.events[0].attributes["crucible.correlation.id"] == "story-1"


def test_unconfigured_nothing_happens() -> None:
    for record, args, kwargs, _ in RECORDS:
        record(*args, **kwargs)
    crucible.event("my_app.thing.done")
    assert faults.counts()["unconfigured"] == len(RECORDS) + 1


@pytest.mark.parametrize(("record", "arguments", "named", "_name"), RECORDS)
@pytest.mark.parametrize("wrong", [5, "text", object()])
def test_measurements_that_are_no_mapping_raise_nothing(
    record: Record, arguments: tuple[Any, ...], named: dict[str, Any], _name: str, wrong: Any
) -> None:
    with capture():
        record(*arguments, **{**named, "measurements": wrong})


def test_a_name_of_a_million_parts_is_cut_before_it_is_looked_up() -> None:
    with capture() as captured:
        crucible.event(".".join("a" * 1_000_000))
    (event,) = captured.events
    assert len(event.name) <= 256

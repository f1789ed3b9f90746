"""The standard events and their fields, written down here a second time, apart from the registry.

`?` marks a field that an event need not have. A map is followed into its fields with a dot. Fields
of `measurements` come first, those of `metadata` second; the third column says what becomes of
measurements that have no field of their own.
"""

from __future__ import annotations

import pytest

from crucible_schema import (
    EVENTS,
    LIFECYCLES,
    AttributeUse,
    EventDefinition,
    EventKind,
    MeasurementUse,
    Phase,
    Requirement,
    events,
)

EXCEPTION = "kind reason stacktrace?"
INFERENCE = (
    "model_name model_version deployment_id target request_id batch_size environment?"
    " traffic_percent?"
)
PIPELINE = "pipeline_id run_id experiment_id experiment_type backend_id dataset tags owner"
STAGE = "pipeline_id stage_name stage_index stage_module attempt? options"

STANDARD: dict[str, tuple[str, str, str]] = {
    "crucible_train.training.start": (
        "system_time total_steps dataset_size",
        (
            "run_id training_config_id model_name model_version? dataset_name split epochs batch_size"
            " learning_rate lr_schedule optimizer loss_function seed? device mixed_precision"
            " gradient_clipping? early_stopping? checkpoint_every? metrics algorithm config"
        ),
        "none",
    ),
    "crucible_train.training.stop": (
        "duration total_epochs total_steps final_loss final_accuracy",
        "status best_metrics best_epoch patience? final_model_version checkpoint_uris",
        "attributes",
    ),
    "crucible_train.training.exception": (
        "duration",
        f"{EXCEPTION} epoch batch step",
        "attributes",
    ),
    "crucible_train.epoch.start": ("system_time", "epoch total_epochs", "none"),
    # The learning rate is a measurement here, so that it has a curve.
    "crucible_train.epoch.stop": (
        "duration loss accuracy val_loss? val_accuracy? steps samples? tokens? learning_rate",
        "epoch total_epochs global_step",
        "series",
    ),
    "crucible_train.epoch.exception": ("duration", f"{EXCEPTION} epoch", "series"),
    "crucible_train.batch.stop": (
        (
            "duration loss accuracy? gradient_norm tokens? samples? learning_rate reward_mean?"
            " kl_divergence? entropy? policy_loss? margin? chosen_reward?"
        ),
        "epoch batch step total_steps batch_size status",
        "series",
    ),
    "crucible_train.checkpoint.saved": (
        "model_size_bytes size_bytes duration?",
        "checkpoint_path checkpoint_name epoch step kind",
        "series",
    ),
    "crucible_deployment.inference.start": ("system_time", INFERENCE, "none"),
    "crucible_deployment.inference.stop": (
        (
            "duration input_size output_size input_tokens? output_tokens? time_to_first_token_ms?"
            " cost_usd?"
        ),
        f"{INFERENCE} finish_reason? status",
        "attributes",
    ),
    "crucible_deployment.inference.exception": (
        "duration",
        f"{INFERENCE} {EXCEPTION} http_status?",
        "attributes",
    ),
    "crucible_deployment.health_check.completed": (
        "latency_p50 latency_p99 error_rate requests_per_second?",
        (
            "deployment_id status target threshold_exceeded thresholds.error_rate"
            " thresholds.p99_latency"
        ),
        "series",
    ),
    "crucible_framework.pipeline.start": ("system_time stage_count", PIPELINE, "none"),
    "crucible_framework.pipeline.stop": (
        "duration stages_completed",
        f"{PIPELINE} status failed_stage reason",
        "attributes",
    ),
    "crucible_framework.pipeline.exception": (
        "duration stages_completed",
        f"{PIPELINE} {EXCEPTION} status? failed_stage",
        "attributes",
    ),
    "crucible_framework.stage.start": ("system_time", STAGE, "none"),
    "crucible_framework.stage.stop": ("duration", f"{STAGE} status reason", "attributes"),
    "crucible_framework.stage.exception": (
        "duration",
        f"{STAGE} {EXCEPTION} status?",
        "attributes",
    ),
    "crucible_xai.explanation.generated": (
        (
            "duration num_samples num_features n_instances score faithfulness? infidelity?"
            " sensitivity?"
        ),
        "method model instance_id? kernel? parallel top_features",
        "attributes",
    ),
    "crucible_adversary.attack.executed": (
        "duration success input_length output_length perturbation_rate?",
        "attack_type success model seed defense_detected? risk_level? batch_id?",
        "attributes",
    ),
    "crucible_adversary.evaluation.complete": (
        "original_accuracy attacked_accuracy absolute_drop relative_drop overall_asr test_set_size",
        "model attack_types severity vulnerabilities",
        "attributes",
    ),
}

IDENTITY = (
    "event_id event_name correlation_id experiment_id run_id stage_name stage_index step work_id"
    " plan_id step_id session_id deployment_id tenant_id source.service source.version"
    " source.host source.pid"
)

UNITS = {
    "total_steps": "{step}", "steps": "{step}", "total_epochs": "{epoch}",
    "dataset_size": "{sample}", "samples": "{sample}", "tokens": "{token}",
    "input_tokens": "{token}", "output_tokens": "{token}", "model_size_bytes": "By",
    "input_size": "By", "output_size": "By", "time_to_first_token_ms": "ms", "cost_usd": "{USD}",
    "latency_p50": "ms", "latency_p99": "ms", "requests_per_second": "{request}/s",
    "stage_count": "{stage}", "stages_completed": "{stage}", "num_samples": "{sample}",
    "num_features": "{feature}", "n_instances": "{instance}", "success": "{attack}",
    "input_length": "{character}", "output_length": "{character}", "test_set_size": "{sample}",
    "active_duration": "ns", "paused_duration": "ns", "pause_count": "{pause}",
    "time_per_output_token_ms": "ms", "tokens_per_second": "{token}/s", "latency_ms": "ms",
    "cached_tokens": "{token}", "cache_creation_tokens": "{token}", "reasoning_tokens": "{token}",
}  # fmt: skip

STATUSES = {
    "crucible_train.training.stop": "completed failed cancelled early_stopped",
    "crucible_train.batch.stop": "ok error cancelled",
    "crucible_deployment.health_check.completed": "healthy unhealthy degraded unknown",
    "crucible_framework.pipeline.stop": "completed failed cancelled",
    "crucible_framework.stage.stop": "ok error skipped cancelled",
}

# What is sent here, by the SDK; other packages' events have a test of their own.
OWN = [
    name
    for name, event in EVENTS.items()
    if name in STANDARD or name.startswith(("crucible_telemetry.", "crucible_feedback.feedback."))
]
STEPS = {"crucible_train.epoch", "crucible_train.batch"}
POINTS_WITH_CURVES = {
    "crucible_deployment.health_check.completed",
    "crucible_kitchen.eval.complete",
    "crucible_kitchen.dpo.step",
    "crucible_kitchen.rl.rollout_complete",
    "crucible_kitchen.rl.step",
    "crucible_kitchen.distillation.step",
}

FIRM = {Requirement.REQUIRED, Requirement.CONDITIONALLY_REQUIRED}
BUILT_IN = {"duration", "system_time"}


def metadata_of(event: EventDefinition) -> dict[str, AttributeUse]:
    return {
        field: use
        for use in event.attributes
        for field in (use.attribute.field, *use.attribute.aliases)
    }


def measurements_of(event: EventDefinition) -> dict[str, MeasurementUse]:
    return {
        field: use
        for use in event.measurements
        for field in (use.measurement.name, *use.measurement.aliases)
    }


def split(fields: str) -> list[tuple[str, bool]]:
    """Take fields apart: each name, and whether the event has to have it."""
    return [(field.removesuffix("?"), not field.endswith("?")) for field in fields.split()]


@pytest.mark.parametrize("name", STANDARD)
def test_every_measurement_has_its_place(name: str) -> None:
    event, found = EVENTS[name], measurements_of(EVENTS[name])
    for field, is_firm in split(STANDARD[name][0]):
        if field not in BUILT_IN:
            assert field in found, f"{field} is missing"
            assert (found[field].requirement in FIRM) is is_firm, field
    fields = dict(split(STANDARD[name][0]))
    if "duration" in fields:
        assert event.duration is not None
        assert event.duration.is_required is fields["duration"]
        assert event.duration.unit == "ns"
    assert (event.phase is Phase.START) is ("system_time" in fields)


@pytest.mark.parametrize("name", STANDARD)
def test_every_metadata_field_has_its_place(name: str) -> None:
    found = metadata_of(EVENTS[name])
    for field, is_firm in split(STANDARD[name][1]):
        assert field in found, f"{field} is missing"
        assert (found[field].requirement in FIRM) is is_firm, field


@pytest.mark.parametrize("name", STANDARD)
def test_free_measurements_have_their_place(name: str) -> None:
    assert EVENTS[name].free_measurements == STANDARD[name][2]


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_the_identity(name: str) -> None:
    found = metadata_of(EVENTS[name])
    assert [field for field in IDENTITY.split() if field not in found] == []


@pytest.mark.parametrize("name", OWN)
def test_units_are_those_expected(name: str) -> None:
    for use in EVENTS[name].measurements:
        assert use.measurement.unit == UNITS.get(use.measurement.name, "1"), use.measurement.name


@pytest.mark.parametrize("name", EVENTS)
def test_numbers_with_a_step_are_series_and_numbers_of_requests_are_not(name: str) -> None:
    event = EVENTS[name]
    is_of_a_step = event.phase is not Phase.START and event.lifecycle in STEPS
    has_curve = is_of_a_step or name in POINTS_WITH_CURVES
    series = [use.is_series for use in event.measurements]
    assert any(series) is (has_curve and bool(series))
    assert all(series) or not is_of_a_step


@pytest.mark.parametrize(("name", "statuses"), STATUSES.items())
def test_an_event_has_the_statuses_expected(name: str, statuses: str) -> None:
    assert metadata_of(EVENTS[name])["status"].values == tuple(statuses.split())


def test_states_are_those_of_the_design() -> None:
    assert " ".join(events.RunStatus) == (
        "pending running completed failed cancelled early_stopped stalled"
    )
    assert " ".join(events.ExperimentStatus) == "running paused stopped archived"
    assert " ".join(events.AnomalyStatus) == "active acknowledged resolved silenced"
    assert " ".join(events.AnomalySeverity) == "info warning critical"
    assert set(events.RunStatus) <= set(events.Status)


def test_choices_are_those_that_the_packages_know() -> None:
    assert " ".join(events.TrainingAlgorithm) == "supervised dpo rl distillation"
    assert " ".join(events.CheckpointKind) == "state sampler"
    assert " ".join(events.ExperimentType) == "evaluation training comparison ablation"
    assert " ".join(events.ExplanationMethod) == (
        "lime shap kernel_shap linear_shap sampling_shap feature_importance gradient"
    )


def test_thresholds_of_a_health_check_are_numbers() -> None:
    found = metadata_of(EVENTS["crucible_deployment.health_check.completed"])
    assert found["thresholds.error_rate"].attribute.examples == (0.05,)
    assert found["thresholds.p99_latency"].attribute.examples == (500.0,)


def test_every_pair_is_one_span() -> None:
    own = {name: LIFECYCLES[name] for name in LIFECYCLES if f"{name}.stop" in OWN}
    assert set(own) == {
        "crucible_telemetry.experiment",
        "crucible_train.training",
        "crucible_train.epoch",
        "crucible_train.batch",
        "crucible_deployment.inference",
        "crucible_framework.pipeline",
        "crucible_framework.stage",
    }
    for name, lifecycle in own.items():
        stop = EVENTS[lifecycle.stop]
        assert (stop.name, stop.span_name, stop.kind) == (f"{name}.stop", name, EventKind.SPAN)
        if name == "crucible_train.batch":
            assert (lifecycle.start, lifecycle.exception) == (None, None)
        else:
            assert (lifecycle.start, lifecycle.exception) == (f"{name}.start", f"{name}.exception")
            assert EVENTS[f"{name}.start"].kind is EventKind.POINT
            assert EVENTS[f"{name}.exception"].span_name == name


def test_a_point_event_is_a_span_of_its_own_name() -> None:
    for event in EVENTS.values():
        if event.lifecycle is None:
            assert (event.kind, event.span_name, event.phase) == (EventKind.POINT, event.name, None)

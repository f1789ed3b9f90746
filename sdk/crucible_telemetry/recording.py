"""Tells of what happened at one moment: explanations, attacks, health checks, deployments, feedback.

    crucible.record_attack("character_swap", success=True, input_length=120, output_length=118)

Each function takes the registry's fields by name and whatever else is known as further keywords,
and sends one event: part of the scope around it, or a story of its own. None of them raises. What a
reader could not guess: texts of attacks and feedback and ids of users may always be handed over;
whether they are sent, `configure()` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible_schema import events as names
from crucible_telemetry import values
from crucible_telemetry.faults import guarded
from crucible_telemetry.point import event

# What crucible_deployment compares with where nothing else is said.
THRESHOLDS: Mapping[str, float] = {"error_rate": 0.05, "p99_latency": 500.0}
TOP_FEATURES_MAX = 10


@guarded
def record_explanation(
    method: str,
    *,
    num_features: int | None = None,
    n_instances: int = 1,
    num_samples: int | None = None,
    score: float | None = None,
    faithfulness: float | None = None,
    infidelity: float | None = None,
    sensitivity: float | None = None,
    model_name: str | None = None,
    instance_id: str | None = None,
    kernel: str | None = None,
    parallel: bool | None = None,
    top_features: Sequence[str] | None = None,
    duration_s: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell that a model's answer, or several at once, were explained.

    method: lime, shap, kernel_shap, gradient, … score: how well the explaining model fits.
    top_features: names, best first; the first ten are sent.
    """
    event(
        names.CRUCIBLE_XAI_EXPLANATION_GENERATED,
        {
            "num_features": num_features,
            "n_instances": n_instances,
            "num_samples": num_samples,
            "score": score,
            "faithfulness": faithfulness,
            "infidelity": infidelity,
            "sensitivity": sensitivity,
            **(measurements or {}),
        },
        {
            "method": method,
            "model_name": model_name,
            "instance_id": instance_id,
            "kernel": kernel,
            "parallel": parallel,
            "top_features": _texts(top_features, TOP_FEATURES_MAX),
            **metadata,
        },
        duration_s=duration_s,
    )


@guarded
def _texts(listed: Sequence[str] | None, count_max: int | None = None) -> list[str] | None:
    if listed is None:
        return None
    texts = [listed] if isinstance(listed, str) else [str(text) for text in listed]
    return texts[:count_max]


@guarded
def record_attack(
    attack_type: str,
    *,
    success: bool,
    input_length: int | None = None,
    output_length: int | None = None,
    perturbation_rate: float | None = None,
    original_text: str | None = None,
    attacked_text: str | None = None,
    model_name: str | None = None,
    seed: int | None = None,
    defense_detected: bool | None = None,
    risk_level: str | None = None,
    batch_id: str | None = None,
    duration_s: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell that a model was attacked once.

    input_length, output_length: of the original and of the attacked text, in characters; taken
    from the texts where they are given. The texts themselves are content: not sent unless asked
    for. perturbation_rate: the share of the text that was changed, 0 to 1.
    """
    event(
        names.CRUCIBLE_ADVERSARY_ATTACK_EXECUTED,
        {
            "success": success,
            "input_length": _length(original_text) if input_length is None else input_length,
            "output_length": _length(attacked_text) if output_length is None else output_length,
            "perturbation_rate": perturbation_rate,
            **(measurements or {}),
        },
        {
            "attack_type": attack_type,
            "success": guarded(bool)(success),
            "original_text": original_text,
            "attacked_text": attacked_text,
            "model_name": model_name,
            "seed": seed,
            "defense_detected": defense_detected,
            "risk_level": risk_level,
            "batch_id": batch_id,
            **metadata,
        },
        duration_s=duration_s,
    )


def _length(text: Any) -> int | None:
    return len(text) if isinstance(text, str) else None


@guarded
def record_evaluation(
    *,
    original_accuracy: float,
    attacked_accuracy: float,
    overall_asr: float,
    test_set_size: int,
    attack_types: Sequence[str] = (),
    absolute_drop: float | None = None,
    relative_drop: float | None = None,
    severity: str | None = None,
    vulnerabilities: int | None = None,
    model_name: str | None = None,
    duration_s: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell that a model's robustness was evaluated.

    overall_asr: the share of attacks that succeeded, 0 to 1. The drops are worked out from the
    accuracies unless given; the relative one is a share of the original accuracy.
    """
    absolute, relative = _drops(original_accuracy, attacked_accuracy) or (None, None)
    event(
        names.CRUCIBLE_ADVERSARY_EVALUATION_COMPLETE,
        {
            "original_accuracy": original_accuracy,
            "attacked_accuracy": attacked_accuracy,
            "absolute_drop": absolute if absolute_drop is None else absolute_drop,
            "relative_drop": relative if relative_drop is None else relative_drop,
            "overall_asr": overall_asr,
            "test_set_size": test_set_size,
            **(measurements or {}),
        },
        {
            "attack_types": _texts(attack_types),
            "severity": severity,
            "vulnerabilities": vulnerabilities,
            "model_name": model_name,
            **metadata,
        },
        duration_s=duration_s,
    )


@guarded
def _drops(original: Any, attacked: Any) -> tuple[float | None, float | None]:
    before, after = values.number(original), values.number(attacked)
    if before is None or after is None:
        return None, None
    drop = float(before - after)
    return drop, drop / before if before else None


@guarded
def record_health_check(
    deployment_id: str,
    *,
    status: str,
    latency_p50: float,
    latency_p99: float,
    error_rate: float,
    requests_per_second: float | None = None,
    target: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    threshold_exceeded: bool | None = None,
    duration_s: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell that a deployment was checked.

    status: "healthy", "degraded", "unhealthy" or "unknown". latency_p50, latency_p99: in ms.
    error_rate: 0 to 1. thresholds: `error_rate` and `p99_latency` (ms), 0.05 and 500 unless given;
    whether one was exceeded is found by comparing, unless told.
    """
    limits = {**THRESHOLDS, **(thresholds or {})}
    if threshold_exceeded is None:
        threshold_exceeded = _exceeds(error_rate, limits["error_rate"]) or _exceeds(
            latency_p99, limits["p99_latency"]
        )
    event(
        names.CRUCIBLE_DEPLOYMENT_HEALTH_CHECK_COMPLETED,
        {
            "latency_p50": latency_p50,
            "latency_p99": latency_p99,
            "error_rate": error_rate,
            "requests_per_second": requests_per_second,
            **(measurements or {}),
        },
        {
            "deployment_id": deployment_id,
            "status": status,
            "target": target,
            "threshold_exceeded": threshold_exceeded,
            **{f"thresholds.{name}": limit for name, limit in limits.items()},
            **metadata,
        },
        duration_s=duration_s,
    )


def _exceeds(value: Any, limit: Any) -> bool:
    number, most = values.number(value), values.number(limit)
    return number is not None and most is not None and number > most


@guarded
def record_deployment(
    action: str,
    deployment_id: str,
    *,
    target: str | None = None,
    strategy: str | None = None,
    environment: str | None = None,
    traffic_percent: float | None = None,
    model_name: str | None = None,
    model_version: str | None = None,
    reason: str | None = None,
    duration_s: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell that a deployment changed: `action` is "deploy", "promote", "rollback" or "terminate".

    target: what serves it, e.g. vllm. strategy: e.g. canary. traffic_percent: 0 to 100. reason: why
    it was rolled back or taken down. Another action is sent all the same, under its own name.
    """
    event(
        f"crucible_deployment.{action}",
        {"count": 1, **(measurements or {})},
        {
            "deployment_id": deployment_id,
            "target": target,
            "strategy": strategy,
            "environment": environment,
            "traffic_percent": traffic_percent,
            "model_name": model_name,
            "model_version": model_version,
            "reason": reason,
            **metadata,
        },
        duration_s=duration_s,
    )


@guarded
def record_feedback(
    feedback_type: str,
    *,
    rating: float | bool | None = None,
    label: str | None = None,
    content: str | None = None,
    request_id: str | None = None,
    deployment_id: str | None = None,
    model_name: str | None = None,
    model_version: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    latency_ms: float | None = None,
    measurements: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Tell what somebody thought of an answer.

    feedback_type: "thumbs" (rating True or False), "rating", "correction", "label" or "flag".
    label: the right class, or what was flagged. content: what the person wrote; not sent unless
    content is asked for. user_id: sent as `configure(user_ids=…)` says, by default not at all.
    latency_ms: how long the answer took that this is about.
    """
    event(
        names.CRUCIBLE_FEEDBACK_FEEDBACK_RECORDED,
        {"rating": rating, "latency_ms": latency_ms, **(measurements or {})},
        {
            "feedback_type": feedback_type,
            "label": label,
            "content": content,
            "request_id": request_id,
            "deployment_id": deployment_id,
            "model_name": model_name,
            "model_version": model_version,
            "session_id": session_id,
            "user_id": user_id,
            **metadata,
        },
    )

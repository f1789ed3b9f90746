"""We emit this: one story told through the SDK has each published example of its own events in it.

Key by key, with the example's type and, but for what is counted or timed here, its value.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import Captured, capture

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
PACKAGES = ("adversary", "deployment", "framework", "telemetry", "train", "xai")
OTHERS = ("crucible_train.logging.",)  # what our SDK does not tell
# What the story counts, times or names itself.
COUNTED = {
    "crucible.step", "crucible.epoch", "crucible.batch.index", "crucible.stage.index",
    "crucible.training.best_epoch", "crucible.heartbeat.interval_s",
    "crucible.measurement.steps", "crucible.measurement.total_steps",
    "crucible.measurement.total_epochs", "crucible.measurement.active_duration",
    "crucible.measurement.paused_duration", "crucible.measurement.stage_count",
    "crucible.measurement.stages_completed", "crucible.measurement.time_to_first_token_ms",
    "crucible.measurement.time_per_output_token_ms", "crucible.measurement.tokens_per_second",
    "crucible.stage.module", "crucible.training.checkpoint_uris",
}  # fmt: skip
# What is the same in every batch is told by the training.
TOLD_ONCE = {
    ("crucible_train.batch", "crucible.training.total_steps"),
    ("crucible_train.batch", "crucible.batch.size"),
}


def _value(value: dict[str, Any]) -> Any:
    ((kind, held),) = value.items()
    if kind == "arrayValue":
        return tuple(_value(each) for each in held["values"])
    return int(held) if kind == "intValue" else held


def _says(sent: Any, published: Any) -> bool:
    """JSON by what it says, since its spaces say nothing, nor do its last digits."""
    if isinstance(published, str) and published.startswith("{"):
        said, told = json.loads(sent), json.loads(published)
        return bool(said == told or said == pytest.approx(told))
    return bool(sent == published)


def _attributes(path: Path) -> dict[str, Any]:
    (resource,) = json.loads(path.read_text())["resourceSpans"]
    (span,) = resource["scopeSpans"][0]["spans"]
    return {each["key"]: _value(each["value"]) for each in span.get("attributes", [])}


PUBLISHED = {
    path.stem: _attributes(path)
    for path in [
        *(each for name in PACKAGES for each in sorted(EXAMPLES.glob(f"crucible_{name}.*.json"))),
        EXAMPLES / "crucible_feedback.feedback.recorded.json",
    ]
    if not path.stem.startswith(OTHERS)
}
CORRELATION_ID = PUBLISHED["crucible_train.batch.stop"]["crucible.correlation.id"]
RUN_ID = PUBLISHED["crucible_train.batch.stop"]["crucible.run.id"]
MODEL: dict[str, Any] = {"model_name": "mlp", "model_version": "3"}
CALL: dict[str, Any] = {
    "provider": "openai", "operation": "chat", "model_version": "3", "request_model": "gpt-4o",
    "deployment_id": "6a1f0a52-7d0b-4a75-8f55-0b6a8b5f0f10", "request_id": "req-8f14e45f",
    "target": "vllm", "batch_size": 1, "sample_id": "sample-0042", "environment": "staging",
    "traffic_percent": 10, "max_tokens": 1024, "temperature": 0.7, "top_p": 0.95,
}  # fmt: skip
TRAINING: dict[str, Any] = {
    **MODEL, "dataset_name": "digits", "split": "train", "config": {"hidden": 64},
    "training_config_id": "cfg-12", "algorithm": "supervised", "epochs": 10, "batch_size": 32,
    "learning_rate": 0.001, "lr_schedule": "linear", "optimizer": "adam",
    "loss_function": "cross_entropy", "seed": 42, "device": "cpu", "mixed_precision": True,
    "gradient_clipping": 1.0, "checkpoint_every": 45, "total_steps": 450, "dataset_size": 1437,
    "early_stopping": {"monitor": "val_loss", "patience": 3}, "metrics": ["loss", "accuracy"],
}  # fmt: skip
PIPELINE: dict[str, Any] = {
    "run_id": RUN_ID, "config": {"folds": 5}, "experiment_type": "evaluation",
    "backend_id": "local", "dataset_name": "digits", "owner": "vision-team",
}  # fmt: skip


def _fail(error: BaseException) -> None:
    raise error


def _pipelines() -> None:
    tags = PUBLISHED["crucible_framework.pipeline.stop"]["crucible.experiment.tags"]
    for error in (None, FileNotFoundError("no such file: corpus.txt")):
        metrics = {"accuracy": 0.95}
        with (
            contextlib.suppress(FileNotFoundError),
            crucible.pipeline(
                "tokenise-and-train", stages=["tokenise"], metrics=metrics, tags=tags, **PIPELINE
            ),
        ):
            tokenise(Context(metrics), error, lowercase=True)


@dataclass
class Context:
    """What stages hand on to each other."""

    metrics: dict[str, float]


@crucible.stage("tokenise", allowed_options=["lowercase"])
def tokenise(ctx: Context, error: BaseException | None, *, lowercase: bool) -> bool:
    ctx.metrics["accuracy"] = 0.97
    if error is not None:
        _fail(error)
    return lowercase


def _trainings(captured: Captured) -> None:
    for error in (None, ValueError("loss is NaN"), FloatingPointError("loss is NaN")):
        with (
            contextlib.suppress(ValueError, FloatingPointError),
            crucible.training(run_id=RUN_ID, **TRAINING) as training,
        ):
            training.log(final_loss=0.087, final_accuracy=0.97)
            training.describe(best_metrics={"val_accuracy": 0.97}, best_epoch=7)
            training.describe(patience=3, final_model_version="4")
            with training.epoch() as epoch:
                with epoch.batch() as batch:
                    batch.log(loss=0.412, accuracy=0.94, gradient_norm=1.38, learning_rate=0.001)
                    batch.log({"optim/entropy": 1.92, "samples": 32})
                epoch.log(loss=0.412, accuracy=0.94, val_loss=0.465, val_accuracy=0.92)
                epoch.log(samples=1437, learning_rate=0.001)
                while not any(
                    "crucible.step" in each.attributes
                    for each in captured.named("crucible_telemetry.run.heartbeat")
                ):
                    time.sleep(0.001)
                training.checkpoint(
                    PUBLISHED["crucible_train.checkpoint.saved"]["crucible.checkpoint.path"],
                    name="mlp-7",
                    kind="state",
                    size_bytes=812345,
                    metrics={"accuracy": 0.97},
                )
                if isinstance(error, ValueError):
                    _fail(error)
            if error is not None:
                _fail(error)


def _inferences() -> None:
    usage = {"input_tokens": 128, "cached_tokens": 64, "cache_creation_tokens": 32}
    for error in (None, TimeoutError("no answer within 30 s")):
        with (
            contextlib.suppress(TimeoutError),
            crucible.inference("mlp", start_marker=True, **CALL) as call,
        ):
            call.input(bytes(1024))
            call.usage(cost_usd=0.0042, **usage)
            if error is not None:
                call.respond(http_status=504)
                _fail(error)
            call.token()
            call.token(332)
            call.usage(output_tokens=333, reasoning_tokens=96)
            call.respond(
                response_model="gpt-4o-2024-08-06",
                response_id="chatcmpl-123",
                finish_reason="stop",
                output_size=2048,
            )


def _moments() -> None:
    deployment_id = CALL["deployment_id"]
    crucible.record_attack(
        "character_swap", success=True, input_length=84, output_length=87, perturbation_rate=0.05,
        model_name="mlp", seed=42, defense_detected=True, risk_level="low", batch_id="attacks-7",
    )  # fmt: skip
    crucible.record_evaluation(
        original_accuracy=0.97, attacked_accuracy=0.71, absolute_drop=0.26, relative_drop=0.268,
        overall_asr=0.27, test_set_size=360, model_name="mlp", severity="low", vulnerabilities=2,
        attack_types=PUBLISHED["crucible_adversary.evaluation.complete"][
            "crucible.evaluation.attack_types"
        ],
    )  # fmt: skip
    crucible.record_explanation(
        "lime", num_samples=1000, num_features=64, score=0.88, faithfulness=0.79, infidelity=0.041,
        sensitivity=0.12, model_name="mlp", instance_id="digit-42", kernel="exponential",
        parallel=True, top_features=PUBLISHED["crucible_xai.explanation.generated"][
            "crucible.explanation.top_features"
        ],
    )  # fmt: skip
    crucible.record_health_check(
        deployment_id, status="healthy", latency_p50=84.0, latency_p99=412.0, error_rate=0.012,
        requests_per_second=37.5, target="vllm", threshold_exceeded=False,
        thresholds={"error_rate": 0.05, "p99_latency": 500},
    )  # fmt: skip
    for action in ("deploy", "promote", "rollback", "terminate"):
        crucible.record_deployment(
            action, deployment_id, target="vllm", strategy="replace", environment="staging",
            traffic_percent=10, reason="p99 latency above 500 ms" if action == "rollback" else None,
            **MODEL,
        )  # fmt: skip
    crucible.record_feedback(
        "thumbs", rating=1.0, label="toxic", request_id="req-8f14e45f", latency_ms=640.0, **MODEL
    )


@pytest.fixture(scope="module")
def story() -> Captured:
    told = PUBLISHED["crucible_telemetry.experiment.stop"]
    with capture(heartbeat_s=0.01) as captured:
        for error in (None, OSError("no space left on device")):
            with (
                contextlib.suppress(OSError),
                crucible.experiment(
                    told["crucible.experiment.name"],
                    experiment_id="lr-sweep",
                    condition="lr=1e-3",
                    hypothesis=told["crucible.experiment.hypothesis"],
                    tags=told["crucible.experiment.tags"],
                    owner="vision-team",
                    experiment_type="training",
                    metadata={"ticket": "ML-42"},
                    correlation_id=CORRELATION_ID,
                ) as experiment,
            ):
                with experiment.paused("the GPU is needed elsewhere"):
                    pass
                if error is not None:
                    _fail(error)
                _pipelines()
                _trainings(captured)
                _inferences()
                _moments()
    return captured


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sdk_emits_what_is_published(story: Captured, name: str) -> None:
    differences = [_differences(PUBLISHED[name], each.span) for each in story.named(name)]
    assert differences
    assert min(differences, key=len) == []


def _differences(published: dict[str, Any], span: Any) -> list[str]:
    sent = span.attributes
    return [
        f"{key}: {sent.get(key)!r}, not {value!r}"
        for key, value in published.items()
        if (span.name, key) not in TOLD_ONCE
        and (
            type(sent.get(key)) is not type(value)
            or not (key in COUNTED or _says(sent[key], value))
        )
    ]

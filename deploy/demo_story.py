"""What goes on around a training: a sweep, a pipeline with its deployment, calls of language models, sampling.

So that every view of the page has something to show. The networks are trained and asked for real; the language models
are made up, as there may be no network: their answers come after a random while, with random lengths.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from demo_network import BATCH_SIZE, Digits, Network, shifted

import crucible_telemetry as crucible

SWEEP = "digits-learning-rates"
NIGHTLY = "digits-nightly"
EXPLAIN = "digits-explained"
RATES = (0.02, 0.05, 0.2)
SEEDS = 4
SWEEP_LAYERS = (64, 48, 10)
SWEEP_EPOCHS = 12
ASKED = 240  # of the deployed network
CALLS = 320  # of language models
# Name, version, median seconds to the first token and a token; known to price lists.
MODELS = (("gpt-4o-mini", "2024-07-18", 0.012, 0.0006), ("gpt-4o", "2024-08-06", 0.022, 0.0011))
FAILED = 0.03
RULES = [
    {
        "name": "a-quarter-of-calls",
        "strategy": "uniform",
        "probability": 0.25,
        "events": ["crucible_deployment.inference"],
    }
]


def tell_story(put: Callable[[str, dict[str, Any]], Any]) -> None:
    """All of it, in about half a minute. `put` changes settings over REST."""
    digits = Digits.load(np.random.default_rng(1))
    print("\nThe rest of the story: a sweep, a pipeline, its deployment, calls of language models")
    sweep(digits)
    network = nightly(digits)
    deploy(network, digits)
    put("/sampling", {"rules": RULES, "changed_by": "demo", "reason": "calls are many and alike"})
    time.sleep(1.0)  # until the rules are in force
    explain()


def sweep(digits: Digits) -> None:
    """Learning rates against each other, several seeds each."""
    for rate in RATES:
        with crucible.experiment(
            SWEEP,
            hypothesis="within twelve epochs a larger learning rate is more accurate",
            condition=f"lr={rate}",
            tags=["demo", "sweep"],
            owner="demo",
            experiment_type="comparison",
        ) as experiment:
            for seed in range(SEEDS):
                config = {
                    "learning_rate": rate,
                    "layers": list(SWEEP_LAYERS),
                    "batch_size": BATCH_SIZE,
                }
                with experiment.training(
                    model_name="mlp-small",
                    dataset_name="digits",
                    seed=seed,
                    config={**config, "seed": seed},
                ) as training:
                    _fit(training, digits, rate, seed, SWEEP_EPOCHS)


def _fit(
    training: crucible.Training, digits: Digits, rate: float, seed: int, epochs: int
) -> Network:
    network = Network(SWEEP_LAYERS, seed)
    numbers = np.random.default_rng(seed)
    for epoch in training.epochs(epochs):
        rows = numbers.permutation(digits.train)
        for batch in epoch.batches(np.array_split(rows, len(rows) // BATCH_SIZE)):
            images, labels = digits.images[batch.data], digits.labels[batch.data]
            loss, accuracy, norm = network.step(shifted(images, numbers), labels, rate)
            batch.log(loss=loss, accuracy=accuracy, gradient_norm=norm)
        val_loss, val_accuracy = network.evaluate(
            digits.images[digits.test], digits.labels[digits.test]
        )
        epoch.log(val_loss=val_loss, val_accuracy=val_accuracy)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"epoch-{epoch.index}.npz"
            np.savez(path, *network.weights, *network.biases)
            training.checkpoint(
                str(path), size_bytes=path.stat().st_size, metrics={"val_accuracy": val_accuracy}
            )
    return network


def nightly(digits: Digits) -> Network:
    """A pipeline whose stages prepare, train, attack and explain; one correlation id from here to the calls."""
    with crucible.pipeline(
        NIGHTLY,
        correlation_id=NIGHTLY,
        stages=("prepare", "train", "attack", "explain"),
        dataset_name="digits",
    ) as pipeline:
        with pipeline.stage("prepare"):
            mean = float(digits.images.mean())
        with (
            pipeline.stage("train", metrics={"mean_pixel": mean}),
            crucible.training(
                model_name="mlp-small",
                dataset_name="digits",
                config={"learning_rate": 0.1, "seed": 11},
            ) as training,
        ):
            network = _fit(training, digits, 0.1, 11, 3)
        with pipeline.stage("attack"):
            _attack(network, digits)
        with pipeline.stage("explain"):
            _explain(network, digits)
    return network


def _attack(network: Network, digits: Digits) -> None:
    """Pixels are turned over, more and more of them."""
    images, labels = digits.images[digits.test], digits.labels[digits.test]
    numbers = np.random.default_rng(3)
    before = network.evaluate(images, labels)[1]
    turned = np.where(numbers.random(images.shape) < 0.15, 1 - images, images)
    after = network.evaluate(turned, labels)[1]
    for row in range(12):
        begin = time.perf_counter()
        was, now = (
            int(network.forward(each[row : row + 1])[1].argmax()) for each in (images, turned)
        )
        crucible.record_attack(
            "pixel-flip", success=was == labels[row] != now, perturbation_rate=0.15, model_name="mlp-small",
            duration_s=time.perf_counter() - begin,
        )  # fmt: skip
    crucible.record_evaluation(
        original_accuracy=before, attacked_accuracy=after, overall_asr=max(0.0, before - after) / before,
        test_set_size=len(labels), attack_types=["pixel-flip"], model_name="mlp-small",
    )  # fmt: skip


def _explain(network: Network, digits: Digits) -> None:
    """Which pixels matter: by how much the probability falls without each."""
    for row in digits.test[:6]:
        begin = time.perf_counter()
        image = digits.images[row : row + 1]
        probability = network.forward(image)[1]
        without = network.forward(image * (1 - np.eye(64)))[1][:, probability.argmax()]
        fall = probability.max() - without
        crucible.record_explanation(
            "occlusion", num_features=64, num_samples=64, score=float(fall.max()), model_name="mlp-small",
            top_features=[f"pixel {place}" for place in fall.argsort()[::-1][:5]],
            duration_s=time.perf_counter() - begin,
        )  # fmt: skip


def deploy(network: Network, digits: Digits) -> None:
    """The network answers, a call an image."""
    with crucible.experiment(NIGHTLY, correlation_id=NIGHTLY, tags=["demo", "serving"]):
        crucible.record_deployment(
            "deploy",
            "digits-1",
            target="numpy",
            strategy="canary",
            traffic_percent=100.0,
            model_name="mlp-small",
            model_version="1",
        )
        spent = []
        for row in digits.test[:ASKED]:
            begin = time.perf_counter()
            with crucible.inference(
                "mlp-small", model_version="1", deployment_id="digits-1", provider="numpy"
            ) as call:
                image = digits.images[row : row + 1]
                call.input(image)
                network.forward(image)
            spent.append(1000 * (time.perf_counter() - begin))
        p50, p99 = np.percentile(spent, [50, 99])
        crucible.record_health_check(
            "digits-1",
            status="healthy",
            latency_p50=float(p50),
            latency_p99=float(p99),
            error_rate=0.0,
        )


def explain() -> None:
    """Language models are asked to say in words what a network saw."""
    random.seed(5)
    with (
        crucible.experiment(
            EXPLAIN,
            hypothesis="the smaller model explains as fast for a tenth of the price",
            tags=["demo", "llm"],
        ),
        ThreadPoolExecutor(8) as pool,
    ):
        calls = [pool.submit(crucible.carry(_call), *random.choice(MODELS)) for _ in range(CALLS)]
        for each in calls:
            each.result()


def _call(model: str, version: str, first_s: float, token_s: float) -> None:
    tokens = int(random.lognormvariate(3.4, 0.5))
    try:
        with crucible.inference(
            model, provider="openai", operation="chat", model_version=version
        ) as call:
            time.sleep(random.lognormvariate(np.log(first_s), 0.35))
            _fail_sometimes()
            call.first_token()
            time.sleep(tokens * token_s)
            call.usage(input_tokens=random.randint(180, 420), output_tokens=tokens)
    except TimeoutError:
        pass  # told of, and not asked again


def _fail_sometimes() -> None:
    if random.random() < FAILED:
        raise TimeoutError("the model took too long")

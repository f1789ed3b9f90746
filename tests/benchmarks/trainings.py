"""Trainings that really run, on data that is there or that a teacher network made.

The loop reports what a training reports: loss, accuracy and gradient norm of each batch, the rate, the
times of steps; loss and accuracy on held-out data after each epoch. Its clock is simulated: a step takes
what its arithmetic would at a fixed speed, with jitter, so that a slow machine is none of its faults.
"""

# ruff: noqa: ARG002 - what faults may do has one signature each

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.networks import (
    F64,
    I64,
    Adam,
    Convolution,
    Dense,
    Momentum,
    Network,
    Optimiser,
    Recurrent,
    Relu,
    Tanh,
    cross_entropy,
    squared_error,
)

STEPS = 1200
STEP_S = 0.5
STEP_JITTER = 0.1
HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to learn from; labels of a classification or targets of a regression."""

    x: F64
    y: Any

    def rows(self, at: Any) -> Data:
        return Data(self.x[at], self.y[at])

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of training."""

    name: str
    data: Callable[[np.random.Generator], Data]
    network: Callable[[np.random.Generator], Network]
    optimiser: Callable[[], Optimiser]
    rate: float
    batch: int
    schedule: Callable[[float], float]  # of the share of all steps
    is_classifying: bool = True
    gradient_norm_max: float = math.inf  # gradients are clipped to it


@dataclass(slots=True)
class Fault:
    """What goes wrong from step `at` on; `since` is how many steps ago that was. The base: nothing."""

    at: int

    def batch(self, batch: Data, since: int) -> Data:
        return batch

    def rate(self, rate: float, since: int) -> float:
        return rate

    def weights(self, network: Network, since: int) -> None:
        pass

    def keeps_update(self, since: int) -> bool:
        return True

    def duration_s(self, duration_s: float, since: int) -> float:
        return duration_s


@dataclass(slots=True)
class Curves:
    """What a training reported, by metric: of steps, and of epochs."""

    time_s: F64
    epoch: I64
    by_step: dict[str, F64]
    val_step: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    by_epoch: dict[str, F64] = field(default_factory=dict)


def train(recipe: Recipe, seed: int, fault: Fault | None = None, steps: int = STEPS) -> Curves:
    """Train once. What a fault does not touch is the same with and without it."""
    rng = np.random.default_rng([seed, 1])
    data = recipe.data(rng)
    held_out = data.rows(slice(0, int(HELD_OUT * len(data))))
    data = data.rows(slice(len(held_out), None))
    loop = _Loop(recipe, recipe.network(rng), recipe.optimiser(), fault)
    durations = np.random.default_rng([seed, 2]).lognormal(math.log(STEP_S), STEP_JITTER, steps)
    per_epoch = len(data) // recipe.batch
    rows: list[tuple[float, ...]] = []
    validations: list[tuple[float, ...]] = []
    time_s = 0.0
    with np.errstate(all="ignore"):
        for step in range(steps):
            if step % per_epoch == 0:
                order = rng.permutation(len(data))
            at = order[step % per_epoch * recipe.batch :][: recipe.batch]
            time_s += loop.duration_s(step, float(durations[step]))
            rows.append((time_s, step // per_epoch, *loop.step(data.rows(at), step, step / steps)))
            if (step + 1) % per_epoch == 0:
                time_s += 10 * STEP_S
                validations.append((step, *loop.judge(held_out)))
    return _curves(np.array(rows), np.array(validations).reshape(-1, 3), recipe)


def _curves(rows: F64, validations: F64, recipe: Recipe) -> Curves:
    by_step = {"loss": rows[:, 2], "gradient_norm": rows[:, 4], "learning_rate": rows[:, 5]}
    by_epoch = {"val_loss": validations[:, 1]}
    if recipe.is_classifying:
        by_step["accuracy"] = rows[:, 3]
        by_epoch["val_accuracy"] = validations[:, 2]
    step = validations[:, 0].astype(np.int64)
    return Curves(rows[:, 0], rows[:, 1].astype(np.int64), by_step, step, by_epoch)


class _Loop:
    def __init__(
        self, recipe: Recipe, network: Network, optimiser: Optimiser, fault: Fault | None
    ) -> None:
        self._recipe, self._network, self._optimiser = recipe, network, optimiser
        self._fault = fault or Fault(2**62)
        self._loss: Any = cross_entropy if recipe.is_classifying else squared_error

    def _now(self, step: int) -> Fault:
        return self._fault if step >= self._fault.at else _NONE

    def duration_s(self, step: int, duration_s: float) -> float:
        return self._now(step).duration_s(duration_s, step - self._fault.at)

    def step(self, batch: Data, step: int, share: float) -> tuple[float, float, float, float]:
        """Loss, accuracy, gradient norm, rate."""
        fault, since = self._now(step), step - self._fault.at
        fault.weights(self._network, since)
        batch = fault.batch(batch, since)
        loss, accuracy, g = self._loss(self._network.forward(batch.x), batch.y)
        gradients = self._network.gradients(g)
        norm = math.sqrt(sum(float((each**2).sum()) for each in gradients))
        if norm > self._recipe.gradient_norm_max:
            gradients = [each * (self._recipe.gradient_norm_max / norm) for each in gradients]
        rate = fault.rate(self._recipe.rate * self._recipe.schedule(share), since)
        if fault.keeps_update(since):
            self._optimiser.step(self._network.weights, gradients, rate)
        return loss, accuracy, norm, rate

    def judge(self, data: Data) -> tuple[float, float]:
        loss, accuracy, _ = self._loss(self._network.forward(data.x), data.y)
        return loss, accuracy


_NONE = Fault(0)


def constant(share: float) -> float:
    return 1.0


def cosine(share: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * share))


def warm_up_then_linear(share: float) -> float:
    return share / 0.05 if share < 0.05 else (1.0 - share) / 0.95


def in_steps(share: float) -> float:
    return 1.0 if share < 0.6 else 0.2 if share < 0.85 else 0.04


def digits(rng: np.random.Generator) -> Data:
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    return Data(x[order] / 16.0, y[order].astype(np.int64))


def taught_classes(rng: np.random.Generator) -> Data:
    """Classes that a random network tells, one in twenty of them told wrongly."""
    x = rng.normal(size=(6000, 20))
    teacher = Network([Dense(rng, 20, 32), Tanh(), Dense(rng, 32, 5)])
    y = teacher.forward(x).argmax(axis=1)
    wrong = rng.random(len(y)) < 0.05
    y[wrong] = rng.integers(0, 5, int(wrong.sum()))
    return Data(x, y.astype(np.int64))


def taught_values(rng: np.random.Generator) -> Data:
    """Values of a random network, with noise."""
    x = rng.normal(size=(4000, 16))
    teacher = Network([Dense(rng, 16, 24), Tanh(), Dense(rng, 24, 1)])
    y = teacher.forward(x)
    return Data(x, y + rng.normal(scale=0.2, size=y.shape))


def sequences(rng: np.random.Generator) -> Data:
    """Which of four places in a sequence of 12 holds the largest value, the others being for show."""
    x = rng.normal(size=(4000, 12))
    return Data(x, x[:, 2::3].argmax(axis=1).astype(np.int64))


def recipes() -> dict[str, Recipe]:
    """Every kind of training, by name."""
    softmax = Recipe(
        "softmax", digits, lambda r: Network([Dense(r, 64, 10)]), Momentum, 0.2, 32, constant
    )
    found = [
        softmax,
        replace(
            softmax,
            name="mlp",
            network=lambda r: Network([Dense(r, 64, 64), Relu(), Dense(r, 64, 10)]),
            optimiser=lambda: Momentum(0.9),
            rate=0.02,
            batch=64,
            schedule=cosine,
        ),
        Recipe("deep", taught_classes, _deep, Adam, 2e-3, 128, warm_up_then_linear),
        Recipe("convolution", digits, _convolution, Adam, 2e-3, 32, in_steps),
        Recipe("recurrent", sequences, _recurrent, Adam, 3e-3, 64, constant, gradient_norm_max=1.0),
        Recipe(
            "regression",
            taught_values,
            _regression,
            Momentum,
            0.03,
            16,
            cosine,
            is_classifying=False,
        ),
    ]
    return {each.name: each for each in found}


def _deep(r: np.random.Generator) -> Network:
    return Network([Dense(r, 20, 64), Tanh(), Dense(r, 64, 64), Tanh(), Dense(r, 64, 5)])


def _convolution(r: np.random.Generator) -> Network:
    return Network([Convolution(r, 8, 6), Relu(), Dense(r, 6 * 36, 32), Relu(), Dense(r, 32, 10)])


def _recurrent(r: np.random.Generator) -> Network:
    return Network([Recurrent(r, 1, 24), Dense(r, 24, 4)])


def _regression(r: np.random.Generator) -> Network:
    return Network([Dense(r, 16, 48), Relu(), Dense(r, 48, 1)])

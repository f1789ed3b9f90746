"""Small neural networks in NumPy, forward and backward, and what optimises them.

Large enough that curves have the noise, the spikes and the instability of trainings; small enough that a
thousand steps take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


class Layer(Protocol):
    """A differentiable function; `gradients` are those of the last `backward`, in the order of `weights`."""

    weights: list[F64]
    gradients: list[F64]

    def forward(self, x: F64) -> F64: ...

    def backward(self, g: F64) -> F64: ...


class Dense:
    """x W + b, W by He's initialisation."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        self.weights = [
            rng.normal(scale=np.sqrt(2.0 / inputs), size=(inputs, outputs)),
            np.zeros(outputs),
        ]
        self.gradients: list[F64] = []
        self._x: F64 = np.empty(0)

    def forward(self, x: F64) -> F64:
        self._x = x
        found: F64 = x @ self.weights[0] + self.weights[1]
        return found

    def backward(self, g: F64) -> F64:
        self.gradients = [self._x.T @ g, g.sum(axis=0)]
        return g @ self.weights[0].T


class Relu:
    """max(x, 0)."""

    def __init__(self) -> None:
        self.weights: list[F64] = []
        self.gradients: list[F64] = []
        self._is_on = np.empty(0, np.bool_)

    def forward(self, x: F64) -> F64:
        self._is_on = x > 0.0
        return x * self._is_on

    def backward(self, g: F64) -> F64:
        return g * self._is_on


class Tanh:
    """tanh x."""

    def __init__(self) -> None:
        self.weights: list[F64] = []
        self.gradients: list[F64] = []
        self._y: F64 = np.empty(0)

    def forward(self, x: F64) -> F64:
        self._y = np.tanh(x)
        return self._y

    def backward(self, g: F64) -> F64:
        return g * (1.0 - self._y**2)


class Convolution:
    """Filters of 3 x 3 over square images of one channel, given and returned as rows."""

    def __init__(self, rng: np.random.Generator, side: int, filters: int) -> None:
        self.weights = [rng.normal(scale=np.sqrt(2.0 / 9.0), size=(9, filters)), np.zeros(filters)]
        self.gradients: list[F64] = []
        self._side = side
        self._patches: F64 = np.empty(0)

    def forward(self, x: F64) -> F64:
        images = x.reshape(-1, self._side, self._side)
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        self._patches = windows.reshape(len(x), -1, 9)
        found: F64 = (self._patches @ self.weights[0] + self.weights[1]).reshape(len(x), -1)
        return found

    def backward(self, g: F64) -> F64:
        """It is the first layer: what comes before it needs no gradient."""
        by_filter: F64 = g.reshape(-1, len(self.weights[1]))
        self.gradients = [self._patches.reshape(-1, 9).T @ by_filter, by_filter.sum(axis=0)]
        return np.empty(0)


class Recurrent:
    """Elman's network over (rows, times x features), features of each time together; its last state."""

    def __init__(self, rng: np.random.Generator, features: int, states: int) -> None:
        self.weights = [
            rng.normal(scale=np.sqrt(1.0 / features), size=(features, states)),
            np.linalg.qr(rng.normal(size=(states, states)))[0],
            np.zeros(states),
        ]
        self.gradients: list[F64] = []
        self._x: F64 = np.empty(0)
        self._states: list[F64] = []

    def forward(self, x: F64) -> F64:
        inward, onward, bias = self.weights
        self._x = x.reshape(len(x), -1, len(inward))
        self._states = [np.zeros((len(x), len(bias)))]
        for time in range(self._x.shape[1]):
            self._states.append(
                np.tanh(self._x[:, time] @ inward + self._states[-1] @ onward + bias)
            )
        return self._states[-1]

    def backward(self, g: F64) -> F64:
        inward, onward, bias = self.weights
        self.gradients = [np.zeros_like(inward), np.zeros_like(onward), np.zeros_like(bias)]
        for time in reversed(range(self._x.shape[1])):
            g = g * (1.0 - self._states[time + 1] ** 2)
            self.gradients[0] += self._x[:, time].T @ g
            self.gradients[1] += self._states[time].T @ g
            self.gradients[2] += g.sum(axis=0)
            g = g @ onward.T
        return np.empty(0)


class Network:
    """Layers one after the other."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers

    @property
    def weights(self) -> list[F64]:
        return [each for layer in self.layers for each in layer.weights]

    def forward(self, x: F64) -> F64:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def gradients(self, g: F64) -> list[F64]:
        """Those of all weights, for a gradient of the loss by the outputs."""
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return [each for layer in self.layers for each in layer.gradients]


def probabilities(outputs: F64) -> F64:
    """Softmax, row by row."""
    exponents = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    found: F64 = exponents / exponents.sum(axis=1, keepdims=True)
    return found


def cross_entropy(outputs: F64, labels: I64) -> tuple[float, float, F64]:
    """Loss, share of right answers and gradient by the outputs."""
    p = probabilities(outputs)
    rows = np.arange(len(labels))
    loss = float(-np.log(np.maximum(p[rows, labels], 1e-300)).mean())
    g = p.copy()
    g[rows, labels] -= 1.0
    # Where the outputs are no numbers, neither is the loss.
    lost = 0.0 * float(outputs.sum())
    return loss + lost, float((outputs.argmax(axis=1) == labels).mean()), g / len(labels)


def squared_error(outputs: F64, targets: F64) -> tuple[float, float, F64]:
    """Loss, no accuracy, and gradient by the outputs."""
    d = outputs - targets
    return float((d**2).mean()), float("nan"), 2.0 * d / d.size


class Optimiser(Protocol):
    """Changes weights in place."""

    def step(self, weights: list[F64], gradients: list[F64], rate: float) -> None: ...


class Momentum:
    """Stochastic gradient descent; with a momentum of 0, nothing else."""

    def __init__(self, momentum: float = 0.0) -> None:
        self._momentum = momentum
        self._speeds: list[F64] = []

    def step(self, weights: list[F64], gradients: list[F64], rate: float) -> None:
        self._speeds = self._speeds or [np.zeros_like(each) for each in weights]
        for weight, gradient, speed in zip(weights, gradients, self._speeds, strict=True):
            speed[...] = self._momentum * speed + gradient
            weight[...] -= rate * speed


class Adam:
    """Kingma and Ba 2015."""

    def __init__(self) -> None:
        self._count = 0
        self._means: list[F64] = []
        self._squares: list[F64] = []

    def step(self, weights: list[F64], gradients: list[F64], rate: float) -> None:
        self._means = self._means or [np.zeros_like(each) for each in weights]
        self._squares = self._squares or [np.zeros_like(each) for each in weights]
        self._count += 1
        rate *= np.sqrt(1.0 - 0.999**self._count) / (1.0 - 0.9**self._count)
        for weight, gradient, mean, square in zip(
            weights, gradients, self._means, self._squares, strict=True
        ):
            mean[...] += 0.1 * (gradient - mean)
            square[...] += 0.001 * (gradient**2 - square)
            weight[...] -= rate * mean / (np.sqrt(square) + 1e-8)

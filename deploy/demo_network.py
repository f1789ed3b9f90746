"""The network that the demo trains, and the digits it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

Array = npt.NDArray[np.float64]

BATCH_SIZE = 64
LAYERS = (64, 384, 384, 10)


@dataclass(frozen=True)
class Digits:
    """scikit-learn's: 1,797 images of 8 by 8 pixels, 0 to 1, and places of those to train on and to test with."""

    images: Array
    labels: npt.NDArray[np.int64]
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]

    @classmethod
    def load(cls, random: np.random.Generator) -> Digits:
        """Which are trained on is drawn."""
        images, labels = load_digits(return_X_y=True)
        order = random.permutation(len(images))
        return cls(images / 16.0, labels, order[:1500], order[1500:])


class Network:
    """A multi-layer perceptron, ReLU and softmax, trained by stochastic gradient descent."""

    def __init__(self, sizes: tuple[int, ...] = LAYERS, seed: int = 7) -> None:
        random = np.random.default_rng(seed)
        self.weights = [
            random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))
            for inputs, outputs in pairwise(sizes)
        ]
        self.biases = [np.zeros(outputs) for outputs in sizes[1:]]

    def forward(self, x: Array) -> tuple[list[Array], Array]:
        """Input of every layer, and the class probabilities."""
        layers = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layers.append(np.maximum(layers[-1] @ weight + bias, 0))
        logits = layers[-1] @ self.weights[-1] + self.biases[-1]
        exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
        return layers, exponent / exponent.sum(axis=1, keepdims=True)

    def step(self, x: Array, y: npt.NDArray[np.int64], rate: float) -> tuple[float, float, float]:
        """One descent step; returns loss, accuracy and the gradient's norm before it."""
        layers, probability = self.forward(x)
        rows = np.arange(len(y))
        loss = -np.log(probability[rows, y] + 1e-12).mean()
        delta = probability.copy()
        delta[rows, y] -= 1
        delta /= len(y)
        square = 0.0
        for index in reversed(range(len(self.weights))):
            weight_gradient, bias_gradient = layers[index].T @ delta, delta.sum(axis=0)
            square += float((weight_gradient**2).sum() + (bias_gradient**2).sum())
            delta = (delta @ self.weights[index].T) * (layers[index] > 0)
            self.weights[index] -= rate * weight_gradient
            self.biases[index] -= rate * bias_gradient
        return float(loss), float((probability.argmax(axis=1) == y).mean()), float(np.sqrt(square))

    def evaluate(self, x: Array, y: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Loss and accuracy."""
        _, probability = self.forward(x)
        rows = np.arange(len(y))
        return (
            float(-np.log(probability[rows, y] + 1e-12).mean()),
            float((probability.argmax(axis=1) == y).mean()),
        )


def shifted(images: Array, random: np.random.Generator) -> Array:
    """Each 8x8 image moved by up to one pixel: the usual augmentation, and real work."""
    moved = images.reshape(-1, 8, 8)
    rows, columns = random.integers(-1, 2, 2)
    return np.roll(moved, (int(rows), int(columns)), axis=(1, 2)).reshape(len(images), 64)

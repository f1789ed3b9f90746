"""What goes wrong in trainings: with weights, data, rates and time, never with the number that is logged.

A fault begins at a step of its own and knows how many steps ago that was (`since`).
"""

# ruff: noqa: ARG002 - what faults may do has one signature each

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.networks import Network
from benchmarks.trainings import STEPS, Data, Fault

# When it begins, as a share of the steps: a plateau is known by what came before it.
BEGINS = (0.4, 0.6)
EARLY = (0.2, 0.3)


@dataclass(slots=True)
class _Random(Fault):
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.at, 3])


class NotANumber(Fault):
    """A pixel of one row is NaN: a division by a deviation of 0."""

    def batch(self, batch: Data, since: int) -> Data:
        if since:
            return batch
        x = batch.x.copy()
        x[0, 0] = np.nan
        return Data(x, batch.y)


class Spike(_Random):
    """One batch is garbage: noise of ten times the scale."""

    def batch(self, batch: Data, since: int) -> Data:
        if since:
            return batch
        return Data(self.rng.normal(scale=10.0 * batch.x.std(), size=batch.x.shape), batch.y)


class Divergence(Fault):
    """The rate is too high and grows by 2 % a step, from five times what it was."""

    def rate(self, rate: float, since: int) -> float:
        return 5.0 * rate * float(min(1.02**since, 1e6))


class Explosion(Fault):
    """A bit flips in the weights of the last layer: one of them is 1,000 times what it was, at least 10."""

    def weights(self, network: Network, since: int) -> None:
        if since == 0:
            flat = network.weights[-2].reshape(-1)
            at = int(np.abs(flat).argmax())
            flat[at] = np.copysign(max(1000.0 * abs(flat[at]), 10.0), flat[at])


class DeadRate(Fault):
    """The schedule returns 0."""

    def rate(self, rate: float, since: int) -> float:
        return 0.0


class Plateau(Fault):
    """Updates go to a copy of the weights."""

    def keeps_update(self, since: int) -> bool:
        return False


class SlowDown(Fault):
    """Steps take three times as long."""

    def duration_s(self, duration_s: float, since: int) -> float:
        return 3.0 * duration_s


class Stall(Fault):
    """One step waits 60 s for its data."""

    def duration_s(self, duration_s: float, since: int) -> float:
        return duration_s + (60.0 if since == 0 else 0.0)


class Shuffled(_Random):
    """Labels come in another order than what they are of."""

    def batch(self, batch: Data, since: int) -> Data:
        return Data(batch.x, self.rng.permutation(batch.y))


class DeadUnits(Fault):
    """A bad update has pushed the biases of the first layer far down: nothing gets through."""

    def weights(self, network: Network, since: int) -> None:
        if since == 0:
            first = next(layer for layer in network.layers if layer.weights)
            first.weights[-1][:] = -100.0


class WrongSign(Fault):
    """Updates go uphill."""

    def rate(self, rate: float, since: int) -> float:
        return -rate


class Unscaled(Fault):
    """The data are no longer divided by their scale: 16 times as large."""

    def batch(self, batch: Data, since: int) -> Data:
        return Data(16.0 * batch.x, batch.y)


class Regression(Fault):
    """A checkpoint of nothing was loaded: the weights are drawn anew."""

    def weights(self, network: Network, since: int) -> None:
        if since == 0:
            rng = np.random.default_rng([self.at, 4])
            for weight in network.weights:
                weight[...] = rng.normal(scale=0.1, size=weight.shape)


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault, and the metrics that it may have moved (`visible` says whether it did)."""

    make: Callable[[int], Fault]
    metrics: tuple[str, ...]  # empty: it acts on time, which shows as it is
    begins: tuple[float, float] = BEGINS
    is_information: bool = False  # found by what tells no more than that

    def at(self, seed: int, steps: int = STEPS) -> Fault:
        """The fault of a seed."""
        share = np.random.default_rng([seed, 5]).uniform(*self.begins)
        return self.make(int(share * steps))


_COURSE = ("loss", "gradient_norm", "accuracy")
KINDS = {
    "NaN": Kind(NotANumber, _COURSE),
    "loss spike": Kind(Spike, _COURSE),
    "slow divergence": Kind(Divergence, _COURSE),
    "gradient explosion": Kind(Explosion, _COURSE),
    "dead learning rate": Kind(DeadRate, ("learning_rate",)),
    "plateau": Kind(Plateau, ("loss",), EARLY, is_information=True),
    "throughput drop": Kind(SlowDown, ()),
    "data-loader stall": Kind(Stall, ()),
    "accuracy collapse": Kind(Shuffled, _COURSE),
    "dead units": Kind(DeadUnits, _COURSE),
    "updates uphill": Kind(WrongSign, _COURSE),
    "unscaled data": Kind(Unscaled, _COURSE),
    "lost weights": Kind(Regression, _COURSE),
}

"""Uniform sampling: each trace with the same probability.

Assumption: none. Formula: T = (1 - p) 2^56, constant; Horvitz & Thompson, "A Generalization of Sampling
Without Replacement From a Finite Universe" (1952), for the estimates. Guarantee: consistent over windows,
collectors and restarts, and with every OpenTelemetry sampler of the same or another probability (of two
decisions the looser holds whenever the stricter does). Warm-up: none.

>>> from crucible_collector.candidates import probability
>>> from crucible_collector.sample.strategies.uniform import Uniform
>>> float(probability(Uniform(0.25).threshold))
0.25
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import U8
from crucible_collector.candidates import KeepReason, threshold
from crucible_collector.sample.strategy import Rows, State, Use, Verdict


class Uniform:
    """One threshold for everything."""

    wait_s = 0.0

    def __init__(self, probability: float) -> None:
        self.threshold = int(threshold(probability))

    def observe(self, rows: Rows) -> U8:
        return np.zeros(len(rows), np.uint8)

    def decide(self, rows: Rows) -> Verdict:
        reason = np.full(len(rows), KeepReason.RANDOM, np.uint8)
        return Verdict(np.full(len(rows), self.threshold, np.int64), reason)

    def stratum(self, number: int) -> str:  # noqa: ARG002 - there is one
        return ""

    def use(self) -> Use:
        return Use()

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        if state:
            raise ValueError("uniform sampling learns nothing; this state is another strategy's")

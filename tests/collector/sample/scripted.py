"""A strategy that does as it is told, and says what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crucible_collector.batch import U8, Signal
from crucible_collector.candidates import KeepReason, threshold
from crucible_collector.sample.rules import AnyRule, Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.strategy import Flag, Rows, State, Use, Verdict


class Scripted:
    """Its probability can be set; flags are raised and thresholds made by functions of rows."""

    def __init__(self, probability: float = 1.0, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        self.probability = probability
        self.reason = KeepReason.RANDOM
        self.thresholds: Callable[[Rows], Any] | None = None
        self.raises: Callable[[Rows], Any] = lambda rows: np.full(len(rows), Flag.NONE)
        self.strata: Callable[[Rows], Any] | None = None
        self.observed: list[Rows] = []
        self.asked: list[Rows] = []

    def observe(self, rows: Rows) -> U8:
        self.observed.append(rows)
        return np.asarray(self.raises(rows), np.uint8)

    def decide(self, rows: Rows) -> Verdict:
        self.asked.append(rows)
        made = threshold(np.full(len(rows), self.probability))
        if self.thresholds is not None:
            made = np.asarray(self.thresholds(rows), np.int64)
        stratum = None if self.strata is None else np.asarray(self.strata(rows), np.int64)
        return Verdict(made, np.full(len(rows), self.reason, np.uint8), stratum)

    def stratum(self, number: int) -> str:
        return f"stratum {number}"

    def use(self) -> Use:
        return Use(stratum_count=len(self.asked))

    def state(self) -> State:
        return {"probability": np.array([self.probability])}

    def restore(self, state: State) -> None:
        if list(state) != ["probability"]:
            raise ValueError("not the state of this strategy")
        self.probability = float(state["probability"][0])


class Script:
    """The strategies of a sampler, by rule and signal."""

    def __init__(self, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        self.made: dict[tuple[str, Signal], Scripted] = {}
        self.made_count = 0

    def __call__(self, rule: AnyRule, signal: Signal, decision_wait_s: float) -> Scripted:
        self.made_count += 1
        assert decision_wait_s > 0
        made = Scripted(getattr(rule, "probability", 1.0), self.wait_s)
        self.made[rule.name, signal] = made
        return made

    def __getitem__(self, rule: str) -> Scripted:
        return self.made[rule, Signal.TRACES]

    def logs(self, rule: str) -> Scripted:
        return self.made[rule, Signal.LOGS]


def rule(name: str = "all", probability: float = 1.0, **about: Any) -> dict[str, Any]:
    return {"name": name, "strategy": "uniform", "probability": probability, **about}


def rules(*of: dict[str, Any], **settings: Any) -> Rules:
    return Rules.parse({"rules": list(of), **settings})


def sampler(*of: dict[str, Any], wait_s: float = 0.0) -> tuple[Sampler, Script]:
    script = Script(wait_s)
    return Sampler(rules(*of), script), script

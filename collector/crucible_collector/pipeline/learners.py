"""What learns from windows: the detectors and the sampler, and what they know as one state.

Either may fail to take up what was kept (another release wrote it): it begins anew, and the other does not.
"""

from __future__ import annotations

import logging

import numpy as np

from crucible_collector.detect.engine import Engine
from crucible_collector.detect.settings import Detection
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.strategy import State

log = logging.getLogger("crucible.pipeline")

_DETECTORS = "detect "


class Learners:
    """One of each; used by one thread at a time."""

    def __init__(self, rules: Rules, detection: Detection) -> None:
        self.sampler = Sampler(rules)
        self.engine = Engine(detection)

    def state(self) -> State:
        """What they know, as arrays."""
        of_engine = {f"{_DETECTORS}{name}": each for name, each in self.engine.state().items()}
        return self.sampler.state() | of_engine

    def restore_sampler(self, state: State) -> bool:
        """Have the sampler go on from a state; False where it begins anew."""
        own = {name: each for name, each in state.items() if not name.startswith(_DETECTORS)}
        try:
            self.sampler.restore(own)
        except ValueError as error:
            log.warning("the samplers begin anew: %s", error)
            return False
        return True

    def forget_series(self) -> None:
        """Have the detectors begin anew; what they have counted stays."""
        self.engine.restore({"tick": np.zeros(1, np.int64)})

    def restore_engine(self, state: State) -> bool:
        """Have the detectors go on from a state; False where they begin anew."""
        own = {
            name.removeprefix(_DETECTORS): each
            for name, each in state.items()
            if name.startswith(_DETECTORS)
        }
        try:
            self.engine.restore(own)
        except ValueError as error:
            log.warning("the detectors begin anew: %s", error)
            return False
        return True

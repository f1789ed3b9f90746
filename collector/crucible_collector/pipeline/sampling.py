"""Which sampling rules this collector works by, and how its sampler is doing with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from crucible_collector.pipeline.in_force import POLL_S, TOLD_S, Following
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.sample.sampler import Sampler
from crucible_collector.store.versions import SAMPLING

__all__ = ["POLL_S", "TOLD_S", "SamplingInForce"]


class SamplingInForce(Following[Rules]):
    """What is in force, for as long as the service runs."""

    def __init__(
        self,
        offered: Rules | None = None,
        *,
        who: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offered`: what the settings say; None leaves what the database has. `who` offers it."""
        super().__init__(SAMPLING, Rules.parse, _named, offered, who=who, clock_s=clock_s)
        self.use: Sequence[RuleUse] = ()  # how the sampler was doing about TOLD_S ago
        self.forgotten_trace_count = 0

    def told(self, sampler: Sampler) -> None:
        """Take note of how the sampler is doing; the preparing thread, after a window's decisions."""
        if self.is_time_to_tell():
            self.use = tuple(sampler.use())
            self.forgotten_trace_count = sampler.evicted_count


def _named(rules: Rules) -> str:
    return ", ".join(rule.name for rule in rules.rules) or "all is kept"

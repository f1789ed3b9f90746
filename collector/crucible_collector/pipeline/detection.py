"""By which settings of detection this collector works, and how its engine is doing with them."""

from __future__ import annotations

import time
from collections.abc import Callable

from crucible_collector.detect.engine import Engine, Use
from crucible_collector.detect.settings import Detection
from crucible_collector.pipeline.in_force import Following
from crucible_collector.store.versions import DETECTION


class DetectionInForce(Following[Detection]):
    """What is in force, for as long as the service runs."""

    def __init__(
        self,
        offered: Detection | None = None,
        *,
        who: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offered`: what the settings say; None leaves what the database has. `who` offers it."""
        super().__init__(DETECTION, Detection.parse, _said, offered, who=who, clock_s=clock_s)
        self.use = Use()  # how the engine was doing about a second ago

    def told(self, engine: Engine) -> None:
        """Take note of how the engine is doing; the preparing thread, after a window."""
        if self.is_time_to_tell():
            self.use = engine.use()


def _said(detection: Detection) -> str:
    if not detection.enabled:
        return "nothing is watched"
    rules = ", ".join(rule.name for rule in detection.rules) or "no rules"
    webhooks = ", ".join(webhook.name for webhook in detection.webhooks) or "nobody is alerted"
    return f"{rules}; {webhooks}"

"""How a number is watched: by which detectors, how they are tuned, and what becomes of what they find."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Plan:
    """One way of watching; plans with the same detectors share their records."""

    watch_class: str  # of the registry, or of the rule
    detectors: tuple[str, ...]  # names, in the order in which they look
    is_log: bool = False
    direction: int = 0  # 1: too high, -1: too low, 0: both
    sensitivity: float = 1.0
    rule: str = ""  # the name of the rule that says so; empty: the registry
    severity_min: Severity = Severity.INFO  # what is below is no flag
    is_silenced: bool = False  # its periods are stored as silenced: no alerts
    samples_more: bool = (
        True  # what is flagged is kept by samplers, and adaptive ones keep more of it
    )
    webhooks: tuple[Webhook, ...] = ()

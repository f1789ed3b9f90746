"""Where alerts go, as the settings say; `crucible_collector.alerts` sends them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from crucible_collector.detect.detector import Severity


class Format(enum.StrEnum):
    """What a webhook understands."""

    JSON = "json"
    SLACK = "slack"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver. Secrets are named, never told: they are read from the collector's environment."""

    name: str
    url: str = ""  # http or https; empty where `url_env` names it
    url_env: str = ""  # environment variable that holds the address (that of Slack is a secret)
    format: Format = Format.JSON
    secret_env: str = (
        ""  # environment variable that holds the key of the signature; empty: unsigned
    )
    severity_min: Severity = Severity.WARNING
    group_s: float = 2.0  # alerts of one run that come within this time go together
    per_minute_max: float = 30.0  # requests; what is beyond waits
    give_up_after_s: float = 86_400.0  # from an alert's creation
    tells_resolved: bool = True  # a second alert when the period is over

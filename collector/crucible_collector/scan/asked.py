"""The settings that a scan looks by: those in force, or one rule for everything that it looks at."""

from __future__ import annotations

from typing import Any

from crucible_collector.api.scanned import ScanRequest
from crucible_collector.detect.settings import RULES_MAX, Detection
from crucible_collector.store.scanned import Wanted

# A scan looks at one series after the other, or at the events of one run or experiment: this bounds what
# it remembers to 15 MB.
SERIES_MAX = 50_000
RULE = "asked:scan"


def wanted(asked: ScanRequest) -> Wanted:
    """What it looks at."""
    return Wanted(
        run=asked.run,
        experiment=asked.experiment,
        series=asked.series,
        metric=asked.metric,
        event=asked.event,
        start=asked.from_time,
        end=asked.to_time,
    )


def detection(asked: ScanRequest, in_force: Detection) -> Detection:
    """How it looks. SettingsError where that contradicts itself."""
    how: dict[str, Any] = {
        "detectors": asked.detectors or None,
        "scale": asked.scale,
        "direction": asked.direction,
        "sensitivity": asked.sensitivity,
    }
    given = {name: value for name, value in how.items() if value is not None}
    settings = in_force.as_json()
    rules = [] if given else settings["rules"]
    is_named = asked.metric is not None or asked.series is not None
    if given or (is_named and len(rules) < RULES_MAX):
        # Who asks for one wants it looked at, whether or not it is watched.
        rules = [*rules, {"name": RULE, "metrics": ["*"], **given}]
    changed = {"enabled": True, "series_max": SERIES_MAX, "rules": rules}
    return Detection.parse({**settings, **changed})

"""One verdict on a run, or on all of an experiment, from its periods of anomalies that are not over.

What lasted until a run ended counts on: the end of the run is no cure.
What a person has acknowledged or silenced is told and does not count. It is advice to stop only what no
training recovers from; whatever else is wrong may pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import crucible_schema
from crucible_collector.api.anomalies import SEVERITIES
from crucible_collector.api.answer import compact
from crucible_collector.api.sentences import sentence
from crucible_schema import WatchClass

Row = Mapping[str, Any]

REASONS_MAX = 100
# So often a loss is not finite, and not back since, before a run is said to be lost: mixed precision
# overflows for a step or a few while its scale is found.
NON_FINITE_FLAGS_MIN = 10
# Of a validation's loss a rise is over-fitting, and the best checkpoint is still good.
_DRIFTING = frozenset({"loss", "loss_total"})
_LOSSES = frozenset(
    each.name
    for each in crucible_schema.MEASUREMENTS.values()
    if each.watch and each.watch.watch_class is WatchClass.TREND and each.lower_is_better
)
_BAD_STATUSES = {"failed": "the run has failed", "stalled": "the run has not been heard of"}
_COUNTING = frozenset({"active", "resolved"})  # resolved: by the end of the run
_OVER = frozenset({"completed", "failed", "cancelled", "early_stopped"})


def run_health(row: Row) -> dict[str, Any]:
    """See RunHealth; `row` is the answer to the question run_health."""
    periods: Sequence[Row] = row["periods"]
    reasons = _reasons(periods)
    status = row["run_status"]
    if status in _BAD_STATUSES:
        reasons.append(_of_status(row, _BAD_STATUSES[status]))
    verdict = _worst(reasons)
    if verdict == "healthy" and not row["is_watched"]:
        verdict = "unknown"
    return {
        "run_id": row["run_id"],
        "run_status": status,
        "verdict": verdict,
        "should_stop": status not in _OVER and any(map(_is_lost, periods)),
        "reasons": reasons,
        "checked_at": row["checked_at"],
    }


def experiment_health(row: Row) -> dict[str, Any]:
    """See ExperimentHealth; `row` is the answer to the question experiment_health."""
    reasons = _reasons(row["periods"])
    return {
        "experiment_id": row["experiment_id"],
        "verdict": _worst(reasons),
        "reasons": reasons,
        "checked_at": row["checked_at"],
    }


def counting(health: Row) -> list[str]:
    """The reasons for the verdict, as sentences."""
    return [each["text"] for each in health["reasons"] if each["state"] in _COUNTING]


def is_bad(health: Row, fail_on: str | None) -> bool:
    """Whether the verdict is as bad as `fail_on`, or worse."""
    verdict = health["verdict"]
    return (
        fail_on is not None
        and verdict in SEVERITIES
        and SEVERITIES.index(verdict) >= SEVERITIES.index(fail_on)
    )


def etag(health: Row) -> str:
    """The same as long as nothing but the time of asking differs."""
    told = compact({name: health[name] for name in health if name != "checked_at"})
    return f'W/"{hashlib.sha256(told.encode()).hexdigest()[:16]}"'


def _is_lost(period: Row) -> bool:
    if period["state"] != "active":
        return False
    if period["detector"] == "non_finite":
        return period["metric"] in _LOSSES and period["flag_count"] >= NON_FINITE_FLAGS_MIN
    return (
        period["detector"] == "drift"
        and period["metric"] in _DRIFTING
        and period["severity"] == "critical"
    )


def _reasons(periods: Iterable[Row]) -> list[dict[str, Any]]:
    return [
        {
            "period_id": each["period_id"],
            "run_id": each["run_id"],
            "severity": each["severity"],
            "metric": each["metric"],
            "detector": each["detector"],
            "since": each["started_at"],
            "text": sentence(each),
            "state": each["state"],
        }
        for each in periods
    ]


def _of_status(row: Row, text: str) -> dict[str, Any]:
    return {
        "period_id": None,
        "run_id": row["run_id"],
        "severity": "critical",
        "metric": None,
        "detector": None,
        "since": row["status_at"],
        "text": text,
        "state": "active",
    }


def _worst(reasons: Iterable[Row]) -> str:
    severities = {each["severity"] for each in reasons if each["state"] in _COUNTING}
    return next((each for each in ("critical", "warning") if each in severities), "healthy")

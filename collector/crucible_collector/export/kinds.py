"""What can be exported: for each kind its question, its filters, its order and where its objects lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crucible_collector.api.exports import ExportOf, ExportRequest
from crucible_collector.errors import SettingsError

_STATUSES = frozenset({"unset", "ok", "error"})
_RUN_STATUSES = frozenset(
    {"pending", "running", "completed", "failed", "cancelled", "early_stopped", "stalled"}
)
_PERIOD = frozenset({"from_time", "to_time"})
_WHOSE = frozenset({"experiment", "run", "condition"}) | _PERIOD
_FILTERS = (*sorted(_WHOSE), "event", "model", "metric", "status", "severity")


@dataclass(frozen=True, slots=True)
class Kind:
    """`objects` are columns of JSON objects, whose keys may become columns."""

    question: str
    filters: frozenset[str]
    order: tuple[str, ...]
    objects: tuple[str, ...] = ()
    statuses: frozenset[str] = frozenset()
    # What partitions are made by; None where the rows have no such time.
    day_of: str = "time"


_BY_TIME = ("time", "time_ns_rest")
_ATTRIBUTES = ("attributes", "resource_attributes")
_OF_SPANS = _WHOSE | {"event", "model", "status"}
_OF_RUNS = _WHOSE | {"model", "status"}

KINDS: dict[ExportOf, Kind] = {
    "events": Kind("export_events", _OF_SPANS, _BY_TIME, _ATTRIBUTES, _STATUSES),
    "traces": Kind("export_traces", _OF_SPANS, ("trace_id", *_BY_TIME), _ATTRIBUTES, _STATUSES),
    "points": Kind("export_points", _WHOSE | {"event", "metric"}, _BY_TIME, ("attributes",)),
    "logs": Kind("export_logs", _WHOSE | {"event", "severity"}, _BY_TIME, _ATTRIBUTES),
    "anomalies": Kind("export_anomalies", _WHOSE | {"event", "metric", "model"}, _BY_TIME),
    "runs": Kind(
        "export_runs",
        _OF_RUNS,
        ("first_seen", "run_id"),
        ("config", "summary"),
        _RUN_STATUSES,
        "first_seen",
    ),
    "summary": Kind(
        "export_summary",
        _OF_RUNS,
        ("first_seen", "run_id"),
        ("config", "summary", "metrics"),
        _RUN_STATUSES,
        "first_seen",
    ),
}


def parameters_of(asked: ExportRequest) -> Mapping[str, Any]:
    """The filters as the kind's question takes them. SettingsError where it has no such filter."""
    kind = KINDS[asked.of]
    given = {name: getattr(asked, name) for name in _FILTERS}
    for name, value in given.items():
        if value is not None and name not in kind.filters:
            shown = name.removesuffix("_time")
            usable = ", ".join(sorted(each.removesuffix("_time") for each in kind.filters))
            raise SettingsError(f"{shown}: {asked.of} cannot be chosen by that, but by {usable}")
    if asked.status is not None and asked.status not in kind.statuses:
        one_of = ", ".join(sorted(kind.statuses))
        raise SettingsError(f"status: {asked.of} have one of {one_of}")
    return given

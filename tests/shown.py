"""Rows with a name of its own in every text that the page can show, and where each view shows which."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from stored import SCOPE, Health, Stored, at

TRACE = uuid.UUID(int=7)
RUNS = 4
LABELS = {"outcome", "transport"}
AS_JSON = {"rule attribute key", "rule attribute value"}

Name = Callable[[str], str]


def markup(field: str) -> str:
    """Runs a script wherever it is taken for HTML."""
    return (
        f'<img src=x onerror="window.pwned=1"><script src=x>window.pwned=1</script><b>{field}</b>'
    )


def plain(field: str) -> str:
    return field


def long(field: str) -> str:
    return f"{field}-without-any-space".replace(" ", "-") * 6


def paths(name: Name) -> dict[str, str]:
    """Every view by a short name, with the address that opens it on what `fill` stores."""

    def of(field: str) -> str:
        return quote(name(field), safe="")

    return {
        "overview": "#/",
        "experiments": "#/experiments",
        "experiment": f"#/experiments/{of('experiment id')}",
        "run": f"#/runs/{of('run id 0')}",
        "compare": f"#/compare?experiment={of('experiment id')}",
        "anomalies": "#/anomalies",
        "events": "#/events",
        "inference": "#/inference",
        "sampling": "#/sampling",
        "collector": "#/collector",
        "trace": f"#/traces/{TRACE.hex}",
        "correlation": f"#/correlations/{of('correlation')}",
    }


VIEWS = list(paths(plain))
# What of `fill` a view shows without being asked for more.
SHOWN = {
    "overview": ["run id 0", "experiment id", "condition 0", "metric", "detector", "rule name"],
    "experiments": ["experiment name", "hypothesis", "tag", "owner"],
    "experiment": [
        *("experiment name", "hypothesis", "tag", "owner", "experiment type", "experiment id"),
        *("abort reason", "condition 0", "run id 0", "metric", "summary key", "config key"),
    ],
    "run": [
        *("run id 0", "experiment id", "condition 0", "model name", "model version", "data set"),
        *("run service", "metric", "event name", "unit", "detector", "state by", "state reason"),
        *("span event", "status message"),
    ],
    "compare": ["metric", "condition 0", "run id 0", "config key", "config value 1"],
    "anomalies": ["metric", "detector", "run id 0", "state by", "state reason"],
    "events": ["span event", "run id 0", "status message"],
    "inference": ["model"],
    "sampling": [
        *("rule name", "rule event", "rule experiment", "rule service", "rule attribute key"),
        *("sampling by", "sampling reason", "ledger rule", "stratum", "rule attribute value"),
    ],
    "collector": ["part", "part detail", "rejected", "outcome", "transport"],
    "trace": ["stage", "span name", "run id 0"],
    "correlation": ["correlation", "stage", "span name"],
}


def fill(stored: Stored, name: Name) -> None:
    """Rows for every view, each text that can be any text made by `name` of what it is."""
    stored.resource(
        service_name=name("service"),
        service_version=name("service version"),
        service_instance_id=name("instance"),
        host_name=name("host"),
        schema_url=name("schema"),
        attributes={name("resource key"): name("resource value")},
    )
    scope = {"scope_id": SCOPE, "first_seen": at(0), "attributes": {name("scope key"): "1"}}
    stored.insert("scopes", {**scope, "name": name("scope"), "version": name("scope version")})
    _fill_experiment(stored, name)
    _fill_spans(stored, name)
    _fill_anomalies(stored, name)
    _fill_ledgers(stored, name)


def _fill_experiment(stored: Stored, name: Name) -> None:
    experiment_id = name("experiment id")
    stored.experiment(
        experiment_id,
        name=name("experiment name"),
        hypothesis=name("hypothesis"),
        tags=[name("tag")],
        owner=name("owner"),
        experiment_type=name("experiment type"),
        status="paused",
        pause_reason=name("pause reason"),
        is_aborted=True,
        abort_reason=name("abort reason"),
        metadata={name("metadata key"): name("metadata value")},
    )
    pause = {"experiment_id": experiment_id, "reason": name("pause"), "paused_by": name("pauser")}
    stored.insert("experiment_pauses", pause)
    budget = {"experiment_id": experiment_id, "usd_per_day": 5.0}
    told = {"changed_by": name("budget by"), "reason": name("budget reason")}
    stored.insert("budgets", {**budget, **told})
    for index in range(RUNS):
        of = {"run_id": name(f"run id {index}"), "experiment_id": experiment_id}
        stored.run(
            **of,
            first_seen=at(-index),
            condition=name(f"condition {index % 2}"),
            parent_run_id=name("parent run"),
            model_name=name("model name"),
            model_version=name("model version"),
            dataset_name=name("data set"),
            service_name=name("run service"),
            correlation_id=name("correlation"),
            trace_id=TRACE,
            config={name("config key"): name(f"config value {index}")},
            summary={name("summary key"): name("summary value")},
        )
        stored.series(
            index + 1,
            name("metric"),
            **of,
            event_name=name("event name"),
            unit=name("unit"),
            description=name("description"),
            attributes={name("series key"): name("series value")},
        )
        stored.points(index + 1, [3.0, 2.0, 1.0 + index, 9.0, 0.5 * index])


def _fill_spans(stored: Stored, name: Name) -> None:
    of = {"run_id": name("run id 0"), "experiment_id": name("experiment id"), "trace_id": TRACE}
    whole = {**of, "condition": name("condition 0"), "correlation_id": name("correlation")}
    attributes = {name("key"): name("value"), "crucible.stage.name": name("stage")}
    stored.span(
        **whole,
        name=name("span name"),
        event_name=name("span event"),
        original_event_name=name("original"),
        status_code=2,
        status_message=name("status message"),
        duration_ns=10**9,
        model=name("model"),
        trace_state=name("trace state"),
        keep_reason=name("keep reason"),
        attributes=attributes,
        events=[{"name": name("point"), "attributes": {name("point key"): name("point value")}}],
        links=[{"trace_id": TRACE.hex, "attributes": {name("link key"): name("link value")}}],
    )
    saved = {"crucible.checkpoint.path": name("path"), "crucible.checkpoint.name": name("saved")}
    event = "crucible_train.checkpoint.saved"
    stored.span(**whole, name=event, event_name=event, step=2, time=at(2), attributes=saved)
    stage = "crucible_pipeline.stage.stop"
    stored.span(**whole, name=stage, event_name=stage, step=3, time=at(3), attributes=attributes)
    call = {"name": name("call"), "event_name": name("call"), "model": name("model")}
    stored.span(**call, time=datetime.now(UTC), duration_ns=10**8, cost_usd=0.5, input_tokens=7)
    stored.log(
        **whole,
        event_name=name("log event"),
        severity_text=name("severity"),
        severity_number=17,
        keep_reason=name("log kept"),
        body={"text": name("body")},
        attributes={name("log key"): name("log value")},
    )


def _fill_anomalies(stored: Stored, name: Name) -> None:
    of = {
        "run_id": name("run id 0"),
        "experiment_id": name("experiment id"),
        "condition": name("condition 0"),
        "event_name": name("event name"),
        "metric": name("metric"),
        "detector": name("detector"),
        "model": name("model name"),
        "series_id": 1,
    }
    for number, label in enumerate(("", name("label")), 1):
        period_id = stored.period(
            number,
            **of,
            label=label,
            rule=name("rule"),
            state="acknowledged",
            state_by=name("state by"),
            state_reason=name("state reason"),
            first_step=3,
            last_step=3,
        )
        stored.anomaly(period_id, **of, label=label, step=3, time=at(3), value=9.0, upper=4.0)
    stored.fed("opened", run_id=name("run id 0"), metric=name("metric"))


def _fill_ledgers(stored: Stored, name: Name) -> None:
    rule = {
        "name": name("rule name"),
        "strategy": "uniform",
        "probability": 0.5,
        "events": [name("rule event")],
        "experiments": [name("rule experiment")],
        "services": [name("rule service")],
        "attributes": {name("rule attribute key"): name("rule attribute value")},
    }
    version = {
        "origin": "api",
        "changed_by": name("sampling by"),
        "reason": name("sampling reason"),
        "settings": {"decision_wait_s": 10.0, "rules": [rule]},
        "digest": uuid.UUID(int=1),
    }
    stored.insert("sampling_settings", version)
    counted = {"time": at(0), "journal_id": uuid.UUID(int=1), "signal": "spans", "seen_count": 9}
    strata = {"rule": name("ledger rule"), "stratum": name("stratum")}
    stored.insert("sampling_ledger", {**counted, **strata})
    reject(stored, name("rejected"))


def reject(stored: Stored, reason: str) -> None:
    row = {"journal_id": uuid.UUID(int=1), "signal": "spans", "outcome": "rejected", "count": 3}
    stored.insert("ledger", {**row, "reason": reason})


def _label(name: Name, field: str) -> str:
    """Without the sign that ends the value of a label."""
    return name(field).replace('"', "'")


def as_shown(name: Name, field: str) -> str:
    if field in LABELS:
        return _label(name, field)
    return json.dumps(name(field))[1:-1] if field in AS_JSON else name(field)


def tell_health(health: Health, name: Name) -> None:
    status = type(health.components["database"])
    health.components[name("part")] = status(is_ready=True, detail=name("part detail"))
    labels = ",".join(f'{each}="{_label(name, each)}"' for each in sorted(LABELS))
    health.text = f"crucible_requests_total{{{labels}}} 7.0\n".encode()

"""What a window says about runs and experiments: seen from when to when, how far, in which state.

Every record with a run id moves the run's clock and step; the few records that begin or end a scope
(training, pipeline, experiment) carry the rest. Windows may come in any order and from several
collectors, so a fact is merged by rules that do not depend on order (see store/ingest/runs.sql).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crucible_collector.batch import I64, Bool, Records, Spans, TextRef
from crucible_collector.decode import text_hash
from crucible_collector.enrich.columns import resource_of, slot_int, slot_text, text_of
from crucible_collector.enrich.dimensions import json_of
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.hashing import distinct
from crucible_collector.rows import ExperimentFact, RunFact

# Scopes that are runs. A run's kind, start, end and status come from these alone.
_RUN_SCOPES = {"crucible_train.training": "training", "crucible_framework.pipeline": "pipeline"}
_EXPERIMENT_SCOPE = "crucible_telemetry.experiment"
_ENDED = frozenset({"completed", "failed", "cancelled", "early_stopped"})
_EXPERIMENT_STATUS = {"start": "running", "stop": "stopped", "exception": "stopped"}


@dataclass(slots=True)
class Facts:
    """Collects the facts of a window over its signals."""

    runs: dict[str, RunFact]
    experiments: dict[str, ExperimentFact]


@dataclass(slots=True)
class Seen:
    """The records of one signal as far as facts need them."""

    records: Records
    events: EventNames
    first_ns: I64
    last_ns: I64
    keep: Bool
    resource_ids: I64  # one a row of records.resources


def collect(seen: Seen, facts: Facts) -> None:
    """Add what the records say to `facts`."""
    _experiments(seen, facts)
    _runs(seen, facts)
    if isinstance(seen.records, Spans):
        rows = _life_cycle_rows(seen)
        experiments = slot_text(seen.records, "crucible.experiment.id")
        runs = slot_text(seen.records, "crucible.run.id")
        for row in rows:
            experiment_id = text_of(seen.records, experiments, row)
            run_id = text_of(seen.records, runs, row)
            _life_cycle(seen, seen.records, row, (experiment_id, run_id), facts)


def _groups(seen: Seen, key: str) -> tuple[TextRef, I64, I64, I64]:
    """The column, the kept rows that have it, the first row of each value, each row's value."""
    ref = slot_text(seen.records, key)
    rows = np.flatnonzero((ref.length > 0) & seen.keep)
    if not len(rows):
        return ref, rows, rows, rows
    hashes = text_hash(seen.records.buffer, TextRef(ref.offset[rows], ref.length[rows]))
    first, inverse = distinct(hashes)
    return ref, rows, rows[first], inverse


def _extent(seen: Seen, rows: I64, inverse: I64, groups: int) -> tuple[I64, I64]:
    """Earliest and latest time of each group, ns."""
    first = np.full(groups, np.iinfo(np.int64).max)
    last = np.zeros(groups, np.int64)
    np.minimum.at(first, inverse, seen.first_ns[rows])
    np.maximum.at(last, inverse, seen.last_ns[rows])
    return first, last


def _farthest(records: Records, key: str, rows: I64, inverse: I64, groups: int) -> list[int | None]:
    """Largest value of an integer slot in each group."""
    values, there = slot_int(records, key)
    best = np.full(groups, -1, np.int64)
    np.maximum.at(best, inverse, np.where(there[rows], values[rows], -1))
    return [int(value) if value >= 0 else None for value in best]


def _experiments(seen: Seen, facts: Facts) -> None:
    records = seen.records
    ref, rows, firsts, inverse = _groups(seen, "crucible.experiment.id")
    if not len(rows):
        return
    first, last = _extent(seen, rows, inverse, len(firsts))
    names = slot_text(records, "crucible.experiment.name")
    for group, row in enumerate(map(int, firsts)):
        experiment_id = text_of(records, ref, row) or ""
        fact = facts.experiments.setdefault(
            experiment_id, ExperimentFact(experiment_id, int(first[group]), int(last[group]))
        )
        fact.first_ns = min(fact.first_ns, int(first[group]))
        fact.last_ns = max(fact.last_ns, int(last[group]))
        fact.name = fact.name or text_of(records, names, row)


def _runs(seen: Seen, facts: Facts) -> None:
    records = seen.records
    ref, rows, firsts, inverse = _groups(seen, "crucible.run.id")
    if not len(rows):
        return
    groups = len(firsts)
    first, last = _extent(seen, rows, inverse, groups)
    steps = _farthest(records, "crucible.step", rows, inverse, groups)
    epochs = _farthest(records, "crucible.epoch", rows, inverse, groups)
    keys = (
        "crucible.experiment.id",
        "crucible.condition",
        "service.name",
        "crucible.correlation.id",
    )
    columns = [slot_text(records, key) for key in keys]
    resources = resource_of(records)
    for group, row in enumerate(map(int, firsts)):
        run_id = text_of(records, ref, row) or ""
        fact = facts.runs.setdefault(run_id, RunFact(run_id, int(first[group]), int(last[group])))
        fact.first_ns = min(fact.first_ns, int(first[group]))
        fact.last_ns = max(fact.last_ns, int(last[group]))
        fact.last_step = _larger(fact.last_step, steps[group])
        fact.last_epoch = _larger(fact.last_epoch, epochs[group])
        identity = [text_of(records, column, row) for column in columns]
        fact.experiment_id = fact.experiment_id or identity[0]
        fact.condition = fact.condition or identity[1]
        fact.service_name = fact.service_name or identity[2]
        fact.correlation_id = fact.correlation_id or identity[3]
        if fact.resource_id is None:
            fact.resource_id = int(seen.resource_ids[resources[row]])


def _larger(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _life_cycle_rows(seen: Seen) -> Sequence[int]:
    """Kept rows that begin or end a run or an experiment."""
    wanted = [
        code
        for code, name in enumerate(seen.events.names)
        if name.rpartition(".")[0] in _RUN_SCOPES or name.rpartition(".")[0] == _EXPERIMENT_SCOPE
    ]
    if not wanted:
        return ()
    rows: list[int] = np.flatnonzero(np.isin(seen.events.code, wanted) & seen.keep).tolist()
    return rows


def _life_cycle(
    seen: Seen, spans: Spans, row: int, ids: tuple[str | None, str | None], facts: Facts
) -> None:
    """Merge one start, stop or exception into the facts of its experiment and run (`ids`)."""
    experiment_id, run_id = ids
    scope, _, phase = seen.events.names[seen.events.code[row]].rpartition(".")
    text = json_of(spans, spans.attribute_start, row)
    values: dict[str, Any] = json.loads(text) if text else {}
    if experiment_id:
        _experiment_details(facts.experiments[experiment_id], scope, phase, values)
    if run_id and scope in _RUN_SCOPES:
        _run_details(facts.runs[run_id], _RUN_SCOPES[scope], phase, values)
        fact = facts.runs[run_id]
        fact.trace_id = uuid.UUID(bytes=spans.trace_id[row].tobytes())
        fact.started_ns = int(seen.first_ns[row])
        fact.ended_ns = int(seen.last_ns[row]) if phase != "start" else fact.ended_ns


def _run_details(fact: RunFact, kind: str, phase: str, values: dict[str, Any]) -> None:
    fact.kind = kind
    status = values.get("crucible.status")
    if phase == "start":
        fact.status = fact.status if fact.status in _ENDED else "running"
    elif status in _ENDED:
        fact.status = str(status)
    else:
        fact.status = "failed" if phase == "exception" else "completed"
    fact.model_name = _text(values, "crucible.model.name") or fact.model_name
    fact.model_version = _text(values, "crucible.model.version") or fact.model_version
    fact.dataset_name = _text(values, "crucible.dataset.name") or fact.dataset_name
    fact.config = _json_object(values.get("crucible.training.config")) or fact.config
    if phase != "start":
        prefix = "crucible.measurement."
        summary = {
            key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix)
        }
        fact.summary = json.dumps(summary) if summary else fact.summary


def _experiment_details(
    fact: ExperimentFact, scope: str, phase: str, values: dict[str, Any]
) -> None:
    fact.name = _text(values, "crucible.experiment.name") or fact.name
    fact.hypothesis = _text(values, "crucible.experiment.hypothesis") or fact.hypothesis
    tags = values.get("crucible.experiment.tags")
    if isinstance(tags, list):
        fact.tags = sorted({str(tag) for tag in tags})
    if scope == _EXPERIMENT_SCOPE and phase in _EXPERIMENT_STATUS:
        status = _EXPERIMENT_STATUS[phase]
        fact.status = "stopped" if "stopped" in (fact.status, status) else status


def _text(values: dict[str, Any], key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None


def _json_object(value: Any) -> str | None:
    """The configuration as JSON text that jsonb takes; what is not JSON is kept as `{"text": …}`."""
    if value is None:
        return None
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        text = json.dumps(parsed, allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = json.dumps({"text": value}, ensure_ascii=False)
    # Lone surrogates and NUL are legal JSON and refused by jsonb.
    return text.encode("utf-8", "replace").decode().replace("\\u0000", "\ufffd")

"""What a window says about runs and experiments: seen from when to when, how far, in which state.

Every record with a run id moves the run's clock and step; the few records that begin or end a scope
(training, pipeline, experiment) carry the rest. Windows may come in any order and from several
collectors, so a fact is merged by rules that do not depend on order, the same in a window and in the
database (see store/ingest/runs.sql): what begins and ends tell is taken from the newest by its own
time, identity is the least value seen.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from crucible_collector.batch import I64, Bool, Records, Spans, TextRef
from crucible_collector.decode import differs, distinct, text_hash
from crucible_collector.enrich import told
from crucible_collector.enrich.columns import (
    NS_PER_US,
    resource_of,
    slot_hash,
    slot_int,
    slot_text,
    text_of,
    texts_of,
)
from crucible_collector.enrich.dimensions import json_of
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.hashing import fold
from crucible_collector.rows import ExperimentFact, RunFact
from crucible_schema import events

_Number = TypeVar("_Number", int, float)
_Told = TypeVar("_Told", str, tuple[int, str])

# Scopes that are runs. A run's kind, start, end and status come from these alone.
_RUN_SCOPES = {"crucible_train.training": "training", "crucible_framework.pipeline": "pipeline"}
_EXPERIMENT_SCOPE = events.CRUCIBLE_TELEMETRY_EXPERIMENT
_EXPERIMENT_STATUS = {
    "start": "running",
    "stop": "stopped",
    "exception": "stopped",
    "paused": "paused",
    "resumed": "running",
}
_HEARTBEAT = events.CRUCIBLE_TELEMETRY_RUN_HEARTBEAT
# Of each the least value counts.
_IDENTITY = {
    "condition": "crucible.condition",
    "service_name": "service.name",
    "correlation_id": "crucible.correlation.id",
    "parent_run_id": "crucible.run.parent_id",
}
_RUN_PHASES = frozenset({"start", "stop", "exception"})


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
    received_ns: I64
    keep: Bool
    resource_ids: I64  # one a row of records.resources


@dataclass(slots=True)
class _Groups:
    """The kept records that have some id, grouped by it."""

    rows: I64  # of the records
    first: I64  # (groups) index into rows
    inverse: I64  # (rows) its group

    def __len__(self) -> int:
        return len(self.first)


def collect(seen: Seen, facts: Facts) -> None:
    """Add what the records say to `facts`."""
    _experiments(seen, facts)
    _runs(seen, facts)
    if isinstance(seen.records, Spans):
        rows = _telling_rows(seen)
        experiments = slot_text(seen.records, "crucible.experiment.id")
        runs = slot_text(seen.records, "crucible.run.id")
        for row in rows:
            experiment_id = text_of(seen.records, experiments, row)
            run_id = text_of(seen.records, runs, row)
            _tells(seen, seen.records, row, (experiment_id, run_id), facts)


def _groups(seen: Seen, key: str) -> _Groups:
    ref = slot_text(seen.records, key)
    rows = np.flatnonzero((ref.length > 0) & seen.keep)
    if not len(rows):
        return _Groups(rows, rows, rows)
    return _Groups(rows, *distinct(slot_hash(seen.records, key)[rows]))


def _extent(seen: Seen, groups: _Groups) -> tuple[list[int], list[int]]:
    """Earliest and latest time of each group, ns."""
    first = np.full(len(groups), np.iinfo(np.int64).max)
    last = np.zeros(len(groups), np.int64)
    np.minimum.at(first, groups.inverse, seen.first_ns[groups.rows])
    np.maximum.at(last, groups.inverse, seen.last_ns[groups.rows])
    return first.tolist(), last.tolist()


def _received(seen: Seen, groups: _Groups) -> list[int]:
    """The newest receipt of each group, ns."""
    newest = np.zeros(len(groups), np.int64)
    np.maximum.at(newest, groups.inverse, seen.received_ns[groups.rows])
    received: list[int] = newest.tolist()
    return received


def _farthest(records: Records, key: str, groups: _Groups) -> list[int | None]:
    """Largest value of an integer slot in each group."""
    values, there = slot_int(records, key)
    rows = groups.rows
    best = np.full(len(groups), -1, np.int64)
    np.maximum.at(best, groups.inverse, np.where(there[rows], values[rows], -1))
    return [int(value) if value >= 0 else None for value in best]


def _least(records: Records, key: str, groups: _Groups) -> list[str | None]:
    """The least text of a column in each group, None where no record has one.

    Nearly always all records of a group agree, so texts are made only where they do not.
    """
    ref = slot_text(records, key)
    if not (ref.length > 0).any():
        return [None] * len(groups)
    firsts = groups.rows[groups.first]
    least = [text or None for text in texts_of(records, ref, firsts)]
    is_other = differs(records.buffer, ref, groups.rows, firsts[groups.inverse])
    at = np.flatnonzero(is_other & (ref.length[groups.rows] > 0))
    if not len(at):
        return least
    rows = groups.rows[at]
    hashes = text_hash(records.buffer, TextRef(ref.offset[rows], ref.length[rows]))
    others, _ = distinct(fold("", groups.inverse[at], hashes))
    found = texts_of(records, ref, groups.rows[at[others]])
    for group, text in zip(groups.inverse[at[others]].tolist(), found, strict=True):
        least[group] = _lesser(least[group], text or None)
    return least


def _first_told(seen: Seen, key: str, groups: _Groups) -> tuple[list[str | None], list[int | None]]:
    """The text of a column that was received first in each group, of several the least; and when, us."""
    records, received_us = seen.records, seen.received_ns[groups.rows] // NS_PER_US
    is_told = slot_text(records, key).length[groups.rows] > 0
    first_us = np.full(len(groups), np.iinfo(np.int64).max)
    np.minimum.at(first_us, groups.inverse[is_told], received_us[is_told])
    at = np.flatnonzero(is_told & (received_us == first_us[groups.inverse]))
    there, first, inverse = np.unique(groups.inverse[at], return_index=True, return_inverse=True)
    texts: list[str | None] = [None] * len(groups)
    times: list[int | None] = [None] * len(groups)
    found = _least(records, key, _Groups(groups.rows[at], first, inverse))
    for group, text in zip(there.tolist(), found, strict=True):
        texts[group], times[group] = text, int(first_us[group])
    return texts, times


def _owner(fact: RunFact) -> tuple[int, str] | None:
    if fact.experiment_id is None or fact.experiment_received_us is None:
        return None
    return fact.experiment_received_us, fact.experiment_id


def _lesser(one: _Told | None, other: _Told | None) -> _Told | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _experiments(seen: Seen, facts: Facts) -> None:
    records = seen.records
    groups = _groups(seen, "crucible.experiment.id")
    if not len(groups):
        return
    first, last = _extent(seen, groups)
    ids = _least(records, "crucible.experiment.id", groups)
    names = _least(records, "crucible.experiment.name", groups)
    for experiment_id, name, first_ns, last_ns in zip(ids, names, first, last, strict=True):
        new = ExperimentFact(experiment_id or "", first_ns, last_ns, name=name)
        fact = facts.experiments.setdefault(new.experiment_id, new)
        fact.first_ns = min(fact.first_ns, first_ns)
        fact.last_ns = max(fact.last_ns, last_ns)
        fact.name = fact.name or name


def _runs(seen: Seen, facts: Facts) -> None:
    records = seen.records
    groups = _groups(seen, "crucible.run.id")
    if not len(groups):
        return
    resources = np.full(len(groups), np.iinfo(np.int64).max)
    resource_ids = seen.resource_ids[resource_of(records)[groups.rows]]
    np.minimum.at(resources, groups.inverse, resource_ids)
    columns = {
        "run_id": _least(records, "crucible.run.id", groups),
        "resource_id": resources.tolist(),
        "last_step": _farthest(records, "crucible.step", groups),
        "last_epoch": _farthest(records, "crucible.epoch", groups),
        "received_ns": _received(seen, groups),
        **{name: _least(records, key, groups) for name, key in _IDENTITY.items()},
    }
    owners = _first_told(seen, "crucible.experiment.id", groups)
    columns["experiment_id"], columns["experiment_received_us"] = owners
    columns["first_ns"], columns["last_ns"] = _extent(seen, groups)
    for values in zip(*columns.values(), strict=True):
        new = RunFact(**dict(zip(columns, values, strict=True)))
        fact = facts.runs.setdefault(new.run_id, new)
        if fact is not new:
            _merge(fact, new)


def _merge(fact: RunFact, new: RunFact) -> None:
    """Take over what another signal of the window says about the same run."""
    fact.first_ns = min(fact.first_ns, new.first_ns)
    fact.last_ns = max(fact.last_ns, new.last_ns)
    fact.received_ns = max(fact.received_ns, new.received_ns)
    fact.last_step = _larger(fact.last_step, new.last_step)
    fact.last_epoch = _larger(fact.last_epoch, new.last_epoch)
    owner = _lesser(_owner(fact), _owner(new))
    if owner is not None:
        fact.experiment_received_us, fact.experiment_id = owner
    for name in _IDENTITY:
        setattr(fact, name, _lesser(getattr(fact, name), getattr(new, name)))
    if fact.resource_id is None or new.resource_id is None:
        fact.resource_id = _larger(fact.resource_id, new.resource_id)
    else:
        fact.resource_id = min(fact.resource_id, new.resource_id)


def _larger(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _telling_rows(seen: Seen) -> Sequence[int]:
    """Kept rows that tell of the course of a run or an experiment."""
    wanted = [code for code, name in enumerate(seen.events.names) if _is_telling(name)]
    if not wanted:
        return ()
    rows: list[int] = np.flatnonzero(np.isin(seen.events.code, wanted) & seen.keep).tolist()
    return rows


def _is_telling(event: str) -> bool:
    scope, _, phase = event.rpartition(".")
    if scope == _EXPERIMENT_SCOPE:
        return phase in _EXPERIMENT_STATUS
    return event == _HEARTBEAT or (scope in _RUN_SCOPES and phase in _RUN_PHASES)


def _tells(
    seen: Seen, spans: Spans, row: int, ids: tuple[str | None, str | None], facts: Facts
) -> None:
    """Merge what one mark tells into the facts of its experiment and run (`ids`)."""
    experiment_id, run_id = ids
    event = seen.events.names[seen.events.code[row]]
    scope, _, phase = event.rpartition(".")
    text = json_of(spans, spans.attribute_start, row)
    values: dict[str, Any] = json.loads(text) if text else {}
    if event == _HEARTBEAT:
        if run_id:
            fact = facts.runs[run_id]
            interval_s = told.heartbeat_interval_s(values)
            fact.heartbeat_interval_s = _larger(fact.heartbeat_interval_s, interval_s)
        return
    if experiment_id:
        about = told.of_experiment(values)
        experiment = facts.experiments[experiment_id]
        if scope == _EXPERIMENT_SCOPE:
            about |= told.of_experiment_course(values, phase)
            _tell(experiment, _at_ns(seen, row, phase), _EXPERIMENT_STATUS[phase], about)
        else:
            _tell(experiment, None, None, about)
    if run_id and scope in _RUN_SCOPES:
        _tell_run(seen, spans, row, facts.runs[run_id], values)


def _at_ns(seen: Seen, row: int, phase: str) -> int:
    """When it was so: a start at its start, everything else at its end."""
    return int((seen.first_ns if phase == "start" else seen.last_ns)[row])


def _tell_run(seen: Seen, spans: Spans, row: int, fact: RunFact, values: Mapping[str, Any]) -> None:
    scope, _, phase = seen.events.names[seen.events.code[row]].rpartition(".")
    about = told.of_run(values, phase)
    about["kind"] = _RUN_SCOPES[scope]
    about["trace_id"] = uuid.UUID(bytes=spans.trace_id[row].tobytes())
    _tell(fact, _at_ns(seen, row, phase), told.run_status(values, phase), about)
    first_ns = int(seen.first_ns[row])
    fact.started_ns = first_ns if fact.started_ns is None else min(first_ns, fact.started_ns)
    if phase != "start":
        fact.ended_ns = _larger(fact.ended_ns, int(seen.last_ns[row]))


def _tell(
    fact: RunFact | ExperimentFact, at_ns: int | None, status: str | None, about: Mapping[str, Any]
) -> None:
    """Take over what a mark tells: all of it if it is the newest, else what is missing."""
    is_newer = _rank(at_ns, status) > _rank(fact.status_at_ns, fact.status)
    for name, value in about.items():
        if value is not None and (is_newer or getattr(fact, name) is None):
            setattr(fact, name, value)
    if is_newer:
        fact.status, fact.status_at_ns = status, at_ns


def _rank(at_ns: int | None, status: str | None) -> tuple[int, bool, str]:
    """The later counts, to the microsecond as in the database; of two at one time the end."""
    if at_ns is None or status is None:
        return -1, False, ""
    return at_ns // NS_PER_US, status != "running", status

"""What the three signals share while their rows are built."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64, Bool, Logs, Records, Signal, Spans
from crucible_collector.candidates import Candidates
from crucible_collector.cost.pricing import Pricing
from crucible_collector.enrich.columns import resource_of, slot_text, texts
from crucible_collector.enrich.dimensions import RESOURCE_COLUMNS, SCOPE_COLUMNS, resources, scopes
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.facts import Facts
from crucible_collector.enrich.series import SERIES_COLUMNS
from crucible_collector.enrich.subscription import EVERYTHING, Subscription, leave_out
from crucible_collector.enrich.unregistered import Unregistered
from crucible_collector.rows import Dimension, Phase, Table
from crucible_collector.sample.variance import Variances


@dataclass(slots=True)
class Known:
    """Ids of dimensions that are certainly in the database: written by a committed window."""

    resources: Container[int]
    scopes: Container[int]
    series: Container[int]


@dataclass(slots=True)
class Collected:
    """The rows of a window as they come together, signal by signal."""

    known: Known
    subscription: Subscription = EVERYTHING
    phase: Phase = Phase.WHOLE
    rule_names: tuple[str, ...] = ()  # of the sampling rules, by their numbers
    variances: Variances = field(default_factory=Variances)
    pricing: Pricing | None = None  # None: calls cost what their senders told
    tables: list[Table] = field(default_factory=list)
    resources: Dimension = field(default_factory=lambda: Dimension("resources", RESOURCE_COLUMNS))
    scopes: Dimension = field(default_factory=lambda: Dimension("scopes", SCOPE_COLUMNS))
    series: Dimension = field(default_factory=lambda: Dimension("series", SERIES_COLUMNS))
    facts: Facts = field(default_factory=lambda: Facts({}, {}))
    filtered: dict[tuple[int, str], int] = field(default_factory=dict)  # (request, rule) -> records
    unregistered: Unregistered = field(default_factory=Unregistered)
    sampled: dict[tuple[int, str], int] = field(default_factory=dict)  # (request, rule) -> records

    def subscribed(self, records: Records, keep: Bool, events: EventNames) -> Bool:
        """`keep` without the events that the settings leave out; those and unknown ones are counted."""
        keep = leave_out(self.subscription, records, keep, events, self.filtered)
        if self.phase is not Phase.BEHIND:  # they were told AHEAD
            self.unregistered.add(records, keep, events)
        return keep

    def add_table(self, made: Table | None) -> None:
        if made is not None:
            self.tables.append(made)


class Everything(Container[int]):
    """Ids of dimensions where all that there are have been written."""

    def __contains__(self, _id: object) -> bool:
        return True


Kind = TypeVar("Kind", Spans, Logs)


@dataclass(slots=True)
class LookedAt(Generic[Kind]):
    """Spans or log records of a window before it is decided which of them become rows."""

    records: Kind
    keep: Bool  # (rows) False: refused by the check, or filtered
    events: EventNames
    start_ns: I64  # (rows) as stored; of logs their time
    end_ns: I64
    received_ns: I64  # (requests)
    candidates: Candidates


@dataclass(slots=True)
class Identified:
    """Records of one signal with the ids of their dimensions."""

    records: Records
    keep: Bool  # (rows) False: refused by the check
    received_ns: I64  # (rows)
    resource_ids: I64  # one a row of records.resources
    scope_ids: I64  # one a row of records.scopes

    @property
    def resource(self) -> I64:
        ids: I64 = self.resource_ids[resource_of(self.records)]
        return ids

    @property
    def scope(self) -> I64:
        return self.scope_ids[self.records.scope]


def identify(records: Records, keep: Bool, received_ns: I64, collected: Collected) -> Identified:
    """Give every record its resource and scope; `received_ns` is one a request of the window."""
    return Identified(
        records,
        keep,
        received_ns[records.request],
        resources(records, collected.known.resources, collected.resources),
        scopes(records, collected.known.scopes, collected.scopes),
    )


IDENTITY_TEXTS = {
    "experiment_id": "crucible.experiment.id",
    "run_id": "crucible.run.id",
    "condition": "crucible.condition",
    "correlation_id": "crucible.correlation.id",
}


def identity_columns(records: Records) -> dict[str, pa.Array | None]:
    """The identity set as text columns."""
    return {name: texts(records, slot_text(records, key)) for name, key in IDENTITY_TEXTS.items()}


def table(
    relation: str,
    signal: Signal,
    identified: Identified,
    columns: dict[str, Any],
    rows: I64 | None = None,
) -> Table | None:
    """A table of the kept records; columns that are None (all null) are left to their defaults.

    `rows` says which record each row of the columns is (default: all, in order).
    """
    records = identified.records
    batch = pa.RecordBatch.from_pydict({k: v for k, v in columns.items() if v is not None})
    at = np.arange(len(records)) if rows is None else rows
    keep = identified.keep[at]
    if not keep.all():
        batch = batch.filter(pa.array(keep))
        at = at[keep]
    if not len(at):
        return None
    return Table(relation, signal, batch, records.request[at], records.index[at], principal=True)

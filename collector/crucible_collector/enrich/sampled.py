"""From decisions to rows: the records that are kept, and what their rows say of how that came about."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64, Bool, Spans
from crucible_collector.candidates import NOT_TOLD, Decided, KeepReason
from crucible_collector.decode import take
from crucible_collector.enrich.costs import carry_over
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.window import Collected, Identified, Kind, LookedAt

_LABELS = pa.array([each.label for each in KeepReason], pa.string())


@dataclass(slots=True)
class Chosen(Generic[Kind]):
    """The records that become rows; everything has one value a record."""

    records: Kind
    events: EventNames
    start_ns: I64
    end_ns: I64
    identified: Identified
    decided: Decided

    @property
    def is_told(self) -> Bool:
        """Whether a rule, or who sent it, had a say in a record's being here."""
        told: Bool = self.decided.reason != KeepReason.NONE
        return told


def choose(
    looked: LookedAt[Kind], decided: Decided, identified: Identified, collected: Collected
) -> Chosen[Kind] | None:
    """The kept records, None where there are none; those that are not are counted by rule."""
    keep = looked.keep & decided.keep
    _count(looked, decided, collected)
    rows = np.flatnonzero(keep)
    if not len(rows):
        return None
    events, start_ns, end_ns = looked.events, looked.start_ns, looked.end_ns
    if len(rows) == len(keep):
        return Chosen(looked.records, events, start_ns, end_ns, identified, decided)
    records = take(looked.records, rows)
    if isinstance(looked.records, Spans) and isinstance(records, Spans):
        carry_over(looked.records, rows, records)
    of_kept = Identified(
        records,
        np.ones(len(rows), np.bool_),
        identified.received_ns[rows],
        identified.resource_ids,
        identified.scope_ids,
    )
    return Chosen(
        records, events.only(rows), start_ns[rows], end_ns[rows], of_kept, _only(decided, rows)
    )


def _only(decided: Decided, rows: I64) -> Decided:
    return Decided(*(getattr(decided, each.name)[rows] for each in fields(Decided)))


def _count(looked: LookedAt[Kind], decided: Decided, collected: Collected) -> None:
    """How many records of each request each rule has left out."""
    dropped = np.flatnonzero(looked.keep & ~decided.keep)
    if not len(dropped):
        return
    names = collected.rule_names
    request, rule = looked.records.request[dropped], decided.rule[dropped]
    pairs, counts = np.unique(request.astype(np.int64) * len(names) + rule, return_counts=True)
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        key = (pair // len(names), names[pair % len(names)])
        collected.sampled[key] = collected.sampled.get(key, 0) + count


def sampling_columns(chosen: Chosen[Kind]) -> dict[str, Any]:
    """Probability, threshold and reason, where anybody had a say; what senders told, if only that."""
    told, decided = chosen.is_told, chosen.decided
    has_upstream = decided.upstream != NOT_TOLD
    columns: dict[str, Any] = {}
    if told.any():
        columns = {
            "sample_probability": pa.array(decided.probability),
            "sample_threshold": pa.array(decided.threshold, mask=~told),
            "keep_reason": _LABELS.take(pa.array(decided.reason)),
        }
    if has_upstream.any():
        columns["upstream_threshold"] = pa.array(decided.upstream, mask=~has_upstream)
    return columns

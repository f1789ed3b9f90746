"""Log records to rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I64, Bool, Logs, Signal
from crucible_collector.candidates import Decided
from crucible_collector.decode import any_value_json, attributes_json
from crucible_collector.enrich.candidates import Received, log_candidates
from crucible_collector.enrich.columns import (
    non_zero,
    numbers,
    optional_times,
    slot_int,
    texts,
    times,
    trace_ids,
    unless_empty,
    unless_null,
)
from crucible_collector.enrich.events import EventNames, log_events
from crucible_collector.enrich.facts import Seen, collect
from crucible_collector.enrich.sampled import choose, sampling_columns
from crucible_collector.enrich.window import (
    Collected,
    Identified,
    LookedAt,
    identify,
    identity_columns,
    table,
)
from crucible_collector.rows import Phase, Table


def look_at_logs(
    logs: Logs, keep: Bool, received: Received, collected: Collected
) -> LookedAt[Logs]:
    """Name the events, leave out what is not wanted, and say of the rest what sampling goes by.

    A record without a time of its own has the time it was observed, else that of its receipt.
    """
    events = log_events(logs)
    keep = collected.subscribed(logs, keep, events)
    observed_ns = np.where(logs.observed_ns == 0, received.ns[logs.request], logs.observed_ns)
    time_ns = np.where(logs.time_ns == 0, observed_ns, logs.time_ns)
    candidates = log_candidates(logs, keep, events, received)
    return LookedAt(logs, keep, events, time_ns, time_ns, received.ns, candidates)


def add_logs(looked: LookedAt[Logs], decided: Decided | None, collected: Collected) -> None:
    """Add the table, dimensions and facts; rows only of what is decided to be kept."""
    logs, time_ns = looked.records, looked.start_ns
    identified = identify(logs, looked.keep, looked.received_ns, collected)
    if decided is not None:
        collected.add_table(_table(looked, decided, identified, collected))
    if collected.phase is Phase.BEHIND:
        return
    nameless = EventNames([], np.zeros(len(logs), np.int64))
    rest = identified.received_ns, looked.keep, identified.resource_ids
    collect(Seen(logs, nameless, time_ns, time_ns, *rest), collected.facts)


def _table(
    looked: LookedAt[Logs], decided: Decided, identified: Identified, collected: Collected
) -> Table | None:
    """The rows of the log records that are kept."""
    chosen = choose(looked, decided, identified, collected)
    if chosen is None:
        return None
    columns = _columns(chosen.identified, chosen.records, chosen.events, chosen.start_ns)
    columns |= sampling_columns(chosen)
    return table("logs", Signal.LOGS, chosen.identified, columns)


def _columns(
    identified: Identified, logs: Logs, events: EventNames, time_ns: I64
) -> dict[str, Any]:
    time, rest = times(time_ns)
    step, has_step = slot_int(logs, "crucible.step")
    epoch, has_epoch = slot_int(logs, "crucible.epoch")
    attributes = attributes_json(logs, lifted=True)
    body = any_value_json(logs.buffer, logs.body_kind, logs.body_number, logs.body_value)
    return {
        "time": time,
        "time_ns_rest": rest,
        "observed_time": optional_times(logs.observed_ns),
        "severity_number": pa.array(logs.severity_number, pa.int16(), safe=False),
        "severity_text": texts(logs, unless_empty(logs.severity_text)),
        "body": unless_null(body),
        "event_name": events.optional_column(),
        "original_event_name": events.sent_column(),
        "trace_id": trace_ids(logs.trace_id, np.any(logs.trace_id != 0, axis=1)),
        "span_id": non_zero(logs.span_id, pa.int64()),
        "flags": non_zero(logs.flags, pa.int64()),
        "resource_id": pa.array(identified.resource),
        "scope_id": pa.array(identified.scope),
        **identity_columns(logs),
        "step": numbers(step, has_step, pa.int64()),
        "epoch": numbers(epoch, has_epoch, pa.int64()),
        "attributes": unless_null(attributes),
        "dropped_attributes_count": non_zero(logs.dropped_attributes_count, pa.int64()),
    }

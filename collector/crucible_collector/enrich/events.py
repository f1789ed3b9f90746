"""Which event each record is, what it was sent as, and whether the registry knows it.

Names are few and records many, so everything is decided once for each distinct name of a window.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

import crucible_schema
from crucible_collector.batch import I64, Bool, Logs, Records, Spans, TextRef
from crucible_collector.decode import distinct, text_hash
from crucible_collector.enrich.columns import first_text, slot_text, text_of, unless_empty

# What a name is beside its text: a span's, which ended well or failed and may be a life-cycle's; what
# `crucible.event.name` says; the event name of a log record.
_ENDED, _FAILED, _GIVEN, _LOGGED = range(4)


@dataclass(slots=True)
class EventNames:
    """The distinct event names of a window, and which of them each record has.

    `sent` are the names before the registry's aliases (None: the same), `given` tells which are
    `crucible.event.name`'s. A log record that is no event has an empty name.
    """

    names: list[str]
    code: I64  # (rows) index into names
    sent: list[str | None] = field(default_factory=list)
    given: list[bool] = field(default_factory=list)

    def only(self, rows: I64) -> EventNames:
        """The names of some of the records."""
        return EventNames(self.names, self.code[rows], self.sent, self.given)

    def column(self) -> pa.Array:
        """The records' names."""
        return pa.array(self.names, pa.string()).take(pa.array(self.code))

    def optional_column(self) -> pa.Array | None:
        """The records' names, null where empty; None where all are."""
        return _taken([name or None for name in self.names], self.code)

    def sent_column(self) -> pa.Array | None:
        """The names as sent, null where `column` says the same; None where it does everywhere."""
        return _taken(self.sent, self.code)


def _taken(values: list[str | None], code: I64) -> pa.Array | None:
    if not any(value is not None for value in values):
        return None
    return pa.array(values, pa.string()).take(pa.array(code))


def span_events(spans: Spans, is_error: Bool) -> EventNames:
    """Name of the event that each span stands for.

    `crucible.event.name` decides where it is given; else the registry says what a life-cycle span
    of that name ends with (stop, or exception where its status is an error); else the name itself.
    """
    given = unless_empty(slot_text(spans, "crucible.event.name", resources=False))
    flag = np.where(given.length > 0, _GIVEN, np.where(is_error, _FAILED, _ENDED))
    return _event_names(spans, first_text(given, spans.name), flag)


def log_events(logs: Logs) -> EventNames:
    """Name of the event that each log record is, if it is one."""
    attribute = unless_empty(slot_text(logs, "crucible.event.name", resources=False))
    ref = first_text(unless_empty(logs.event_name), attribute)
    if not (ref.length > 0).any():
        return EventNames([""], np.zeros(len(logs), np.int64), [None], [False])
    return _event_names(logs, ref, np.where(logs.event_name.length > 0, _LOGGED, _GIVEN))


def _event_names(records: Records, ref: TextRef, flag: I64) -> EventNames:
    word = flag.astype(np.uint64)
    rows, inverse = distinct((text_hash(records.buffer, ref) << np.uint64(2)) | word)
    found = EventNames([], inverse)
    for row in map(int, rows):
        sent, kind = text_of(records, ref, row) or "", int(flag[row])
        own = crucible_schema.canonical_event(sent)
        is_span = kind in {_ENDED, _FAILED}
        found.names.append(crucible_schema.event_name(own, kind == _FAILED) if is_span else own)
        found.sent.append(None if own == sent else sent)
        found.given.append(kind == _GIVEN)
    return found

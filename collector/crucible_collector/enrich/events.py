"""Which event each record is, and what the registry says of it.

Names are few and records many, so everything is decided once for each distinct name of a window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

import crucible_schema
from crucible_collector.batch import I64, Bool, Records, TextRef
from crucible_collector.decode import text_hash
from crucible_collector.enrich.columns import first_text, slot_text, text_of
from crucible_collector.enrich.hashing import distinct


@dataclass(slots=True)
class EventNames:
    """The distinct event names of a window, and which of them each record has."""

    names: list[str]
    code: I64  # (rows) index into names

    def column(self) -> pa.Array:
        return pa.array(self.names, pa.string()).take(pa.array(self.code))


def event_names(records: Records, name: TextRef, is_error: Bool) -> EventNames:
    """Name of the event that each record stands for.

    `crucible.event.name` decides where it is given; else the registry says what a life-cycle span
    of that name ends with (stop, or exception where its status is an error); else the name itself.
    """
    given = slot_text(records, "crucible.event.name", resources=False)
    is_given = given.length > 0
    chosen = TextRef(np.where(is_given, given.offset, 0), np.where(is_given, given.length, -1))
    ref = first_text(TextRef(chosen.offset, chosen.length.astype(np.int32)), name)
    flag = np.where(is_given, 2, is_error.astype(np.int64)).astype(np.uint64)
    rows, inverse = distinct((text_hash(records.buffer, ref) << np.uint64(2)) | flag)
    names = []
    for row in map(int, rows):
        text = text_of(records, ref, row) or ""
        names.append(text if flag[row] == 2 else crucible_schema.event_name(text, bool(flag[row])))
    return EventNames(names, inverse)

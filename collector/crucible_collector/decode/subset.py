"""Some rows of a window's records as records of their own, so that only these are made into rows.

Resources and scopes stay whole: there are few, and their rows keep their numbers. What belongs to a
record (its attributes, span events, links, measurements) comes with it, in the order asked for.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I32, I64, Attributes, Logs, Measurements, Spans, TextRef

_Kind = TypeVar("_Kind", Spans, Logs)
# Fields that are no array of one value a record, of spans or of logs.
_OTHER = frozenset(
    {
        "buffer",
        "attributes",
        "attribute_start",
        "slots",
        "resources",
        "scopes",
        "memo",
        "event_start",
        "event_message",
        "link_start",
        "link_message",
        "measurements",
    }
)


def take(records: _Kind, rows: I64) -> _Kind:
    """The given rows, each at most once, as records over the same buffer."""
    columns: dict[str, Any] = {
        each.name: _taken(getattr(records, each.name), rows)
        for each in fields(records)
        if each.name not in _OTHER
    }
    start = records.attribute_start
    chosen, new_start = _slices(start, rows)
    last = int(start[-1]) if len(start) else 0
    rest = np.arange(last, len(records.attributes.kind))
    shift = len(chosen) - last
    columns["attribute_start"] = new_start
    columns["attributes"] = _attributes(records.attributes, np.concatenate((chosen, rest)))
    slots = records.slots[rows]
    moved = (new_start[:-1] - start[rows])[:, None]
    columns["slots"] = np.where(slots >= 0, slots + moved, -1).astype(np.int32)
    columns["resources"] = replace(
        records.resources,
        attribute_start=records.resources.attribute_start + shift,
        slots=_shifted(records.resources.slots, shift),
    )
    columns["scopes"] = replace(
        records.scopes, attribute_start=records.scopes.attribute_start + shift
    )
    if isinstance(records, Spans):
        columns |= _of_spans(records, rows)
    return replace(records, **columns)


def _of_spans(spans: Spans, rows: I64) -> dict[str, Any]:
    events, event_start = _slices(spans.event_start, rows)
    links, link_start = _slices(spans.link_start, rows)
    measured = spans.measurements
    place = np.full(len(spans), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    at = np.flatnonzero(place[measured.row] >= 0)
    at = at[np.argsort(place[measured.row[at]], kind="stable")]
    return {
        "event_start": event_start,
        "event_message": _taken(spans.event_message, events),
        "link_start": link_start,
        "link_message": _taken(spans.link_message, links),
        "measurements": Measurements(
            place[measured.row[at]], _taken(measured.name, at), measured.value[at]
        ),
    }


def _taken(column: Any, rows: I64) -> Any:
    if isinstance(column, TextRef):
        return TextRef(column.offset[rows], column.length[rows])
    return column[rows]


def _slices(start: I64, rows: I64) -> tuple[I64, I64]:
    """The indices in the slices of some rows, one after another, and where each slice then begins."""
    length = start[rows + 1] - start[rows]
    new_start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(length, out=new_start[1:])
    within = np.arange(new_start[-1]) - np.repeat(new_start[:-1], length)
    return np.repeat(start[rows], length) + within, new_start


def _attributes(attributes: Attributes, at: I64) -> Attributes:
    return Attributes(
        _taken(attributes.key, at),
        attributes.kind[at],
        attributes.number[at],
        _taken(attributes.value, at),
    )


def _shifted(slots: I32, shift: int) -> I32:
    moved: npt.NDArray[np.int32] = np.where(slots >= 0, slots + shift, -1).astype(np.int32)
    return moved

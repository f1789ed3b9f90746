"""Counting what the registry does not know: it is stored all the same, and seen to be unknown.

Every span is stored as an event, so two cases are told apart. An *unknown* event calls itself one:
`crucible.event.name` names it, or its name begins with the package of an event that is known, or with
`crucible`: a newer producer, or a misspelt name. All others are *foreign*: spans and named log records
of other instrumentation, `GET /items` for one, of which the registry has nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import crucible_schema
from crucible_collector.batch import Bool, Records
from crucible_collector.enrich.events import EventNames

_PACKAGES = frozenset(name.partition(".")[0] for name in crucible_schema.EVENTS)
_OURS = "crucible"
_KNOWN, _UNKNOWN, _FOREIGN = range(3)


@dataclass(slots=True)
class Unregistered:
    """How many records of a window were no event of the registry's."""

    unknown: dict[tuple[int, str], int] = field(default_factory=dict)  # (request, event) -> records
    foreign: dict[int, int] = field(default_factory=dict)  # request -> records

    def add(self, records: Records, keep: Bool, events: EventNames) -> None:
        """Count the kept records of each name that the registry does not know."""
        kinds = [_kind(*each) for each in zip(events.names, events.given, strict=True)]
        if not any(kinds):
            return
        kind = np.array(kinds)[events.code] * keep
        counts = np.bincount(records.request[kind == _FOREIGN])
        for request in np.flatnonzero(counts).tolist():
            self.foreign[request] = self.foreign.get(request, 0) + int(counts[request])
        for row in np.flatnonzero(kind == _UNKNOWN).tolist():
            key = (int(records.request[row]), events.names[events.code[row]])
            self.unknown[key] = self.unknown.get(key, 0) + 1


def _kind(name: str, is_given: bool) -> int:
    if not name or crucible_schema.is_known(name):
        return _KNOWN
    package, dot, _ = name.partition(".")
    is_ours = package in _PACKAGES or package.startswith(_OURS)
    return _UNKNOWN if is_given or (dot and is_ours) else _FOREIGN

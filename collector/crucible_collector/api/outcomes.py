"""Requests that succeeded or failed, by time and by group: asked of the roll-ups of spans."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from crucible_collector.api.asking import (
    GROUP_COUNT_MAX,
    LEVELS,
    WIDTHS,
    Question,
    too_much,
)
from crucible_collector.api.group_places import Place
from crucible_collector.api.in_force import LATE, Asked, in_force
from crucible_collector.api.reliability import ReliabilityFilter, reliability
from crucible_collector.store.pieces import Pieces, cut, rimmed
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import MINUTE

_KNOWN = ("event", "experiment", "model")


def outcomes(
    reads: Reads, filters: ReliabilityFilter, place: Place | None = None
) -> list[dict[str, Any]]:
    """Rows as `Reliability` has them, in the order of time and group, from `place` on.

    RequestValidationError where there are too many groups.
    """
    place = place or Place()
    pieces = cut(place.start(filters.from_time), filters.to_time, LEVELS[filters.interval])
    if not pieces:
        return []
    found = _asked(reads, filters, place, pieces)
    if found and found[0]["group_count"] > GROUP_COUNT_MAX:
        raise too_much("group_by", f"there are more than {GROUP_COUNT_MAX:,} groups")
    known = {name: getattr(filters, name) for name in _KNOWN if getattr(filters, name) is not None}
    longest = max((row["duration_max_ns"] or 0 for row in found), default=0)
    late = timedelta(milliseconds=longest / 1e6)
    force = in_force(
        reads,
        Asked(filters.from_time, filters.to_time, known),
        late if late > LATE else timedelta(),
    )
    rows = []
    for row in found:
        of_group = zip(filters.group_by, row["key"][1:], strict=False)
        of_row: dict[str, str | None] = {
            **known,
            **{name: value for name, value in of_group if name in _KNOWN},
        }
        rows.append(reliability(row, filters.group_by, force.on(of_row)))
    return rows


def _asked(
    reads: Reads, filters: ReliabilityFilter, place: Place, pieces: Pieces
) -> list[dict[str, Any]]:
    is_of_one_event = filters.event is not None or "event" in filters.group_by

    def ask(sums: Pieces) -> list[dict[str, Any]]:
        texts = reads.json_rows(
            "outcomes",
            sums=sums,
            terms="event" if is_of_one_event else "traces",
            width=WIDTHS.get(filters.interval),
            count_unset=filters.count_unset,
            experiment=filters.experiment,
            story=None,
            run=filters.run,
            event=filters.event,
            model=filters.model,
            status=None,
            **Question("count", (), group_by=filters.group_by).dimensions(),
            last_key=place.key,
            skip=place.skip,
            limit=place.limit,
        )
        return list(map(json.loads, texts))

    rows = ask(pieces)
    # Terms of what cuts a minute lie in part outside of it.
    is_sampled = any(row["probability_min"] < 1 for row in rows)
    return ask(rimmed(pieces, MINUTE)) if is_sampled else rows

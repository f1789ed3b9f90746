"""Where a list of groups continues: at a time and a group, as one text that a cursor holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crucible_collector.api.paging import Cursor, CursorError, is_storable, time_and_rest
from crucible_collector.api.questions import GROUPS_MAX


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: at a group, of whose rows some were given; `key` begins with the time."""

    key: Sequence[str | None] | None = None
    skip: int = 0
    limit: int = 1000

    def start(self, given: datetime | None) -> datetime | None:
        """Where the period of this page begins: groups before the place are given."""
        if self.key is None or self.key[0] is None:
            return given
        time, _ = time_and_rest(self.key[0])
        return time if given is None else max(time, given)


def place_of(cursor: Cursor | None, limit: int) -> Place:
    """The place that the last part of a cursor's key names; CursorError where it names none."""
    if cursor is None:
        return Place(None, 0, limit)
    try:
        key = json.loads(cursor.key[-1])
    except (ValueError, RecursionError) as error:
        raise CursorError("not a cursor of this list") from error
    is_key = isinstance(key, list) and len(key) == GROUPS_MAX + 1
    if not is_key or not all(
        part is None or (isinstance(part, str) and is_storable(part)) for part in key
    ):
        raise CursorError("not a cursor of this list")
    return Place(key, cursor.skip, limit)


def key_text(row: Mapping[str, Any], group_by: Sequence[str]) -> str:
    """Of a row with `time` and `group`, what `place_of` reads."""
    values = [row["time"], *(row["group"][name] for name in group_by)]
    return json.dumps(values + [None] * (GROUPS_MAX + 1 - len(values)), separators=(",", ":"))

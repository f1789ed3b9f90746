"""How far somebody has followed what is stored: text for a reader, opaque, of use for some minutes.

It names a snapshot of the database (see `live`): "what is committed and was not seen then" needs neither
order nor clock. Within a round that is read in several steps, it also says up to which snapshot that round
goes, and which of its transactions, by their ids, are told.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from dataclasses import dataclass

from crucible_collector.store.live import KEPT

_SNAPSHOT = re.compile(r"\d{1,20}:\d{1,20}:(\d{1,20}(,\d{1,20})*)?", re.ASCII)
_WHOLE_MAX = (1 << 63) - 1
_TEXT_MAX = 16_384


class PlaceError(ValueError):
    """The text is no place that was given."""


@dataclass(frozen=True, slots=True)
class Place:
    database: str
    time_s: float  # when `seen` was taken, by the database's clock
    seen: str  # a pg_snapshot: what it sees is told
    feed_id: int  # anomalies up to here are told
    done: int = 0  # of what `until` sees, transactions up to this id are told
    until: str | None = None

    def encode(self) -> str:
        """URL-safe, without white space."""
        text = json.dumps(dataclasses.astuple(self), separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Place:
        """PlaceError for what `encode` has not written."""
        if len(text) > _TEXT_MAX:
            raise PlaceError("no place that was given")
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            database, time_s, seen, feed_id, done, until = found
        except (ValueError, TypeError, RecursionError) as error:
            raise PlaceError("no place that was given") from error
        whole = all(type(each) is int and 0 <= each <= _WHOLE_MAX for each in (feed_id, done))
        snapshots = (seen,) if until is None else (seen, until)
        if not (
            whole
            and type(database) is str
            and type(time_s) in (int, float)
            and all(type(each) is str and _SNAPSHOT.fullmatch(each) for each in snapshots)
        ):
            raise PlaceError("no place that was given")
        return cls(database, time_s, seen, feed_id, done, until)

    def is_at(self, other: Place) -> bool:
        """Whether all is told that is told at a place that is no step within a round."""
        return self.until is None and self.seen == other.seen and self.feed_id == other.feed_id

    def unusable(self, now: Place) -> str | None:
        """Why nobody can go on from here, in a sentence; None: it can be done."""
        if self.database != now.database:
            return "this is another database, or one that was restored"
        newest = max(_next_id(each) for each in (self.seen, self.until or self.seen))
        if newest > _next_id(now.seen) or self.feed_id > now.feed_id:
            return "the database was set back"
        if now.time_s - self.time_s > KEPT.total_seconds():
            return f"what is not told yet is kept for {KEPT.total_seconds() / 60:.0f} minutes"
        return None


def _next_id(snapshot: str) -> int:
    """The first transaction id that was not given to anybody yet."""
    return int(snapshot.split(":")[1])

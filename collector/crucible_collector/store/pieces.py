"""A period cut into pieces that roll-ups answer, and ends that raw rows answer.

A row of a roll-up stands for its whole bucket, so a period that begins at 10:17:30.5 is no sum of
hours, nor of minutes. Cut into whole days, hours and minutes and the rest at both ends it is answered
exactly, by at most seven pieces, whatever its length.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Level

# Where buckets begin to be counted; any midnight in UTC does.
_ORIGIN = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_WIDTHS = {
    MINUTE: dt.timedelta(minutes=1),
    HOUR: dt.timedelta(hours=1),
    DAY: dt.timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A half-open period; `level` is of the roll-up that answers it, None: raw rows do.

    `start` or `end` is None where the period has no such end. `is_rim`: it is beside the period.
    """

    level: Level | None
    start: dt.datetime | None
    end: dt.datetime | None
    is_rim: bool = False

    @property
    def source(self) -> str:
        """What answers it, as files of questions are named."""
        if self.level is not None:
            return "rolled"
        return "rim" if self.is_rim else "raw"


Pieces = tuple[Piece, ...]


def cut(start: dt.datetime | None, end: dt.datetime | None, levels: Sequence[Level]) -> Pieces:
    """The pieces of a period in order of time, of `levels` (widest first) as wide as possible.

    An end that is None cuts nothing off. Nothing where the period is empty.
    """
    if _is_empty(start, end):
        return ()
    if not levels:
        return (Piece(None, start, end),)
    level, narrower = levels[0], levels[1:]
    try:
        first = None if start is None else _ceiling(start, _WIDTHS[level])
    except OverflowError:  # on the last day of the year 9999
        return cut(start, end, narrower)
    last = None if end is None else _floor(end, _WIDTHS[level])
    if _is_empty(first, last):
        return cut(start, end, narrower)
    before = () if start is None else cut(start, first, narrower)
    after = () if end is None else cut(last, end, narrower)
    return (*before, Piece(level, first, last), *after)


def rimmed(pieces: Pieces, level: Level) -> Pieces:
    """The pieces, and what lies outside of the buckets that their raw ends cut: less than two of them."""
    if not pieces:
        return ()
    width = _WIDTHS[level]
    found = []
    start, end = pieces[0].start, pieces[-1].end
    if pieces[0].level is None and start is not None:
        found.append(Piece(None, _floor(start, width), start, is_rim=True))
    if pieces[-1].level is None and end is not None:
        with suppress(OverflowError):  # on the last day of the year 9999
            found.append(Piece(None, end, _ceiling(end, width), is_rim=True))
    return (*pieces, *(each for each in found if not _is_empty(each.start, each.end)))


def _is_empty(start: dt.datetime | None, end: dt.datetime | None) -> bool:
    return start is not None and end is not None and start >= end


def _floor(time: dt.datetime, width: dt.timedelta) -> dt.datetime:
    return time - (time - _ORIGIN) % width


def _ceiling(time: dt.datetime, width: dt.timedelta) -> dt.datetime:
    return time + (_ORIGIN - time) % width

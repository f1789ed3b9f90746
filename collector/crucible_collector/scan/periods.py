"""Periods out of episodes: what the engine says of one period, batch by batch, as one thing that happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crucible_collector.detect.found import Episode
from crucible_collector.store.periods import RESOLVED, Period
from crucible_collector.store.scan_results import Told, at

WENT_ON = "what was scanned ends within it"


class Periods:
    """Those that go on. One scan's.

    >>> Periods("").closed()
    []
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._open: dict[tuple[int, str], Period] = {}
        self._over: list[Period] = []

    def add(self, episodes: Sequence[Episode]) -> Iterator[Told]:
        """What a batch adds."""
        for episode in episodes:
            key = episode.watched.key, episode.detector
            period = self._open.get(key)
            if episode.flags:
                is_first = period is None
                period = period or Period.opened(episode, self._label)
                self._open[key] = period
                yield Told(period, period.took(episode), is_first)
            if period is not None and episode.ended_ns is not None:
                period.end(at(episode.ended_ns))
                self._over.append(self._open.pop(key))

    def over(self) -> list[Period]:
        """Those that ended since this was asked last."""
        found, self._over = self._over, []
        return found

    def closed(self) -> list[Period]:
        """Those that ended, and those within which what is scanned ended: nobody will resolve these."""
        for period in self._open.values():
            period.state, period.state_reason = RESOLVED, WENT_ON
        found = [*self.over(), *self._open.values()]
        self._open.clear()
        return found

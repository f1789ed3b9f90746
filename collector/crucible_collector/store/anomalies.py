"""What detectors found in a window, on its way into the database: periods, flags, feed and alerts.

It is the last thing that a window's transaction writes but for what is its journal's own, so that the lock
of the feed, which `periods` explains, is held for as short as can be. Which period flags are part of is
decided here and not where they were found: several collectors may write to one, and a person may have
resolved it meanwhile, after which the next flag begins another.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import psycopg

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.found import Episode, Flag, Found
from crucible_collector.metrics import ALERTS_QUEUED, ANOMALIES, ANOMALY_PERIODS
from crucible_collector.store import feed, flags, periods
from crucible_collector.store.copy import is_lasting, message_of
from crucible_collector.store.feed import Alert, News
from crucible_collector.store.ingest import timestamp
from crucible_collector.store.periods import Connection, Period

log = logging.getLogger("crucible.store")


@dataclass(slots=True)
class Kept:
    """What a transaction wrote of what was found, for the counters."""

    flags: Counter[str] = field(default_factory=Counter)  # rows by severity
    periods: Counter[str] = field(default_factory=Counter)  # opened, resolved
    alerts: Counter[str] = field(default_factory=Counter)  # firing, resolved

    def count(self) -> None:
        """It is committed."""
        for counter, counts in (
            (ANOMALIES, self.flags),
            (ANOMALY_PERIODS, self.periods),
            (ALERTS_QUEUED, self.alerts),
        ):
            for name, count in counts.items():
                counter.labels(name).inc(count)


@dataclass(slots=True)
class _Change:
    """What an episode is to its period."""

    period: Period
    episode: Episode
    stored: Sequence[Flag] = ()  # flags that get a row
    news: feed.Kind | None = None
    is_new: bool = False
    ends: bool = False
    alerts: list[Alert] = field(default_factory=list)

    def rows(self) -> Iterator[flags.Row]:
        """Of crucible.anomalies, one a flag."""
        return flags.rows(self.period, self.stored, is_new=self.is_new)


def write_found(
    connection: Connection,
    found: Found,
    duplicates: AbstractSet[int],
    *,
    careful: bool,
    writes_parts: bool,
    label: str = "",
) -> Kept:
    """Write it, but for what requests that are duplicates brought; within the caller's transaction.

    With `careful`, a row that PostgreSQL refuses is left out alone. Under a `label` nobody is told: that
    is what scans write.
    """
    episodes = [each for each in (_without(each, duplicates) for each in found.episodes) if each]
    kept = Kept()
    if not episodes:
        return kept
    connection.execute(periods.LOCK, (periods.LOCK_KEY,))
    changes = _changes(connection, episodes, label)
    changes = _write_periods(connection, changes, careful=careful)
    rows = [row for change in changes for row in change.rows()]
    kept.flags.update(flags.write(connection, rows, careful=careful, writes_parts=writes_parts))
    kept.periods["opened"] = sum(change.is_new for change in changes)
    kept.periods["resolved"] = sum(change.ends for change in changes)
    if not label:
        _tell(connection, changes, kept)
    return kept


def _without(episode: Episode, duplicates: AbstractSet[int]) -> Episode | None:
    """What is left of an episode; None where that is nothing."""
    if not duplicates.isdisjoint(episode.counts):
        counts = {each: n for each, n in episode.counts.items() if each not in duplicates}
        left = [flag for flag in episode.flags if flag.request not in duplicates]
        episode = dataclasses.replace(episode, flags=left, counts=counts if left else {})
    return episode if episode.flags or episode.ended_ns is not None else None


def _changes(connection: Connection, episodes: list[Episode], label: str) -> list[_Change]:
    """What each episode does to which period, applied to the periods; in the order of their keys."""
    open_ones: dict[tuple[int, str], Period] = {}
    over: dict[tuple[int, str], Period] = {}
    for period in periods.known(connection, map(_key, episodes), label):
        (open_ones if period.is_open else over)[period.watch_key, period.detector] = period
    changes = []
    for key, own in itertools.groupby(sorted(episodes, key=_key), key=_key):
        current = open_ones.get(key)
        for episode in own:
            change = _change(episode, current, over.get(key), label)
            if change is None:
                continue
            changes.append(change)
            current = change.period if change.period.is_open else None
    return changes


def _key(episode: Episode) -> tuple[int, str]:
    return episode.watched.key, episode.detector


def _change(
    episode: Episode, period: Period | None, over: Period | None, label: str
) -> _Change | None:
    if not episode.flags:
        if period is None:
            return None  # it is over already: a person, or another collector, was faster
        change = _Change(period, episode)
    else:
        if period is None and over is not None and _is_of(episode, over):
            period = over
        is_new = period is None
        change = _Change(period or Period.opened(episode, label), episode, is_new=is_new)
        _add(change)
    if _ends(episode, change.period):
        change.period.end(timestamp(episode.ended_ns or 0))
        change.ends = True
    return change


def _ends(episode: Episode, period: Period) -> bool:
    """Not where it began later: a collector that catches up tells of an earlier one."""
    ended_ns = episode.ended_ns
    return ended_ns is not None and period.is_open and timestamp(ended_ns) >= period.started_at


def _is_of(episode: Episode, over: Period) -> bool:
    """Whether all of these flags are from before that period's end."""
    newest = max(flag.time_ns for flag in episode.flags)
    return over.ended_at is not None and timestamp(newest) <= over.ended_at


def _add(change: _Change) -> None:
    period, episode = change.period, change.episode
    before, was = period.flag_count, period.severity
    change.stored = period.took(episode)
    if change.is_new:
        change.news = "opened"
    elif period.severity != was and period.is_open:
        change.news = "escalated"
    elif period.flag_count.bit_length() > before.bit_length():
        change.news = "continued"
    if period.state == periods.ACTIVE:
        reached = Severity[period.severity.upper()]
        change.alerts = [
            Alert(period.period_id, webhook.name, period.severity)
            for webhook in episode.plan.webhooks
            if reached >= webhook.severity_min
        ]


def _write_periods(
    connection: Connection, changes: list[_Change], *, careful: bool
) -> list[_Change]:
    """Returns the changes to those that the database took."""
    touched = list({id(change.period): change.period for change in changes}.values())
    if not careful:
        periods.write(connection, touched)
        return changes
    refused = set()
    for period in touched:
        try:
            with connection.transaction():
                periods.write(connection, [period])
        except psycopg.Error as error:
            if not is_lasting(error):
                raise
            log.warning("a period of anomalies was refused and left out: %s", message_of(error))
            refused.add(period.period_id)
    return [change for change in changes if change.period.period_id not in refused]


def _tell(connection: Connection, changes: list[_Change], kept: Kept) -> None:
    news = []
    for change in changes:
        if change.news is not None:
            *_, newest = change.rows()
            news.append(News(change.period.period_id, change.news, newest))
        if change.ends:
            news.append(News(change.period.period_id, "resolved"))
    feed.tell(connection, news)
    alerts = [alert for change in changes for alert in change.alerts]
    kept.alerts["firing"] = feed.fire(connection, alerts)
    ended = [change.period.period_id for change in changes if change.ends]
    kept.alerts["resolved"] = feed.stand_down(connection, ended)

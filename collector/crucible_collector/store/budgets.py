"""Budgets: how much an experiment may cost a day, and the anomalies that are told of where it costs more.

What a reader could not guess: a period is of one experiment, day, level and budget. So each level is told
of once a day, also where somebody has resolved it, and anew where the budget is another; and it is over
with the day. What was spent is asked of the roll-ups, of whatever collector stored it, so that ingest has
nothing to do with it.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from crucible_collector.decode import xxh64
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.found import Episode, Flag, Found, Watched
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.watches import Watches
from crucible_collector.errors import SettingsError
from crucible_collector.metrics import ALERTS_QUEUED, ANOMALY_PERIODS
from crucible_collector.store import feed, periods, rollups
from crucible_collector.store.anomalies import Kept, write_found
from crucible_collector.store.feed import News
from crucible_collector.store.partitions import Connection
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import compose
from crucible_collector.store.rollups.family import HOUR, MINUTE
from crucible_collector.store.versions import DETECTION

METRIC, DETECTOR = "cost_per_day", "budget"
# Watched unless a rule of the settings says not to, as the heartbeats of runs are.
SUBJECT = Subject(Source.STEP, "", METRIC)
# Shares of a day's budget from which on somebody is told.
LEVELS = ((1.0, Severity.CRITICAL), (0.8, Severity.WARNING))
# The budget of every experiment that has none of its own.
DEFAULT = ""
# At most this share of the time is spent on asking what was spent: on a busy database the newest minutes
# are read where they lie.
ASKING_SHARE = 0.05
LOCK_KEY = int.from_bytes(b"budgets!") >> 1
_KEY_MAX = (1 << 63) - 1
_NS_PER_US = 1_000

LOCK = "select pg_try_advisory_xact_lock(%s)"

BUDGETS = """
-- How much may whom cost a day? No index: as many rows as somebody wrote.
select experiment_id, usd_per_day from crucible.budgets
"""

IS_OPEN = """
-- Is anybody over a budget, as far as is known? Leans on anomaly_periods_unresolved.
select exists (
    select from crucible.anomaly_periods where state <> 'resolved' and detector = %(detector)s and label = '')
"""

TOLD = """
-- Which of these were told of before? Leans on anomaly_periods_open and anomaly_periods_resolved.
select watch_key from crucible.anomaly_periods
where state <> 'resolved' and detector = %(detector)s and watch_key = any (%(keys)s)
union
select watch_key from crucible.anomaly_periods
where state = 'resolved' and detector = %(detector)s and watch_key = any (%(keys)s)
"""

END = """
-- Ends the periods of days that are over and of budgets that are others now. Leans on
-- anomaly_periods_unresolved.
update crucible.anomaly_periods
set state = 'resolved', state_at = now(), state_by = null, ended_at = now(), updated_at = now(),
    state_reason = case when started_at < %(day)s then 'the day is over'
        else 'the budget is another' end
where state <> 'resolved' and detector = %(detector)s and label = '' and not watch_key = any (%(keys)s)
returning period_id
"""

PUT = """
-- How much may this experiment cost a day? Leans on the primary key.
insert into crucible.budgets (experiment_id, usd_per_day, changed_by, reason)
values (%(experiment)s, %(usd_per_day)s, %(changed_by)s, %(reason)s)
on conflict (experiment_id) do update
set usd_per_day = excluded.usd_per_day, changed_by = excluded.changed_by, reason = excluded.reason,
    changed_at = now()
"""

DELETE = "delete from crucible.budgets where experiment_id = %s"


@dataclass(frozen=True, slots=True)
class Over:
    """An experiment that has cost more than a level of its budget today."""

    experiment_id: str
    day: dt.date
    budget_usd: float
    share: float
    severity: Severity
    spent_usd: float

    @property
    def limit_usd(self) -> float:
        return self.budget_usd * self.share

    @property
    def key(self) -> int:
        """XXH64 of the metric, experiment, day, level and budget, 63 bits of it."""
        parts = METRIC, self.experiment_id, str(self.day), str(self.share), repr(self.budget_usd)
        return xxh64("\0".join(parts).encode("utf-8", "replace")) & _KEY_MAX


def put(
    connection: Connection, experiment_id: str, usd_per_day: float, changed_by: str, reason: str
) -> None:
    """Give an experiment, or DEFAULT, a budget."""
    told = {"experiment": experiment_id, "usd_per_day": usd_per_day}
    connection.execute(PUT, {**told, "changed_by": changed_by, "reason": reason})


def delete(connection: Connection, experiment_id: str) -> bool:
    """Take a budget away; False where there is none."""
    return connection.execute(DELETE, (experiment_id,)).rowcount > 0


class Budgets:
    """The watcher's rounds; used by the maintenance thread."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._not_before_s = float("-inf")
        self._version = 0
        self._watches = Watches(Detection.parse({}))

    def check(self, conn: Connection) -> list[Over]:
        """Tell of experiments over a level of their budget; those told of now."""
        if time.monotonic() < self._not_before_s:
            return []
        began_s = time.monotonic()
        try:
            return self._check(conn)
        finally:
            took_s = time.monotonic() - began_s
            self._not_before_s = time.monotonic() + took_s / ASKING_SHARE

    def _check(self, conn: Connection) -> list[Over]:
        budgets = {str(name): float(usd) for name, usd in conn.execute(BUDGETS).fetchall()}
        row = conn.execute(IS_OPEN, {"detector": DETECTOR}).fetchone()
        if not budgets and not (row and row[0]):
            return []
        kept, ended, alerts, new = Kept(), 0, 0, list[Over]()
        with conn.transaction():
            row = conn.execute(LOCK, (LOCK_KEY,)).fetchone()
            if row is None or not row[0]:
                return []
            now = _now(conn)
            over = list(_over(budgets, _spent(conn, now, budgets), now.date()))
            new = self._new(conn, over)
            self._learn(conn)
            kept = self._write(conn, new, now)
            ended, alerts = _end(conn, over, now)
        kept.count()
        ANOMALY_PERIODS.labels("resolved").inc(ended)
        ALERTS_QUEUED.labels("resolved").inc(alerts)
        for each in new:
            self._log.warning(
                "experiment %r has cost %.2f USD today, of a budget of %.2f",
                each.experiment_id,
                each.spent_usd,
                each.budget_usd,
            )
        return new

    def _new(self, conn: Connection, over: list[Over]) -> list[Over]:
        """Those that nobody was told of, of each experiment the highest level."""
        keys = {"detector": DETECTOR, "keys": [each.key for each in over]}
        known = {key for (key,) in conn.execute(TOLD, keys).fetchall()}
        found: dict[str, Over] = {}
        told = {each.experiment_id for each in over if each.key in known and each.share >= 1}
        for each in over:
            if each.key not in known and each.experiment_id not in told:
                found.setdefault(each.experiment_id, each)
        return list(found.values())

    def _learn(self, conn: Connection) -> None:
        newest = DETECTION.in_force(conn)
        if newest is None or newest.version == self._version:
            return
        self._version = newest.version
        try:
            self._watches = Watches(Detection.parse(newest.settings))
        except SettingsError as error:  # a newer collector's
            self._log.warning("budgets are told of by the settings of before: %s", error)

    def _write(self, conn: Connection, new: list[Over], now: dt.datetime) -> Kept:
        episodes = []
        for each in new:
            plan = self._watches.plan_for(SUBJECT, {"experiment": each.experiment_id})
            if plan is not None and plan.severity_min <= each.severity:
                episodes.append(_episode(each, plan, now))
        writes_parts = bool(episodes) and rollups.kind_of(conn) == "portable"
        return write_found(
            conn, Found(episodes), frozenset(), careful=True, writes_parts=writes_parts
        )


def _now(conn: Connection) -> dt.datetime:
    row = conn.execute("select now()").fetchone()
    if row is None:
        raise RuntimeError("a database knows the time")
    now: dt.datetime = row[0].astimezone(dt.UTC)
    return now


def _midnight(now: dt.datetime) -> dt.datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _spent(
    conn: Connection, now: dt.datetime, budgets: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
    """What experiments have cost today, US dollars."""
    asked: dict[str, Any] = dict.fromkeys(
        ("run", "story", "experiment", "event", "model", "status")
    )
    asked["experiments"] = None if DEFAULT in budgets else list(budgets)
    asked["sums"] = cut(_midnight(now), None, (HOUR, MINUTE))
    text, bound = compose("cost_today", asked, rollups.kind_of(conn))
    for experiment_id, usd in conn.execute(cast("Any", text), bound).fetchall():
        yield experiment_id, float(usd)


def _over(
    budgets: Mapping[str, float], spent: Iterator[tuple[str, float]], day: dt.date
) -> Iterator[Over]:
    """The levels that were passed, of each experiment the highest first."""
    for experiment_id, usd in spent:
        budget = budgets.get(experiment_id, budgets.get(DEFAULT))
        if budget is None:
            continue
        for share, severity in LEVELS:
            if usd > share * budget:
                yield Over(experiment_id, day, budget, share, severity, usd)


def _end(conn: Connection, over: list[Over], now: dt.datetime) -> tuple[int, int]:
    """End the periods that are over: how many, and how many alerts tell of it."""
    asked = {
        "detector": DETECTOR,
        "keys": [each.key for each in over],
        "day": _midnight(now),
    }
    conn.execute(periods.LOCK, (periods.LOCK_KEY,))
    ended = [period_id for (period_id,) in conn.execute(END, asked).fetchall()]
    feed.tell(conn, [News(each, "resolved") for each in ended])
    return len(ended), feed.stand_down(conn, ended)


def _episode(over: Over, plan: Plan, now: dt.datetime) -> Episode:
    watched = Watched(
        key=over.key,
        series_id=None,
        metric=METRIC,
        event_name=None,
        experiment_id=over.experiment_id,
        run_id=None,
        condition=None,
        model=None,
    )
    since_epoch = now - dt.datetime.fromtimestamp(0, dt.UTC)
    flag = Flag(
        time_ns=since_epoch // dt.timedelta(microseconds=1) * _NS_PER_US,
        value=over.spent_usd,
        expected=None,
        lower=None,
        upper=over.limit_usd,
        score=over.spent_usd / over.limit_usd,
        severity=over.severity,
        step=None,
        trace_id=None,
        span_id=None,
        request=0,
        index=0,
    )
    return Episode(watched, DETECTOR, plan, [flag], {0: 1}, opens=True)

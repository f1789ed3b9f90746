"""Alerts on their way: which are due at a webhook, and what has become of them.

An alert and its period are written in one window's transaction; here it is claimed, and marked once it has
arrived. What goes in one message is one delivery, and stays one: whatever was claimed together bears the
same `claimed_until` until it arrives, so that a delivery that is tried again, by this collector or by
another one after a crash, is made of the same alerts and has the same id.

No two claims run at once, over all collectors (an advisory lock held for a millisecond or two), and while
a delivery of a run is out, or waits to be tried again, none that follows it is claimed. So the alerts of
a run arrive in the order in which they were made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import selectors
import socket
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from crucible_collector.errors import DatabaseAwayError

Connection = psycopg.Connection[tuple[Any, ...]]
_Answer = TypeVar("_Answer")

LOCK_KEY = int.from_bytes(b"alerting") >> 1  # 63 bits; no other lock of ours
LOCK = "select pg_advisory_xact_lock(%s)"
# What one collector writes for a webhook that another one does not know yet is not for one that is gone:
# collectors take up changed settings within seconds of each other, one that is about to be replaced by a
# newer version perhaps never.
GONE_AFTER_S = 3600.0
KEPT_S = 30 * 86_400.0
ERROR_CHARACTERS_MAX = 500

WAITING = """
-- How many alerts wait for each webhook, and since when? Leans on alert_outbox_due.
select webhook, count(*) as count,
    extract(epoch from coalesce(%(now)s, now()) - min(created_at))::float8 as oldest_s
from crucible.alert_outbox
where sent_at is null and given_up_at is null
group by webhook
order by webhook
"""

CLAIM = """
-- Which alerts go to a webhook next, in one message? Those of one run, else of one experiment; of those
-- that nobody has, the ones that have waited longest. Leans on alert_outbox_due, then on primary keys.
with waiting as materialized (
    select alert_id, created_at, due_at, claimed_until,
        coalesce('run ' || run_id, 'experiment ' || experiment_id, 'period ' || period_id) as together
    from crucible.alert_outbox
    join crucible.anomaly_periods using (period_id)
    where webhook = %(webhook)s and sent_at is null and given_up_at is null
),
ready as (
    select together
    from waiting
    group by together
    having min(created_at) <= coalesce(%(now)s, now()) - %(group_s)s * interval '1 second'
        and bool_and(due_at <= coalesce(%(now)s, now()))
        and bool_and(claimed_until is null or claimed_until <= coalesce(%(now)s, now()))
    order by min(created_at), min(alert_id)
    limit 1
),
head as (
    select together, claimed_until
    from waiting join ready using (together)
    order by created_at, alert_id
    limit 1
),
chosen as (
    select alert_id
    from crucible.alert_outbox known
    where alert_id in (
        select waiting.alert_id
        from waiting
        join head on head.together = waiting.together
            and head.claimed_until is not distinct from waiting.claimed_until
        order by waiting.created_at, waiting.alert_id
        limit %(most)s)
      and known.sent_at is null and known.given_up_at is null
    for update skip locked
),
claimed as (
    update crucible.alert_outbox known
    set claimed_until = coalesce(%(now)s, now()) + %(lease_s)s * interval '1 second',
        attempt_count = attempt_count + 1
    from chosen
    where known.alert_id = chosen.alert_id
    returning known.*
)
select
    o.alert_id, o.kind, o.created_at, o.attempt_count, o.period_id,
    -- What was told as firing is told as resolved by the same word, however severe it became.
    coalesce(firing.severity, o.severity) as severity,
    p.state, p.state_reason, p.metric, p.detector, p.event_name, p.experiment_id, p.run_id, p.condition, p.model,
    p.rule, p.started_at, p.ended_at, p.last_flag_at, p.flag_count, p.first_step, p.last_step,
    p.first_value, p.peak_at, p.peak_score, p.peak_value, p.peak_expected, p.peak_lower, p.peak_upper,
    p.trace_id, p.span_id, s.unit
from claimed o
join crucible.anomaly_periods p using (period_id)
left join crucible.series s on s.series_id = p.series_id
left join crucible.alert_outbox firing
    on firing.period_id = o.period_id and firing.webhook = o.webhook and firing.kind = 'firing'
order by o.created_at, o.alert_id
"""

SENT = """
-- These have arrived. Primary key.
update crucible.alert_outbox
set sent_at = coalesce(%(now)s, now()), last_error = null
where alert_id = any (%(ids)s) and sent_at is null
"""

FAILED = """
-- These have not arrived: when are they tried again? Primary key. `claimed_until` stays one for all of them.
update crucible.alert_outbox
set claimed_until = coalesce(%(now)s, now()),
    due_at = coalesce(%(now)s, now()) + %(delay_s)s * interval '1 second', last_error = %(error)s
where alert_id = any (%(ids)s) and sent_at is null
"""

GIVE_UP = """
-- These will never arrive. Primary key.
update crucible.alert_outbox
set given_up_at = coalesce(%(now)s, now()),
    last_error = concat_ws('; before that: ', %(error)s::text, last_error)
where alert_id = any (%(ids)s) and sent_at is null and given_up_at is null
"""

IN_VAIN = """
-- Which alerts are not to be sent any more, and why not? Leans on alert_outbox_due, then on primary keys.
select o.alert_id, o.webhook, case
    when p.state = 'silenced' then 'silenced'
    when firing.given_up_at is not null then 'unannounced'
    when told.webhook is null then 'unknown'
    else 'late' end as reason
from crucible.alert_outbox o
join crucible.anomaly_periods p using (period_id)
left join unnest(%(webhooks)s::text[], %(give_up_after_s)s::float8[]) told (webhook, give_up_after_s)
    on told.webhook = o.webhook
left join crucible.alert_outbox firing
    on o.kind = 'resolved' and firing.period_id = o.period_id and firing.webhook = o.webhook
    and firing.kind = 'firing'
where o.sent_at is null and o.given_up_at is null
  and (o.claimed_until is null or o.claimed_until <= coalesce(%(now)s, now()))
  and (p.state = 'silenced'
    or firing.given_up_at is not null
    or o.created_at < coalesce(%(now)s, now())
        - coalesce(told.give_up_after_s, %(gone_after_s)s) * interval '1 second')
order by o.alert_id
"""
# What is noted of these, before what the last attempt came to.
REASONS = {
    "silenced": "its period was silenced",
    "unannounced": "its period's firing alert was given up",
    "unknown": "the settings in force have no such webhook",
    "late": "it did not arrive in time",
}

FORGET = """
-- Which alerts were dealt with long ago, of periods that are over? No index: asked once an hour.
delete from crucible.alert_outbox o
using crucible.anomaly_periods p
where p.period_id = o.period_id and p.state = 'resolved'
  and coalesce(o.sent_at, o.given_up_at)
      < coalesce(%(now)s, now()) - %(kept_s)s * interval '1 second'
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One claimed alert with its period, as crucible.alert_outbox and crucible.anomaly_periods have them."""

    alert_id: int
    kind: str  # firing, resolved
    created_at: dt.datetime
    attempt_count: int  # this one included
    period_id: uuid.UUID
    severity: str
    state: str
    state_reason: str | None
    metric: str
    detector: str
    event_name: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    model: str | None
    rule: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    last_flag_at: dt.datetime
    flag_count: int
    first_step: int | None
    last_step: int | None
    first_value: float | None
    peak_at: dt.datetime | None
    peak_score: float
    peak_value: float | None
    peak_expected: float | None
    peak_lower: float | None
    peak_upper: float | None
    trace_id: uuid.UUID | None
    span_id: int | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one webhook."""

    webhook: str
    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class InVain:
    """An alert that is not sent any more; `reason` is one of REASONS."""

    alert_id: int
    webhook: str
    reason: str


def delivery_id(alerts: Sequence[Due]) -> str:
    """The same for the same alerts, however often they are sent; 32 hexadecimal digits."""
    ids = ",".join(str(alert.alert_id) for alert in alerts)
    return hashlib.sha256(ids.encode()).hexdigest()[:32]


class Outbox:
    """The outbox over a connection of its own; one thread uses it.

    Every method raises DatabaseAwayError where the database does not answer, and connects anew when it
    is next asked. Times are the database's: collectors whose clocks differ agree on what is due.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        now: Callable[[], dt.datetime | None] = lambda: None,
    ) -> None:
        """`now` takes the place of the database's clock, where it has one to tell."""
        self._connect = connect
        self._now = now
        self._connection: Connection | None = None
        self._is_woken = False
        self._bell: socket.socket | None = None  # there while somebody waits

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def waiting(self) -> list[Waiting]:
        """What waits, by webhook; what has been claimed included."""
        return self._ask(lambda own: _rows(own, Waiting, WAITING, {"now": self._now()}))

    def claim(self, webhook: str, *, group_s: float, most: int, lease_s: float) -> list[Due]:
        """The next delivery to a webhook, oldest alert first; empty where none is due.

        Its alerts are nobody else's for `lease_s`: what has then neither arrived nor failed is due again.
        """
        told = {"webhook": webhook, "group_s": group_s, "most": most, "lease_s": lease_s}

        def claimed(own: Connection) -> list[Due]:
            with own.transaction():
                own.execute(LOCK, (LOCK_KEY,))
                return _rows(own, Due, CLAIM, {**told, "now": self._now()})

        return self._ask(claimed)

    def sent(self, alerts: Sequence[Due]) -> None:
        """They have arrived."""
        self._mark(SENT, [alert.alert_id for alert in alerts])

    def failed(self, alerts: Sequence[Due], error: str, delay_s: float) -> None:
        """They are to be tried again, no sooner than after `delay_s`."""
        ids = [alert.alert_id for alert in alerts]
        self._mark(FAILED, ids, error=_kept(error), delay_s=delay_s)

    def give_up(self, alert_ids: Collection[int], error: str) -> None:
        """They are not tried again."""
        self._mark(GIVE_UP, list(alert_ids), error=_kept(error))

    def drop_in_vain(self, give_up_after_s: Mapping[str, float]) -> list[InVain]:
        """Give up what nobody is to be told any more, by the webhooks there are, and say what it was."""
        told = {
            "webhooks": list(give_up_after_s),
            "give_up_after_s": list(give_up_after_s.values()),
            "gone_after_s": GONE_AFTER_S,
        }

        def dropped(own: Connection) -> list[InVain]:
            with own.transaction():
                own.execute(LOCK, (LOCK_KEY,))
                found = _rows(own, InVain, IN_VAIN, {**told, "now": self._now()})
                for reason in sorted({each.reason for each in found}):
                    ids = [each.alert_id for each in found if each.reason == reason]
                    marks = {"ids": ids, "error": REASONS[reason], "now": self._now()}
                    own.execute(GIVE_UP, marks)
                return found

        return self._ask(dropped)

    def await_news(self, timeout_s: float) -> None:
        """Return when something may have been written to the outbox, at the latest after `timeout_s`.

        At once where `wake` was called, or is.
        """

        def heard(own: Connection) -> None:
            here, there = socket.socketpair()
            with here, there, selectors.DefaultSelector() as either:
                self._bell = there
                either.register(own.fileno(), selectors.EVENT_READ)
                either.register(here, selectors.EVENT_READ)
                if not self._is_woken:
                    either.select(timeout_s)
                self._bell = None
            for _ in own.notifies(timeout=0):
                continue

        self._ask(heard)

    def wake(self) -> None:
        """Have whoever waits come back, now and from now on; any thread may."""
        self._is_woken = True
        if (bell := self._bell) is not None:
            with suppress(OSError):
                bell.send(b"!")

    def _mark(self, statement: str, ids: list[int], **told: object) -> None:
        self._ask(lambda own: own.execute(statement, {**told, "ids": ids, "now": self._now()}))

    def _ask(self, question: Callable[[Connection], _Answer]) -> _Answer:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return question(self._connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise DatabaseAwayError("the database does not answer") from error


def forget(connection: Connection, now: dt.datetime | None = None) -> int:
    """Forget what was dealt with KEPT_S ago; how many. While a period goes on its alerts are known."""
    return connection.execute(FORGET, {"now": now, "kept_s": KEPT_S}).rowcount


_Row = TypeVar("_Row")


def _rows(own: Connection, kind: type[_Row], query: str, told: Mapping[str, object]) -> list[_Row]:
    with own.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, told).fetchall()


def _kept(error: str) -> str:
    return error.replace("\0", "\ufffd")[:ERROR_CHARACTERS_MAX]

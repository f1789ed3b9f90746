"""The state of a period, changed otherwise than by its series: by a person, or since nobody else will end it.

A person acknowledges, silences, resolves or reopens, and says who and why. By itself a period ends when
its run does, when a run that had stalled is heard of again, and when nothing was heard of it for a day.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Final

from crucible_collector.errors import ChangedMeanwhileError
from crucible_collector.metrics import ALERTS_QUEUED, ANOMALY_PERIODS
from crucible_collector.store import feed
from crucible_collector.store.feed import News
from crucible_collector.store.periods import (
    ACKNOWLEDGED,
    ACTIVE,
    HEARD_AGAIN,
    LOCK,
    LOCK_KEY,
    RESOLVED,
    SILENCED,
    Connection,
)

# Where a run fell silent: its series are its heartbeats, of which none can be back in a window.
STALL: Final = "stall"
# By the database's clock. So long an epoch is rare; an open period that nobody hears of is not.
UNHEARD = dt.timedelta(hours=24)

_KINDS: dict[str, feed.Kind] = {
    ACTIVE: "reopened",
    ACKNOWLEDGED: "acknowledged",
    SILENCED: "silenced",
    RESOLVED: "resolved",
}

NOW = """
-- What is this period now, and is there another of the same that is open? Primary key, then
-- anomaly_periods_open.
select p.state, p.label, exists (
    select from crucible.anomaly_periods other
    where other.watch_key = p.watch_key and other.detector = p.detector and other.label = p.label
      and other.state <> 'resolved' and other.period_id <> p.period_id)
from crucible.anomaly_periods p
where p.period_id = %(period)s
"""

CHANGE = """
-- A person changes what it is. Primary key.
update crucible.anomaly_periods
set state = %(state)s, state_at = now(), state_by = %(who)s, state_reason = %(reason)s,
    ended_at = case when %(state)s = 'resolved' then coalesce(ended_at, last_flag_at) end,
    updated_at = now()
where period_id = %(period)s
"""

# What a person has said of a period after its run's end stands for a day.
FORSAKEN = """
select p.period_id,
    case
        when p.detector = %(stall)s and r.status = 'running' then %(heard_again)s
        when r.status in ('completed', 'failed', 'cancelled', 'early_stopped') then 'the run has ended'
        else 'nothing more was heard of it'
    end as reason,
    case when p.detector = %(stall)s then now() else r.ended_at end as ended_at
from crucible.anomaly_periods p
left join crucible.runs r on r.run_id = p.run_id
where p.state <> 'resolved' and p.label = '' and case
    when p.detector = %(stall)s then r.status is distinct from 'stalled'
    else coalesce(p.updated_at, p.state_at) < now() - %(unheard)s
        or (r.status in ('completed', 'failed', 'cancelled', 'early_stopped')
            and (p.state_by is null or p.state_at <= r.last_received_at))
    end
"""

ASK = f"""
-- Is there any period that nobody else will end? Leans on anomaly_periods_unresolved, then on primary keys.
select exists ({FORSAKEN})
"""

END = f"""
-- Ends the periods that nobody else will end. Leans on anomaly_periods_unresolved, then on primary keys.
with forsaken as materialized ({FORSAKEN})
update crucible.anomaly_periods known
set state = 'resolved', state_at = now(), state_by = null, state_reason = reason,
    ended_at = greatest(known.last_flag_at, forsaken.ended_at), updated_at = now()
from forsaken
where known.period_id = forsaken.period_id
returning known.period_id
"""  # noqa: S608 - texts of this module


def change_state(
    connection: Connection, period_id: uuid.UUID, state: str, who: str, reason: str
) -> bool:
    """Have a period be what a person says; False where there is none.

    `state` is one of the four; what is resolved can be any of the others again as long as no other
    period of its series and detector is open: ChangedMeanwhileError.
    """
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        row = connection.execute(NOW, {"period": period_id}).fetchone()
        if row is None:
            return False
        was, label, has_other = row
        if was == RESOLVED and state != RESOLVED and has_other:
            raise ChangedMeanwhileError(
                f"period {period_id} is resolved, and a newer one of the same series is open:"
                " change that one"
            )
        told = {"period": period_id, "state": state, "who": who, "reason": reason}
        connection.execute(CHANGE, told)
        if not label:
            feed.tell(connection, [News(period_id, _KINDS[state])])
        ended = [period_id] if state == RESOLVED and not label else []
        alerts = feed.stand_down(connection, ended)
    ALERTS_QUEUED.labels("resolved").inc(alerts)
    ANOMALY_PERIODS.labels("resolved").inc(state == RESOLVED and was != RESOLVED)
    return True


def end_forsaken(connection: Connection) -> int:
    """Resolve the periods that nobody else will; how many. Any collector may, several at once."""
    told = {"stall": STALL, "unheard": UNHEARD, "heard_again": HEARD_AGAIN}
    row = connection.execute(ASK, told).fetchone()
    if row is None or not row[0]:
        return 0
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        ended = [period_id for (period_id,) in connection.execute(END, told).fetchall()]
        feed.tell(connection, [News(each, "resolved") for each in ended])
        alerts = feed.stand_down(connection, ended)
    ALERTS_QUEUED.labels("resolved").inc(alerts)
    ANOMALY_PERIODS.labels("resolved").inc(len(ended))
    return len(ended)

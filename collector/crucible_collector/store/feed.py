"""What happens to periods of anomalies, told to those who follow it: the feed, and alerts to webhooks.

All of it within the transaction that changes the periods, under the lock that `periods` explains: a reader
of the feed sees what was committed and nothing else, in order, and an alert is never without its period.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crucible_collector.store.ingest import statement
from crucible_collector.store.periods import Connection, as_json
from crucible_collector.store.read import query_text

# Who listens to it need not ask the database every so often.
CHANNEL = "crucible_anomalies"
NOTIFY = "select pg_notify(%s, '')"

Kind = Literal[
    "opened", "continued", "escalated", "acknowledged", "silenced", "reopened", "resolved"
]


@dataclass(frozen=True, slots=True)
class News:
    """What has happened to one period; `flag`: its newest row of crucible.anomalies, None: no new one."""

    period_id: uuid.UUID
    kind: Kind
    flag: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A webhook that is to be told of a period."""

    period_id: uuid.UUID
    webhook: str
    severity: str


_add = functools.partial(query_text, "anomaly_feed_add")


def tell(connection: Connection, news: Sequence[News]) -> None:
    """Write to the feed, in this order, and wake whoever follows it when this is committed."""
    if not news:
        return
    rows = []
    for each in news:
        flag = {} if each.flag is None else {"flag": each.flag}
        rows.append({"period_id": each.period_id, "kind": each.kind, **flag})
    connection.execute(_add().encode(), {"news": as_json(rows)})
    connection.execute(NOTIFY, (CHANNEL,))


def fire(connection: Connection, alerts: Sequence[Alert]) -> int:
    """Queue these, but for those that were queued before; how many."""
    if not alerts:
        return 0
    once = {(each.period_id, each.webhook): each for each in alerts}
    rows = [
        {"period_id": each.period_id, "webhook": each.webhook, "severity": each.severity}
        for each in once.values()
    ]
    return connection.execute(statement("alerts_firing"), {"alerts": as_json(rows)}).rowcount


def stand_down(connection: Connection, periods: Sequence[uuid.UUID]) -> int:
    """Queue the news that these are over, to those who were told of them; how many."""
    if not periods:
        return 0
    return connection.execute(statement("alerts_resolved"), {"periods": list(periods)}).rowcount

"""Open connections by intent: what a connection is for decides its settings.

One thing is not obvious: the ingest connection commits synchronously, whatever the server's default.
The journal lets a segment go ten minutes after its COMMIT; a server that lost that COMMIT in a crash
and came back later than that could not be caught up any more. One sync a window is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import conninfo, sql
from psycopg_pool import ConnectionPool

from crucible_collector.errors import SettingsError

CONNECT_TIMEOUT_S = 10
# A network that died without a word is noticed after about this long, sending or waiting.
DEAD_PEER_S = 20
READ_TIMEOUT_S = 30.0
READ_TIMEOUT = f"{READ_TIMEOUT_S:.0f}s"
READERS_MIN, READERS_MAX = 1, 8
READER_WAIT_S = 5.0
READER_IDLE_S = 300.0
# Told of at the end of a transaction that wrote to the outbox, or to the feed.
ALERT_CHANNELS = ("crucible_alerts", "crucible_anomalies")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a connection is for; `settings` are set in its session."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    autocommit: bool = True


_EVERY = {"timezone": "UTC", "client_min_messages": "warning"}

INGEST = Intent(
    "crucible ingest",
    {
        **_EVERY,
        "synchronous_commit": "on",
        # A transaction that is held up by somebody's lock gives up and is tried again.
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "jit": "off",
    },
)
READ = Intent(
    "crucible read",
    {
        **_EVERY,
        "statement_timeout": READ_TIMEOUT,
        "default_transaction_read_only": "on",
        # 50,000 rows of a roll-up are summed up in memory: sorting them on disk took twice as long.
        "work_mem": "32MB",
        "idle_in_transaction_session_timeout": "1min",
        # Every question leans on an index. The planner would rather read all than use a BRIN index
        # on a column whose order on disk it thinks random, as ids of traces are.
        "enable_seqscan": "off",
        # The same misjudgement calls for workers: 11 ms to start them for a look-up of 1.5, and
        # ingest needs the cores.
        "max_parallel_workers_per_gather": "0",
        # Partial indexes and partitions are chosen by the values, which a generic plan ignores.
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
    },
)
# What is marked as sent has been sent: a server that forgot it in a crash would have it sent twice.
ALERTS = Intent(
    "crucible alerts",
    {
        **_EVERY,
        "synchronous_commit": "on",
        "statement_timeout": READ_TIMEOUT,
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
        "jit": "off",
    },
)
MAINTENANCE = Intent("crucible maintenance", {**_EVERY, "lock_timeout": "5s"})


def check_understood(dsn: str) -> None:
    """Raise SettingsError where `dsn` is nothing that can be connected to, ever.

    What the driver says about it stays unsaid: it repeats parts, and one may be the password.
    """
    try:
        conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise SettingsError(
            "database_url = …: expected postgresql://user:password@host:port/database with known"
            " parameters, special characters percent-encoded"
        ) from None


def connect(dsn: str, intent: Intent) -> psycopg.Connection[tuple[Any, ...]]:
    """Open one connection for `intent`; psycopg.OperationalError where the server is away."""
    conn = psycopg.connect(
        _with_keepalives(dsn, intent), autocommit=intent.autocommit, prepare_threshold=None
    )
    _configure(conn, intent)
    return conn


def ingest_connection(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open the connection that writes windows; autocommit, so transactions are explicit."""
    return connect(dsn, INGEST)


def alerts_connection(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open the connection that alerts are claimed over; it hears of what detection writes."""
    conn = connect(dsn, ALERTS)
    for channel in ALERT_CHANNELS:
        conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
    return conn


def reader_pool(
    dsn: str, *, timeout_s: float = READ_TIMEOUT_S, readers_max: int = READERS_MAX
) -> ConnectionPool[psycopg.Connection[tuple[Any, ...]]]:
    """Return a closed pool of read-only connections; its owner opens and closes it.

    `timeout_s`: after which the server ends a statement, seconds.
    """
    limit = {"statement_timeout": f"{max(round(timeout_s * 1000), 1)}ms"}
    intent = replace(READ, settings={**READ.settings, **limit})
    return ConnectionPool(
        _with_keepalives(dsn, intent),
        kwargs={"autocommit": intent.autocommit, "prepare_threshold": None},
        configure=lambda conn: _configure(conn, intent),
        check=ConnectionPool.check_connection,
        min_size=READERS_MIN,
        max_size=readers_max,
        timeout=READER_WAIT_S,
        max_idle=READER_IDLE_S,
        name=intent.name,
        open=False,
    )


def _configure(conn: psycopg.Connection[Any], intent: Intent) -> None:
    statement = sql.SQL("; ").join(
        sql.SQL("set {} = {}").format(sql.Identifier(key), sql.Literal(value))
        for key, value in intent.settings.items()
    )
    conn.execute(statement)
    if not conn.autocommit:
        conn.commit()


def _with_keepalives(dsn: str, intent: Intent) -> str:
    """The caller's own parameters win over these."""
    given = conninfo.conninfo_to_dict(dsn)
    defaults: dict[str, str | int | None] = {
        "application_name": intent.name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives": 1,
        "keepalives_idle": DEAD_PEER_S // 2,
        "keepalives_interval": DEAD_PEER_S // 8,
        "keepalives_count": 4,
        "tcp_user_timeout": DEAD_PEER_S * 1000,
    }
    return conninfo.make_conninfo("", **(defaults | given))

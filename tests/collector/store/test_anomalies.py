"""The relations of anomalies: each question that they were laid out for finds its rows by an index."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crucible_collector.store.connect import MAINTENANCE, READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions
from planned import nodes

LOG = logging.getLogger("test")
PERIOD = uuid.UUID(int=7)
FLAGS = """
insert into crucible.anomalies (time, series_id, run_id, experiment_id, score, period_id, metric,
    detector, severity)
select now() - n * interval '7 hours', n, 'run-' || n, 'sweep-' || n, 2, %s, 'loss', 'ewma', 'info'
from generate_series(0, 9) n
"""
PERIODS = """
insert into crucible.anomaly_periods (period_id, started_at, last_flag_at, state_at, flag_count,
    peak_score, metric, detector, severity, state, run_id, experiment_id)
values (%s, now(), now(), now(), 1, 2, 'loss', 'ewma', 'info', %s, 'run-1', 'sweep-1')
"""
# Enough for the planner to mind in which order an index gives them.
MORE_PERIODS = """
insert into crucible.anomaly_periods (period_id, watch_key, started_at, last_flag_at, state_at,
    flag_count, peak_score, metric, detector, severity, state, run_id, experiment_id)
select gen_random_uuid(), n, now() - n * interval '1 minute', now(), now(), 1, 2, 'loss', 'ewma', 'info',
    (array['active', 'acknowledged', 'resolved', 'resolved'])[1 + n % 4], 'run-' || n, 'sweep-' || n
from generate_series(2, 1000) n
"""


@pytest.fixture
def filled(database: str) -> str:
    """Flags of three days, each with a part of its own, and periods."""
    room = Partitions(migrate(database, LOG), LOG)
    today = dt.datetime.now(dt.UTC).date()
    with closing(connect(database, MAINTENANCE)) as conn:
        days = [today - dt.timedelta(days=ago) for ago in range(4)]
        assert room.ensure(conn, "anomalies", days)
        conn.execute(FLAGS, (PERIOD,))
        conn.execute(PERIODS, (PERIOD, "active"))
        conn.execute(MORE_PERIODS)
        conn.execute("analyze crucible.anomaly_periods")
    return database


def plan_of(dsn: str, question: str) -> list[dict[str, Any]]:
    """Every node of the plan, as readers' connections plan it."""
    with closing(connect(dsn, READ)) as conn:
        row = conn.execute(f"explain (format json) {question}".encode()).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "run_id = 'run-1'",
        "experiment_id = 'sweep-1'",
        "series_id = 1",
        f"period_id = '{PERIOD}'",
    ],
)
def test_the_newest_flags_come_out_of_an_index_in_order(filled: str, condition: str) -> None:
    found = plan_of(
        filled, f"select * from crucible.anomalies where {condition} order by time desc limit 100"
    )
    assert {"Sort", "Incremental Sort", "Seq Scan"}.isdisjoint(node["Node Type"] for node in found)
    assert any("Index Cond" in node for node in found) == (condition != "true")


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("state = 'active'", "anomaly_periods_unresolved"),
        ("state in ('active', 'acknowledged')", "anomaly_periods_unresolved"),
        ("state <> 'resolved'", "anomaly_periods_unresolved"),
        ("true", "anomaly_periods_started"),
        ("run_id = 'run-1'", "anomaly_periods_run"),
        ("experiment_id = 'sweep-1'", "anomaly_periods_experiment"),
        (f"period_id = '{PERIOD}'", "anomaly_periods_pkey"),
    ],
)
def test_the_newest_periods_are_found_by_what_they_are_asked_for(
    filled: str, condition: str, index: str
) -> None:
    found = plan_of(
        filled,
        f"select * from crucible.anomaly_periods where {condition} order by started_at desc limit 9",
    )
    assert index in {node.get("Index Name") for node in found}


@pytest.mark.parametrize("state", ["active", "acknowledged", "resolved", "silenced"])
def test_a_period_is_in_one_of_four_states(database: str, state: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(PERIODS, (PERIOD, state))
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("update crucible.anomaly_periods set state = 'over'")

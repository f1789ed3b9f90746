"""Who costs more than a budget of the day is an anomaly with its alert, once a day and level, until it is over."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from collector.store.test_stalled import CHAT, alerts, put_settings
from crucible_collector.store import budgets
from crucible_collector.store.budgets import DEFAULT, Budgets, Over
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from stored import SCOPE, Stored

LOG = logging.getLogger("test")


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


@pytest.fixture
def stored(database: str) -> Iterator[Stored]:
    with psycopg.connect(database, autocommit=True) as opened:
        rows = Stored(opened)
        began = now() - dt.timedelta(days=1)
        rows.resource(first_seen=began)
        scope = {"scope_id": SCOPE, "name": "crucible", "version": "1", "first_seen": began}
        rows.insert("scopes", scope)
        put_settings(opened)
        yield rows


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def spend(stored: Stored, usd: float, experiment: str | None = "sweep", **values: Any) -> None:
    """One call of today."""
    call = {"model": "gpt-4o", "input_tokens": 1, "experiment_id": experiment, "cost_usd": usd}
    stored.span(**{"time": now(), **call, **values})


def told(conn: Connection) -> list[Over]:
    return Budgets(LOG).check(conn)


def states(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select severity, state, state_reason from crucible.anomaly_periods order by started_at, severity"
    ).fetchall()


def test_each_level_is_told_of_once(conn: Connection, stored: Stored) -> None:
    budgets.put(conn, "sweep", 100, "ada", "")
    spend(stored, 80)
    assert told(conn) == []
    spend(stored, 5)
    (warned,) = told(conn)
    assert (warned.limit_usd, warned.spent_usd) == (80, 85)
    assert told(conn) == []
    spend(stored, 15.5)
    (over,) = told(conn)
    assert (over.limit_usd, over.spent_usd) == (100, 100.5)
    assert told(conn) == []
    assert states(conn) == [("warning", "active", None), ("critical", "active", None)]
    assert alerts(conn) == [
        ("firing", CHAT["name"], "warning"),
        ("firing", CHAT["name"], "critical"),
    ]
    row = conn.execute(
        "select metric, detector, experiment_id, peak_value, peak_upper from crucible.anomaly_periods"
        " where severity = 'critical'"
    ).fetchone()
    assert row == ("cost_per_day", "budget", "sweep", 100.5, 100)


def test_all_of_it_at_once_is_told_of_once(conn: Connection, stored: Stored) -> None:
    budgets.put(conn, "sweep", 100, "", "")
    spend(stored, 250)
    assert [each.share for each in told(conn)] == [1.0]
    assert told(conn) == []
    assert len(alerts(conn)) == 1


def test_sampled_calls_count_for_those_that_were_not_kept(conn: Connection, stored: Stored) -> None:
    budgets.put(conn, "sweep", 100, "", "")
    spend(stored, 7, sample_probability=0.1, keep_reason="random")
    assert told(conn) == []
    spend(stored, 6, sample_probability=0.5, keep_reason="random")
    (over,) = told(conn)
    assert over.spent_usd == pytest.approx(82)


def test_experiments_without_a_budget_have_that_of_all_others(
    conn: Connection, stored: Stored
) -> None:
    budgets.put(conn, DEFAULT, 10, "", "")
    budgets.put(conn, "dear", 1000, "", "")
    for experiment in ("sweep", "dear", None):
        spend(stored, 50, experiment)
    spend(stored, 500, "yesterday", time=now() - dt.timedelta(days=1))
    assert [each.experiment_id for each in told(conn)] == ["sweep"]


def test_it_is_over_where_the_budget_is_raised_and_told_of_anew_where_that_is_spent_too(
    conn: Connection, stored: Stored
) -> None:
    budgets.put(conn, "sweep", 100, "", "")
    spend(stored, 150)
    told(conn)
    budgets.put(conn, "sweep", 1000, "", "")
    assert told(conn) == []
    assert states(conn) == [("critical", "resolved", "the budget is another")]
    assert [kind for kind, _, _ in alerts(conn)] == ["firing", "resolved"]
    spend(stored, 700)
    assert [each.share for each in told(conn)] == [0.8]
    assert budgets.delete(conn, "sweep")
    assert not budgets.delete(conn, "sweep")
    told(conn)
    assert {state for _, state, _ in states(conn)} == {"resolved"}


def test_it_is_over_with_the_day(conn: Connection, stored: Stored) -> None:
    budgets.put(conn, "sweep", 100, "", "")
    spend(stored, 150)
    told(conn)
    conn.execute(
        "update crucible.anomaly_periods set watch_key = watch_key - 1,"
        " started_at = started_at - interval '1 day', last_flag_at = last_flag_at - interval '1 day'"
    )
    assert [each.share for each in told(conn)] == [1.0]  # of today
    assert states(conn) == [
        ("critical", "resolved", "the day is over"),
        ("critical", "active", None),
    ]


def test_what_a_person_has_resolved_is_not_told_of_again(conn: Connection, stored: Stored) -> None:
    budgets.put(conn, "sweep", 100, "", "")
    spend(stored, 150)
    told(conn)
    conn.execute("update crucible.anomaly_periods set state = 'resolved', state_at = now()")
    assert told(conn) == []


def test_rules_of_detection_hold_for_budgets(conn: Connection, stored: Stored) -> None:
    put_settings(conn, {"metrics": ["cost_per_day"], "experiments": ["sweep"], "silenced": True})
    budgets.put(conn, DEFAULT, 100, "", "")
    spend(stored, 150)
    spend(stored, 150, "other")
    told(conn)
    found = conn.execute("select experiment_id, state from crucible.anomaly_periods").fetchall()
    assert sorted(found) == [("other", "active"), ("sweep", "silenced")]
    assert len(alerts(conn)) == 1

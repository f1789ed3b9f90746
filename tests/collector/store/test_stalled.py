"""A run that has stalled is an anomaly until it is heard of: by the settings in force, and told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from collector.store.test_stalls import LOG, noticed, put_collector, put_run
from crucible_collector.detect.settings import Detection
from crucible_collector.store import periods
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.stalled import key_of
from crucible_collector.store.stalls import Patience, Stalls
from crucible_collector.store.states import end_forsaken
from rows_of import (
    row_of,
)


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(connect(plain_database, MAINTENANCE)) as opened:
        yield opened


SETTINGS = """
insert into crucible.detection_settings (origin, settings, digest)
values ('api', %s::jsonb, gen_random_uuid())
"""
CHAT: dict[str, Any] = {"name": "chat", "url": "http://localhost/chat"}


def put_settings(conn: Connection, *rules: dict[str, Any]) -> None:
    detection = Detection.parse({"webhooks": [CHAT], "rules": list(rules)})
    conn.execute(SETTINGS, (json.dumps(detection.as_json()),))


def alerts(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select kind, webhook, severity from crucible.alert_outbox order by alert_id"
    ).fetchall()


def test_a_stalled_run_is_a_critical_period_until_it_is_heard_of(
    conn: Connection, database: str
) -> None:
    put_settings(conn)
    put_collector(conn)
    put_run(conn)
    conn.execute("update crucible.runs set experiment_id = 'sweep', condition = 'a', last_step = 7")
    assert noticed(conn) == ["run"]
    found = row_of(database, "anomaly_periods")
    stalled_at = row_of(database, "runs")["stalled_at"]
    expected = {
        "metric": "heartbeat",
        "detector": "stall",
        "severity": "critical",
        "state": "active",
        "run_id": "run",
        "experiment_id": "sweep",
        "condition": "a",
        "last_step": 7,
        "first_value": None,
        "peak_value": None,
        "started_at": stalled_at,
        "watch_key": key_of("run"),
    }
    assert {name: found[name] for name in expected} == expected
    row = row_of(database, "anomalies")
    assert (row["time"], row["value"], row["starts_period"]) == (stalled_at, None, True)
    assert alerts(conn) == [("firing", "chat", "critical")]
    assert noticed(conn) == []
    assert end_forsaken(conn) == 0
    conn.execute("update crucible.runs set status = 'running', stalled_at = null")
    assert end_forsaken(conn) == 1
    found = row_of(database, "anomaly_periods")
    assert (found["state"], found["state_reason"]) == ("resolved", "the run is heard of again")
    assert found["ended_at"] > stalled_at
    assert alerts(conn)[1:] == [("resolved", "chat", "critical")]


def test_a_stalled_run_stays_an_anomaly_however_long_nothing_is_heard(
    plain_conn: Connection,
) -> None:
    put_collector(plain_conn)
    put_run(plain_conn)
    noticed(plain_conn)
    plain_conn.execute("update crucible.anomaly_periods set updated_at = now() - interval '9 days'")
    assert end_forsaken(plain_conn) == 0
    plain_conn.execute("update crucible.runs set status = 'failed'")
    assert end_forsaken(plain_conn) == 1


def test_a_run_that_stalls_again_is_another_period(plain_conn: Connection) -> None:
    put_settings(plain_conn)
    put_collector(plain_conn)
    put_run(plain_conn)
    for _ in range(2):
        assert noticed(plain_conn) == ["run"]
        plain_conn.execute("update crucible.runs set status = 'running', stalled_at = null")
        assert end_forsaken(plain_conn) == 1
    assert [kind for kind, _, _ in alerts(plain_conn)] == ["firing", "resolved"] * 2


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ({"metrics": ["heartbeat"], "silenced": True}, "silenced"),
        ({"runs": ["run"], "silenced": True}, "silenced"),
        ({"runs": ["other"], "silenced": True}, "active"),
        ({"metrics": ["loss"], "silenced": True}, "active"),
        ({"metrics": ["heartbeat"], "webhooks": []}, "active"),
        ({"metrics": ["heartbeat"], "watch": False}, None),
    ],
)
def test_the_rules_of_the_settings_in_force_hold_for_stalled_runs(
    plain_conn: Connection, rule: dict[str, Any], state: str | None
) -> None:
    put_settings(plain_conn, rule)
    put_collector(plain_conn)
    put_run(plain_conn)
    assert noticed(plain_conn) == ["run"]
    rows = plain_conn.execute("select state from crucible.anomaly_periods").fetchall()
    assert rows == ([] if state is None else [(state,)])
    is_told = state == "active" and rule.get("webhooks") is None
    assert len(alerts(plain_conn)) == is_told


def test_changed_settings_are_taken_up(plain_conn: Connection) -> None:
    watcher = Stalls(Patience(), LOG)
    put_collector(plain_conn)
    for name in ("one", "two"):
        put_run(plain_conn, name)
        assert watcher.notice(plain_conn) == [name]
        put_settings(plain_conn)
    assert len(alerts(plain_conn)) == 1


def test_settings_that_only_a_newer_collector_understands_leave_those_of_before(
    plain_conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    plain_conn.execute(SETTINGS, (json.dumps({"horoscope": True}),))
    put_collector(plain_conn)
    put_run(plain_conn)
    assert noticed(plain_conn) == ["run"]
    assert any("horoscope" in each.message for each in caplog.records)
    row = plain_conn.execute("select state from crucible.anomaly_periods").fetchone()
    assert row == ("active",)


def test_what_the_database_refuses_of_an_anomaly_keeps_no_run_from_being_declared(
    plain_conn: Connection,
) -> None:
    put_collector(plain_conn)
    for name in ("bad", "good"):
        put_run(plain_conn, name)
    plain_conn.execute("alter table crucible.anomaly_periods add check (run_id <> 'bad')")
    assert noticed(plain_conn) == ["bad", "good"]
    rows = plain_conn.execute("select run_id from crucible.anomaly_periods").fetchall()
    assert rows == [("good",)]


def test_a_round_that_fails_has_declared_nothing(
    plain_conn: Connection, plain_database: str
) -> None:
    put_collector(plain_conn)
    put_run(plain_conn)
    plain_conn.execute("set lock_timeout = '50ms'")
    with psycopg.connect(plain_database) as writer:
        writer.execute(periods.LOCK, (periods.LOCK_KEY,))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            noticed(plain_conn)
        assert plain_conn.execute("select status from crucible.runs").fetchall() == [("running",)]
    assert noticed(plain_conn) == ["run"]

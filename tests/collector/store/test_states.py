"""Periods change their state by a person's word, or end by themselves where nobody else will end them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from crucible_collector.errors import ChangedMeanwhileError
from crucible_collector.store.connect import MAINTENANCE, connect, ingest_connection
from crucible_collector.store.partitions import Connection
from crucible_collector.store.states import UNHEARD, change_state, end_forsaken
from detected import CHAT, PAGER, asked, episode, flag, plan, time_of, watched, write

BOTH = plan(CHAT, PAGER)
KINDS = "select kind from crucible.anomaly_feed order by feed_id"
ALERTS = "select kind from crucible.alert_outbox order by alert_id"
ROW = "select state, state_by, state_reason from crucible.anomaly_periods order by started_at"


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(ingest_connection(database)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(ingest_connection(plain_database)) as opened:
        yield opened


def opened(conn: Connection, label: str = "") -> uuid.UUID:
    """A period with a flag."""
    write(conn, episode(flag(), by=BOTH), label=label)
    (period_id,) = asked(conn, "select period_id from crucible.anomaly_periods")
    found: uuid.UUID = period_id
    return found


@pytest.mark.parametrize("state", ["acknowledged", "silenced", "resolved", "active"])
def test_a_person_says_what_a_period_is_and_why(conn: Connection, state: str) -> None:
    period_id = opened(conn)
    assert change_state(conn, period_id, state, "ada", "restarted it")
    assert asked(conn, ROW) == [(state, "ada", "restarted it")]
    told = "select kind, body ->> 'state_by', body ->> 'state' from crucible.anomaly_feed order by feed_id"
    kind = "reopened" if state == "active" else state
    assert asked(conn, told)[1:] == [(kind, "ada", state)]


def test_there_is_no_other_state(plain_conn: Connection) -> None:
    period_id = opened(plain_conn)
    with pytest.raises(psycopg.errors.IntegrityError):
        change_state(plain_conn, period_id, "over", "ada", "so")
    assert asked(plain_conn, ROW) == [("active", None, None)]


def test_a_period_that_nobody_knows_cannot_be_changed(plain_conn: Connection) -> None:
    assert not change_state(plain_conn, uuid.UUID(int=5), "silenced", "ada", "so")


def test_what_a_person_said_stays_while_flags_go_on(plain_conn: Connection) -> None:
    change_state(plain_conn, opened(plain_conn), "acknowledged", "ada", "on it")
    write(plain_conn, episode(flag(1), by=BOTH))
    assert asked(plain_conn, ROW) == [("acknowledged", "ada", "on it")]
    write(plain_conn, episode(ended=5))
    assert asked(plain_conn, ROW) == [("resolved", None, "the series is back")]


@pytest.mark.parametrize("state", ["acknowledged", "silenced"])
def test_who_was_told_that_somebody_knows_is_not_alerted_any_more(
    plain_conn: Connection, state: str
) -> None:
    from crucible_collector.detect.detector import Severity

    change_state(plain_conn, opened(plain_conn), state, "ada", "on it")
    write(plain_conn, episode(flag(1, severity=Severity.CRITICAL), by=BOTH))
    assert asked(plain_conn, ALERTS) == ["firing"]


def test_after_a_person_resolved_it_the_next_flag_begins_another(conn: Connection) -> None:
    period_id = opened(conn)
    change_state(conn, period_id, "resolved", "ada", "was me")
    assert asked(conn, "select ended_at from crucible.anomaly_periods") == [time_of(0)]
    write(conn, episode(flag(1), by=BOTH))
    assert [state for state, _, _ in asked(conn, ROW)] == ["resolved", "active"]
    assert asked(conn, ALERTS) == ["firing", "resolved", "firing"]
    assert asked(conn, KINDS) == ["opened", "resolved", "opened"]


def test_what_is_resolved_can_be_reopened_until_another_is_open(conn: Connection) -> None:
    period_id = opened(conn)
    change_state(conn, period_id, "resolved", "ada", "was me")
    assert change_state(conn, period_id, "active", "bob", "was not")
    assert asked(conn, "select ended_at from crucible.anomaly_periods") == [None]
    change_state(conn, period_id, "resolved", "ada", "was me")
    write(conn, episode(flag(1)))
    with pytest.raises(ChangedMeanwhileError):
        change_state(conn, period_id, "active", "bob", "was not")
    assert change_state(conn, period_id, "resolved", "bob", "agreed")


def test_a_scans_periods_change_without_news(plain_conn: Connection) -> None:
    change_state(plain_conn, opened(plain_conn, label="again"), "resolved", "ada", "so")
    assert asked(plain_conn, ROW) == [("resolved", "ada", "so")]
    assert asked(plain_conn, KINDS) == asked(plain_conn, ALERTS) == []


def test_a_change_waits_for_the_window_that_writes_to_the_period(
    plain_conn: Connection, plain_database: str
) -> None:
    period_id = opened(plain_conn)
    with closing(ingest_connection(plain_database)) as person:
        person.execute("set lock_timeout = '50ms'")
        with plain_conn.transaction():
            write(plain_conn, episode(flag(1)))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                change_state(person, period_id, "resolved", "ada", "so")
        assert change_state(person, period_id, "resolved", "ada", "so")
    assert asked(plain_conn, "select flag_count from crucible.anomaly_periods") == [2]


# What ends by itself.


def put_run(conn: Connection, status: str, heard_s: float = 0) -> None:
    """The run of the made episodes; it ended 60 s after their time began."""
    conn.execute(
        "insert into crucible.runs (run_id, status, first_seen, last_seen, ended_at, last_received_at)"
        " values ('run-1', %s, now(), now(), %s, now() + %s)",
        (status, time_of(60), dt.timedelta(seconds=heard_s)),
    )


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "early_stopped"])
def test_a_period_ends_with_its_run(conn: Connection, database: str, status: str) -> None:
    opened(conn)
    put_run(conn, status)
    with closing(connect(database, MAINTENANCE)) as upkeep:
        assert end_forsaken(upkeep) == 1
        assert end_forsaken(upkeep) == 0
    assert asked(conn, ROW) == [("resolved", None, "the run has ended")]
    assert asked(conn, "select ended_at from crucible.anomaly_periods") == [time_of(60)]
    assert asked(conn, KINDS) == ["opened", "resolved"]
    assert asked(conn, ALERTS) == ["firing", "resolved"]


def test_flags_of_the_run_that_another_collector_brings_late_open_nothing(
    conn: Connection,
) -> None:
    opened(conn)
    put_run(conn, "failed")
    end_forsaken(conn)
    write(conn, episode(flag(59), by=BOTH))
    assert asked(conn, "select state, flag_count from crucible.anomaly_periods") == [
        ("resolved", 2)
    ]


@pytest.mark.parametrize("status", ["running", "pending", "stalled"])
def test_a_period_of_a_run_that_has_not_ended_stays(plain_conn: Connection, status: str) -> None:
    opened(plain_conn)
    put_run(plain_conn, status)
    assert end_forsaken(plain_conn) == 0


def test_a_period_of_which_nothing_is_heard_for_a_day_ends(plain_conn: Connection) -> None:
    opened(plain_conn)
    write(plain_conn, episode(flag(), of=watched(2, run_id=None), by=BOTH))
    age = "update crucible.anomaly_periods set updated_at = now() - %s where watch_key = 2"
    plain_conn.execute(age, (UNHEARD - dt.timedelta(minutes=1),))
    assert end_forsaken(plain_conn) == 0
    plain_conn.execute(age, (UNHEARD,))
    assert end_forsaken(plain_conn) == 1
    about = "select watch_key, state_reason from crucible.anomaly_periods where state = 'resolved'"
    assert asked(plain_conn, about) == [(2, "nothing more was heard of it")]


def test_what_a_person_says_after_the_end_of_a_run_stands(plain_conn: Connection) -> None:
    period_id = opened(plain_conn)
    put_run(plain_conn, "failed", heard_s=-10)
    change_state(plain_conn, period_id, "acknowledged", "ada", "looking why")
    assert end_forsaken(plain_conn) == 0


def test_scans_periods_do_not_end_by_themselves(plain_conn: Connection) -> None:
    opened(plain_conn, label="again")
    put_run(plain_conn, "failed")
    assert end_forsaken(plain_conn) == 0


def test_the_round_is_taken_in_turns_and_changes_each_period_once(plain_database: str) -> None:
    with (
        closing(ingest_connection(plain_database)) as one,
        closing(ingest_connection(plain_database)) as two,
    ):
        opened(one)
        put_run(one, "failed")
        assert [end_forsaken(one), end_forsaken(two)] == [1, 0]
        assert asked(one, ALERTS) == ["firing", "resolved"]

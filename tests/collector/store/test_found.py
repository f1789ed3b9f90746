"""What detectors find becomes periods, rows, entries of the feed and alerts: each once, or none of it."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.store import periods
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.feed import CHANNEL
from crucible_collector.store.ingest import statement
from crucible_collector.store.partitions import Connection
from detected import (
    CHAT,
    HAND,
    PAGER,
    T0_NS,
    TRACE,
    asked,
    episode,
    flag,
    plan,
    time_of,
    watched,
    write,
)
from planned import nodes

BOTH = plan(CHAT, PAGER)
ALERTS = "select kind, webhook, severity from crucible.alert_outbox order by alert_id"
KINDS = "select kind from crucible.anomaly_feed order by feed_id"


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(ingest_connection(database)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(ingest_connection(plain_database)) as opened:
        yield opened


def period(conn: Connection) -> dict[str, Any]:
    """The only one."""
    (row,) = asked(conn, "select to_jsonb(p) from crucible.anomaly_periods p")
    found: dict[str, Any] = row
    return found


def test_a_period_holds_what_its_flags_say(conn: Connection) -> None:
    first = flag(1, 3, value=8.0, step=10)
    peak = flag(2, 7, value=90.0, expected=0.6, upper=1.6, step=11, severity=Severity.CRITICAL)
    write(conn, episode(first, peak, flag(3, 2, step=12), counts={0: 5}))
    found = period(conn)
    expected = {
        "state": "active",
        "severity": "critical",
        "metric": "loss",
        "detector": HAND,
        "run_id": "run-1",
        "watch_key": 77,
        "flag_count": 5,
        "first_step": 10,
        "last_step": 12,
        "first_value": 8.0,
        "peak_score": 7.0,
        "peak_value": 90.0,
        "peak_expected": 0.6,
        "peak_lower": None,
        "peak_upper": 1.6,
        "trace_id": str(TRACE),
        "span_id": -5,
        "ended_at": None,
        "state_by": None,
        "state_reason": None,
    }
    assert {name: found[name] for name in expected} == expected
    times = "select started_at, last_flag_at, peak_at from crucible.anomaly_periods"
    assert asked(conn, times) == [(time_of(1), time_of(3), time_of(2))]


def test_each_flag_is_a_row_and_the_first_begins_the_period(conn: Connection) -> None:
    odd = dataclasses.replace(flag(2, 4), time_ns=T0_NS + 2_000_000_123)
    write(conn, episode(flag(1, 3, step=4), odd))
    write(conn, episode(flag(3)))
    rows = asked(
        conn,
        "select time, time_ns_rest, score, step, starts_period, value, expected, lower, upper, span_id"
        " from crucible.anomalies order by time",
    )
    rest = (9.5, 0.5, None, 1.5, -5)
    assert rows == [
        (time_of(1), 0, 3, 4, True, *rest),
        (time_of(2), 123, 4, None, False, *rest),
        (time_of(3), 0, 2, None, False, *rest),
    ]
    own = "select distinct a.period_id = p.period_id from crucible.anomalies a, crucible.anomaly_periods p"
    assert asked(conn, own) == [True]


def test_flags_add_to_the_period_that_is_open(conn: Connection) -> None:
    write(conn, episode(flag(1, 5, step=1)))
    write(conn, episode(flag(2, 3, step=2, severity=Severity.INFO), counts={0: 4}))
    found = period(conn)
    assert (found["flag_count"], found["peak_score"], found["severity"]) == (5, 5, "warning")
    assert (found["first_step"], found["last_step"]) == (1, 2)
    write(conn, episode(flag(3, 6, severity=Severity.CRITICAL)))
    found = period(conn)
    assert (found["flag_count"], found["peak_score"], found["severity"]) == (6, 6, "critical")


def test_detectors_and_series_have_periods_of_their_own(conn: Connection) -> None:
    two = [episode(flag(), detector=name) for name in ("one", "other")]
    write(conn, *two, episode(flag(), of=watched(78)))
    write(conn, *two, episode(flag(), of=watched(78)))
    assert asked(conn, "select flag_count from crucible.anomaly_periods") == [2, 2, 2]


def test_a_series_that_is_back_resolves_its_period(conn: Connection) -> None:
    write(conn, episode(flag(1), by=BOTH))
    write(conn, episode(ended=9))
    found = period(conn)
    assert (found["state"], found["state_reason"], found["state_by"]) == (
        "resolved",
        "the series is back",
        None,
    )
    assert asked(conn, "select ended_at from crucible.anomaly_periods") == [time_of(9)]
    assert asked(conn, KINDS) == ["opened", "resolved"]
    assert asked(conn, ALERTS) == [("firing", "chat", "warning"), ("resolved", "chat", "warning")]


def test_the_end_of_what_is_over_is_no_news(conn: Connection) -> None:
    write(conn, episode(ended=9))
    assert asked(conn, "select 1 from crucible.anomaly_periods") == asked(conn, KINDS) == []


def test_one_window_may_end_a_period_and_begin_the_next(conn: Connection) -> None:
    write(conn, episode(flag(1)))
    write(conn, episode(flag(2), ended=5), episode(flag(6), ended=8), episode(flag(9)))
    rows = asked(
        conn,
        "select state, flag_count, ended_at from crucible.anomaly_periods order by started_at",
    )
    assert rows == [
        ("resolved", 2, time_of(5)),
        ("resolved", 1, time_of(8)),
        ("active", 1, None),
    ]
    assert asked(conn, KINDS) == [
        "opened",
        "continued",
        "resolved",
        "opened",
        "resolved",
        "opened",
    ]


def test_what_began_and_ended_in_one_window_is_told_as_both(conn: Connection) -> None:
    write(conn, episode(flag(1), ended=3, by=BOTH))
    assert asked(conn, ALERTS) == [("firing", "chat", "warning"), ("resolved", "chat", "warning")]


def test_a_webhook_hears_of_a_period_once_when_it_reaches_the_severity_asked_for(
    conn: Connection,
) -> None:
    for severity in (
        Severity.INFO,
        Severity.WARNING,
        Severity.WARNING,
        Severity.CRITICAL,
        Severity.CRITICAL,
    ):
        write(conn, episode(flag(severity=severity), by=BOTH))
    assert asked(conn, ALERTS) == [("firing", "chat", "warning"), ("firing", "pager", "critical")]
    assert asked(conn, KINDS) == ["opened", "escalated", "escalated"]


def test_only_who_was_told_of_a_period_hears_of_its_end(conn: Connection) -> None:
    quiet = dataclasses.replace(CHAT, name="quiet", tells_resolved=False)
    conn.execute(
        "insert into crucible.detection_settings (origin, settings, digest) values"
        """ ('api', '{"webhooks": [{"name": "quiet", "tells_resolved": false},"""
        """ {"name": "chat", "tells_resolved": true}]}', gen_random_uuid())"""
    )
    write(conn, episode(flag(), by=plan(CHAT, quiet, PAGER)))
    write(conn, episode(ended=3))
    assert asked(conn, ALERTS) == [
        ("firing", "chat", "warning"),
        ("firing", "quiet", "warning"),
        ("resolved", "chat", "warning"),
    ]


def test_what_a_rule_silences_is_stored_and_nobody_alerted(conn: Connection) -> None:
    silent = plan(CHAT, rule="night", is_silenced=True)
    write(conn, episode(flag(), by=silent))
    found = period(conn)
    assert (found["state"], found["state_reason"], found["rule"]) == (
        "silenced",
        "rule night",
        "night",
    )
    write(conn, episode(flag(2), ended=3, by=silent))
    assert period(conn)["state"] == "resolved"
    assert asked(conn, ALERTS) == []
    assert asked(conn, KINDS) == ["opened", "continued", "resolved"]


def test_severity_rises_with_the_flags_that_all_collectors_have_seen(conn: Connection) -> None:
    """Each of two sees half of them, and alone would never call it more than it began with."""
    by_count = [
        name
        for name, each in DETECTORS.items()
        if math.isfinite(each.severities.warning_count) and each.severities.least is Severity.INFO
    ]
    assert by_count
    for number, name in enumerate(by_count):
        enough = math.ceil(DETECTORS[name].severities.warning_count)
        about: dict[str, Any] = {"of": watched(1000 + number), "detector": name, "by": BOTH}
        weak = flag(score=1.01, severity=Severity.INFO)
        write(conn, episode(weak, counts={0: enough - 1}, **about))
        write(conn, episode(weak, **about))
    assert asked(conn, "select distinct severity from crucible.anomaly_periods") == ["warning"]
    assert asked(conn, ALERTS) == [("firing", "chat", "warning")] * len(by_count)


def test_flags_of_duplicates_are_dropped_and_those_of_others_stay(conn: Connection) -> None:
    mixed = episode(flag(1, 9, request=0), flag(2, 3, request=1), counts={0: 4, 1: 2})
    resent = episode(flag(1, request=0), of=watched(78))
    write(conn, mixed, resent, duplicates={0})
    found = period(conn)
    assert (found["flag_count"], found["peak_score"]) == (2, 3)
    assert asked(conn, "select score from crucible.anomalies") == [3]


def test_a_window_that_is_rolled_back_leaves_nothing(conn: Connection) -> None:
    class LateFailureError(Exception):
        pass

    with suppress(LateFailureError), conn.transaction():
        write(conn, episode(flag(), by=BOTH))
        assert asked(conn, ALERTS) == [("firing", "chat", "warning")]
        raise LateFailureError
    for relation in ("anomaly_periods", "anomalies", "anomaly_feed", "alert_outbox"):
        assert asked(conn, f"select count(*) from crucible.{relation}") == [0]


def test_numbers_that_are_not_finite_are_stored_and_told_as_texts(conn: Connection) -> None:
    bad: dict[str, Any] = {"expected": None, "upper": None, "severity": Severity.CRITICAL}
    write(
        conn,
        episode(
            flag(1, math.inf, value=math.nan, **bad),
            flag(2, math.inf, value=-math.inf, **bad),
            detector="non_finite",
        ),
    )
    rows = asked(conn, "select score, value from crucible.anomalies order by time")
    assert rows[0][0] == math.inf
    assert math.isnan(rows[0][1])
    assert rows[1] == (math.inf, -math.inf)
    (body,) = asked(conn, "select body from crucible.anomaly_feed")
    assert (body["peak_score"], body["first_value"]) == ("Infinity", "NaN")
    assert (body["flag"]["value"], body["flag"]["score"]) == ("-Infinity", "Infinity")


def test_a_flood_writes_few_rows_and_few_entries_of_the_feed(conn: Connection) -> None:
    """A training that goes on for hours after it has diverged."""
    windows = 60
    for window in range(windows):
        flags = [flag(window, math.inf, value=math.nan), flag(window, math.inf, value=math.inf)]
        write(conn, episode(*flags, counts={0: 100}, detector="non_finite"))
    full = periods.FLAGS_FULL // 100
    assert period(conn)["flag_count"] == 100 * windows
    assert asked(conn, "select count(*) from crucible.anomalies") == [2 * full + windows - full]
    assert len(asked(conn, KINDS)) <= math.ceil(math.log2(100 * windows))


def test_the_feed_tells_the_period_as_it_was_and_its_newest_flag(conn: Connection) -> None:
    conn.execute(
        "insert into crucible.series (series_id, source, kind, metric, unit, rank, attributes,"
        " resource_id, first_seen, last_seen)"
        " values (5, 'event', 'measurement', 'loss', 'nats', 3, '{}', 1, now(), now())"
    )
    write(conn, episode(flag(1, step=7), flag(2, 3, step=8), of=watched(series_id=5)))
    write(conn, episode(ended=4))
    opened, resolved = asked(conn, "select body from crucible.anomaly_feed order by feed_id")
    assert (opened["state"], resolved["state"]) == ("active", "resolved")
    assert (opened["unit"], opened["rank"], opened["flag_count"]) == ("nats", 3, 2)
    assert opened["started_at"] == "2026-11-23T10:00:01.000000000Z"
    assert opened["flag"]["step"] == 8
    assert opened["flag"]["time"] == "2026-11-23T10:00:02.000000000Z"
    assert opened["flag"]["trace_id"] == TRACE.hex
    assert resolved["flag"] is None
    periods_ = asked(conn, "select period_id::text from crucible.anomaly_periods")
    assert periods_ == [opened["period_id"]] == [opened["flag"]["period_id"]]


def test_who_listens_is_woken_by_the_commit(plain_conn: Connection, plain_database: str) -> None:
    with psycopg.connect(plain_database, autocommit=True) as listener:
        listener.execute(f"listen {CHANNEL}".encode())
        write(plain_conn, episode(flag()))
        assert [each.channel for each in listener.notifies(timeout=10, stop_after=1)] == [CHANNEL]


def test_what_is_found_by_a_scan_stands_apart_and_nobody_is_told(conn: Connection) -> None:
    write(conn, episode(flag(), by=BOTH))
    write(conn, episode(flag(), by=BOTH), label="again")
    labels = asked(conn, "select label from crucible.anomaly_periods order by label")
    assert labels == asked(conn, "select label from crucible.anomalies order by label")
    assert labels == ["", "again"]
    assert len(asked(conn, KINDS)) == len(asked(conn, ALERTS)) == 1


# What the database refuses.


def test_a_row_that_is_refused_loses_only_itself(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    conn.execute("alter table crucible.anomaly_periods add check (metric <> 'bad')")
    conn.execute("alter table crucible.anomalies add check (score <> 13)")
    found = [
        episode(flag(1), of=watched(1, metric="bad"), by=BOTH),
        episode(flag(2, 13), flag(3, 14), of=watched(2), by=BOTH),
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        write(conn, *found)
    with caplog.at_level(logging.WARNING):
        write(conn, *found, careful=True)
    assert asked(conn, "select watch_key from crucible.anomaly_periods") == [2]
    assert asked(conn, "select score from crucible.anomalies") == [14]
    assert asked(conn, KINDS) == ["opened"]
    assert asked(conn, ALERTS) == [("firing", "chat", "warning")]
    assert sum("refused and left out" in each.message for each in caplog.records) == 2


# What it leans on.


def test_periods_are_found_by_index_however_many_are_over(conn: Connection, database: str) -> None:
    conn.execute(
        "insert into crucible.anomaly_periods (period_id, watch_key, started_at, ended_at,"
        " last_flag_at, state_at, flag_count, peak_score, metric, detector, severity, state)"
        " select gen_random_uuid(), n, now(), now(), now(), now() - n * interval '1 minute', 1, 2,"
        " 'loss', 'ewma', 'info', case when n % 50 = 0 then 'active' else 'resolved' end"
        " from generate_series(1, 5000) n"
    )
    conn.execute("analyze crucible.anomaly_periods")
    told = {"keys": [3, 50], "detectors": ["ewma"] * 2, "label": "", "late": periods.LATE}
    row = conn.execute(
        "explain (format json) " + statement("anomaly_periods_known"), told
    ).fetchone()
    assert row is not None
    found = list(nodes(row[0][0]["Plan"]))
    used = {node["Index Name"] for node in found if "Index Name" in node}
    assert used == {"anomaly_periods_open", "anomaly_periods_resolved"}
    assert "Seq Scan" not in {node["Node Type"] for node in found}

"""Versions of the sampling rules, and the ledger of what they saw and kept."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from crucible_collector.batch import Signal
from crucible_collector.candidates import Counted, RuleCount
from crucible_collector.errors import ChangedMeanwhileError, SettingsError
from crucible_collector.sample.rules import Rules
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.sampling import (
    adopt_file,
    fold_counts,
    in_force,
    put,
    write_counts,
)
from crucible_collector.store.versions import Connection

MINUTE_NS = 60_000_000_000
JOURNAL = uuid.UUID("b" * 32)


def rules(probability: float) -> Rules:
    return Rules.parse({"rules": [{"strategy": "uniform", "probability": probability}]})


def adopt(connection: Connection, wanted: Rules) -> int | None:
    return adopt_file(connection, wanted.as_json(), wanted.digest(), "host:data")


def change(connection: Connection, wanted: Rules, follows: int | None = None) -> int:
    return put(connection, wanted.as_json(), wanted.digest(), changed_by="ada", follows=follows)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with ingest_connection(database) as opened:
        yield opened


def test_without_a_version_nothing_is_in_force(connection: Connection) -> None:
    assert in_force(connection) is None


def test_the_newest_version_is_in_force(connection: Connection) -> None:
    adopt(connection, rules(0.5))
    second = put(connection, rules(0.25).as_json(), rules(0.25).digest(), reason="costs")
    newest = in_force(connection)
    assert newest is not None
    assert (newest.version, newest.origin, newest.reason) == (second, "api", "costs")
    assert Rules.parse(newest.settings) == rules(0.25)
    assert newest.digest == rules(0.25).digest()


def test_a_file_that_says_what_it_said_takes_nothing_back(connection: Connection) -> None:
    adopt(connection, rules(0.5))
    changed = change(connection, rules(0.25))
    assert adopt(connection, rules(0.5)) is None
    newest = in_force(connection)
    assert newest is not None
    assert newest.version == changed


def test_a_file_that_was_changed_and_changed_back_is_followed_both_times(
    connection: Connection,
) -> None:
    versions = [adopt(connection, rules(p)) for p in (0.5, 0.25, 0.5)]
    newest = in_force(connection)
    assert None not in versions
    assert newest is not None
    assert newest.version == versions[-1]


def test_the_same_rules_again_are_no_new_version(connection: Connection) -> None:
    assert change(connection, rules(0.5)) == change(connection, rules(0.5))


def test_of_two_changes_of_one_version_only_the_first_is_made(connection: Connection) -> None:
    first = change(connection, rules(0.5), follows=0)
    second = change(connection, rules(0.25), follows=first)
    with pytest.raises(
        ChangedMeanwhileError, match=f"version {second} is in force, not {first}: somebody"
    ):
        change(connection, rules(0.125), follows=first)
    newest = in_force(connection)
    assert newest is not None
    assert newest.version == second


def test_collectors_that_start_together_with_one_file_make_one_version(database: str) -> None:
    together = threading.Barrier(4)

    def start(_number: int) -> int | None:
        with ingest_connection(database) as connection:
            together.wait(10)
            return adopt(connection, rules(0.5))

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(start, range(4)))
    assert [each is not None for each in sorted(versions, key=str)].count(True) == 1


def test_what_no_text_of_the_database_can_hold_is_a_wrong_setting(connection: Connection) -> None:
    for text in ("\0", "\ud800"):
        value = {"name": "nul", "strategy": "uniform", "probability": 1.0, "services": [text]}
        with pytest.raises(SettingsError, match=r"sampling: the database cannot keep these: .+"):
            put(connection, {"rules": [value]}, uuid.uuid4())
    assert in_force(connection) is None


def counted(*rows: RuleCount) -> Counted:
    return Counted({(r.rule, r.signal, r.stratum, r.minute_ns): r for r in rows})


def test_counts_of_windows_add_up_by_minute_and_the_smallest_probability_stays(
    connection: Connection,
) -> None:
    first = RuleCount("thin", Signal.TRACES, "ok", MINUTE_NS, 100, 10, 100.0, 1000.0, 0.1, 5, 1)
    again = RuleCount("thin", Signal.TRACES, "ok", MINUTE_NS, 50, 0, 0.0, 0.0, 0.02, 2, 0, 0.02)
    other = RuleCount("thin", Signal.LOGS, "", 2 * MINUTE_NS, 7, 7, 7.0, 7.0)
    for window in (counted(other, first), counted(again), counted()):
        with connection.transaction():
            write_counts(connection, JOURNAL, window)
    found = connection.execute(
        "select extract(epoch from time)::int, signal, stratum, seen_count, kept_count, weight_sum,"
        " weight_square_sum, probability_min, error_seen_count, error_kept_count,"
        " error_probability_min from crucible.sampling_ledger order by time"
    ).fetchall()
    assert found == [
        (60, "spans", "ok", 150, 10, 100.0, 1000.0, 0.02, 7, 1, 0.02),
        (120, "log_records", "", 7, 7, 7.0, 7.0, 1.0, 0, 0, 1.0),
    ]


def test_what_is_old_is_told_by_the_hour_and_then_by_the_day_and_adds_up_as_before(
    connection: Connection,
) -> None:
    now = dt.datetime(2026, 11, 23, 10, 20, tzinfo=dt.UTC)
    connection.execute(
        "insert into crucible.sampling_ledger (time, journal_id, rule, signal, seen_count,"
        " kept_count, weight_sum, weight_square_sum, probability_min, error_seen_count,"
        " error_kept_count, error_probability_min) select %s - n * interval '7 minutes', %s,"
        " 'thin', 'spans', n, n / 2, n, n, 1.0 / n, n / 3, n / 4, 1.0 / n"
        " from generate_series(1, 20000) as n",
        (now, JOURNAL),
    )
    totals = (
        "select sum(seen_count), sum(kept_count), sum(weight_sum), sum(weight_square_sum),"
        " min(probability_min), sum(error_seen_count), sum(error_kept_count),"
        " min(error_probability_min) from crucible.sampling_ledger"
    )
    before = connection.execute(totals).fetchone()
    assert fold_counts(connection, now) > 18_000
    assert connection.execute(totals).fetchone() == before
    by_age = connection.execute(
        "select case when time >= '2026-11-16 10:00+00' then 'minute'"
        " when time >= '2026-08-25 00:00+00' then 'hour' else 'day' end as age,"
        " count(*), count(*) filter (where time <> date_trunc('hour', time, 'UTC')),"
        " count(*) filter (where time <> date_trunc('day', time, 'UTC'))"
        " from crucible.sampling_ledger group by 1 order by 1"
    ).fetchall()
    (_, days, _, within), (_, hours, within_hours, _), (_, minutes, *_) = by_age
    assert (within, within_hours) == (0, 0)
    assert days == 7
    assert hours == 83 * 24 + 10
    assert minutes == (7 * 24 * 60 + 20) // 7
    assert fold_counts(connection, now) == 0


def test_minutes_that_a_writer_has_are_left_for_the_next_time(
    connection: Connection, database: str
) -> None:
    old = RuleCount("thin", Signal.TRACES, "", 61 * MINUTE_NS, 100, 10)
    write_counts(connection, JOURNAL, counted(old))
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    with ingest_connection(database) as writer:
        with writer.transaction():
            write_counts(writer, JOURNAL, counted(old))
            assert fold_counts(connection, now) == 0
        assert fold_counts(connection, now) == 2  # into its hour, and that into its day
    assert connection.execute("select seen_count from crucible.sampling_ledger").fetchone() == (
        200,
    )

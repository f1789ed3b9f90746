"""What detectors found goes with its window: written once with it, or not at all, and added to roll-ups."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.found import Found
from crucible_collector.metrics import REGISTRY
from crucible_collector.rows import Phase, WindowRows
from crucible_collector.settings import Settings
from crucible_collector.store.connect import MAINTENANCE, connect, ingest_connection
from crucible_collector.store.database import Database
from crucible_collector.store.partitions import default_days
from crucible_collector.store.positions import PositionMovedError
from crucible_collector.store.rollups.families import ANOMALIES
from detected import CHAT, episode, flag, plan, watched, write
from rolled import expected, rolled_up, settle
from rows_of import Ingest, execute, ingest, rows_of, span_ids, span_of, traces

RELATIONS = ("anomaly_periods", "anomalies", "anomaly_feed", "alert_outbox")
DAY_S = 86_400


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal") as one:
        yield one


def request(number: int) -> Message:
    return traces(span_of(number, "crucible_train.batch"))


def window(collector: Ingest, *numbers: int) -> WindowRows:
    """A flag in each of these requests, by one detector of one series."""
    rows = collector.rows(*map(request, numbers))
    flags = [flag(number, request=place) for place, number in enumerate(numbers)]
    rows.found = Found([episode(*flags, by=plan(CHAT))])
    return rows


def counts(dsn: str) -> list[int]:
    return [len(rows_of(dsn, relation)) for relation in RELATIONS]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_window_that_is_written_again_adds_nothing(collector: Ingest, database: str) -> None:
    rows = window(collector, 1, 2)
    collector.write(rows)
    assert counts(database) == [1, 2, 1, 1]
    with pytest.raises(PositionMovedError):
        collector.transact(rows, careful=False)
    assert counts(database) == [1, 2, 1, 1]


def test_a_window_that_fails_at_its_end_leaves_nothing_and_is_counted_once_when_it_is_written(
    collector: Ingest, database: str
) -> None:
    rows = window(collector, 1)
    before = counted("crucible_alerts_queued_total", kind="firing")
    execute(database, "alter table crucible.ledger rename to elsewhere")
    with pytest.raises(psycopg.errors.UndefinedTable):
        collector.write(rows)
    assert counts(database) == [0, 0, 0, 0]
    assert counted("crucible_alerts_queued_total", kind="firing") == before
    execute(database, "alter table crucible.elsewhere rename to ledger")
    collector.write(rows)
    assert counts(database) == [1, 1, 1, 1]
    assert counted("crucible_alerts_queued_total", kind="firing") == before + 1


def test_flags_of_a_request_that_was_resent_are_dropped(
    collector: Ingest, database: str, tmp_path: Path
) -> None:
    collector.write(window(collector, 1))
    with ingest(database, tmp_path / "other") as other:
        other.write(window(other, 1, 2))
    (period,) = rows_of(database, "anomaly_periods")
    assert (
        period["flag_count"] == len(rows_of(database, "anomalies")) == len(span_ids(database)) == 2
    )


def test_what_is_written_behind_finds_nothing_once_more(collector: Ingest, database: str) -> None:
    rows = window(collector, 1)
    ahead = dataclasses.replace(rows, phase=Phase.AHEAD, tables=[])
    collector.write(ahead)
    collector.write(dataclasses.replace(rows, phase=Phase.BEHIND))
    assert counts(database) == [1, 1, 1, 1]
    assert span_ids(database) == [1]


def test_a_window_with_a_refused_record_keeps_what_was_found(
    collector: Ingest, database: str
) -> None:
    execute(database, "alter table crucible.spans add check (span_id <> 2)")
    collector.write(window(collector, 1, 2))
    assert span_ids(database) == [1]
    assert len(collector.buried) == 1
    assert counts(database) == [1, 2, 1, 1]


def test_a_collector_that_starts_again_adds_to_the_period_that_is_open(
    collector: Ingest, database: str
) -> None:
    collector.write(window(collector, 1))
    collector.writer.close()
    rows = window(collector, 2)
    rows.found.episodes[0].opens = True
    collector.write(rows)
    assert counts(database) == [1, 2, 2, 1]
    assert [row["kind"] for row in rows_of(database, "anomaly_feed")] == ["opened", "continued"]


def test_roll_ups_have_what_was_found(database: str) -> None:
    bad: dict[str, Any] = {"value": math.nan, "severity": Severity.CRITICAL}
    with closing(ingest_connection(database)) as conn:
        for age_s in (0, 3700, -3 * DAY_S):
            write(
                conn,
                episode(flag(age_s), flag(age_s + 1, math.inf, **bad)),
                episode(flag(age_s + 2, 80), of=watched(78, run_id=None, metric="cost_usd")),
            )
        write(conn, episode(flag(5)), label="again")
    for _ in range(2):
        for level in ANOMALIES.levels:
            assert rolled_up(database, ANOMALIES.view(level)) == expected(
                database, ANOMALIES, level
            )
        settle(database)
    periods = sum(row["period_count"] for row in rolled_up(database, "anomaly_rollup_1d"))
    assert periods == len(rows_of(database, "anomaly_periods"))


def test_late_flags_get_the_partition_of_their_day(plain_database: str, tmp_path: Path) -> None:
    """A window's tables may be of other days than what was found in it."""
    store = Database(
        Settings.model_validate({"data_dir": tmp_path, "database_url": plain_database})
    )
    store.bring_up_to_date()
    with ingest(plain_database, tmp_path / "journal") as one:
        rows = window(one, 1)
        rows.found = Found([episode(flag(-9 * DAY_S), flag(0))])
        with closing(store.connect()) as conn:
            store.make_room(conn, rows)
        one.write(rows)
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        assert default_days(conn, "anomalies") == []
        places = conn.execute(
            "select tableoid::regclass::text from crucible.anomalies order by time"
        ).fetchall()
    assert places == [("crucible.anomalies_20261114",), ("crucible.anomalies_20261123",)]

"""Records that are taken although what is as old is dropped: said once, at a start."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import pytest

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.retention import Retention, taken_late
from kept import LOG, choose

DAY = dt.timedelta(days=1)


def test_those_that_a_refresh_does_not_reach_are_late_too() -> None:
    kept = {"spans": 31 * DAY, "logs": 7 * DAY, "span_rollup_1d": 8 * DAY}
    assert taken_late(kept, 6 * DAY) == ""
    assert "are taken but dropped are logs after 7d:" in taken_late(kept, 6.5 * DAY)
    assert "up to 30 days old" in taken_late(kept, 30 * DAY)
    assert "spans" not in taken_late(kept, 30 * DAY)
    assert "dropped are spans after 31d, logs after 7d:" in taken_late(kept, 30.5 * DAY)
    assert taken_late({}, 20_000 * DAY) == ""


def test_a_collector_warns_once_after_its_start(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    choose(database, "spans=7d")
    hours = iter(range(0, 100_000, 3600))
    step = Retention(
        migrate(database, LOG), LOG, past=dt.timedelta(days=30), clock=lambda: next(hours)
    )
    with closing(connect(database, MAINTENANCE)) as conn:
        for _ in range(3):
            step.keep(conn)
    assert [says.partition(":")[0] for says in caplog.messages] == [
        "records up to 30 days old are taken but dropped are spans after 7d"
    ]

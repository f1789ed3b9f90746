"""What is dropped into an archive comes back to the last bit, and roll-ups are none the wiser."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import archived
import hinted
from archived import BY_TIME, REFERRED_TO, SWEEP, after, contents, made, quiet, sums
from crucible_collector.archive.drop import drop
from crucible_collector.archive.restore import adopt, restore
from crucible_collector.errors import DatabaseError
from crucible_collector.store.archives.slices import Asked
from crucible_collector.store.connect import MAINTENANCE, connect
from databases import TestServer
from rows_of import execute
from stored import serving

REFERRED_TO_COUNT = 10  # rows of two experiments: two of each but one resource and one scope


def test_what_was_dropped_comes_back_to_the_last_bit(database: str, tmp_path: Path) -> None:
    with archived.filled(database):
        pass
    archived.refresh(database)
    before, summed = contents(database), sums(database)
    drop_and_restore(database, tmp_path)
    assert contents(database) == before
    assert sums(database) == summed
    archived.refresh(database)
    assert sums(database) == summed


def test_so_does_what_lay_in_the_columnstore(timescale_server: TestServer, tmp_path: Path) -> None:
    with timescale_server.database() as dsn:
        with archived.filled(dsn):
            pass
        archived.refresh(dsn)
        assert archived.pack(dsn) >= len(BY_TIME)
        before, summed = contents(dsn), sums(dsn)
        drop_and_restore(dsn, tmp_path)
        assert contents(dsn) == before
        archived.refresh(dsn)
        assert sums(dsn) == summed


def drop_and_restore(dsn: str, folder: Path) -> None:
    """All of it goes and comes back, twice; nothing is left in between."""
    summed = sums(dsn)
    archive_id = made(dsn, folder.as_uri())
    assert drop(dsn, archive_id, quiet)["not_dropped_count"] == 0
    assert not any(contents(dsn, BY_TIME).values())
    assert all(archived.parts(dsn, relation) == 0 for relation in BY_TIME)
    archived.refresh(dsn)
    assert sums(dsn) == summed
    report = restore(dsn, archive_id, quiet)
    assert report["present_count"] == REFERRED_TO_COUNT
    assert restore(dsn, archive_id, quiet)["restored_count"] == 0


def test_what_came_later_or_was_changed_is_not_dropped(database: str, tmp_path: Path) -> None:
    with archived.filled(database) as stored:
        archive_id = made(database, tmp_path.as_uri(), Asked("sweep"))
        # One is equal to two archived ones to the last bit, and so one more than these.
        stored.span(time=after(hours=1), span_id=77, run_id="run-1", experiment_id="sweep")
        stored.point(SWEEP, time=after(minutes=1), step=1, value=7.0)
    execute(
        database, "update crucible.spans set cost_usd = 9 where run_id = 'run-1' and span_id = 3"
    )
    other = others(database)
    report = drop(database, archive_id, quiet)
    assert report["not_dropped_count"] == 3  # one span of each day was changed
    assert others(database) == other
    with connect(database, MAINTENANCE) as conn:
        spans = conn.execute(
            "select span_id, cost_usd from crucible.spans where experiment_id = 'sweep' order by 1"
        ).fetchall()
        values = conn.execute(
            "select value from crucible.points where series_id = %s", (SWEEP,)
        ).fetchall()
    assert spans == [(3, 9.0), (3, 9.0), (3, 9.0), (77, None)]
    assert values == [(7.0,)]


def others(dsn: str) -> list[tuple[str, ...]]:
    """What is of the other experiment, as text."""
    with connect(dsn, MAINTENANCE) as conn:
        return conn.execute(
            "select t::text from crucible.spans t where run_id = 'run-2'"
            " union all select t::text from crucible.points t where series_id = 102"
            " union all select t::text from crucible.logs t where run_id = 'run-2' order by 1"
        ).fetchall()


def test_another_database_gets_rows_what_they_refer_to_and_their_sums(
    any_server: TestServer, tmp_path: Path
) -> None:
    with any_server.database() as here, any_server.database() as there:
        with archived.filled(here):
            pass
        archived.refresh(here)
        archive_id = made(here, tmp_path.as_uri())
        adopt(there, archive_id, tmp_path.as_uri())
        restore(there, archive_id, quiet)
        assert contents(there) == contents(here)
        assert sums(there) == sums(here)
        restore(there, archive_id, quiet)
        assert sums(there) == sums(here)


def test_continuous_roll_ups_keep_young_rows_from_being_dropped(
    timescale_server: TestServer, tmp_path: Path
) -> None:
    with timescale_server.database() as dsn:
        with archived.filled(dsn) as stored:
            stored.span(time=datetime.now(UTC) - timedelta(days=1))
        archive_id = made(dsn, tmp_path.as_uri())
        with pytest.raises(
            DatabaseError, match="cannot be dropped yet: roll-ups are complete 27h after"
        ):
            drop(dsn, archive_id, quiet)
        assert len(contents(dsn, ("spans",))["spans"]) == 55


def test_a_period_is_what_lies_in_it(plain_database: str, tmp_path: Path) -> None:
    with archived.filled(plain_database):
        pass
    before = contents(plain_database)
    asked = Asked(start=after(hours=1), end=after(days=1, hours=1), relations=("spans", "logs"))
    drop(plain_database, made(plain_database, tmp_path.as_uri(), asked), quiet)
    with connect(plain_database, MAINTENANCE) as conn:
        bounds = {"start": asked.start, "end": asked.end}
        for relation in asked.relations:
            left = conn.execute(
                f"select t::text, time >= %(start)s and time < %(end)s from crucible.{relation} t".encode(),
                bounds,
            ).fetchall()
            assert not any(within for _, within in left)
            assert {row for row, _ in left} < {row for (row,) in before[relation]}
    now = contents(plain_database)
    untouched = ("points", "histograms", "anomalies", *REFERRED_TO)
    assert {name: now[name] for name in untouched} == {name: before[name] for name in untouched}


def test_restored_traces_are_found_without_a_period(database: str, tmp_path: Path) -> None:
    with archived.filled(database):
        pass
    hinted.build(database, archived.NOW)
    archive_id = made(database, tmp_path.as_uri())
    drop(database, archive_id, quiet)
    hinted.build(database, archived.NOW)  # forgets the days that have no rows any more
    restore(database, archive_id, quiet)
    with serving(database) as api:
        trace = api.ask(f"/traces/{uuid.UUID(int=103).hex}")
    assert [span["span_id"] for span in trace] == ["0000000000000003"] * 2

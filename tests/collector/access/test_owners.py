"""Whose runs are is asked once, and not of a database that is away."""

from __future__ import annotations

import psycopg
import pytest

from crucible_collector.access import owners
from crucible_collector.access.owners import Owners
from crucible_collector.errors import OverloadedError
from stored import Stored

AWAY = "postgresql://nobody@127.0.0.1:1/none"


class Place:
    """Where the database is, and how often somebody wanted to know."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.asked_count = 0

    def __call__(self) -> str:
        self.asked_count += 1
        return self.dsn


def test_a_run_of_another_experiment_or_of_none_is_foreign_and_an_unknown_one_is_not(
    plain_database: str,
) -> None:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        stored = Stored(conn)
        stored.run("mine", experiment_id="team-a-1")
        stored.run("theirs", experiment_id="team-b-1")
        stored.run("nobodys", experiment_id=None)
    place = Place(plain_database)
    asking = Owners(place)
    asked = {"mine", "theirs", "nobodys", "new"}
    assert asking.foreign("team-a-", asked) == {"theirs", "nobodys"}
    assert asking.foreign("team-b-", asked) == {"mine", "nobodys"}
    count = place.asked_count
    assert asking.foreign("team-a-", {"mine", "theirs"}) == {"theirs"}
    assert place.asked_count == count


def test_while_the_database_is_away_nothing_is_foreign_and_it_is_asked_once(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        Stored(conn).run("theirs", experiment_id="team-b-1")
    place = Place(AWAY)
    asking = Owners(place)
    assert asking.foreign("team-a-", {"theirs"}) == frozenset()
    place.dsn = plain_database
    assert asking.foreign("team-a-", {"theirs"}) == frozenset()
    assert place.asked_count == 1
    monkeypatch.setattr(owners, "ASK_AGAIN_AFTER_S", 0.0)
    place.dsn = AWAY
    asking = Owners(place)
    assert asking.foreign("team-a-", {"theirs"}) == frozenset()
    place.dsn = plain_database
    assert asking.foreign("team-a-", {"theirs"}) == {"theirs"}


def test_a_database_that_is_there_and_does_not_say_lets_nothing_in(plain_database: str) -> None:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        conn.execute("alter table crucible.runs rename to hidden")
    asking = Owners(lambda: plain_database)
    for _ in range(2):
        with pytest.raises(OverloadedError, match="whose the runs are"):
            asking.foreign("team-a-", {"theirs"})

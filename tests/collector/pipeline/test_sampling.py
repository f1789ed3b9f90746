"""Which sampling rules a collector works by, whoever changed them and however the database is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from crucible_collector.pipeline.sampling import POLL_S, TOLD_S, SamplingInForce
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.sampling import in_force, put
from crucible_collector.store.versions import Connection


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def rules(probability: float, name: str = "thin") -> Rules:
    told = {"name": name, "strategy": "uniform", "probability": probability}
    return Rules.parse({"rules": [told]})


def change(connection: Connection, wanted: Rules) -> int:
    return put(connection, wanted.as_json(), wanted.digest())


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with ingest_connection(plain_database) as opened:
        yield opened


def test_without_any_rules_all_is_kept(connection: Connection) -> None:
    sampling = SamplingInForce()
    sampling.poll(connection)
    assert (sampling.now.version, sampling.now.settings) == (0, Rules.parse({}))
    assert in_force(connection) is None


def test_what_the_settings_say_is_in_force_for_all_once_the_database_is_there(
    connection: Connection,
) -> None:
    here, there = SamplingInForce(rules(0.5), who="host:data"), SamplingInForce()
    for each in (here, there):
        each.poll(connection)
    assert here.now == there.now
    assert here.now.settings == rules(0.5)
    newest = in_force(connection)
    assert newest is not None
    assert (newest.origin, newest.changed_by) == ("file", "host:data")


def test_a_change_holds_within_the_time_between_two_questions(connection: Connection) -> None:
    clock = Clock()
    sampling = SamplingInForce(rules(0.5), clock_s=clock)
    sampling.poll(connection)
    version = change(connection, rules(0.25))
    clock.now_s += POLL_S - 0.1
    sampling.poll(connection)
    assert sampling.now.settings == rules(0.5)
    clock.now_s += 0.1
    sampling.poll(connection)
    assert (sampling.now.version, sampling.now.settings) == (version, rules(0.25))


def test_a_change_through_this_collector_holds_from_the_next_window(connection: Connection) -> None:
    sampling = SamplingInForce(clock_s=Clock())
    sampling.poll(connection)
    version = change(connection, rules(0.25))
    sampling.ask_soon()
    sampling.poll(connection)
    assert sampling.now.version == version


def test_settings_that_are_read_again_are_followed_where_they_say_something_new(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    sampling = SamplingInForce(rules(0.5), clock_s=Clock())
    sampling.poll(connection)
    sampling.offer(rules(0.25))
    sampling.poll(connection)
    assert sampling.now.settings == rules(0.25)
    change(connection, rules(0.125))
    with caplog.at_level(logging.INFO, "crucible.sampling"):
        sampling.offer(rules(0.25))
        sampling.poll(connection)
    assert sampling.now.settings == rules(0.125)
    assert "made through the API, stays: the settings say nothing new" in caplog.text


def test_what_was_offered_while_the_database_was_away_is_not_lost(
    plain_database: str, connection: Connection
) -> None:
    sampling = SamplingInForce(rules(0.5), clock_s=Clock())
    with ingest_connection(plain_database) as gone:
        gone.close()
        with pytest.raises(psycopg.OperationalError):
            sampling.poll(gone)
    sampling.poll(connection)
    assert sampling.now.settings == rules(0.5)


def test_rules_of_a_newer_collector_are_told_once_and_change_nothing(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    sampling = SamplingInForce(rules(0.5), clock_s=clock)
    sampling.poll(connection)
    newer = {"rules": [{"name": "a", "strategy": "clairvoyant"}]}
    unreadable = put(connection, newer, rules(1.0).digest())
    for _ in range(2):
        clock.now_s += POLL_S
        sampling.poll(connection)
    assert sampling.now.settings == rules(0.5)
    [warning] = caplog.records
    assert f"does not understand version {unreadable}: sampling rule a" in warning.getMessage()
    version = change(connection, rules(0.25))
    clock.now_s += POLL_S
    sampling.poll(connection)
    assert sampling.now.version == version


def test_settings_that_the_database_cannot_keep_stop_nothing(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    value = {"strategy": "uniform", "probability": 0.5, "services": ["\0"]}
    sampling = SamplingInForce(Rules.parse({"rules": [value]}), clock_s=Clock())
    for _ in range(2):
        sampling.ask_soon()
        sampling.poll(connection)
    assert sampling.now.version == 0
    assert len(caplog.records) == 1


def test_a_database_that_was_set_back_and_gave_the_number_again_is_followed(
    connection: Connection,
) -> None:
    sampling = SamplingInForce(rules(0.5), clock_s=Clock())
    sampling.poll(connection)
    connection.execute("delete from crucible.sampling_settings")
    connection.execute("alter table crucible.sampling_settings alter version restart")
    version = change(connection, rules(0.25))
    sampling.ask_soon()
    sampling.poll(connection)
    assert (sampling.now.version, sampling.now.settings) == (version, rules(0.25))


def test_the_sampler_is_asked_how_it_does_about_once_a_second() -> None:
    clock = Clock()
    sampling, sampler = SamplingInForce(clock_s=clock), Sampler(rules(0.5, "first"))
    sampling.told(sampler)
    assert [each.rule for each in sampling.use] == ["first"]
    sampler.change(rules(0.5, "second"))
    sampling.told(sampler)
    assert [each.rule for each in sampling.use] == ["first"]
    clock.now_s += TOLD_S
    sampling.told(sampler)
    assert [each.rule for each in sampling.use] == ["second"]

"""By which settings of detection a collector works; how settings are followed is tested with sampling's."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from crucible_collector.detect.engine import Engine
from crucible_collector.detect.settings import Detection
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.in_force import POLL_S, TOLD_S
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.versions import DETECTION, SAMPLING, Connection


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def detection(sensitivity: float) -> Detection:
    return Detection.parse({"rules": [{"name": "mine", "sensitivity": sensitivity}]})


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with ingest_connection(plain_database) as opened:
        yield opened


def test_without_any_settings_the_registry_s_word_holds(connection: Connection) -> None:
    following = DetectionInForce()
    following.poll(connection)
    assert (following.now.version, following.now.settings) == (0, Detection.parse({}))


def test_what_the_settings_say_and_what_is_changed_since_hold_for_all(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    here = DetectionInForce(detection(2), who="host:data", clock_s=clock)
    there = DetectionInForce(clock_s=clock)
    with caplog.at_level(logging.INFO, "crucible.detection"):
        here.poll(connection)
    assert "detection: version 1 is in force (mine; nobody is alerted)" in caplog.text
    there.poll(connection)
    assert here.now == there.now
    changed = detection(3)
    version = DETECTION.put(connection, changed.as_json(), changed.digest())
    clock.now_s += POLL_S
    here.poll(connection)
    assert (here.now.version, here.now.settings) == (version, changed)


def test_settings_of_a_newer_collector_change_nothing(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    newer = {"rules": [{"name": "a", "detectors": ["clairvoyant"]}]}
    DETECTION.put(connection, newer, detection(9).digest())
    following = DetectionInForce()
    following.poll(connection)
    assert following.now.settings == Detection.parse({})
    [warning] = caplog.records
    assert "does not understand version 1: detection rule a: detectors.0" in warning.getMessage()


def test_settings_of_one_kind_are_none_of_another(connection: Connection) -> None:
    DETECTION.put(connection, detection(2).as_json(), detection(2).digest())
    assert SAMPLING.in_force(connection) is None
    assert SAMPLING.lock_key != DETECTION.lock_key


def test_the_engine_is_asked_how_it_does_about_once_a_second() -> None:
    clock = Clock()
    following, engine = DetectionInForce(clock_s=clock), Engine(Detection.parse({}))
    following.told(engine)
    told = following.use
    following.told(engine)
    assert following.use is told
    clock.now_s += TOLD_S
    following.told(engine)
    assert following.use is not told
    assert following.use == engine.use()

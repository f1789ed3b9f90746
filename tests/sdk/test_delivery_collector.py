"""The SDK against a real collector that is killed while a training runs: every step, once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest

import crucible_telemetry as crucible
from harness import Collector, eventually

KILL_ROUNDS = 2


class Training:
    """Steps of about a millisecond in a thread of their own, until it is told to stop."""

    def __init__(self) -> None:
        self.step_count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with crucible.training(run_id="run") as training:
            for epoch in training.epochs(1):
                for batch in epoch.batches(iter(lambda: self._stop.wait(0.001), True)):
                    batch.log(loss=1.0, gradient_norm=2.0)
                    self.step_count += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


def steps(dsn: str) -> Counter[int]:
    """How often each step of the run is in the database."""
    query = "select step from crucible.spans where name = 'crucible_train.batch'"
    with psycopg.connect(dsn) as connection:
        return Counter(row[0] for row in connection.execute(query).fetchall())


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_is_killed_and_comes_back_has_every_step_once(
    protocol: str, tmp_path: Path, plain_database: str
) -> None:
    chance = random.Random(20261123)
    running = Collector(tmp_path / "data", plain_database)
    try:
        running.start()
        address = running.addresses["grpc" if protocol == "grpc" else "http"]
        crucible.configure(
            endpoint=f"http://{address.removeprefix('http://')}",
            protocol=protocol,
            export_interval_s=0.02,
        )
        training = Training()
        for _ in range(KILL_ROUNDS):
            time.sleep(chance.uniform(0.05, 0.6))
            running.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            running.start()
        training.stop()
        assert crucible.flush(60)
        counts = crucible.counts()
        assert counts["delivered"] == counts["accepted"]
        eventually(lambda: len(steps(plain_database)) == training.step_count, "all is stored", 60)
        assert set(steps(plain_database).values()) == {1}
        assert crucible.shutdown()
    finally:
        running.close()

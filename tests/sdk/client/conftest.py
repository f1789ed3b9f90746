"""One collector with a sweep in it, for every test of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analysed import sweep
from crucible_telemetry.client import Client
from harness import Collector, collector


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    directory = tmp_path_factory.mktemp("client")
    with collector(directory / "data") as one:
        sweep(one, directory)
        yield one


@pytest.fixture
def client(running: Collector) -> Iterator[Client]:
    with Client(running.api) as one:
        yield one

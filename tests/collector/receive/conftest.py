"""A receiver on real sockets over a real journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from collector.receive.receivers import Receiver, running_receiver
from crucible_collector import decode

StartReceiver = Callable[..., Receiver]


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """Compiled before any request has a deadline."""
    decode.warm_up(logging.getLogger(__name__))


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[StartReceiver]:
    """Start a receiver with limits, budgets and timeouts of its own."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Receiver:
            return stack.enter_context(running_receiver(tmp_path / "journal", **changes))

        yield start


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One with the defaults, shared by the tests of a module; each looks at what it has sent."""
    with running_receiver(tmp_path_factory.mktemp("receiver") / "journal") as running:
        yield running

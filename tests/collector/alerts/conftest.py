from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from collector.alerts.receiving import Outgoing, Receiver, receiver


@pytest.fixture
def outgoing(plain_database: str) -> Iterator[Outgoing]:
    """An empty outbox."""
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Outgoing(plain_database, conn)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that takes everything unless told otherwise."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with receiver() as one:
        yield one

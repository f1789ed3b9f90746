"""An asker who goes before the answer is there has its query ended on the server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from crucible_collector.store import read
from harness import eventually
from stored import Api, serving

SLOW = "-- Which runs are there after an hour?\nselect pg_sleep(3600)"


@pytest.fixture
def api(plain_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """One that takes an hour to say which runs there are."""
    named = read.query_text
    monkeypatch.setattr(read, "query_text", lambda name: SLOW if name == "runs" else named(name))
    with serving(plain_database) as running:
        yield running


def test_a_query_ends_when_its_asker_hangs_up(api: Api, plain_database: str) -> None:
    with psycopg.connect(plain_database, autocommit=True) as watching:

        def asked_count() -> int:
            row = watching.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and application_name = 'crucible read' and state = 'active'"
            ).fetchone()
            assert row is not None
            return int(row[0])

        place = urlsplit(str(api.client.base_url))
        with socket.create_connection((place.hostname, place.port)) as asker:
            asker.sendall(b"GET /api/v1/runs HTTP/1.1\r\nHost: here\r\n\r\n")
            eventually(lambda: asked_count() == 1, "the server works on it")
        eventually(lambda: asked_count() == 0, "the server works on it no more")
    assert api.ask("/experiments") == []

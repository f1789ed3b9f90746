"""A store with one resource and scope in it, and the API over it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from stored import SCOPE, Api, Stored, at, serving


@pytest.fixture
def stored(database: str) -> Iterator[Stored]:
    with psycopg.connect(database, autocommit=True) as conn:
        rows = Stored(conn)
        rows.resource()
        rows.insert(
            "scopes", {"scope_id": SCOPE, "name": "crucible", "version": "1", "first_seen": at(0)}
        )
        yield rows


@pytest.fixture
def api(database: str) -> Iterator[Api]:
    with serving(database) as running:
        yield running

"""A key's name that is given again does not open what the key before had exported."""

from __future__ import annotations

import logging
import uuid
from typing import cast

import psycopg
import pytest
from psycopg.types.json import Jsonb

from crucible_collector.access.principal import Principal
from crucible_collector.access.scopes import rule_of
from crucible_collector.access.within import require_within
from crucible_collector.errors import ForbiddenError
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.migrate import migrate
from crucible_collector.store.read import Reader, Reads


def test_an_export_is_for_a_key_of_its_name_and_of_its_experiment(plain_database: str) -> None:
    requests = {1: {"experiment": "team-a-1"}, 2: {"experiment": "team-b-1"}, 3: {}}
    migrate(plain_database, logging.getLogger("test"))
    with psycopg.connect(plain_database, autocommit=True) as conn:
        for number, request in requests.items():
            conn.execute(
                "insert into crucible.jobs (job_id, kind, collector, asked_by, request)"
                " values (%s, 'export', 'here', 'ci', %s)",
                (uuid.UUID(int=number), Jsonb(request)),
            )

    with reader_pool(plain_database) as pool:
        reads = cast("Reads", Reader(pool))

        def ask(name: str, number: int) -> None:
            principal = Principal(name, frozenset({"read"}), "team-a-")
            ruled = rule_of("GET", f"/api/v1/exports/{uuid.UUID(int=number)}")
            require_within(reads, principal, ruled, "", None)

        ask("ci", 1)
        for name, number in (("ci", 2), ("ci", 3), ("ci", 4), ("other", 1)):
            with pytest.raises(ForbiddenError):
                ask(name, number)

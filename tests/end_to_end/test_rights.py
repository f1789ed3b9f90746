"""A collector does its work with no more rights than its role gives it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from psycopg import conninfo

from crucible_collector.store.roles import OWNER, WRITER
from databases import TestServer
from delivered import assert_each_once, assert_ledger_adds_up
from harness import collector, eventually
from traffic import Sender


@pytest.mark.parametrize("role", [OWNER, WRITER])
def test_a_collector_with_a_roles_rights_stores_and_keeps_up_what_it_stores(
    tmp_path: Path, any_server: TestServer, role: str
) -> None:
    with any_server.database() as dsn:
        acting = conninfo.make_conninfo(dsn, options=f"-c role={role}")
        with collector(tmp_path / "data", acting) as running:
            sender = Sender(running.addresses["grpc"], pause_s=0.02).start()
            eventually(lambda: len(sender.acknowledged) > 500, "some spans are acknowledged")
            sender.stop()
            assert_each_once(dsn, sender.acknowledged)
            assert_ledger_adds_up(running)
            assert running.get("/api/v1/runs")["data"][0]["run_id"] == "run-1"
            log = running.log_path.read_text()
        assert not re.search(r"ERROR|maintenance (failed|waits)|did not take", log), log
        may_not = [line for line in log.splitlines() if "the user may not make it" in line]
        assert bool(may_not) == (role == WRITER and any_server.kind == "plain"), log

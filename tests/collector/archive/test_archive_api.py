"""Archives over REST: begun, followed, brought back; by a real collector's parts on a real socket."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

import archived
from archived import contents
from crucible_collector.api import api_server, create_app
from crucible_collector.api.archives import Archive
from crucible_collector.api.models import One, Page
from crucible_collector.archive.archives import Archives
from crucible_collector.jobs import Jobs
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from harness import eventually
from stored import Health

PATH = "/api/v1/archives"


@contextmanager
def archiving(dsn: str, url: str | None) -> Iterator[httpx.Client]:
    jobs = Jobs(lambda: dsn, "test")
    with reader_pool(dsn) as pool:
        app = create_app(Reader(pool), Health(), archiving=Archives(lambda: dsn, jobs, url))
        server = api_server(app, stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        try:
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
                yield client
        finally:
            server.stop()
            jobs.stop()


def asked(client: httpx.Client, archive_id: str) -> dict[str, Any]:
    answer = client.get(f"{PATH}/{archive_id}")
    assert answer.status_code == 200, answer.text
    TypeAdapter(One[Archive]).validate_json(answer.content, strict=True)
    data: dict[str, Any] = answer.json()["data"]
    return data


def ended(client: httpx.Client, archive_id: str) -> dict[str, Any]:
    """The archive once its job is over."""

    def over() -> dict[str, Any] | None:
        found = asked(client, archive_id)
        return found if found["job"] and found["job"]["state"] != "running" else None

    found: dict[str, Any] = eventually(over, "the job is over")
    return found


def test_an_experiment_is_put_away_dropped_and_brought_back(database: str, tmp_path: Path) -> None:
    with archived.filled(database):
        pass
    before = contents(database)
    with archiving(database, tmp_path.as_uri()) as client:
        answer = client.post(PATH, json={"experiment": "sweep", "drop": True})
        assert answer.status_code == 202, answer.text
        archive = answer.json()["data"]["archive_id"]
        dropped = ended(client, archive)
        assert (dropped["state"], dropped["error"]) == ("dropped", None)
        assert dropped["dropped_count"] == sum(
            dropped["row_counts"][relation] for relation in archived.BY_TIME
        )
        assert dropped["request"] == {"experiment": "sweep", "relations": list(archived.BY_TIME)}
        for action in ("verify", "restore"):
            assert client.post(f"{PATH}/{archive}/{action}").status_code == 202
            found = ended(client, archive)
            assert found["error"] is None
        assert found["state"] == "restored"
        assert found["restored_count"] == dropped["dropped_count"]
        listed = client.get(PATH)
        TypeAdapter(Page[Archive]).validate_json(listed.content, strict=True)
        assert [each["archive_id"] for each in listed.json()["data"]] == [archive]
        assert client.post(f"{PATH}/{archive}/cancel").json()["data"]["state"] == "restored"
    assert contents(database) == before


def test_what_cannot_be_is_refused_with_the_reason(plain_database: str, tmp_path: Path) -> None:
    with archived.filled(plain_database):
        pass
    nobody = uuid.uuid4()
    with archiving(plain_database, None) as client:
        answer = client.post(PATH, json={"experiment": "sweep"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_settings")
        assert "archive_url is not set" in answer.json()["error"]["message"]
    with archiving(plain_database, tmp_path.as_uri()) as client:
        for body, message in (
            ({}, "expected one of experiment"),
            ({"experimnt": "x"}, "experimnt: there is no such key"),
            ({"from": "2026-11-02", "to": "2026-11-01"}, "expected `from` before `to`"),
            ({"relations": ["runs"]}, "relations.0: "),
        ):
            answer = client.post(PATH, json=body)
            assert answer.status_code == 422
            assert message in answer.json()["error"]["message"]
        for action in ("resume", "verify", "drop", "restore"):
            answer = client.post(f"{PATH}/{nobody}/{action}")
            assert answer.status_code == 409, (action, answer.text)
            assert str(nobody) in answer.json()["error"]["message"]
        assert client.get(f"{PATH}/{nobody}").status_code == 404
        assert client.get(f"{PATH}/one").status_code == 422
        answer = client.post(PATH, json={"experiment": "none"})
        empty = ended(client, answer.json()["data"]["archive_id"])
        assert (empty["state"], empty["job"]["state"]) == ("failed", "failed")
        assert "no row is of what was asked for" in empty["error"]


@pytest.mark.parametrize("place", ["s3://bucket/x?X-Amz-Signature=5ecre7", "ftp://host/x"])
def test_a_place_that_cannot_be_is_told_without_its_secrets(
    plain_database: str, place: str
) -> None:
    with archiving(plain_database, place) as client:
        answer = client.post(PATH, json={"experiment": "sweep"})
    assert answer.status_code == 422
    assert "5ecre7" not in answer.text

"""Keys while their database is away, and what has no end when its key has one."""

from __future__ import annotations

import threading
from pathlib import Path

import grpc
import httpx
import pytest

from collector.access.test_keys_in_use import client, code_of, key_of, post, request_of, send
from crucible_collector.access import making
from harness import collector
from proxy import PostgresProxy


def test_keys_that_were_known_hold_through_an_outage_and_none_is_let_in_before(
    tmp_path: Path, plain_database: str
) -> None:
    key = key_of(plain_database, "ingest", "read", name="trainer")
    proxy = PostgresProxy(plain_database)
    body = request_of("sweep")
    arguments = ("--require-keys", "--stop-grace-s", "0")
    with collector(tmp_path / "data", proxy.dsn_through, *arguments) as running:
        send(running, body, key)
        proxy.close()
        send(running, body, key)
        assert post(running, body, key).status_code == 200
        assert post(running, body, f"ct_abcdefgh_{'x' * 43}").status_code == 401
        running.kill()
        running.start()
        with pytest.raises(grpc.RpcError) as error:
            send(running, body, key)
        assert code_of(error) is grpc.StatusCode.UNAVAILABLE
        answer = post(running, body, key)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        with client(running, key) as asking:
            assert asking.get("/api/v1/runs").status_code == 503
        assert post(running, body, None).status_code == 401
        assert "API keys are in the database, which is away" in running.log()


def test_what_is_streamed_ends_with_the_key(tmp_path: Path, plain_database: str) -> None:
    key = key_of(plain_database, "read", name="watcher")
    ended = threading.Event()
    with collector(tmp_path / "data", plain_database, "--require-keys") as running:

        def listen() -> None:
            with (
                client(running, key) as asking,
                asking.stream("GET", "/api/v1/anomalies/stream") as answer,
            ):
                for _ in answer.iter_bytes():
                    begun.set()
            ended.set()

        begun = threading.Event()
        listening = threading.Thread(target=listen)
        listening.start()
        assert begun.wait(20)
        making.revoke(plain_database, "watcher", "test")
        assert ended.wait(20), "the stream went on"
        listening.join()


def test_pages_of_named_origins_alone_may_ask_and_only_with_a_key_of_their_own(
    tmp_path: Path, plain_database: str
) -> None:
    key = key_of(plain_database, "read", name="lab")
    arguments = ("--require-keys", "--cors-origins", "https://lab.example")
    asks = {
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    with collector(tmp_path / "data", plain_database, *arguments) as running:
        url = f"{running.api}/api/v1/runs"
        known, other = ({"origin": f"https://{name}.example"} for name in ("lab", "other"))
        before = httpx.options(url, headers={**known, **asks})
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == "https://lab.example"
        assert "access-control-allow-credentials" not in before.headers
        assert (
            "access-control-allow-origin"
            not in httpx.options(url, headers={**other, **asks}).headers
        )
        told = httpx.get(url, headers={**known, "authorization": f"Bearer {key}"})
        assert told.status_code == 200
        assert told.headers["access-control-allow-origin"] == "https://lab.example"
        unkeyed = httpx.get(url, headers=known)
        assert unkeyed.status_code == 401
        assert unkeyed.json()["error"]["code"] == "unauthenticated"

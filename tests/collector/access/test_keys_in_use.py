"""Collectors that ask for keys: over gRPC, HTTP and REST, with TLS, as clients meet them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
import psycopg
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from crucible_collector.access import making
from crucible_collector.access.making import Wanted
from crucible_collector.cli import main
from harness import Collector, collector, eventually

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def request_of(
    *experiments: str, run: str = "run-1", count: int = 1, run_id: str | None = None
) -> bytes:
    """A request with spans of these experiments, all of one run or each of one of its own."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, experiment in enumerate(experiments * count):
        now = time.time_ns()
        span = spans.add(
            trace_id=number.to_bytes(8) + now.to_bytes(8),
            span_id=(number + 1).to_bytes(8),
            name=f"of {experiment}",
            start_time_unix_nano=now,
            end_time_unix_nano=now,
        )
        span.attributes.add(key="crucible.experiment.id").value.string_value = experiment
        span.attributes.add(key="crucible.run.id").value.string_value = (
            run_id or f"{experiment}/{run}"
        )
    return request.SerializeToString()


def send(
    running: Collector,
    body: bytes,
    key: str | None,
    credentials: grpc.ChannelCredentials | None = None,
) -> ExportTraceServiceResponse:
    """Over gRPC; raises grpc.RpcError."""
    address = running.addresses["grpc"]
    channel = (
        grpc.insecure_channel(address)
        if credentials is None
        else grpc.secure_channel(address, credentials)
    )
    metadata = () if key is None else (("authorization", f"Bearer {key}"),)
    with channel:
        export: Any = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
        answer: ExportTraceServiceResponse = export(body, timeout=20, metadata=metadata)
    return answer


def post(
    running: Collector,
    body: bytes,
    key: str | None,
    also: Mapping[str, str] | None = None,
    **settings: Any,
) -> httpx.Response:
    """Over HTTP, with other headers, too."""
    headers = {"content-type": "application/x-protobuf", **(also or {})}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    url = f"{running.addresses['http']}/v1/traces"
    return httpx.post(url, content=body, headers=headers, timeout=20, **settings)


def key_of(dsn: str, *scopes: str, name: str = "", **wanted: Any) -> str:
    return making.make(dsn, Wanted(name or "-".join(scopes), scopes, **wanted), "test").key


def client(running: Collector, key: str | None = None, **settings: Any) -> httpx.Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=running.api, headers=headers, timeout=20, **settings)


def code_of(error: pytest.ExceptionInfo[grpc.RpcError]) -> grpc.StatusCode:
    found: grpc.StatusCode = error.value.code()
    return found


@pytest.fixture
def keyed(tmp_path: Path, plain_database: str) -> Iterator[Collector]:
    with collector(tmp_path / "data", plain_database, "--require-keys") as running:
        yield running


def test_without_a_key_nothing_is_taken_told_or_changed_but_probes_and_the_page_answer(
    keyed: Collector,
) -> None:
    body = request_of("sweep")
    with pytest.raises(grpc.RpcError) as error:
        send(keyed, body, None)
    assert code_of(error) is grpc.StatusCode.UNAUTHENTICATED
    answer = post(keyed, body, None)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    with client(keyed) as asking:
        for path in ("/api/v1/runs", "/api/v1/no/such", "/metrics", "/api/v1/keys"):
            refused = asking.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["error"]["code"] == "unauthenticated"
        for path in ("/", "/docs", "/assets/page.js", "/healthz", "/openapi.json"):
            assert asking.get(path).status_code == 200, path


def test_each_scope_opens_what_it_is_for_and_nothing_else(
    keyed: Collector, plain_database: str
) -> None:
    keys = {scope: key_of(plain_database, scope) for scope in ("ingest", "read", "write", "admin")}
    may = {}
    for scope, key in keys.items():
        with client(keyed, key) as asking:
            may[scope] = {
                "otlp": post(keyed, request_of("sweep"), key).status_code == 200,
                "events": asking.post("/api/v1/telemetry/events", json={"events": []}).status_code
                == 202,
                "read": asking.get("/api/v1/runs").status_code == 200,
                "metrics": asking.get("/metrics").status_code == 200,
                "write": asking.delete(
                    f"/api/v1/anomalies/scan/{'0' * 8}-0000-4000-8000-{'0' * 12}"
                ).status_code
                == 404,
                "admin": asking.get("/api/v1/keys").status_code == 200,
            }
    nothing = dict.fromkeys(("otlp", "events", "read", "metrics", "write", "admin"), False)
    assert may == {
        "ingest": {**nothing, "otlp": True, "events": True},
        "read": {**nothing, "read": True, "metrics": True},
        "write": {**nothing, "write": True},
        "admin": dict.fromkeys(nothing, True),
    }
    send(keyed, request_of("sweep"), keys["ingest"])
    with pytest.raises(grpc.RpcError) as error:
        send(keyed, request_of("sweep"), keys["read"])
    assert code_of(error) is grpc.StatusCode.PERMISSION_DENIED


def test_a_key_that_is_revoked_or_over_is_good_for_nothing_within_seconds(
    keyed: Collector, plain_database: str
) -> None:
    key = key_of(plain_database, "ingest", "read", name="leaked")
    body = request_of("sweep")
    assert post(keyed, body, key).status_code == 200
    making.revoke(plain_database, "leaked", "test")
    began = time.monotonic()
    eventually(lambda: post(keyed, body, key).status_code == 401, "it is revoked")
    assert time.monotonic() - began < 5
    with pytest.raises(grpc.RpcError) as error:
        send(keyed, body, key)
    assert code_of(error) is grpc.StatusCode.UNAUTHENTICATED
    with psycopg.connect(plain_database, autocommit=True) as conn:
        other = key_of(plain_database, "ingest", name="short")
        assert post(keyed, body, other).status_code == 200
        conn.execute("update crucible.api_keys set expires_at = now() where name = 'short'")
    eventually(lambda: post(keyed, body, other).status_code == 401, "it is over")


def test_a_key_for_some_experiments_puts_in_and_gets_out_nothing_of_others(
    keyed: Collector, plain_database: str
) -> None:
    everything = key_of(plain_database, "ingest", "read", name="all")
    mine = key_of(plain_database, "ingest", "read", name="team-a", experiment_prefix="team-a-")
    assert send(keyed, request_of("team-b-1"), everything).partial_success.rejected_spans == 0
    mixed = send(keyed, request_of("team-a-1", "team-b-2"), mine).partial_success
    assert mixed.rejected_spans == 1
    assert "the API key is for experiments whose id begins otherwise" in mixed.error_message
    assert post(keyed, request_of("team-a-2"), mine).status_code == 200

    with client(keyed, everything) as asking:
        eventually(
            lambda: len(asking.get("/api/v1/runs").json()["data"]) == 3, "three runs are there"
        )
    with client(keyed, mine) as asking:
        runs = asking.get("/api/v1/runs").json()["data"]
        assert {run["experiment_id"] for run in runs} == {"team-a-1", "team-a-2"}
        listed = asking.get("/api/v1/experiments").json()["data"]
        assert {each["experiment_id"] for each in listed} == {"team-a-1", "team-a-2"}
        told = {
            path: asking.get(f"/api/v1{path}").status_code
            for path in (
                "/events?experiment=team-a-1",
                "/events?run=team-a-1%2Frun-1",
                "/runs/team-a-1%2Frun-1",
                "/experiments/team-a-1",
                "/events",
                "/events?experiment=team-b-1",
                "/events?experiment=team-a-1&experiment=team-b-1",
                "/events?experiment=team-a-1,team-b-1",
                "/events?run=team-b-1%2Frun-1",
                "/runs/team-b-1%2Frun-1",
                "/runs/team-a-no-such-run",
                "/experiments/team-b-1",
                "/ledger",
                "/ledger?experiment=team-a-1",
                "/traces/5b8efff798038103d269b633813fc60c",
                "/series/0f3c9a7be2d14c55/points",
            )
        }
        refused = asking.get("/api/v1/events")
    assert [status for status in told.values() if status == 200] == [200] * 4
    assert list(told.values())[:4] == [200] * 4
    assert set(list(told.values())[4:]) == {403}, told
    assert "give the experiment" in refused.json()["error"]["message"]
    with client(keyed, everything) as asking:
        ledger = {row["signal"]: row for row in asking.get("/api/v1/ledger").json()["data"]}
    assert ledger["spans"]["rejected_by_reason"] == {"foreign_experiment": 1}


def test_a_key_for_some_experiments_tells_nothing_of_others_runs(
    keyed: Collector, plain_database: str
) -> None:
    everything = key_of(plain_database, "ingest", "read", name="all")
    mine = key_of(plain_database, "ingest", "read", name="team-a", experiment_prefix="team-a-")
    path, own = "/api/v1/runs/team-b-1%2Frun-1", "/api/v1/runs/team-a-1%2Frun-1"
    send(keyed, request_of("team-b-1"), everything)
    with client(keyed, everything) as asking:
        eventually(lambda: asking.get(path).status_code == 200, "the run is there")
        for _ in range(2):
            answer = send(keyed, request_of("team-a-1", run_id="team-b-1/run-1"), mine)
            assert answer.partial_success.rejected_spans == 1
            assert "and for their runs" in answer.partial_success.error_message
            answer = send(keyed, request_of("team-a-1"), mine)
            assert answer.partial_success.rejected_spans == 0
            eventually(lambda: asking.get(own).status_code == 200, "the own run is there")
        assert asking.get(path).json()["data"]["experiment_id"] == "team-b-1"

        def count_of(run: str) -> int:
            return len(asking.get("/api/v1/events", params={"run": run}).json()["data"])

        eventually(lambda: count_of("team-a-1/run-1") == 2, "both own events are there")
        assert count_of("team-b-1/run-1") == 1
    with client(keyed, mine) as asking:
        assert asking.get(path).status_code == 403


def test_rates_refuse_whole_requests_and_tell_when_to_come_back(
    tmp_path: Path, plain_database: str
) -> None:
    limits = ("--spans-per-s-max", "10", "--requests-per-minute-max", "3")
    with collector(tmp_path / "data", plain_database, *limits) as running:
        # Fifty are five seconds' worth; a request that is larger passes when all of that is there.
        send(running, request_of("sweep", count=60), None)
        with pytest.raises(grpc.RpcError) as error:
            send(running, request_of("sweep", count=5), None)
        assert code_of(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers: dict[str, Any] = dict(cast("Any", error.value).trailing_metadata())
        info = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
        assert 0 < info.retry_delay.seconds + info.retry_delay.nanos / 1e9 < 3
        answer = post(running, request_of("sweep", count=5), None)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        with client(running) as asking:
            first = asking.get("/api/v1/runs")
            assert first.headers["ratelimit-policy"] == '"requests";q=3;w=60'
            assert first.headers["ratelimit"].startswith('"requests";r=2;')
            statuses = [asking.get("/api/v1/runs").status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
            refused = asking.get("/api/v1/runs")
            assert refused.json()["error"]["code"] == "rate_limited"
            assert 1 <= int(refused.headers["retry-after"]) <= 20
            assert asking.get("/healthz").status_code == 200
        with psycopg.connect(plain_database) as conn:
            eventually(
                lambda: conn.execute("select count(*) from crucible.spans").fetchone() == (60,),
                "what was let in is stored",
            )


def test_who_changed_what_is_written_down_without_secrets(
    keyed: Collector, plain_database: str
) -> None:
    key = key_of(plain_database, "admin", name="boss")
    with client(keyed, key) as asking:
        made = asking.post(
            "/api/v1/keys", json={"name": "ci", "scopes": ["ingest"], "expires": "90d"}
        )
        assert made.status_code == 201, made.text
        secret = made.json()["data"]["key"]
        assert post(keyed, request_of("sweep"), secret).status_code == 200
        hook = {"name": "chat", "url": "https://chat.example/very-secret-value"}
        settings = {"webhooks": [hook], "changed_by": "ada", "reason": "they asked for it"}
        put = asking.put("/api/v1/anomalies/settings", json=settings)
        assert put.status_code == 200, put.text
        assert asking.delete("/api/v1/keys/ci").status_code == 200
        assert asking.delete("/api/v1/keys/ci").status_code == 404
        listed = asking.get("/api/v1/keys").json()["data"]
        assert {each["name"]: each["state"] for each in listed} == {
            "boss": "valid",
            "ci": "revoked",
        }
        page = asking.get("/api/v1/audit", params={"limit": 2}).json()
        rest = asking.get("/api/v1/audit", params={"cursor": page["meta"]["next_cursor"]}).json()
    found = page["data"] + rest["data"]
    told = [(row["who"], row["method"], row["path"], row["status"]) for row in found]
    assert told == [
        ("boss", "DELETE", "/api/v1/keys/ci", 200),
        ("boss", "PUT", "/api/v1/anomalies/settings", 200),
        ("boss", "POST", "/api/v1/keys", 201),
    ]
    assert found[1]["summary"] == {
        "fields": ["changed_by", "reason", "webhooks"],
        "changed_by": "ada",
        "reason": "they asked for it",
    }
    assert {row["address"] for row in found} == {"127.0.0.1"}
    assert secret not in json.dumps(found)
    assert "very-secret-value" not in json.dumps(found)


def test_the_page_keeps_its_key_as_a_cookie_and_changes_things_only_from_itself(
    keyed: Collector, plain_database: str
) -> None:
    key = key_of(plain_database, "admin", name="boss")
    own, foreign = {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site"}
    with client(keyed) as page:
        assert page.post("/api/v1/session", json={"key": "ct_no"}).status_code == 401
        assert page.post("/api/v1/session", json={"key": key}, headers=foreign).status_code == 403
        begun = page.post("/api/v1/session", json={"key": key}, headers=own)
        assert begun.json()["data"]["name"] == "boss"
        cookie = begun.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert "secure" not in cookie
        assert page.get("/api/v1/runs").status_code == 200
        wanted = {"name": "x", "scopes": ["read"]}
        for headers in ({}, foreign, {"origin": "https://elsewhere.example"}):
            assert page.post("/api/v1/keys", json=wanted, headers=headers).status_code == 403
        assert page.post("/api/v1/keys", json=wanted, headers=own).status_code == 201
        assert page.delete("/api/v1/session", headers=own).status_code == 204
        assert page.get("/api/v1/runs").status_code == 401


def test_keys_are_made_listed_and_revoked_by_command_and_the_audit_tells_of_it(
    plain_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        code = main([*arguments, "--database-url", plain_database])
        return code, capsys.readouterr().out

    create = ("keys", "create", "--name", "ci", "--scopes", "ingest,read", "--expires", "1h")
    code, key = run(*create, "--rate", "spans_per_s_max=9")
    assert code == 0
    assert key.startswith("ct_")
    assert run(*create)[0] == 2
    assert run("keys", "create", "--name", "x", "--scopes", "read", "--rate", "spans=1")[0] == 2
    assert key.strip() not in run("keys", "list")[1]
    (listed,) = json.loads(run("keys", "list", "--json")[1])
    assert listed["scopes"] == ["ingest", "read"]
    assert listed["spans_per_s_max"] == 9
    assert run("keys", "revoke", "ci")[1].startswith("revoked ")
    assert run("keys", "revoke", "ci")[0] == 1
    with psycopg.connect(plain_database) as conn:
        told = conn.execute("select method, path, summary, who from crucible.audit").fetchall()
    assert [row[:2] for row in told] == [("COMMAND", "keys create"), ("COMMAND", "keys revoke")]
    assert all(row[3].startswith("cli") for row in told)
    assert key.strip() not in json.dumps([row[2] for row in told])


def test_a_key_is_made_before_the_collectors_own_database_was_ever_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    assert (
        main(["keys", "create", "--name", "a", "--scopes", "ingest", "--data-dir", str(data)]) == 0
    )
    key = capsys.readouterr().out.strip()
    with collector(data, None, "--require-keys") as running:
        assert post(running, request_of("sweep"), key).status_code == 200

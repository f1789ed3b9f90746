"""Whatever does not work is answered in one shape, and says what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client import CONTENT_TYPE_LATEST

from crucible_collector import metrics
from crucible_collector.api import ComponentStatus, api_server, create_app
from crucible_collector.api.models import Failure
from crucible_collector.errors import (
    AnswerTooLargeError,
    DatabaseAwayError,
    QueriesTooManyError,
    QueryTooSlowError,
)
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from databases import TestServer
from stored import Api, Health, serving


@pytest.fixture(scope="module")
def api(plain_server: TestServer) -> Iterator[Api]:
    """One for all of these tests: none of them needs a row."""
    with plain_server.database() as dsn, serving(dsn) as running:
        yield running


def _error(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    return Failure.model_validate_json(response.content, strict=True).error.model_dump()


@pytest.mark.parametrize(
    ("path", "parameters", "parameter"),
    [
        ("/runs", {"limit": "0"}, "limit"),
        ("/runs", {"limit": "1001"}, "limit"),
        ("/runs", {"limit": "many"}, "limit"),
        ("/runs", {"limit": "9" * 5000}, "limit"),
        ("/runs", {"status": "finished"}, "status"),
        ("/runs", {"experimnt": "sweep"}, "experimnt"),
        ("/runs", {"experiment": "a\0b"}, "experiment"),
        ("/runs", {"experiment": "x" * 1025}, "experiment"),
        ("/runs/a%00b", {}, "run_id"),
        ("/runs/a/series/b%00", {}, "metric"),
        ("/runs/a/series/b", {"rank": "-1"}, "rank"),
        ("/runs/a/series/b", {"from_step": str(1 << 63)}, "from_step"),
        ("/events", {"from": "yesterday"}, "from"),
        ("/events", {"from": "2026-13-01"}, "from"),
        ("/events", {"from": "0001-01-01T00:00:00+23:59"}, "from"),
        ("/events", {"to": "2026-11-23T25:00:00Z"}, "to"),
        ("/events", {"to": "2026-11-23+01:00"}, "to"),
        ("/events", {"to": ""}, "to"),
        ("/events", {"trace": "7"}, "trace"),
        ("/events", {"status": "2"}, "status"),
        ("/logs", {"severity": "25"}, "severity"),
        ("/logs", {"severity": "²"}, "severity"),
        ("/traces/xyz", {}, "trace_id"),
        ("/correlations/a%00", {}, "correlation_id"),
        ("/series/-1", {}, "series_id"),
        ("/series/12345678901234567", {}, "series_id"),
    ],
)
def test_a_bad_parameter_is_named(
    api: Api, path: str, parameters: dict[str, str], parameter: str
) -> None:
    response = api.client.get(f"/api/v1{path}", params=parameters)
    assert response.status_code == 422
    error = _error(response)
    assert error["code"] == "invalid_parameter"
    assert [each["parameter"] for each in error["details"]] == [parameter]
    assert error["message"].startswith(f"{parameter}: ")


PAGED = [
    "/runs",
    "/experiments",
    "/events",
    "/logs",
    "/series",
    "/runs/x/series/loss",
    "/series/1/points",
    "/traces/5b8efff798038103d269b633813fc60c",
    "/correlations/x",
]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "A" * 1000,
        "bnVsbA",  # null
        "WzAsIngiLCJ5IiwieiIsImEiLCJiIl0",  # five texts
        "WzAsIngiLCJ5IiwieiJd",  # [0,"x","y","z"]
        "WzAsIngiLCJ5Il0",  # [0,"x","y"]
        "WzAsIngiXQ",  # [0,"x"]
        "WzAsIjIwMjYtMTMtMDFUMDA6MDA6MDAuMDAwMDAwMDAwWiJd",  # a month 13
        "WzAsIlx1MDAwMCJd",  # NUL
        "WzAsIlx1ZDgwMCJd",  # half a surrogate pair
        "Wy0xLCJ4Il0",  # [-1,"x"]
        "W1tbW1tbW1tbW1s",
    ],
)
def test_a_cursor_that_a_list_did_not_give_is_refused(api: Api, cursor: str) -> None:
    for path in PAGED:
        response = api.client.get(f"/api/v1{path}", params={"cursor": cursor})
        assert (path, response.status_code) == (path, 422)
        assert _error(response)["details"][0]["parameter"] == "cursor"


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1", "/assets/../app.py"])
def test_an_address_that_is_not_there_is_answered_in_the_one_shape(api: Api, path: str) -> None:
    response = api.client.get(path)
    assert response.status_code == 404
    assert _error(response)["code"] == "not_found"


def test_another_method_than_get_is_answered_in_the_one_shape(api: Api) -> None:
    response = api.client.post("/api/v1/runs", content=b"{}")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert _error(response)["code"] == "method_not_allowed"


class Broken:
    """A database that fails as it is told."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def json_rows(self, _question: str, /, **_parameters: object) -> list[str]:
        raise self.failure

    def array_rows(self, _question: str, _made_of: object, /, **_parameters: object) -> list[Any]:
        raise self.failure


def _answer_of(failure: Exception, path: str) -> httpx.Response:
    server = api_server(create_app(Broken(failure), Health()), stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    try:
        return httpx.get(f"http://{host}:{port}{path}")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DatabaseAwayError("the database does not answer"), "database_away"),
        (QueryTooSlowError("the query 'runs' ran into its time limit"), "query_too_slow"),
        (QueriesTooManyError("8 questions are being asked"), "too_many_questions"),
    ],
)
def test_what_may_work_later_says_when_to_come_back(failure: Exception, code: str) -> None:
    response = _answer_of(failure, "/api/v1/runs")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert _error(response)["code"] == code


def test_an_answer_that_is_too_large_is_to_be_asked_for_in_parts() -> None:
    failure = AnswerTooLargeError("the answer is larger than 33554432 bytes: 7 rows are not")
    response = _answer_of(failure, "/api/v1/runs")
    assert response.status_code == 422
    error = _error(response)
    assert error["code"] == "answer_too_large"
    assert error["message"].endswith("a smaller `limit` helps")


def test_an_error_of_our_own_is_counted_and_logged_and_tells_nothing_of_the_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = metrics.UNCAUGHT_ERRORS.labels("api")._value.get()
    with caplog.at_level(logging.ERROR):
        response = _answer_of(RuntimeError("secret"), "/api/v1/runs")
    assert response.status_code == 500
    assert _error(response)["code"] == "internal_error"
    assert "secret" not in response.text
    assert metrics.UNCAUGHT_ERRORS.labels("api")._value.get() == before + 1
    assert "uncaught error in GET /api/v1/runs" in caplog.text


def test_answers_come_again_when_the_database_has_cut_every_connection(
    plain_database: str,
) -> None:
    with serving(plain_database) as api, psycopg.connect(plain_database, autocommit=True) as conn:
        assert api.ask("/runs") == []
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        assert api.ask("/runs") == []


def test_a_query_that_runs_into_its_time_limit_is_503(plain_database: str) -> None:
    with reader_pool(plain_database) as pool, psycopg.connect(plain_database) as conn:
        conn.execute("lock table crucible.runs in access exclusive mode")
        pool.resize(1)
        with pool.connection() as only_one:
            only_one.execute("set statement_timeout = '50ms'")
        with pytest.raises(QueryTooSlowError, match="'run'"):
            Reader(pool).json_rows("run", run="x")


def test_a_database_that_is_gone_is_503_and_the_collector_stays_alive(
    plain_server: TestServer,
) -> None:
    with serving(plain_server.dsn("nobody_made_this")) as api:
        response = api.client.get("/api/v1/runs")
        assert response.status_code == 503
        assert _error(response)["code"] == "database_away"
        assert api.client.get("/healthz").status_code == 200


def test_healthz_stays_200_while_readyz_names_what_is_not_ready(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.client.get("/readyz").json()["data"] == {
        "database": {"is_ready": True, "detail": "18.6"}
    }
    away = {"database": ComponentStatus(is_ready=False, detail="starting")}
    monkeypatch.setattr(api.health, "components", away)
    assert api.client.get("/healthz").status_code == 200
    response = api.client.get("/readyz")
    assert response.status_code == 503
    error = _error(response)
    assert (error["code"], error["message"]) == ("not_ready", "not ready: database")
    assert error["details"]["database"]["detail"] == "starting"


def test_metrics_are_handed_on_as_prometheus_text(api: Api) -> None:
    response = api.client.get("/metrics")
    assert response.headers["content-type"] == CONTENT_TYPE_LATEST
    assert response.content == api.health.text

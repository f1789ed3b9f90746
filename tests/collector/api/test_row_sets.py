"""Lists leave as JSON or as Arrow, with all of their fields or with some, and not again where they are the same."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import duckdb
import httpx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from crucible_collector.api import arrow, row_sets
from crucible_collector.api.accept import chosen
from crucible_collector.api.models import Model, Page, Time
from crucible_collector.api.row_sets import members, only
from stored import Api, Stored, at

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
NAN, INFINITY = float("nan"), float("inf")
CURVE = "/api/v1/runs/run-1/series/loss"


@pytest.fixture
def database(plain_database: str) -> str:
    """What becomes of rows that are text is the same for both kinds."""
    return plain_database


def _table(response: httpx.Response) -> pa.Table:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == ARROW
    return pa.ipc.open_stream(response.content).read_all()


def _arrow(api: Api, path: str, **parameters: Any) -> httpx.Response:
    return api.client.get(path, params=parameters, headers={"Accept": ARROW})


@pytest.fixture
def curve(stored: Stored) -> list[float | None]:
    stored.run()
    stored.series(1, "loss", run_id="run-1")
    values = [0.1, NAN, INFINITY, -INFINITY, None, 1e-300]
    stored.points(1, values)
    return values


def test_pandas_polars_and_duckdb_read_an_answer_as_it_was_stored(
    api: Api, curve: list[float | None]
) -> None:
    response = _arrow(api, CURVE)
    table = _table(response)
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert table.schema.field("step").type == pa.int64()
    assert table["value"].null_count == 1
    frame: pd.DataFrame = table.to_pandas()
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert list(frame["step"]) == list(range(len(curve)))
    series = pl.read_ipc_stream(response.content)["value"]
    assert [repr(value) for value in series] == [repr(value) for value in curve]
    with duckdb.connect() as asked:
        asked.register("answer", table)
        found = asked.execute("select value from answer order by step").fetchall()
    assert [repr(value) for (value,) in found] == [repr(value) for value in curve]


def test_arrow_has_the_rows_that_json_has(stored: Stored, api: Api) -> None:
    stored.span(
        name="crucible_train.epoch",
        duration_ns=1500,
        attributes={"a": 1.0, "deep": {"list": [1, "x", None]}},
        cost_usd=NAN,
        step=(1 << 53) + 1,
    )
    stored.span(time=at(1), model="large")
    rows = api.ask("/events")
    table = _table(_arrow(api, "/api/v1/events"))
    assert set(table.column_names) == set(rows[0])
    nested = [field.name for field in table.schema if field.metadata]
    assert nested == ["attributes", "resource_attributes", "events", "links"]
    for row, told in zip(rows, table.to_pylist(), strict=True):
        for name, value in row.items():
            expected = told[name]
            if name in nested:
                expected = json.loads(expected)
            elif name == "time":
                expected = expected.isoformat().replace("+00:00", ".000000000Z")
            elif isinstance(expected, float) and math.isnan(expected):
                expected = "NaN"
            assert expected == value, name


def test_pages_go_on_in_arrow_as_in_json(api: Api, curve: list[float | None]) -> None:
    steps: list[int] = []
    response = _arrow(api, CURVE, limit=4)
    while True:
        table = _table(response)
        steps += table["step"].to_pylist()
        told = table.schema.metadata
        if told[b"has_more"] == b"false":
            break
        cursor = told[b"next_cursor"].decode()
        assert response.headers["x-next-cursor"] == cursor
        response = api.client.get(response.links["next"]["url"], headers={"Accept": ARROW})
    assert steps == list(range(len(curve)))
    assert "link" not in response.headers
    following = api.client.get(CURVE, params={"limit": 4}).links["next"]["url"]
    assert [row["step"] for row in api.client.get(following).json()["data"]] == [4, 5]


def test_an_answer_without_rows_has_its_columns_all_the_same(api: Api) -> None:
    table = _table(_arrow(api, "/api/v1/runs", fields="run_id,first_seen"))
    assert (table.num_rows, table.column_names) == (0, ["run_id", "first_seen"])


def test_only_the_fields_that_are_asked_for_leave_in_that_order(stored: Stored, api: Api) -> None:
    stored.run(config={"lr": 1.0, "n": 12345678901234567890})
    rows = api.client.get("/api/v1/runs", params={"fields": "status,run_id"}).json()["data"]
    assert [list(row.items()) for row in rows] == [[("status", "running"), ("run_id", "run-1")]]
    text = api.client.get("/api/v1/runs?fields=config&fields=status").text
    assert '"config":{"n": 12345678901234567890, "lr": 1.0},"status":"running"' in text
    table = _table(_arrow(api, "/api/v1/runs", fields="status,run_id"))
    assert table.column_names == ["status", "run_id"]


def test_a_field_that_there_is_not_is_named(api: Api) -> None:
    response = api.client.get("/api/v1/runs", params={"fields": "run_id,los"})
    [problem] = response.json()["error"]["details"]
    assert (response.status_code, problem["parameter"]) == (422, "fields")
    assert "'los' is none of run_id, experiment_id" in problem["message"]


def test_what_has_no_rows_is_not_to_be_had_as_arrow(stored: Stored, api: Api) -> None:
    stored.run()
    response = _arrow(api, "/api/v1/runs/run-1")
    assert (response.status_code, response.json()["error"]["code"]) == (406, "not_acceptable")
    assert api.client.get("/api/v1/runs", headers={"Accept": "text/html"}).status_code == 406
    either = {"Accept": f"{ARROW}, */*;q=0.1"}
    assert api.client.get("/api/v1/runs/run-1", headers=either).headers["content-type"] == JSON


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON),
        ("*/*", JSON),
        (ARROW, ARROW),
        (f"{JSON};q=0.5, {ARROW}", ARROW),
        (f"{JSON}, {ARROW}", JSON),
        (f"{ARROW};q=0.9, application/*;q=0.3", ARROW),
        (f"*/*, {JSON};q=0", ARROW),
        ("APPLICATION/JSON ; Q=0.2", JSON),
        (f"{ARROW};q=0", None),
        (f"{ARROW};q=much", None),
        ("text/html", None),
    ],
)
def test_the_form_is_the_one_that_is_wanted_most(accept: str, form: str | None) -> None:
    assert chosen(accept, (JSON, ARROW)) == form


def test_what_is_the_same_is_not_sent_again(stored: Stored, api: Api) -> None:
    stored.run()
    for path in ("/api/v1/runs", "/api/v1/runs/run-1"):
        first = api.client.get(path)
        tag = first.headers["etag"]
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = api.client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert api.client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    stored.run("run-2")
    changed = api.client.get("/api/v1/runs", headers={"If-None-Match": tag})
    assert changed.status_code == 200


def test_each_form_has_a_tag_of_its_own(stored: Stored, api: Api) -> None:
    stored.run()
    answers = [
        api.client.get("/api/v1/runs"),
        api.client.get("/api/v1/runs", params={"fields": "run_id"}),
        _arrow(api, "/api/v1/runs"),
    ]
    assert len({answer.headers["etag"] for answer in answers}) == len(answers)
    assert all("Accept" in answer.headers["vary"] for answer in answers)


def test_what_is_large_is_packed_for_who_can_unpack(stored: Stored, api: Api) -> None:
    for number in range(20):
        stored.run(f"run-{number}")
    with api.client.stream("GET", "/api/v1/runs") as packed:
        assert packed.headers["content-encoding"] == "gzip"
        text = gzip.decompress(b"".join(packed.iter_raw()))
    plain = api.client.get("/api/v1/runs", headers={"Accept-Encoding": "identity"})
    assert plain.content == text
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] == packed.headers["etag"]
    assert "content-encoding" not in api.client.get("/api/v1/runs", params={"limit": 1}).headers


def test_head_is_answered_as_get_is_without_the_body(stored: Stored, api: Api) -> None:
    stored.run()
    plain = {"Accept-Encoding": "identity"}
    got = api.client.get("/api/v1/runs", headers=plain)
    head = api.client.head("/api/v1/runs", headers=plain)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    assert api.client.head("/api/v1/runs/none").status_code == 404
    assert api.client.head("/api/v1/anomalies/stream").status_code == 200


def test_options_tell_what_may_be_done(api: Api) -> None:
    for path, allowed in (
        ("/api/v1/runs", "GET, HEAD, OPTIONS"),
        ("/api/v1/experiments", "GET, HEAD, POST, OPTIONS"),
        ("/api/v1/experiments/e", "GET, HEAD, PATCH, OPTIONS"),
    ):
        response = api.client.options(path)
        assert (response.status_code, response.headers["allow"]) == (204, allowed)
        refused = api.client.delete(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


def test_members_are_cut_as_they_are_written() -> None:
    row = '{ "a" : 1.0, "b": {"c": [1e400, "}"]},"\\u00e9":"\\"","n":-0}'
    assert members(row) == {"a": "1.0", "b": '{"c": [1e400, "}"]}', "é": '"\\""', "n": "-0"}
    assert only(row, ["n", "b"]) == '{"n":-0,"b":{"c": [1e400, "}"]}}'
    assert members("{}") == {}


class _Row(Model):
    time: Time
    numbers: list[float | None]
    words: list[str]
    maps: list[dict[str, Any]]
    either: int | float | None
    mixed: int | str


def test_a_column_follows_from_what_the_model_says_of_a_field() -> None:
    found = row_sets.row_set_of(Page[_Row])
    assert found is not None
    kinds = {name: arrow.field_of(name, schema).type for name, schema in found.fields.items()}
    assert kinds == {
        "time": pa.timestamp("ns", "UTC"),
        "numbers": pa.list_(pa.float64()),
        "words": pa.list_(pa.string()),
        "maps": pa.string(),
        "either": pa.float64(),
        "mixed": pa.string(),
    }

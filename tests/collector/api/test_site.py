"""What is served beside the answers: files, headers, and the description of the API."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest

from crucible_collector.api.site import PAGE
from databases import TestServer
from stored import Api, serving


@pytest.fixture(scope="module")
def api(plain_server: TestServer) -> Iterator[Api]:
    """One for all of these tests: none of them needs a row."""
    with plain_server.database() as dsn, serving(dsn) as running:
        yield running


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/assets/page.js", "/assets/nothing.js", "/api/v1/runs", "/metrics"]
)
def test_every_answer_carries_the_policy(api: Api, path: str) -> None:
    headers = api.client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_every_file_that_a_page_names_is_served(api: Api) -> None:
    named = {"/", "/docs"}
    for file in [
        *PAGE.glob("*.html"),
        *(each for each in PAGE.rglob("*.js") if "vendor" not in each.parts),
    ]:
        text = file.read_text()
        named |= set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', text))
        for name in re.findall(r'(?:from |import\()"(\.[^"]+)"', text):
            named.add(f"/assets/{(file.parent / name).resolve().relative_to(PAGE)}")
    assert len(named) > 30
    for path in named:
        assert (path, api.client.get(path).status_code) == (path, 200)


def test_no_file_of_ours_names_another_host() -> None:
    for file in PAGE.rglob("*"):
        if file.is_file() and "vendor" not in file.parts:
            hosts = set(re.findall(r"https?://[^/\s\"'`]+", file.read_text()))
            assert hosts <= {"http://www.w3.org"}, file.name  # the name space of SVG


def test_what_is_vendored_comes_with_its_licence() -> None:
    assert "Permission is hereby granted" in (PAGE / "vendor" / "uPlot.LICENSE").read_text()


def test_a_browser_asks_again_for_files_and_is_told_when_they_are_the_same(api: Api) -> None:
    first = api.client.get("/assets/page.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-type"].partition(";")[0].endswith("javascript")
    again = api.client.get("/assets/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_answers_are_never_shown_from_a_cache_unasked(api: Api) -> None:
    assert api.client.get("/api/v1/runs").headers["cache-control"] == "private, no-cache"
    for path in ("/api/v1/runs/none", "/healthz", "/metrics"):
        assert api.client.get(path).headers["cache-control"] == "no-store"


STREAMS = ("/api/v1/anomalies/stream", "/api/v1/live")


def test_the_description_tells_every_question_its_answer_and_its_failures(api: Api) -> None:
    paths = api.client.get("/openapi.json").json()["paths"]
    questions = {
        path: each["get"]
        for path, each in paths.items()
        if "get" in each and path.startswith("/api/")
    }
    assert len(questions) > 40
    for path, question in questions.items():
        assert question["summary"]
        [(kind, answer), *_] = question["responses"]["200"]["content"].items()
        if path in STREAMS:
            assert kind == "text/event-stream"
        else:
            assert kind == "application/json"
            assert "$ref" in answer["schema"], path
        assert {"422", "503"} <= set(question["responses"])
        # Statistics of what never was are of nothing.
        is_of_one = "{" in path and not path.endswith("/statistics")
        assert "404" in question["responses"] or not is_of_one
        for parameter in question.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])


def test_the_page_costs_a_browser_little(api: Api) -> None:
    """All of the page's files, what is vendored included, as they are sent."""
    sent = sum(len(gzip.compress(file.read_bytes())) for file in PAGE.rglob("*") if file.is_file())
    assert sent < 300_000

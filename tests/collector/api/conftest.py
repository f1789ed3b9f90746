"""A store with one resource and scope in it, the API over it, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from stored import SCOPE, Api, Stored, at, serving, stop_serving
from visits import CHROMIUM_FLAGS, CHROMIUM_VARIABLE, TIMEOUT_MS, Visit, chromium

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session", autouse=True)
def _servers() -> Iterator[None]:
    yield
    stop_serving()


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real one, of the system; without it the page is not tested and the summary says so."""
    found = chromium()
    if found is None:
        pytest.skip(f"no Chromium: install it or set {CHROMIUM_VARIABLE}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser, api: Api) -> Iterator[Visit]:
    """Fails the test if the page logged an error (a breach of its policy is one) or called out."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    visited = Visit(page, str(api.client.base_url))
    page.on("console", lambda message: visited.complaints.append(message.text))
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    page.on("request", lambda request: visited.hosts.add("/".join(request.url.split("/")[:3])))
    yield visited
    context.close()
    assert visited.complaints == []
    assert visited.hosts <= {visited.origin}

"""The page of a collector that wants an API key, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from crucible_collector.access import making
from crucible_collector.access.making import Wanted
from harness import Collector, collector


@pytest.fixture
def keyed(tmp_path: Path, plain_database: str) -> Iterator[Collector]:
    with collector(tmp_path / "data", plain_database, "--require-keys") as running:
        yield running


def test_the_page_asks_for_a_key_once_and_forgets_it_when_told(
    keyed: Collector, plain_database: str, browser: Browser
) -> None:
    key = making.make(plain_database, Wanted("person", ["read"]), "test").key
    context = browser.new_context()
    page = context.new_page()
    page.goto(keyed.api)
    dialog = page.get_by_role("dialog", name="API key")
    expect(dialog).to_be_visible()
    dialog.get_by_label("API key").fill("ct_wrong")
    dialog.get_by_role("button").click()
    expect(dialog).to_contain_text("not valid")
    dialog.get_by_label("API key").fill(key)
    dialog.get_by_role("button").click()
    expect(page.locator("#live")).to_have_text("live")
    assert key not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
    cookie = next(each for each in context.cookies() if each["name"] == "crucible_key")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, False, "Strict")
    page.reload()
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    context.close()

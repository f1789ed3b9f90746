"""The view that a browser begins with, and the frame around all views, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import expect

from stored import Api, Stored, serving
from visits import Visit


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def test_it_tells_how_runs_are_and_what_was_found(stored: Stored, visit: Visit) -> None:
    for index, status in enumerate(["running", "running", "failed", "cancelled"]):
        stored.run(f"run-{index}", status=status)
    stored.period(1, run_id="run-2", metric="loss", severity="critical")
    page = visit.go()
    cards = page.locator(".card")
    expect(cards.filter(has_text="Running")).to_contain_text("2")
    expect(cards.filter(has_text="Failed")).to_contain_text("1")
    expect(cards.filter(has_text="Other")).to_contain_text("1")
    found = page.get_by_role("region", name="Recent anomalies")
    expect(found).to_contain_text("critical")
    found.get_by_role("link", name="loss").click()
    expect(page.locator("main h1")).to_contain_text("run-2")


def test_cost_of_today_is_told(stored: Stored, visit: Visit) -> None:
    call = {"time": datetime.now(UTC), "cost_usd": 1.5, "input_tokens": 1000, "model": "m"}
    stored.span(name="crucible_deployment.inference", run_id="run-1", **call)
    page = visit.go()
    expect(page.get_by_role("region", name="Cost today")).to_contain_text("$1.50")


def test_an_empty_database_says_what_to_do(visit: Visit) -> None:
    page = visit.go()
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    expect(page.get_by_text("Nothing was flagged.")).to_be_visible()
    expect(page.get_by_text("Everything is kept.")).to_be_visible()
    expect(page.get_by_text("No priced calls since midnight")).to_be_visible()


def test_every_view_of_the_navigation_opens_and_is_marked(visit: Visit) -> None:
    page = visit.go()
    links = page.get_by_role("navigation", name="Views").get_by_role("link")
    names = links.all_text_contents()
    assert names[0] == "Overview"
    for name in names:
        links.filter(has_text=name).click()
        expect(page.locator("main h1")).to_contain_text(name)
        expect(page.locator("#views [aria-current]")).to_have_text(name)
        expect(page).to_have_title(f"{name} · Crucible")
    visit.forgive_missing()  # of jobs, which this application does not have


def test_an_address_that_names_no_view_says_so(visit: Visit) -> None:
    page = visit.go("/#/nothing/here")
    expect(page.get_by_role("heading", name="No such view")).to_be_visible()

"""The search of events, in a real browser: told as they come, paused, paged and taken away."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from crucible_collector.api import api_server, create_app
from crucible_collector.api.exports import ExportRequest
from crucible_collector.export import exports as exporting
from crucible_collector.export.exports import Exports
from crucible_collector.jobs import Jobs, Progress
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from rows_of import ingest, span_of, traces
from stored import Api, Health, Stored, at, serving
from visits import TIMEOUT_MS, Visit

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
TOLD_MS = 1500  # within which a page that is not paused has asked
PAGE = 500  # rows that the view asks for at once
EXPORTS_BYTES_MAX = 10_000_000


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


@pytest.fixture
def exporting_page(
    browser: Browser, stored: Stored, plain_database: str, tmp_path: Path
) -> Iterator[Page]:
    """A page of a collector that takes events away as files: two stopped, one of them an error."""
    stored.span(name="stop", time=at(1), run_id="run-1", status_code=2)
    stored.span(name="stop", time=at(2), run_id="run-1")
    stored.span(name="start", time=at(3), run_id="run-1")
    jobs = Jobs(lambda: plain_database, "here")
    exports = Exports(
        lambda: plain_database,
        jobs,
        "here",
        tmp_path,
        bytes_max=EXPORTS_BYTES_MAX,
        keep_s=3600,
    )
    with reader_pool(plain_database) as pool:
        server = api_server(create_app(Reader(pool), Health(), exporting=exports), stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        exports.begin()
        page = browser.new_page(base_url=f"http://{host}:{port}")
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        page.close()
        server.stop()
        jobs.stop()
        exports.stop()


def _rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Events").locator("tbody tr:not([aria-hidden])")


def _count(page: Page, rows: int) -> None:
    expect(page.get_by_role("table", name="Events")).to_have_attribute(
        "aria-rowcount", str(rows + 1)
    )


def _trace(number: int) -> uuid.UUID:
    return uuid.UUID(int=number + 1)


def _search(page: Page, field: str, text: str) -> None:
    page.get_by_role("searchbox", name=field, exact=True).fill(text)
    page.keyboard.press("Enter")


def test_what_is_ingested_is_told_and_not_while_paused(
    visit: Visit, plain_database: str, tmp_path: Path
) -> None:
    with ingest(plain_database, tmp_path / "journal") as collector:
        collector.store(traces(span_of(1, "first")))
        page = visit.go("/#/events")
        _count(page, 1)
        expect(page.locator("#live")).to_have_text("live")
        collector.store(traces(span_of(2, "second")))
        _count(page, 2)
        page.get_by_role("button", name="Pause").click()
        collector.store(traces(span_of(3, "third")))
        page.wait_for_timeout(TOLD_MS)
        _count(page, 2)
        page.get_by_role("button", name="Go on").click()
        _count(page, 3)


def test_a_search_is_answered_while_paused(stored: Stored, visit: Visit) -> None:
    stored.span(name="a", run_id="run-a")
    stored.span(name="b", run_id="run-b")
    page = visit.go("/#/events")
    _count(page, 2)
    page.get_by_role("button", name="Pause").click()
    _search(page, "Run", "run-b")
    _count(page, 1)
    expect(_rows(page).first).to_contain_text("run-b")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()


def test_a_late_answer_to_the_search_before_is_not_shown(stored: Stored, visit: Visit) -> None:
    stored.span(name="a", run_id="run-a")
    stored.span(name="b", run_id="run-b")
    held: list[Route] = []
    page = visit.page

    def hold(route: Route) -> None:
        if "run=" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/v1/events?*", hold)
    visit.go("/#/events")
    expect(page.locator("main h1")).to_have_text("Events")
    page.wait_for_function("performance.getEntriesByType('resource').length > 0")
    while not held:
        page.wait_for_timeout(20)
    _search(page, "Run", "run-b")
    held.pop().continue_()
    expect(_rows(page).first).to_contain_text("run-b")
    _count(page, 1)


def test_older_events_follow_by_the_cursor_until_there_are_none(
    stored: Stored, visit: Visit
) -> None:
    stored.spans(
        [
            {"name": "work", "time": at(n), "duration_ns": 1, "trace_id": _trace(n)}
            for n in range(PAGE + 20)
        ]
    )
    page = visit.go("/#/events")
    _count(page, PAGE)
    expect(page.locator("main")).to_contain_text("and older ones")
    page.get_by_role("button", name="Older").dblclick()
    _count(page, PAGE + 20)
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    assert _rows(page).count() < 100


def test_a_question_that_failed_is_asked_again(stored: Stored, visit: Visit) -> None:
    stored.span(name="work")
    visit.page.route("**/api/v1/events?*", lambda route: route.abort(), times=1)
    _count(visit.go("/#/events"), 1)
    visit.complaints[:] = [each for each in visit.complaints if "ERR_FAILED" not in each]


def test_older_events_that_cannot_be_had_are_told_of(stored: Stored, visit: Visit) -> None:
    stored.spans(
        [
            {"name": "work", "time": at(n), "duration_ns": 1, "trace_id": _trace(n)}
            for n in range(PAGE + 1)
        ]
    )
    page = visit.go("/#/events")
    _count(page, PAGE)
    page.route("**/api/v1/events?*cursor=*", lambda route: route.abort())
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    visit.complaints[:] = [each for each in visit.complaints if "ERR_FAILED" not in each]


def test_what_a_search_says_can_be_written_is_taken(stored: Stored, visit: Visit) -> None:
    stored.span(name="old")
    page = visit.go("/#/events")
    _count(page, 1)
    for field in ("From", "To"):
        hint = page.get_by_role("searchbox", name=field, exact=True).get_attribute("placeholder")
        for written in filter(None, (hint or "").split(", ")):
            with page.expect_response(re.compile(r"/events\?")) as answer:
                _search(page, field, written)
            assert answer.value.ok, (field, written)
            _search(page, field, "")


def test_a_bad_filter_is_told_and_names_stay_text(stored: Stored, visit: Visit) -> None:
    stored.span(name=MARKUP, event_name=MARKUP, run_id=MARKUP, attributes={MARKUP: MARKUP})
    page = visit.go("/#/events?columns=time,event,run,attributes")
    expect(_rows(page).first).to_contain_text(MARKUP)
    _search(page, "Trace", "no trace")
    expect(page.get_by_role("alert")).to_contain_text("trace")
    _count(page, 0)
    _search(page, "Trace", "")
    _count(page, 1)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert page.locator("main img").count() == 0
    visit.complaints[:] = [each for each in visit.complaints if "422" not in each]


def test_an_export_is_narrowed_by_what_is_searched(exporting_page: Page) -> None:
    page = exporting_page
    page.goto("/#/events?run=run-1&event=stop&status=error")
    _count(page, 1)
    page.get_by_role("button", name="Export").click()
    file = page.get_by_role("link", name="events.parquet")
    expect(file).to_contain_text("(1 rows)")
    expect(page.locator("main")).not_to_contain_text("not narrowed")
    with page.expect_download() as download:
        file.click()
    assert download.value.suggested_filename == "events.parquet"


def test_an_export_is_cancelled(exporting_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    written = exporting._written

    def slowly(dsn: str, asked: ExportRequest, part: Path, counted: Progress) -> object:
        counted(0.5)
        assert goes_on.wait(TIMEOUT_MS / 1000)
        counted(0.6)
        return written(dsn, asked, part, counted)

    monkeypatch.setattr(exporting, "_written", slowly)
    page = exporting_page
    page.goto("/#/events")
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("progressbar", name="Export")).to_have_attribute("value", "0.5")
    page.get_by_role("button", name="Cancel").click()
    goes_on.set()
    expect(page.locator("main")).to_contain_text("The export cancelled.")
    expect(page.get_by_role("button", name="Export")).to_be_enabled()


def test_nothing_stored_says_what_to_do(visit: Visit) -> None:
    page = visit.go("/#/events")
    expect(page.locator("main")).to_contain_text("No event is stored that is like this.")

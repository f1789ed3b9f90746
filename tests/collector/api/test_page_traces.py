"""The waterfall of a trace and the story of a correlation, in a real browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from stored import Api, Stored, at, serving
from visits import Visit

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
TRACE = uuid.UUID(int=7)
MS = 10**6
STORY_PAGE = 1000  # rows of one answer, at most


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _spans(page: Page) -> Locator:
    return page.get_by_role("list", name="Spans of the trace").get_by_role("listitem")


def _story(page: Page) -> Locator:
    return page.locator(".timeline li")


def _box(bar: Locator) -> dict[str, float]:
    box = bar.bounding_box()
    assert box is not None
    return {"left": box["x"], "right": box["x"] + box["width"]}


def test_what_lies_within_a_millisecond_keeps_its_place_and_its_length(
    stored: Stored, visit: Visit
) -> None:
    root = stored.span(name="root", trace_id=TRACE, duration_ns=800_000)
    stored.span(
        name="late",
        trace_id=TRACE,
        parent_span_id=int(root, 16),
        time=at(0.0004),
        duration_ns=400_000,
    )
    page = visit.go(f"/#/traces/{TRACE.hex}")
    expect(_spans(page)).to_have_count(2)
    whole, late = _box(_spans(page).nth(0).locator(".bar-of")), _box(page.locator(".bar-of").nth(1))
    middle = (whole["left"] + whole["right"]) / 2
    assert abs(late["left"] - middle) < 3
    expect(_spans(page).nth(1)).to_contain_text("0.4 ms")
    ticks = page.locator(".timeline .axis span").all_inner_texts()
    assert len(set(ticks)) == len(ticks)


def test_a_trace_that_is_not_stored_says_so(visit: Visit) -> None:
    page = visit.go(f"/#/traces/{TRACE.hex}")
    expect(page.locator("main")).to_contain_text("No span of this trace is stored")
    visit.forgive_missing()


def test_an_id_that_cannot_be_a_trace_is_told_in_its_place(visit: Visit) -> None:
    page = visit.go("/#/traces/nonsense")
    expect(page.get_by_role("alert")).to_contain_text("trace_id")
    expect(page.locator("main h1")).to_contain_text("nonsense")
    visit.complaints[:] = [each for each in visit.complaints if "422" not in each]


def test_a_span_is_opened_with_its_attributes_events_and_links(
    stored: Stored, visit: Visit
) -> None:
    stored.span(
        name="work",
        trace_id=TRACE,
        attributes={"lr": 0.5},
        events=[{"name": "retry"}],
        links=[{"trace_id": uuid.UUID(int=9).hex}],
    )
    page = visit.go(f"/#/traces/{TRACE.hex}")
    page.get_by_role("button", name="work").press("Enter")
    card = page.get_by_role("region", name="Span work")
    expect(card).to_contain_text('"lr": 0.5')
    card.get_by_text("Events", exact=True).click()
    expect(card).to_contain_text('"retry"')
    card.get_by_text("Links", exact=True).click()
    expect(card).to_contain_text(uuid.UUID(int=9).hex)


@pytest.mark.parametrize("width", [360, 1280])
def test_what_happened_last_stays_within_the_view(stored: Stored, visit: Visit, width: int) -> None:
    stored.span(name="a-long-name-without-space-" * 5, trace_id=TRACE, duration_ns=1000 * MS)
    stored.span(name="saved", trace_id=TRACE, time=at(1))
    visit.page.set_viewport_size({"width": width, "height": 700})
    page = visit.go(f"/#/traces/{TRACE.hex}")
    expect(_spans(page)).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    track = _box(_spans(page).nth(1).locator(".track"))
    assert _box(page.locator(".point-of"))["right"] <= track["right"] + 1


def test_on_a_narrow_screen_what_is_said_of_a_bar_does_not_hide_it(
    stored: Stored, visit: Visit
) -> None:
    stored.span(name="failed", trace_id=TRACE, duration_ns=1000 * MS, status_code=2)
    visit.page.set_viewport_size({"width": 360, "height": 700})
    page = visit.go(f"/#/traces/{TRACE.hex}")
    bar, said = page.locator(".bar-of").bounding_box(), page.locator(".track small").bounding_box()
    assert bar is not None
    assert said is not None
    assert bar["y"] + bar["height"] <= said["y"]


def test_a_story_is_grouped_by_kind_and_links_its_runs_and_traces(
    stored: Stored, visit: Visit
) -> None:
    stored.run("run-1")
    of = {"correlation_id": "c-1", "duration_ns": MS}
    for index, name in enumerate(
        ("crucible_train.batch", "crucible_deployment.inference", "crucible_train.epoch")
    ):
        trace = uuid.UUID(int=index + 1)
        stored.span(name=name, time=at(index), trace_id=trace, run_id="run-1", **of)
    stored.span(name=MARKUP, time=at(4), correlation_id="c-1", trace_id=uuid.UUID(int=4))
    page = visit.go("/#/correlations/c-1")
    expect(_story(page)).to_have_count(4)
    names = page.locator(".timeline .what")
    expect(names).to_have_text(["batch", "epoch", "inference", MARKUP])
    expect(page.locator("main").get_by_role("link", name="run-1")).to_have_attribute(
        "href", "#/runs/run-1"
    )
    expect(page.locator(".point-of")).to_have_count(1)
    assert page.locator("main img").count() == 0


def test_a_long_story_says_where_it_is_cut_and_goes_on(stored: Stored, visit: Visit) -> None:
    stored.spans(
        [
            {"name": "crucible_train.batch", "time": at(n), "duration_ns": MS, "trace_id": TRACE}
            | {"correlation_id": "c-1"}
            for n in range(STORY_PAGE)
        ]
    )
    stored.span(name="crucible_deployment.inference", time=at(2000), correlation_id="c-1")
    page = visit.go("/#/correlations/c-1")
    expect(page.locator("main")).to_contain_text("first 1,000 records")
    page.get_by_role("button", name="More of the story").click()
    expect(page.locator(".timeline")).to_contain_text("inference")
    expect(page.get_by_role("button", name="More of the story")).to_have_count(0)


def test_a_story_that_is_not_stored_says_so(visit: Visit) -> None:
    page = visit.go("/#/correlations/nobody")
    expect(page.locator("main")).to_contain_text("Nothing is stored under this correlation id")
    visit.forgive_missing()

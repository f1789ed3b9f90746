"""How a run's curves can be drawn: smoothed, logarithmic, over time, with what happened beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from stored import Api, Stored, at, serving
from visits import Visit

CHECKPOINT = "crucible_train.checkpoint.saved"


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _trained(stored: Stored) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [4.0, 2.0, 1.0, 0.0, -1.0])


def _in_page(page: Page, script: str) -> object:
    return page.evaluate(f"async () => {{ {script} }}")


def test_smoothing_never_hides_what_was_measured(stored: Stored, visit: Visit) -> None:
    _trained(stored)
    page = visit.go("/#/runs/run-1")
    curve = page.locator('section.curve[aria-label="loss"]')
    expect(curve).to_have_attribute("data-lines", "1")
    page.get_by_label("Smoothing").fill("0.5")
    expect(curve).to_have_attribute("data-lines", "2")
    expect(curve).to_contain_text("Smoothed by 0.50; as measured in pale.")
    expect(page).to_have_url(re.compile("smoothing=0.5"))
    page.reload()
    expect(curve).to_have_attribute("data-lines", "2")


def test_a_moving_average_begins_without_a_lean_and_leaves_gaps(visit: Visit) -> None:
    """By hand, for β = 0.5: 4; (0.5 · 4 + 2) / 1.5 …; a constant stays what it is."""
    page = visit.go()
    script = 'return (await import("/assets/parts/smoothing.js")).smoothed'
    found = _in_page(page, f"{script}([4, null, 1, undefined], 0.5)")
    assert found == [4, None, pytest.approx((0.5 * 0.5 * 4 + 0.5 * 1) / 0.75), None]
    assert _in_page(page, f"{script}([3, 3, 3], 0.9)") == [pytest.approx(3)] * 3


def test_a_logarithm_says_what_it_has_no_place_for(stored: Stored, visit: Visit) -> None:
    _trained(stored)
    page = visit.go("/#/runs/run-1?log=1")
    curve = page.locator('section.curve[aria-label="loss"]')
    expect(curve).to_contain_text("2 values of 0 or less have no place on a logarithmic scale.")
    page.get_by_label("Logarithmic").uncheck()
    expect(curve).not_to_contain_text("logarithmic")


def test_checkpoints_are_fetched_to_be_marked(stored: Stored, visit: Visit) -> None:
    _trained(stored)
    stored.span(name=CHECKPOINT, event_name=CHECKPOINT, run_id="run-1", step=2, time=at(2))
    page = visit.go("/#/runs/run-1?x=time")
    expect(page.locator('section.curve[aria-label="loss"]')).to_have_attribute("data-lines", "1")
    expect(page.get_by_label("Over")).to_have_value("time")
    marks = _in_page(
        page,
        'const { Marks } = await import("/assets/parts/marks.js");'
        ' const marks = new Marks("run-1"); await marks.update(); return marks.all',
    )
    assert [(each["step"], each["isStage"]) for each in marks] == [(2, False)]  # type: ignore[attr-defined]


def test_an_address_keeps_whatever_is_put_into_it(visit: Visit) -> None:
    page = visit.go()
    made = _in_page(
        page,
        'const { link } = await import("/assets/address.js");'
        ' return link(["runs", "a/b ü?"], { run: ["x", "y&z"], none: null })',
    )
    assert made == "#/runs/a%2Fb%20%C3%BC%3F?run=x&run=y%26z"
    page.evaluate("made => (location.hash = made)", made)
    read = _in_page(
        page,
        'const { address } = await import("/assets/address.js");'
        ' const { segments, query } = address(); return [segments, query.getAll("run")]',
    )
    assert read == [["runs", "a/b ü?"], ["x", "y&z"]]
    expect(page.get_by_text("There is no such run yet.")).to_be_visible()
    visit.forgive_missing()  # of that run

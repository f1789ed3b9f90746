"""What the page shows of anomalies, and what can be made of them there, in a real browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, expect

from stored import Api, Stored, at, serving
from visits import Visit

EVENT = "crucible_train.batch.stop"
OF_RUN: dict[str, Any] = {"run_id": "run-1", "series_id": 1, "event_name": EVENT}


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def section(page: Page) -> Any:
    return page.get_by_role("region", name="Anomalies")


def spiked(stored: Stored) -> None:
    """A run whose loss had a spike where its learning rate rose."""
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1", event_name=EVENT)
    stored.series(2, "learning_rate", run_id="run-1", event_name=EVENT)
    stored.points(1, [0.5] * 50 + [12.5, 12.0])
    stored.points(2, [0.05] * 49 + [1.5] * 3)
    period = stored.period(
        1,
        **OF_RUN,
        severity="critical",
        started_at=at(50),
        first_step=50,
        last_step=51,
        flag_count=2,
        peak_value=12.5,
        peak_expected=0.5,
        peak_lower=0.4,
        peak_upper=0.6,
    )
    for step, value in ((50, 12.5), (51, 12.0)):
        stored.anomaly(period, **OF_RUN, time=at(step), step=step, value=value)


def test_a_run_tells_what_was_flagged_what_was_expected_and_why(
    stored: Stored, visit: Visit
) -> None:
    spiked(stored)
    stored.run("well")
    page = visit.go("/#/runs/run-1")
    line = section(page).get_by_role("listitem")
    expect(line).to_contain_text("loss steps 50 to 51")
    expect(line).to_contain_text("2 values, at worst 12.5; expected 0.5 (0.4 to 0.6) (ewma)")
    expect(line).to_contain_text("Before it, learning_rate went from 0.05 to 1.5 at step 49.")
    expect(line).to_contain_text("active")
    expect(section(page).locator("h2 .badge")).to_have_text("critical")
    expect(page.locator('section[aria-label="loss"]')).to_have_attribute("data-flags", "2")
    expect(page.locator('section[aria-label="loss"]')).to_contain_text("2 values are flagged.")
    expect(page.locator('#runs [data-status="critical"]')).to_have_count(1)
    page.get_by_role("link", name="well").click()
    expect(page.locator("main h1")).to_contain_text("well")
    expect(section(page)).to_be_empty()


def test_what_happens_is_shown_as_it_happens(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    page = visit.go("/#/runs/run-1")
    expect(page.locator("main h1")).to_contain_text("run-1")
    expect(section(page)).to_be_empty()
    with page.expect_response(lambda answer: "/anomalies/stream" in answer.url):
        page.reload()
    stored.period(1, run_id="run-1", detector="non_finite", peak_value=math.nan, first_step=7)
    stored.fed("opened", run_id="run-1")
    # Without a word of it the page would ask again after a quarter of a minute.
    expect(section(page)).to_contain_text("NaN (non_finite)", timeout=8_000)


def test_a_person_acknowledges_with_the_keyboard_and_says_who_and_why(
    stored: Stored, visit: Visit
) -> None:
    spiked(stored)
    page = visit.go("/#/runs/run-1")
    button = page.get_by_role("button", name="Acknowledge: loss")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Acknowledge: loss")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")  # neither is said yet
    expect(dialog).to_be_visible()
    dialog.get_by_label("Who").fill("ada")
    dialog.get_by_label("Why").fill("the schedule was wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(section(page)).to_contain_text("by ada: the schedule was wrong")
    expect(section(page).locator("h2 .badge")).to_have_text("healthy")
    expect(page.locator('#runs [data-status="critical"]')).to_have_count(0)
    row = stored.conn.execute("select state, state_by from crucible.anomaly_periods").fetchone()
    assert row == ("acknowledged", "ada")
    # Who it is is remembered, why is not.
    page.get_by_role("button", name="Resolve: loss").click()
    dialog = page.get_by_role("dialog", name="Resolve: loss")
    expect(dialog.get_by_label("Who")).to_have_value("ada")
    expect(dialog.get_by_label("Why")).to_have_value("")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_change_that_is_refused_says_why(stored: Stored, visit: Visit) -> None:
    spiked(stored)
    page = visit.go("/#/runs/run-1")
    page.get_by_role("button", name="Silence: loss").click()
    stored.conn.execute("delete from crucible.anomaly_periods")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Who").fill("ada")
    dialog.get_by_label("Why").fill("why not")
    dialog.get_by_role("button", name="Silence").click()
    expect(dialog.get_by_role("alert")).to_contain_text("no period")
    # Browsers tell of every answer that is no success.
    expect(dialog).to_be_visible()
    assert "404" in visit.complaints.pop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anomalies_fit_a_narrow_screen(stored: Stored, visit: Visit, scheme: Any) -> None:
    spiked(stored)
    stored.period(2, run_id="run-1", metric="a-very-long-name-without-any-space-" * 5)
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_viewport_size({"width": 360, "height": 800})
    page = visit.go("/#/runs/run-1")
    expect(section(page).get_by_role("listitem")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

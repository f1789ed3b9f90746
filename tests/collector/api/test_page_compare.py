"""The view that compares runs, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from stored import Api, Stored, serving
from visits import Visit

MARKUP = "<img src=x onerror=\"document.title='broken'\">"


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _drawn(page: Page, count: int) -> None:
    curves = page.get_by_role("region", name="Curves", exact=True)
    expect(curves.locator("[data-lines]")).to_have_attribute("data-lines", str(count))


def _swept(stored: Stored, count: int = 6) -> None:
    """Two conditions, of which the second comes to a higher accuracy."""
    for index in range(2 * count):
        run_id, condition = f"run-{index:03d}", "low" if index < count else "high"
        final = 0.5 + 0.01 * (index % count) + (0.2 if index >= count else 0.0)
        config = {"optimizer": {"lr": 0.1 if index < count else 0.2}, "layers": [64, 64]}
        stored.run(
            run_id, experiment_id="sweep", condition=condition, config=config, status="completed"
        )
        stored.series(index + 1, "accuracy", run_id=run_id, experiment_id="sweep")
        stored.points(index + 1, [0.1, 0.3, final])


def test_runs_of_an_experiment_are_overlaid_and_their_conditions_judged(
    stored: Stored, visit: Visit
) -> None:
    _swept(stored)
    page = visit.go("/#/compare?experiment=sweep&metric=accuracy")
    curves = page.get_by_role("region", name="Curves", exact=True)
    _drawn(page, 12)
    # More runs than colours: told apart by condition.
    expect(curves.locator(".legend li")).to_have_text(["low", "high"])
    verdict = page.get_by_role("region", name="Do they differ?")
    expect(verdict).to_contain_text("accuracy")
    expect(verdict.locator("svg circle")).to_have_count(12)
    expect(verdict.locator("svg .box")).to_have_count(2)
    expect(verdict.locator("svg .interval")).to_have_count(2)
    expect(verdict.locator(".badge")).to_have_text("better")


def test_only_settings_that_differ_are_listed(stored: Stored, visit: Visit) -> None:
    _swept(stored, count=2)
    page = visit.go("/#/compare?run=run-000&run=run-002&metric=accuracy")
    settings = page.get_by_role("table", name="Settings that differ")
    expect(settings.get_by_role("rowheader")).to_have_text(["optimizer.lr"])
    expect(settings.get_by_role("cell")).to_have_text(["0.1", "0.2"])
    expect(page.get_by_text("at least 2 of each are needed")).to_be_visible()
    expect(page.get_by_text("1 more settings are the same in all.")).to_be_visible()


def test_what_is_chosen_is_in_the_address(stored: Stored, visit: Visit) -> None:
    _swept(stored, count=2)
    page = visit.go("/#/compare?experiment=sweep")
    _drawn(page, 4)
    page.get_by_label("Over").select_option("relative_time")
    page.get_by_label("Logarithmic").check()
    expect(page).to_have_url(re.compile("x=relative_time.*log=1"))
    page.reload()
    expect(page.get_by_label("Over")).to_have_value("relative_time")
    expect(page.get_by_label("Logarithmic")).to_be_checked()


def test_two_hundred_runs_are_drawn_and_thinned_lines_say_so(stored: Stored, visit: Visit) -> None:
    values = [math.sin(step / 9) for step in range(400)]
    for index in range(200):
        stored.run(f"run-{index:03d}", experiment_id="wide", condition=f"c{index % 4}")
        stored.series(index + 1, "loss", run_id=f"run-{index:03d}", experiment_id="wide")
        stored.points(index + 1, values)
    page = visit.go("/#/compare?experiment=wide&metric=loss")
    curves = page.get_by_role("region", name="Curves", exact=True)
    _drawn(page, 200)
    expect(curves).to_contain_text("Down-sampled:")
    expect(curves).to_contain_text("of 80,000 points are drawn")


def test_names_are_text_and_values_that_are_not_finite_are_said(
    stored: Stored, visit: Visit
) -> None:
    for index, condition in enumerate([MARKUP, "b"]):
        run_id = f"{MARKUP}{index}"
        stored.run(
            run_id, experiment_id=MARKUP, condition=condition, config={MARKUP: f"{MARKUP}{index}"}
        )
        stored.series(index + 1, MARKUP, run_id=run_id, event_name=MARKUP)
        stored.points(index + 1, [1.0, math.nan, 2.0])
    page = visit.go("/#/compare")
    expect(page.get_by_text("Name an experiment above")).to_be_visible()
    page.get_by_label("All runs of").fill(MARKUP)
    page.keyboard.press("Enter")
    curves = page.get_by_role("region", name="Curves", exact=True)
    _drawn(page, 2)
    expect(curves).to_contain_text("2 values are not finite, drawn as gaps.")
    expect(page.get_by_role("table", name="Settings that differ")).to_contain_text(MARKUP)
    assert page.locator("main img").count() == 0
    assert page.title() == "Compare · Crucible"

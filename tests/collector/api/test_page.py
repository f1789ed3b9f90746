"""The page at / and the one at /docs, in a real browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from crucible_collector.api import api_server, create_app
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import Api, Health, Stored, at, serving
from visits import Visit


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _curve(page: Page, metric: str) -> str:
    return f'section.curve[aria-label="{metric}"]'


def test_a_run_is_chosen_from_the_list_and_has_an_address_of_its_own(
    stored: Stored, visit: Visit
) -> None:
    stored.run("a/run 7%", experiment_id="sweep", model_name="tiny")
    stored.run("other", status="completed")
    stored.series(1, "loss", run_id="a/run 7%", event_name="crucible_train.batch.stop")
    stored.points(1, [3.0, 2.0, 1.0])
    page = visit.go()
    expect(page.locator("#runs li")).to_have_count(2)
    page.get_by_role("link", name="a/run 7%").click()
    expect(page.locator("main h1")).to_contain_text("a/run 7%")
    expect(page.locator(_curve(page, "loss"))).to_have_attribute("data-points", "3")
    assert page.url.endswith(f"#/runs/{quote('a/run 7%', safe='')}")
    page.reload()
    expect(page.locator(_curve(page, "loss"))).to_have_attribute("data-points", "3")
    expect(page.locator("#runs a[aria-current=page]")).to_contain_text("a/run 7%")
    expect(page.get_by_role("table", name="Latest numbers")).to_contain_text(
        "crucible_train.batch.stop"
    )


def test_a_curve_grows_while_its_run_goes_on(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.series(2, "loss", run_id="run-1", rank=1)
    stored.points(1, [1.0] * 30)
    page = visit.go("/#/runs/run-1")
    curve = page.locator(_curve(page, "loss"))
    expect(curve).to_have_attribute("data-points", "30")
    stored.points(1, [2.0] * 5, start=30)
    expect(curve).to_have_attribute("data-points", "35")
    # Another rank, a little late, beside a newer point of the first.
    stored.points(2, [2.0] * 3, start=30)
    stored.points(1, [2.0], start=35)
    expect(curve).to_have_attribute("data-points", "39")
    expect(curve).to_contain_text("rank 1")


def test_what_came_late_is_drawn_when_the_run_has_ended(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [1.0] * 10, start=100)
    page = visit.go("/#/runs/run-1")
    curve = page.locator(_curve(page, "loss"))
    expect(curve).to_have_attribute("data-points", "10")
    stored.points(1, [1.0] * 10, start=0)
    stored.conn.execute("update crucible.runs set status = 'completed'")
    expect(curve).to_have_attribute("data-points", "20")
    expect(page.locator("main .badge")).to_have_text("completed")


def test_numbers_that_are_not_finite_are_gaps_and_said(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [1.0, math.nan, math.inf, 2.0])
    page = visit.go("/#/runs/run-1")
    curve = page.locator(_curve(page, "loss"))
    expect(curve).to_contain_text("2 values are not finite (NaN, Infinity), drawn as gaps")
    expect(curve).to_contain_text("the first at step 1.")
    assert (
        page.evaluate(
            """async () => {
            const { aligned } = await import("/assets/parts/points.js");
            const nan = [{ x: 1, value: 5 }, { x: 1, value: 6 }, { x: 2, value: "NaN" }];
            const columns = aligned([nan, [{ x: 2, value: 7 }]]);
            return JSON.stringify(columns, (_, each) => (each === undefined ? "through" : each));
        }"""
        )
        == '[[1,1,2],[5,6,null],["through","through",7]]'
    )


def test_a_run_of_nothing_but_nan_breaks_nothing(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [math.nan] * 5)
    stored.series(2, "accuracy", run_id="run-1")
    stored.points(2, [0.5])
    page = visit.go("/#/runs/run-1")
    expect(page.locator(_curve(page, "loss"))).to_contain_text("5 values are not finite")
    expect(page.locator(_curve(page, "accuracy"))).to_have_attribute("data-points", "1")


def test_markup_in_any_name_stays_text(stored: Stored, visit: Visit) -> None:
    markup = (
        "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    )
    stored.run(
        markup,
        experiment_id=markup,
        condition=markup,
        model_name=markup,
        service_name=markup,
        config={markup: markup},
    )
    stored.series(1, markup, run_id=markup, event_name=markup, unit=markup)
    stored.points(1, [1.0])
    stored.span(name=markup, run_id=markup)
    page = visit.go()
    page.locator("#runs a").click()
    expect(page.locator("main h1")).to_contain_text(markup)
    expect(page.locator("section.curve h2")).to_contain_text(markup)
    expect(page.get_by_role("table", name="Events")).to_contain_text(markup)
    page.get_by_text("Configuration").click()
    expect(page.locator("main pre")).to_be_visible()
    assert page.locator("nav img, main img, main script").count() == 0
    assert "broken" not in page.title().replace(markup, "")


def test_the_page_says_when_it_is_not_live_and_when_it_is_again(
    browser: Browser, stored: Stored, plain_database: str
) -> None:
    stored.run("run-1")
    page = browser.new_page()
    with reader_pool(plain_database) as pool:
        app = create_app(Reader(pool), Health())
        server = api_server(app, stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        page.goto(f"http://{host}:{port}/#/runs/run-1")
        live = page.get_by_role("status")
        expect(live).to_have_text("live")
        server.stop()
        expect(live).to_contain_text("not live since")
        expect(live).to_contain_text("the collector does not answer")
        expect(page.locator("main h1")).to_contain_text("run-1")  # what is known stays
        server = api_server(app, stop_grace_s=1)
        server.start(host, port)
        expect(live).to_have_text("live")
        page.close()
        server.stop()


def test_units_read_as_a_person_writes_them(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    for number, (metric, unit) in enumerate({"a": "1", "b": "{step}", "c": "By/s"}.items()):
        stored.series(number, metric, run_id="run-1", unit=unit)
        stored.point(number, value=7.0)
    rows = visit.go("/#/runs/run-1").get_by_role("table", name="Latest numbers").locator("tbody tr")
    expect(rows.locator("td:last-child")).to_have_text(["7", "7 step", "7 By/s"])


def test_an_empty_store_says_how_to_begin(visit: Visit) -> None:
    page = visit.go()
    expect(page.locator("#runs")).to_contain_text("No runs yet")
    expect(page.locator("#runs pre")).to_contain_text("import crucible_telemetry")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1600, "dark")])
def test_the_page_fits_narrow_screens_and_dark_ones(
    stored: Stored, visit: Visit, width: int, scheme: str
) -> None:
    name = "a-very-long-name-without-any-space-" * 5
    stored.run(name, config={"path": name})
    stored.series(1, name, run_id=name, event_name=name)
    stored.points(1, [1.0, 2.0])
    visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    visit.page.set_viewport_size({"width": width, "height": 800})
    page = visit.go(f"/#/runs/{name}")
    expect(page.locator("section.curve")).to_have_attribute("data-points", "2")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(red) < 64) == (scheme == "dark")


def test_more_runs_than_are_shown_are_a_button_away(stored: Stored, visit: Visit) -> None:
    for number in range(103):
        stored.run(f"run-{number}", first_seen=at(number))
    page = visit.go()
    expect(page.locator("#runs li")).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#runs li")).to_have_count(103)


def test_docs_describe_every_question_and_try_them_without_a_network(
    stored: Stored, visit: Visit
) -> None:
    stored.run("a/b")
    stored.series(1, "optim/entropy", run_id="a/b", rank=2**60)
    stored.point(1, value=0.5)
    page = visit.go("/docs")
    paths = page.evaluate(
        "fetch('/openapi.json').then((r) => r.json())"
        ".then((d) => Object.values(d.paths).flatMap((methods) => Object.keys(methods)))"
    )
    expect(page.locator("details.operation")).to_have_count(len(paths))
    page.get_by_text("GET /api/v1/runs/{run_id}/series/{metric}", exact=True).click()
    form = page.locator("details[open] form")
    form.get_by_label("run_id").fill("a/b")
    form.get_by_label("metric").fill("optim/entropy")
    form.get_by_role("button", name="Ask").click()
    expect(form.locator("pre")).to_contain_text('"value": 0.5')
    expect(form.locator("pre")).to_contain_text(str(2**60))  # not rounded by the browser
    expect(page.get_by_role("table")).to_contain_text("series_id")

"""The list of experiments, and one with its runs, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from stored import Api, Stored, serving
from visits import Visit

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
# A view asks again every five seconds.
ASKED_AGAIN_MS = 6000


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _listed(page: Page) -> Locator:
    return page.get_by_role("table", name="Experiments", exact=True).locator("tbody tr")


def _runs(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs of the experiment").locator("tbody tr")


def _head(page: Page, name: str) -> Locator:
    return page.get_by_role("columnheader", name=name)


def _many(stored: Stored, count: int) -> None:
    stored.experiment("wide")
    stored.conn.execute(
        "insert into crucible.runs (run_id, experiment_id, condition, status, last_step, config,"
        " first_seen, last_seen) select 'run-' || n, 'wide', 'c' || n %% 2, 'completed', n,"
        " jsonb_build_object('lr', n / 8.0), now(), now() from generate_series(1, %s) n",
        (count,),
    )


def test_filters_narrow_the_list_and_its_own_link_takes_them_off(
    stored: Stored, visit: Visit
) -> None:
    stored.experiment("a", name="Sweep", tags=["nightly", "lr"], hypothesis="more is better")
    stored.experiment("b", name="Other", owner="ada", status="paused")
    stored.experiment("c", name="Third", tags=["nightly"])
    page = visit.go("/#/experiments?status=paused")
    expect(_listed(page)).to_have_count(1)
    expect(_listed(page)).to_contain_text("Other")
    page.get_by_role("navigation").get_by_role("link", name="Experiments").click()
    expect(_listed(page)).to_have_count(3)
    expect(page.get_by_role("combobox", name="Status")).to_have_value("")
    _listed(page).get_by_role("link", name="nightly").first.click()
    expect(_listed(page)).to_have_count(2)
    expect(page.get_by_role("searchbox", name="Tag", exact=True)).to_have_value("nightly")
    page.get_by_role("searchbox", name="Text", exact=True).fill("BETTER")
    page.keyboard.press("Enter")
    expect(_listed(page)).to_have_count(1)
    assert "tag=nightly" in page.url
    assert "text=BETTER" in page.url
    page.get_by_role("navigation").get_by_role("link", name="Experiments").click()
    expect(_listed(page)).to_have_count(3)
    page.get_by_role("searchbox", name="Owner", exact=True).fill("ada")
    page.keyboard.press("Enter")
    expect(_listed(page)).to_have_count(1)
    expect(_listed(page)).to_contain_text("ada")


def test_an_experiment_tells_what_is_wrong_and_what_it_costs(stored: Stored, visit: Visit) -> None:
    stored.experiment("sweep", name="Rates", hypothesis="smaller is better", tags=["lr"])
    stored.run("good", experiment_id="sweep", condition="small", status="completed")
    stored.run("bad", experiment_id="sweep", condition="large")
    of = {"run_id": "bad", "experiment_id": "sweep", "metric": "loss"}
    stored.period(1, **of, severity="critical", first_step=812, last_step=812)
    call = "crucible_deployment.inference"
    now = datetime.now(UTC)
    for _ in range(3):
        stored.span(name=call, model="m", experiment_id="sweep", cost_usd=0.5, time=now)
    budget = {"experiment_id": "sweep", "usd_per_day": 20.0}
    stored.insert("budgets", budget)
    page = visit.go("/#/experiments/sweep")
    expect(page.locator("main h1 .badge")).to_have_text(["running", "critical"])
    health = page.get_by_role("region", name="Health")
    expect(health.get_by_role("listitem")).to_contain_text("loss")
    expect(health).not_to_contain_text("[object")
    expect(health.get_by_role("link", name="bad")).to_have_attribute("href", "#/runs/bad")
    conditions = page.get_by_role("table", name="Conditions of the experiment")
    expect(conditions.locator("tbody tr")).to_have_count(2)
    expect(page.locator(".card").filter(has_text="Cost of calls")).to_contain_text("$1.50")
    today = page.locator(".card").filter(has_text="Since midnight")
    expect(today).to_contain_text("of $20.00 a day")


def test_of_3000_runs_few_are_in_the_document_and_all_are_sorted(
    stored: Stored, visit: Visit
) -> None:
    _many(stored, 3000)
    page = visit.go("/#/experiments/wide")
    table = page.get_by_role("table", name="Runs of the experiment")
    expect(table).to_have_attribute("aria-rowcount", "3001")
    assert _runs(page).count() < 100
    _head(page, "Step").get_by_role("button").click()
    expect(_runs(page).first).to_contain_text("run-3000")
    _head(page, "Step").get_by_role("button").click()
    expect(_head(page, "Step")).to_have_attribute("aria-sort", "ascending")
    expect(table.locator('tr[aria-rowindex="2"]')).to_contain_text("run-1")
    box = page.get_by_role("region", name="Runs of the experiment")
    box.evaluate("each => { each.scrollTop = each.scrollHeight }")
    expect(table.locator('tr[aria-rowindex="3001"]')).to_contain_text("run-3000")
    assert _runs(page).count() < 100


def test_more_runs_than_are_fetched_are_said_to_be_more(stored: Stored, visit: Visit) -> None:
    _many(stored, 5001)
    page = visit.go("/#/experiments/wide")
    table = page.get_by_role("table", name="Runs of the experiment")
    expect(table).to_have_attribute("aria-rowcount", "5001")
    expect(page.get_by_text("The newest 5,000 runs; the API has all.")).to_be_visible()


def test_settings_and_results_are_columns_and_nan_comes_last(stored: Stored, visit: Visit) -> None:
    stored.experiment("sweep")
    results: dict[str, object] = {"a": 0.5, "b": "NaN", "c": -2.0, "d": "-Infinity", "e": 10}
    for run_id, accuracy in results.items():
        summary = {"accuracy": accuracy}
        stored.run(run_id, experiment_id="sweep", config={"lr": 0.1}, summary=summary)
    page = visit.go("/#/experiments/sweep")
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name="summary.accuracy").check()
    runs = _runs(page).locator("td:nth-child(2)")
    _head(page, "summary.accuracy").get_by_role("button").click()
    expect(runs).to_have_text(["e", "a", "c", "d", "b"])
    _head(page, "summary.accuracy").get_by_role("button").click()
    expect(runs).to_have_text(["d", "c", "a", "e", "b"])
    expect(_runs(page).last).to_contain_text("NaN")
    page.reload()
    expect(runs).to_have_text(["d", "c", "a", "e", "b"])


def test_results_that_the_first_run_tells_at_its_end_become_a_column(
    stored: Stored, visit: Visit
) -> None:
    stored.experiment("sweep")
    stored.run("a", experiment_id="sweep")
    page = visit.go("/#/experiments/sweep")
    expect(_runs(page)).to_have_count(1)
    page.get_by_text("Columns").click()
    expect(page.get_by_role("checkbox", name="summary.")).to_have_count(0)
    stored.conn.execute("""update crucible.runs set summary = '{"accuracy": 0.5}'""")
    expect(page.get_by_role("checkbox", name="summary.accuracy")).to_have_count(1)


def test_ticked_runs_are_compared_and_still_ticked_one_step_back(
    stored: Stored, visit: Visit
) -> None:
    stored.experiment("sweep")
    for name in ("a", "b & c", "d"):
        stored.run(name, experiment_id="sweep")
    page = visit.go("/#/experiments/sweep")
    box = page.get_by_role("checkbox", name="Compare a", exact=True)
    box.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Tick two runs or more")).to_be_visible()
    page.get_by_role("checkbox", name="Compare b & c").check()
    box.focus()
    stored.conn.execute("update crucible.runs set last_step = 77")
    expect(_runs(page).first).to_contain_text("77")
    expect(box).to_be_focused()
    expect(box).to_be_checked()
    way = page.get_by_role("link", name="Compare 2 runs")
    expect(way).to_have_attribute("href", "#/compare?run=a&run=b+%26+c")
    way.click()
    expect(page.locator("main h1")).to_have_text("Compare")
    page.go_back()
    expect(box).to_be_checked()
    page.get_by_role("button", name="Choose none").click()
    expect(box).not_to_be_checked()
    expect(way).to_have_count(0)


def test_rows_that_say_the_same_are_left_as_they_are(stored: Stored, visit: Visit) -> None:
    stored.experiment("sweep")
    stored.run("a", experiment_id="sweep")
    page = visit.go("/#/experiments/sweep")
    expect(_runs(page)).to_have_count(1)
    _runs(page).first.evaluate("row => { row.dataset.seen = 'yes' }")
    with page.expect_response(lambda answer: "/runs?" in answer.url, timeout=3 * ASKED_AGAIN_MS):
        pass
    page.wait_for_timeout(200)
    expect(_runs(page).first).to_have_attribute("data-seen", "yes")


def test_one_question_that_fails_leaves_the_others(stored: Stored, visit: Visit) -> None:
    stored.experiment("sweep", name="Rates")
    stored.run("a", experiment_id="sweep")
    failure = '{"error": {"message": "health is not known"}}'
    visit.page.route("**/health", lambda route: route.fulfill(status=404, body=failure))
    page = visit.go("/#/experiments/sweep")
    health = page.get_by_role("region", name="Health")
    expect(health.get_by_role("alert")).to_have_text("health is not known")
    expect(page.locator("main h1")).to_contain_text("Rates")
    expect(_runs(page)).to_have_count(1)
    visit.forgive_missing()


def test_an_experiment_that_is_not_there_is_named_and_said_to_be_missing(visit: Visit) -> None:
    page = visit.go("/#/experiments/nowhere")
    expect(page.locator("main h1")).to_have_text("nowhere")
    expect(page.locator(".head").get_by_role("alert")).to_contain_text("no experiment 'nowhere'")
    expect(page.get_by_role("region", name="Health").get_by_role("alert")).to_be_visible()
    visit.forgive_missing()


def test_markup_in_names_stays_text(stored: Stored, visit: Visit) -> None:
    stored.experiment(MARKUP, name=MARKUP, hypothesis=MARKUP, tags=[MARKUP])
    told = {"config": {MARKUP: MARKUP}, "summary": {MARKUP: MARKUP}}
    stored.run(MARKUP, experiment_id=MARKUP, condition=MARKUP, **told)
    page = visit.go("/#/experiments")
    expect(_listed(page)).to_contain_text(MARKUP)
    assert page.locator("main img").count() == 0
    _listed(page).get_by_role("link").first.click()
    expect(page.locator("main h1")).to_contain_text(MARKUP)
    expect(_runs(page).first).to_contain_text(MARKUP)
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name=f"config.{MARKUP}").check()
    expect(_runs(page).locator("td").last).to_have_text(MARKUP)
    assert page.locator("main img").count() == 0
    expect(page).not_to_have_title("broken")


def test_nothing_stored_and_no_runs_say_how_to_begin(stored: Stored, visit: Visit) -> None:
    page = visit.go("/#/experiments")
    expect(page.get_by_text("crucible.experiment(…)")).to_be_visible()
    stored.experiment("new")
    page.goto("about:blank")
    visit.go("/#/experiments/new")
    expect(page.get_by_text("It has no runs yet")).to_be_visible()
    expect(page.get_by_text("None yet: a run is given one")).to_be_visible()


def test_a_narrow_screen_is_not_overflown(stored: Stored, visit: Visit) -> None:
    stored.experiment("x" * 80, name="n" * 80, hypothesis="h" * 300, tags=["t" * 60])
    stored.run("r" * 80, experiment_id="x" * 80, condition="c" * 80)
    visit.page.set_viewport_size({"width": 360, "height": 700})
    for address in ("experiments", f"experiments/{'x' * 80}"):
        visit.page.goto("about:blank")
        page = visit.go(f"/#/{address}")
        expect(page.locator("main tbody tr").first).to_be_visible()
        page.wait_for_timeout(500)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0

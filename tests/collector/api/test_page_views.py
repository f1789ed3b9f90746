"""The views of the page that show what is stored, each in a real browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import expect

from stored import Api, Stored, at, serving
from visits import Visit

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
TRACE = uuid.UUID(int=7)
EVENT = "crucible_train.batch.stop"


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def test_experiments_are_listed_and_found_by_tag(stored: Stored, visit: Visit) -> None:
    stored.experiment("a", name="Sweep of rates", tags=["nightly"], hypothesis="more is better")
    stored.experiment("b", name="Other")
    page = visit.go("/#/experiments")
    rows = page.get_by_role("table", name="Experiments").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox", name="Tag", exact=True).fill("nightly")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    assert "tag=nightly" in page.url
    page.get_by_role("link", name="Sweep of rates").click()
    expect(page.locator("main h1")).to_contain_text("Sweep of rates")
    expect(page.get_by_text("more is better")).to_be_visible()


def test_of_thousands_of_runs_few_are_in_the_document_and_all_are_sorted(
    stored: Stored, visit: Visit
) -> None:
    stored.experiment("wide")
    stored.conn.execute(
        "insert into crucible.runs (run_id, experiment_id, condition, status, last_step,"
        " config, first_seen, last_seen) select 'run-' || n, 'wide', 'c' || n % 2, 'completed', n,"
        " jsonb_build_object('lr', n), now(), now() from generate_series(1, 3000) n"
    )
    page = visit.go("/#/experiments/wide")
    table = page.get_by_role("table", name="Runs of the experiment")
    expect(table).to_have_attribute("aria-rowcount", "3001")
    assert table.locator("tbody tr").count() < 100
    page.get_by_role("button", name="Step").click()
    expect(table.locator("tbody tr").first).to_contain_text("run-3000")
    expect(table.get_by_role("columnheader", name="Step")).to_have_attribute(
        "aria-sort", "descending"
    )
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name="lr").check()
    expect(table.get_by_role("columnheader", name="lr")).to_be_visible()
    page.get_by_role("checkbox", name="Compare run-3000").check()
    page.get_by_role("checkbox", name="Compare run-2999").check()
    page.get_by_role("link", name="Compare 2 runs").click()
    expect(page.locator("main h1")).to_have_text("Compare")


def test_events_are_searched_and_keep_their_links(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    for step in range(5):
        stored.span(
            name="crucible_train.batch", event_name=EVENT, run_id="run-1", step=step, time=at(step)
        )
    stored.span(name=MARKUP, event_name=MARKUP, time=at(9), status_code=2, status_message=MARKUP)
    page = visit.go("/#/events")
    rows = page.get_by_role("table", name="Events").locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.first).to_contain_text(MARKUP)
    page.get_by_role("searchbox", name="Event", exact=True).fill(EVENT)
    page.keyboard.press("Enter")
    expect(rows).to_have_count(5)
    expect(rows.first.get_by_role("link", name="run-1")).to_have_attribute("href", "#/runs/run-1")
    assert page.locator("main img").count() == 0


def test_a_trace_is_a_waterfall_of_which_each_span_can_be_opened(
    stored: Stored, visit: Visit
) -> None:
    root = stored.span(name="root", trace_id=TRACE, duration_ns=10**9, attributes='{"a": 1}')
    stored.span(
        name=MARKUP,
        trace_id=TRACE,
        parent_span_id=int(root, 16),
        time=at(0.5),
        duration_ns=10**8,
        status_code=2,
        attributes='{"reason": "bad input"}',
    )
    page = visit.go(f"/#/traces/{TRACE.hex}")
    spans = page.get_by_role("list", name="Spans of the trace").get_by_role("listitem")
    expect(spans).to_have_count(2)
    expect(spans.nth(1)).to_contain_text("✕ error")
    page.get_by_role("button", name=MARKUP).press("Enter")
    expect(page.get_by_text('"reason": "bad input"')).to_be_visible()
    assert page.locator("main img").count() == 0


def test_a_story_has_all_parts_of_one_correlation(stored: Stored, visit: Visit) -> None:
    for index, name in enumerate(("crucible_pipeline.stage", "crucible_train.training")):
        stored.span(
            name=name, correlation_id="c-1", trace_id=uuid.UUID(int=index + 1), time=at(index)
        )
    page = visit.go("/#/correlations/c-1")
    expect(
        page.get_by_role("list", name="Events of the story").get_by_role("listitem")
    ).to_have_count(2)
    expect(page.locator(".ways .badge")).to_have_text(["pipeline", "train"])


def test_a_period_is_acknowledged_beside_its_series(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1", event_name=EVENT)
    stored.points(1, [1.0] * 40 + [9.0] + [1.0] * 40)
    of = {"run_id": "run-1", "series_id": 1, "event_name": EVENT, "metric": "loss"}
    stored.period(1, first_step=40, last_step=40, severity="critical", **of)
    stored.period(2, metric="other", run_id="run-2")
    page = visit.go("/#/anomalies?severity=critical")
    lines = page.locator(".anomalies li")
    expect(lines).to_have_count(1)
    page.get_by_role("button", name="Series").click()
    expect(page.get_by_text("81 points around it.")).to_be_visible()
    page.get_by_role("button", name="Acknowledge: loss").click()
    page.get_by_label("Who").fill("ada")
    page.get_by_label("Why").fill("known")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(lines).to_contain_text("by ada: known")


def test_models_are_told_with_what_they_cost(stored: Stored, visit: Visit) -> None:
    now = datetime.now(UTC)
    for index in range(4):
        stored.span(
            name="crucible_deployment.inference",
            event_name="crucible_deployment.inference",
            model=MARKUP,
            time=now - timedelta(minutes=index),
            duration_ns=(index + 1) * 10**8,
            cost_usd=0.25,
            input_tokens=100,
            output_tokens=10,
            status_code=2 if index == 0 else 1,
        )
    page = visit.go("/#/inference")
    models = page.get_by_role("table", name="Calls by model")
    expect(models).to_contain_text(MARKUP)
    expect(models).to_contain_text("$1.00")
    expect(page.locator(".card").filter(has_text="Errors")).to_contain_text("25 %")
    expect(page.get_by_role("table", name="Against usual targets")).to_contain_text("99 %")
    assert page.locator("main img").count() == 0


def test_what_only_names_a_model_is_no_call_of_it(stored: Stored, visit: Visit) -> None:
    now = datetime.now(UTC)
    of = {"time": now, "duration_ns": 10**8}
    for name in ("crucible_train.training.stop", "crucible_adversary.attack.executed"):
        stored.span(name=name, model="trained", **of)
        stored.span(name=name, model="asked", **of)
    for ended, status in (("stop", 1), ("stop", 1), ("exception", 2)):
        name = f"crucible_deployment.inference.{ended}"
        stored.span(name=name, model="asked", status_code=status, **of)
    stored.span(name="chat other.stop", model="of another client", input_tokens=7, **of)
    page = visit.go("/#/inference?model=asked")
    models = page.get_by_role("table", name="Calls by model")
    rows = models.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="asked").locator("td").nth(1)).to_have_text("3")
    expect(rows.filter(has_text="asked").locator("td").nth(2)).to_have_text("1")
    expect(rows.filter(has_text="of another client").locator("td").nth(1)).to_have_text("1")
    expect(page.locator(".card").filter(has_text="Calls")).to_contain_text("3")


def test_the_collector_tells_its_parts(visit: Visit) -> None:
    page = visit.go("/#/collector")
    expect(page.get_by_role("region", name="Parts")).to_contain_text("database")
    expect(page.get_by_text("Nothing has been received yet.")).to_be_visible()
    expect(page.get_by_text("None has been asked for.")).to_be_visible()
    visit.forgive_missing()  # this application has no jobs, of which a browser tells as it asks


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("experiments", "No experiment is stored that is like this."),
        ("compare", "Name an experiment above"),
        ("anomalies", "Nothing that was flagged is like this."),
        ("events", "No event is stored that is like this."),
        ("inference", "No model was called in this time."),
        ("sampling", "No rule: everything is kept."),
    ],
)
def test_a_view_of_nothing_says_so(visit: Visit, view: str, said: str) -> None:
    page = visit.go(f"/#/{view}")
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("status", name="").first).to_be_visible()

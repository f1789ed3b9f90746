"""The page under what is hard for it: markup as data, a server that goes, thousands of series, no rows, little
room, and a keyboard alone. In a real browser.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from crucible_collector.api import api_server, create_app
from crucible_collector.export.exports import Exports
from crucible_collector.findings import Finding
from crucible_collector.jobs import Jobs
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from rows_of import ingest, resource_of, span_of, traces
from shown import (
    LABELS,
    SHOWN,
    TRACE,
    VIEWS,
    Name,
    as_shown,
    fill,
    long,
    markup,
    paths,
    plain,
    reject,
    tell_health,
)
from stored import Api, Health, Stored, at, serving
from visits import TIMEOUT_MS, Visit

SERIES = 12_000
BYTES_MAX = 1_000_000  # of exports
DRAWN_MAX = 40  # curves of a screen and what lies near it
GAP_MS_MAX = 2000
AWAY_MS = 8_000  # longer than any view waits before it asks again
WIDTH = 380
NEAR = 2  # steps to the edge of a drawing, of 401
FETCH_FAILED = ("ERR_", "Failed to load resource")
OF_HEALTH = {*LABELS, "part", "part detail"}
CHOSEN = {"config key", "summary key"}  # columns of the experiment's runs
SAYS_LITTLE = {"events", "collector"}  # see test_the_page_says_since_when_it_is_not_live_and_why
ABSENT_IDS = {"experiment", "run", "trace", "correlation"}


@pytest.fixture
def stored(plain_database: str) -> Iterator[Stored]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Stored(conn)


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with serving(plain_database) as running:
        yield running


def _forgive(visit: Visit, *texts: str) -> None:
    """Take back what the browser itself wrote of questions that failed."""
    visit.complaints[:] = [each for each in visit.complaints if not any(map(each.count, texts))]


def _assert_harmless(page: Page) -> None:
    made = "b, img[src='x'], script[src='x'], img[onerror]"
    assert page.locator(made).count() == 0
    assert page.evaluate("window.pwned") is None


def _open(visit: Visit, path: str) -> Page:
    """The view of an address, once it has asked all that it asks for at first."""
    page = visit.go(f"/{path}")
    expect(page.locator("#view h1")).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    return page


@pytest.mark.parametrize("view", VIEWS)
def test_markup_in_any_field_is_text_in_every_view(
    stored: Stored, api: Api, visit: Visit, view: str
) -> None:
    fill(stored, markup)
    tell_health(api.health, markup)
    page = _open(visit, paths(markup)[view])
    for chooser in page.locator(".chooser").all():
        chooser.evaluate("each => (each.open = true)")
        for box in chooser.get_by_role("checkbox").all():
            box.check()
    for field in SHOWN[view]:
        expect(page.locator("body"), field).to_contain_text(as_shown(markup, field))
    if view == "anomalies":
        page.get_by_role("button", name="Series").first.click()
        expect(page.get_by_text("points around it")).to_be_visible()
        page.get_by_role("button", name="Reopen").first.click()
        expect(page.get_by_role("dialog")).to_contain_text(markup("metric"))
    if view == "run":
        expect(page.locator("section.curve")).to_have_attribute("data-points", "5")
    _assert_harmless(page)
    _forgive(visit, "404", "422")  # of jobs, and of the band of a detector that nobody knows


@pytest.mark.parametrize("view", ["trace", "correlation"])
def test_markup_in_an_opened_span_is_text(stored: Stored, visit: Visit, view: str) -> None:
    fill(stored, markup)
    page = _open(visit, paths(markup)[view])
    page.locator(".timeline button.what").filter(has_text=markup("span name")).click()
    opened = page.locator("section.card")
    for field in ("span name", "status message", "span event", "service"):
        expect(opened).to_contain_text(markup(field))
    for field in ("key", "value", "point", "point key", "link value", "resource key"):
        expect(opened).to_contain_text(json.dumps(markup(field))[1:-1])
    _assert_harmless(page)


@dataclass
class _Doctor:
    name: Name

    def findings(self) -> Sequence[Finding]:
        check, says, remedy = map(self.name, ("check", "says", "remedy"))
        return [Finding(check, "wrong", says, remedy)]


def test_markup_in_findings_and_jobs_is_text(
    browser: Browser, stored: Stored, plain_database: str, tmp_path: Path
) -> None:
    told = {"collector": markup("collector"), "asked_by": markup("asked by")}
    request = {"of": markup("of"), "format": "parquet"}
    job = {"job_id": uuid.UUID(int=1), "kind": "export", "state": "failed", "request": request}
    stored.insert("jobs", {**job, **told, "error": markup("error")})
    jobs = Jobs(lambda: plain_database, "here")
    exports = Exports(
        lambda: plain_database, jobs, "here", tmp_path, bytes_max=BYTES_MAX, keep_s=60
    )
    given = {"doctor": _Doctor(markup), "exporting": exports}
    with _restartable(plain_database, browser, **given) as (_, visit):
        page = _open(visit, "#/collector")
        for field in ("check", "says", "remedy", "error"):
            expect(page.locator("#view")).to_contain_text(markup(field))
        _assert_harmless(page)
    jobs.stop()
    exports.stop()


@pytest.mark.parametrize("view", ["run", "events", "overview"])
def test_markup_that_is_told_live_is_text(
    stored: Stored, visit: Visit, plain_database: str, tmp_path: Path, view: str
) -> None:
    run = markup("run id 0")
    with ingest(plain_database, tmp_path / "journal") as collector:
        resource = resource_of(service__name=markup("service"))
        given = {"crucible__run__id": run, "crucible__experiment__id": markup("experiment id")}
        collector.store(traces(span_of(1, markup("first"), **given), resource=resource))
        page = _open(visit, paths(markup)[view])
        expect(page.locator("body")).to_contain_text(run)
        told = {f"crucible.measurement.{markup('metric')}": 0.5, "crucible.step": 1}
        other = given | {"crucible__run__id": markup("other run")}
        collector.store(
            traces(
                span_of(2, markup("second"), **given, **told),
                span_of(3, markup("third"), **other),
                resource=resource,
            )
        )
    stored.period(1, run_id=run, metric=markup("flagged"))
    stored.fed("opened", run_id=run, metric=markup("flagged"))
    later = {"run": ["second", "flagged"], "events": ["second", "third"]}
    for field in later.get(view, ["other run", "flagged"]):
        expect(page.locator("body"), field).to_contain_text(markup(field))
    _assert_harmless(page)


class _Restarted:
    """The page's server on one port, stopped and started as a test wants."""

    def __init__(self, reads: Reader, **given: Any) -> None:
        self.app = create_app(reads, Health(), **given)
        self.host, self.port = "127.0.0.1", 0
        self.start()

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self.server = api_server(self.app, stop_grace_s=1)
        self.host, self.port = self.server.start(self.host, self.port)

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def _restartable(dsn: str, browser: Browser, **given: Any) -> Iterator[tuple[_Restarted, Visit]]:
    """Fails the test if the page complained of anything but questions that nobody answered."""
    with reader_pool(dsn) as pool:
        server = _Restarted(Reader(pool), **given)
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        visited = Visit(page, server.origin)
        page.on("console", lambda message: visited.complaints.append(message.text))
        page.on("pageerror", lambda error: visited.complaints.append(str(error)))
        yield server, visited
        page.close()
        server.stop()
        _forgive(visited, *FETCH_FAILED)
        assert visited.complaints == []


def _store_run_later(stored: Stored) -> None:
    config = {"config key": "later"}
    stored.run("later", experiment_id="experiment id", condition="condition 0", config=config)


def _store_metric_later(stored: Stored) -> None:
    stored.series(9, "later", run_id="run id 0", event_name="event name")
    stored.points(9, [1.0, 2.0])


def _store_decision_later(stored: Stored) -> None:
    counted = {"time": at(0), "journal_id": uuid.UUID(int=1), "signal": "spans", "seen_count": 1}
    stored.insert("sampling_ledger", {**counted, "rule": "later"})


# Of each view something called "later" that it shows; what the view of events shows is told to it.
STORE_LATER: dict[str, Callable[[Stored], object]] = {
    "overview": lambda stored: stored.run("later"),
    "experiments": lambda stored: stored.experiment("later"),
    "experiment": _store_run_later,
    "run": _store_metric_later,
    "compare": _store_run_later,
    "anomalies": lambda stored: stored.period(9, metric="later"),
    "inference": lambda stored: stored.span(
        name="crucible_deployment.inference.stop", model="later", time=datetime.now(UTC)
    ),
    "sampling": _store_decision_later,
    "collector": lambda stored: reject(stored, "later"),
    "trace": lambda stored: stored.span(name="later", trace_id=TRACE),
    "correlation": lambda stored: stored.span(name="later", correlation_id="correlation"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_outlives_its_server(
    browser: Browser, stored: Stored, plain_database: str, tmp_path: Path, view: str
) -> None:
    fill(stored, plain)
    shown = [field for field in SHOWN[view] if field not in OF_HEALTH | CHOSEN]
    with (
        _restartable(plain_database, browser) as (server, visit),
        ingest(plain_database, tmp_path / "journal") as collector,
    ):
        page = _open(visit, paths(plain)[view])
        body, live = page.locator("body"), page.locator("#live")
        for field in shown:
            expect(body).to_contain_text(field)
        server.stop()
        expect(live).to_contain_text("not live" if view in SAYS_LITTLE else "does not answer")
        if view == "events":
            collector.store(traces(span_of(9, "later")))
        else:
            STORE_LATER[view](stored)
        for field in shown:
            expect(body).to_contain_text(field)
        expect(body).not_to_contain_text("later")
        server.start()
        expect(live).to_have_text("live")
        expect(body).to_contain_text("later")
        for field in shown:
            expect(body).to_contain_text(field)


@pytest.mark.parametrize("view", ["experiments", "events", "collector"])
def test_the_page_says_since_when_it_is_not_live_and_why(
    browser: Browser, stored: Stored, plain_database: str, view: str
) -> None:
    """What it says does not change while nothing does: a time that moves on would be that of no answer."""
    fill(stored, plain)
    with _restartable(plain_database, browser) as (server, visit):
        page = _open(visit, paths(plain)[view])
        server.stop()
        live = page.locator("#live")
        expect(live).to_contain_text("the collector does not answer")
        page.evaluate(
            """() => {
                const live = document.getElementById("live");
                window.said = [live.textContent];
                const heard = () => window.said.push(live.textContent);
                new MutationObserver(heard).observe(live, { childList: true, subtree: true });
            }"""
        )
        page.wait_for_timeout(AWAY_MS)
        assert len(set(page.evaluate("window.said"))) == 1


@pytest.mark.parametrize("path", ["#/events", "#/runs/run-1"])
def test_events_are_asked_for_where_nothing_is_told(
    visit: Visit, plain_database: str, tmp_path: Path, path: str
) -> None:
    """The page says that it asks every two seconds."""
    visit.page.route("**/api/v1/live?*", lambda route: route.fulfill(status=503))
    visit.page.on("console", lambda _: _forgive(visit, "503"))
    of = {"crucible__run__id": "run-1"}
    with ingest(plain_database, tmp_path / "journal") as collector:
        collector.store(traces(span_of(1, "first", **of)))
        page = visit.go(f"/{path}")
        newest = page.get_by_role("table", name="Events").or_(page.locator(".story"))
        events = newest.filter(has_text="first")
        expect(events.last).to_be_visible()
        expect(page.locator("#live")).to_contain_text("not live: asked every")
        collector.store(traces(span_of(2, "second", **of)))
        expect(events.last).to_contain_text("second")


@pytest.mark.parametrize("is_ready_first", [True, False])
def test_a_part_that_is_not_ready_is_shown(api: Api, visit: Visit, *, is_ready_first: bool) -> None:
    visit.page.on("console", lambda _: _forgive(visit, "404", "503", "TypeError"))
    status = type(api.health.components["database"])
    away = status(is_ready=False, detail="it went away")
    if not is_ready_first:
        api.health.components["database"] = away
    page = _open(visit, "#/collector")
    api.health.components["database"] = away
    expect(page.get_by_role("region", name="Parts")).to_contain_text("it went away")
    expect(page.locator("#live")).to_have_text("live")


def test_labels_of_metrics_are_read_as_they_were_written(visit: Visit) -> None:
    visit.go()
    read = visit.page.evaluate(
        """async (text) => (await import("/assets/parts/metrics_text.js")).read(text)[0].labels""",
        r'a_total{outcome="say \"no\"",transport="a\\b\nc"} 1',
    )
    assert read == {"outcome": 'say "no"', "transport": "a\\b\nc"}


NO_RANK_0 = ()
_MEASURE_GAPS = """
window.gap = 0;
let last = performance.now();
requestAnimationFrame(function next(now) {
    window.gap = Math.max(window.gap, now - last);
    last = now;
    requestAnimationFrame(next);
});
"""


def _store_many(stored: Stored, metric: str, rank: str) -> None:
    """A run of SERIES series of three points each; `metric` and `rank` are SQL over `n`."""
    stored.run("run-1")
    stored.conn.execute(
        "insert into crucible.series (series_id, metric, rank, run_id, event_name, source, kind,"
        f" first_seen, last_seen) select n, {metric}, {rank}, 'run-1', 'work', 'event',"
        " 'measurement', %(at)s, %(at)s from generate_series(1, %(count)s) n",
        {"at": at(0), "count": SERIES},
    )
    stored.conn.execute(
        "insert into crucible.points (series_id, time, step, value)"
        " select n, %(at)s::timestamptz + step * interval '1 s', step, n + step"
        " from generate_series(1, %(count)s) n, generate_series(0, 2) step",
        {"at": at(0), "count": SERIES},
    )
    stored.conn.execute("analyze")


def _drawn(page: Page) -> int:
    return page.locator("section.curve canvas").count()


def _scroll(page: Page, curve: Locator) -> None:
    """There and back, and up to the curve, which then is drawn."""
    for share in (1, 0, 0.5):
        page.evaluate("share => scrollTo(0, share * document.body.scrollHeight)", share)
        page.wait_for_timeout(200)
    curve.scroll_into_view_if_needed()
    expect(curve).to_have_attribute("data-points", "3")


def test_a_run_of_thousands_of_metrics_is_drawn_where_one_looks(
    stored: Stored, visit: Visit
) -> None:
    _store_many(stored, "'metric ' || lpad(n::text, 5, '0')", "null")
    visit.page.add_init_script(_MEASURE_GAPS)
    page = visit.go("/#/runs/run-1")
    curves = page.locator("section.curve")
    expect(curves.first).to_have_attribute("data-points", "3")
    assert _drawn(page) < DRAWN_MAX
    _scroll(page, curves.nth(500))
    assert _drawn(page) < 3 * DRAWN_MAX
    expect(page.locator("#view")).to_contain_text("There are more; the API has all.")
    gap_ms = page.evaluate("window.gap")
    print(f"longest gap of {SERIES} metrics: {gap_ms:.0f} ms")
    assert gap_ms < GAP_MS_MAX


@pytest.mark.parametrize(
    "rank",
    [
        "n - 1",
        pytest.param("n", marks=NO_RANK_0),
        pytest.param("null", marks=NO_RANK_0, id="attributes alone"),
    ],
)
def test_a_metric_of_thousands_of_ranks_says_what_is_left_out(
    stored: Stored, visit: Visit, rank: str
) -> None:
    visit.page.on("console", lambda _: _forgive(visit, "422"))
    _store_many(stored, "'loss'", rank)
    visit.page.add_init_script(_MEASURE_GAPS)
    page = visit.go("/#/runs/run-1")
    curve = page.locator("section.curve")
    expect(curve).to_have_attribute("data-points", "3")
    expect(curve).to_contain_text("Of more than 200 ranks only")
    assert _drawn(page) == 1
    _scroll(page, curve)
    gap_ms = page.evaluate("window.gap")
    print(f"longest gap of {SERIES} ranks: {gap_ms:.0f} ms")
    assert gap_ms < GAP_MS_MAX


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_nothing_has_a_heading_and_says_something(visit: Visit, view: str) -> None:
    page = _open(visit, paths(plain)[view])
    said = page.locator("#view").locator(".hint, .failure, p.dim, td").filter(visible=True)
    expect(said.first).not_to_be_empty()
    expect(page.locator("#view h1")).to_have_count(1)
    if view in {*ABSENT_IDS, "collector"}:
        visit.forgive_missing()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", [plain, long])
def test_every_view_fits_a_narrow_screen(
    stored: Stored, api: Api, visit: Visit, name: Name, view: str
) -> None:
    fill(stored, name)
    tell_health(api.health, name)
    visit.page.set_viewport_size({"width": WIDTH, "height": 800})
    page = _open(visit, paths(name)[view])
    for field in SHOWN[view]:
        if field not in CHOSEN or view == "compare":
            expect(page.locator("body")).to_contain_text(as_shown(name, field))
    width, beyond = page.evaluate(
        """() => [
            document.scrollingElement.scrollWidth - innerWidth,
            [...document.querySelectorAll("#view *")]
                .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
                .slice(0, 3).map((each) => each.outerHTML.slice(0, 200)),
        ]"""
    )
    assert width <= 0, beyond
    _forgive(visit, "404", "422")


def _ends(page: Page, curve: Locator) -> list[int]:
    """The steps at the left and at the right edge of a drawing, as its legend tells them."""
    box = curve.locator(".u-over").bounding_box()
    assert box is not None
    found = []
    for x in (box["x"] + 1, box["x"] + box["width"] - 1):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
        page.mouse.move(x, box["y"] + 20)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        found.append(int(curve.locator(".u-legend .u-value").first.inner_text().replace(",", "")))
    return found


@pytest.fixture
def curve(stored: Stored, visit: Visit) -> Locator:
    """A curve of steps 0 to 400, in focus."""
    stored.run("run-1")
    for number, metric in enumerate(("loss", "other"), 1):
        stored.series(number, metric, run_id="run-1")
        stored.points(number, [float(step % 7) for step in range(401)])
    page = visit.go("/#/runs/run-1")
    found = page.locator("section.curve").first
    expect(found).to_have_attribute("data-points", "401")
    found.locator(".plot").focus()
    return found


def test_keys_zoom_and_move_a_curve(visit: Visit, curve: Locator) -> None:
    page = visit.page
    plot = curve.locator(".plot")
    assert _ends(page, curve) == pytest.approx([0, 400], abs=NEAR)
    expect(plot).to_be_focused()
    page.keyboard.press("+")
    assert _ends(page, curve) == pytest.approx([40, 360], abs=NEAR)
    page.keyboard.press("ArrowLeft")
    assert _ends(page, curve) == pytest.approx([0, 320], abs=NEAR)
    page.keyboard.press("ArrowRight")
    assert _ends(page, curve) == pytest.approx([64, 384], abs=NEAR)
    page.keyboard.press("-")
    wide = _ends(page, curve)
    assert wide[0] < 64
    assert wide[1] > 384
    page.keyboard.press("0")
    assert _ends(page, curve) == pytest.approx([0, 400], abs=NEAR)
    page.keyboard.press("-")
    assert _ends(page, curve) == pytest.approx([0, 400], abs=NEAR)
    expect(plot).to_be_focused()


def test_tab_leaves_a_curve_either_way(visit: Visit, curve: Locator) -> None:
    page = visit.page
    plot = curve.locator(".plot")
    page.keyboard.press("Tab")
    expect(plot).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(plot).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(plot).not_to_be_focused()


def test_tab_goes_round_the_whole_view(visit: Visit, curve: Locator) -> None:
    """Every place in turn and out of the document again: no keyboard trap."""
    page = visit.page
    stops: list[Any] = []
    for _ in range(100):
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement === document.body")
        if stop:
            return
        stops.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
    pytest.fail(f"no way out: {stops[-5:]}")

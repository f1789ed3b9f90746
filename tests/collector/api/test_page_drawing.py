"""How a run's curves can be drawn: smoothed, logarithmic, over time, with what happened beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from stored import Api, Stored, at, serving
from visits import Visit

START = "crucible_train.training.start"
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


def test_ranks_are_drawn_by_node_or_as_one(stored: Stored, visit: Visit) -> None:
    stored.run("run-1")
    for rank in range(4):
        node = f"node-{rank // 2}"
        stored.resource(100 + rank, attributes={"host.name": node})
        attributes = {"crucible.rank": rank}
        stored.span(
            name=START, run_id="run-1", resource_id=100 + rank, attributes=attributes, time=at(0)
        )
        stored.series(1 + rank, "loss", run_id="run-1", rank=rank)
        stored.points(1 + rank, [float(rank)] * 5)
    page = visit.go("/#/runs/run-1")
    curve = page.locator('section.curve[aria-label="loss"]')
    expect(curve).to_have_attribute("data-lines", "4")
    expect(curve).to_contain_text("rank 3 · node-1")
    page.get_by_label("A line").select_option("node")
    expect(curve).to_have_attribute("data-lines", "2")
    expect(curve).to_contain_text("node-1 (mean of 2)")
    expect(page).to_have_url(re.compile("lines=node"))
    page.get_by_label("A line").select_option("all")
    expect(curve).to_have_attribute("data-lines", "1")
    expect(curve).to_contain_text("all ranks (mean of 4)")


def test_one_rank_offers_nothing_to_split(stored: Stored, visit: Visit) -> None:
    _trained(stored)
    page = visit.go("/#/runs/run-1")
    expect(page.locator('section.curve[aria-label="loss"]')).to_have_attribute("data-lines", "1")
    expect(page.get_by_label("A line")).to_be_hidden()


def test_a_mean_is_of_what_lines_have_there_and_of_no_gap(visit: Visit) -> None:
    """By hand: between 0 at 0 and 4 at 2 a line is at 2; NaN makes the mean a gap; beyond its end a line is not."""
    page = visit.go()
    found = _in_page(
        page,
        'const { mean } = await import("/assets/parts/nodes.js");'
        " const of = (...pairs) => pairs.map(([x, value]) => ({ x, value }));"
        ' return mean([of([0, 0], [2, 4], [3, "NaN"]), of([0, 2], [1, 4], [2, 6], [3, 1], [4, 8])])',
    )
    values = [(each["x"], each["value"]) for each in found]  # type: ignore[attr-defined]
    assert values == [(0, 1), (1, 3), (2, 5), (3, None), (4, 8)]


def test_a_long_line_keeps_its_spike_says_so_and_is_finer_where_one_zooms(
    stored: Stored, visit: Visit
) -> None:
    stored.run("run-1")
    stored.series(1, "loss", run_id="run-1")
    stored.points(1, [1.0 if step != 7001 else 50.0 for step in range(20_000)])
    page = visit.go("/#/runs/run-1")
    curve = page.locator('section.curve[aria-label="loss"]')
    expect(curve).to_have_attribute("data-stands", "20000")
    expect(curve).to_contain_text("Down-sampled: 1,498 of 20,000 points are drawn")
    expect(curve.locator(".u-axis").nth(1)).to_be_attached()
    assert _largest_drawn(page) == 50.0
    before = int(curve.get_attribute("data-drawn") or 0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    curve.locator(".plot").focus()
    for _ in range(8):
        page.keyboard.press("+")
    expect(curve).to_contain_text("finer where it is zoomed")
    assert int(curve.get_attribute("data-drawn") or 0) > before
    page.wait_for_timeout(1000)
    assert sum("from_step" in url for url in asked) == 1
    page.keyboard.press("0")
    expect(curve).to_contain_text("zoom in to see more")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.classList.contains('plot')")


def _largest_drawn(page: Page) -> object:
    """Of the points that the page was given."""
    return _in_page(
        page,
        'const { Points } = await import("/assets/parts/points.js");'
        ' const points = new Points("run-1", "loss", null);'
        ' await points.update({ time: "2026-11-23T10:00:00Z", step: 1, series_id: "", value: 1 }, false);'
        " return Math.max(...[...points.lines.values()].flatMap((line) => line.points.map((each) => each.value)))",
    )


def test_what_the_stream_tells_while_an_answer_is_made_is_not_drawn_twice(visit: Visit) -> None:
    page = visit.go()
    found = _in_page(
        page,
        'const { Points } = await import("/assets/parts/points.js");'
        ' const points = new Points("none", "loss", null);'
        " points.isFetched = points.bySteps = true;"
        ' const told = (...steps) => ({ series_id: "1", rank: 0, points: steps.map((step) => ('
        ' { step, time: "2026-11-23T10:00:00Z", value: step })) });'
        " points.take(told(0, 1, 3)); points.take(told(2, 3)); points.take(told(1));"
        " return [...points.lines.values()].map((line) => line.points.map((point) => point.x))",
    )
    assert found == [[0, 1, 2, 3]]


def test_of_a_thinned_line_earlier_points_are_not_counted_again(visit: Visit) -> None:
    page = visit.go()
    found = _in_page(
        page,
        'const { Points } = await import("/assets/parts/points.js");'
        ' const points = new Points("none", "loss", null);'
        " points.isFetched = points.bySteps = true;"
        " const line = { rank: 0, points: [{ x: 0, value: 1 }, { x: 9, value: 1 }], stands: 10, newest: 0, heard: [] };"
        ' points.lines.set("1", line);'
        ' const told = (...steps) => ({ series_id: "1", rank: 0, points: steps.map((step) => ('
        ' { step, time: "2026-11-23T10:00:00Z", value: 1 })) });'
        " points.take(told(4, 9, 10, 11));"
        " return [line.stands, line.points.map((point) => point.x)]",
    )
    assert found == [12, [0, 9, 10, 11]]


def test_over_time_is_drawn_at_once(stored: Stored, visit: Visit) -> None:
    _trained(stored)
    page = visit.go("/#/runs/run-1")
    curve = page.locator('section.curve[aria-label="loss"]')
    expect(curve).to_have_attribute("data-newest", "4")
    page.get_by_label("Over").select_option("time")
    expect(curve).to_have_attribute("data-newest", str(int(at(4).timestamp())))

"""`make bench-page`: how soon the page shows what there is, in a real Chromium.

Collector, PostgreSQL, browser and sender are on one machine. Each time is taken in the page itself, from the change of
its address to the frame in which what is asked for is drawn. Exit code 0 says that all was measured; whether goals
were met is in the table.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import place, servers
from benchmarks.page_fill import LONG, MANY, fill
from benchmarks.page_live import RUN, Training
from benchmarks.report import DIRECTORY, Figure, at_least, at_most, figure, table, write
from crucible_collector.api.site import PAGE
from databases import TestServer
from harness import Collector, collector
from visits import CHROMIUM_FLAGS, CHROMIUM_VARIABLE, chromium

NAME = "bench-page"
KINDS = ("plain", "timescale")
PARTS = ("files", "first", "long", "many", "live")
FIRST_MS, LONG_MS, FPS, FILES_KB = at_most(1000), at_most(500), at_least(30), at_most(300)
PER_S = 1000
LAG_S, BLOCKED_MS = at_most(2), at_most(250)
REPEATS = 5
SECONDS = 30.0
FRAMES = 90
# Since which a page has nothing to do but what is measured.
_QUIET_S = 1.0

# Sets the address and answers how many ms later `selector` is there and a frame with it was drawn.
SHOWN = """async ([hash, selector]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const begin = performance.now();
  location.hash = hash;
  while (!document.querySelector(selector)) {
    if (performance.now() - begin > 60000) throw new Error(`nothing like ${selector} came`);
    await frame();
  }
  await frame();
  return performance.now() - begin;
}"""

# Zooms in and out again by the wheel, a notch a frame; answers the ms between the frames.
ZOOMED = """async (frames) => {
  const over = document.querySelector("section.curve .u-over");
  const { left, top, width, height } = over.getBoundingClientRect();
  const gaps = [];
  let before = await new Promise(requestAnimationFrame);
  for (let number = 0; number < frames; number += 1) {
    const deltaY = number < frames / 2 ? -1 : 1;
    over.dispatchEvent(new WheelEvent("wheel", { deltaY, ctrlKey: true, clientX: left + width / 3, clientY: top + height / 2, bubbles: true, cancelable: true }));
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - before);
    before = now;
  }
  return gaps;
}"""

# Zooms in at once; answers the ms until more points are drawn there.
FINER = """async () => {
  const box = document.querySelector("section.curve .plot");
  const begin = performance.now();
  for (let number = 0; number < 15; number += 1) box.dispatchEvent(new KeyboardEvent("keydown", { key: "+" }));
  while (!document.querySelector("section.curve .note").textContent.includes("finer where")) {
    if (performance.now() - begin > 60000) throw new Error("it was not drawn finer");
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - begin;
}"""

# From now on the longest time between two frames is kept.
WATCHED = """() => {
  window.longest = 0;
  let before = performance.now();
  const look = (now) => {
    window.longest = Math.max(window.longest, now - before);
    before = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""

CURVE = "section.curve[data-lines='1']"


def main(argv: Sequence[str] | None = None, output: Path = DIRECTORY) -> int:
    """Fill, measure, print the table, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    arguments = _arguments(argv)
    parts = frozenset(arguments.parts.split(","))
    if unknown := parts - set(PARTS):
        sys.exit(f"{NAME}: no such part: {', '.join(sorted(unknown))}")
    program = chromium()
    if program is None:
        sys.exit(f"{NAME}: no Chromium: install it or set {CHROMIUM_VARIABLE}")
    figures: list[Figure] = []
    if "files" in parts:
        figures.append(figure("files of the page, compressed", files_kb(), "kB", FILES_KB))
    with place.work_directory(0) as work, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        for kind in arguments.kinds.split(","):
            figures += _of_kind(kind, work, browser, parts, arguments)
        browser.close()
    print(table(figures, place.title(NAME, quick=False)))
    print(write(figures, NAME, output))
    return 0


def files_kb() -> float:
    """All files of the page, each compressed by itself."""
    files = [each for each in PAGE.rglob("*") if each.is_file()]
    return sum(len(gzip.compress(each.read_bytes(), 9)) for each in files) / 1000


def _of_kind(
    kind: str,
    work: Path,
    browser: Browser,
    parts: frozenset[str],
    arguments: argparse.Namespace,
) -> Iterator[Figure]:
    started: Callable[[Path], AbstractContextManager[TestServer | None]]
    started = servers.plain if kind == "plain" else servers.timescale
    with started(work) as server:
        if server is None:
            _say(f"{kind}: there is no server: not measured")
            return
        with servers.fresh_database(server) as dsn:
            fill(dsn, kind, arguments.points, arguments.runs)
            servers.settle(server)
            with collector(work / f"data-{kind}", dsn, is_fresh=True) as running:
                for each in measured(running, browser, parts, arguments):
                    _say(f"{kind}: {each.name}: {each.value:.1f} {each.unit}")
                    yield figure_of(kind, each)


def figure_of(kind: str, found: Figure) -> Figure:
    return Figure(f"{kind}: {found.name}", found.value, found.unit, found.goal, found.met)


def measured(
    running: Collector, browser: Browser, parts: frozenset[str], arguments: argparse.Namespace
) -> Iterator[Figure]:
    """Every figure of the parts, as it is found."""
    if "first" in parts:
        _first_ms(browser, running)  # warms the server
        found = [_first_ms(browser, running) for _ in range(REPEATS)]
        yield figure("first view, nothing cached", statistics.median(found), "ms", FIRST_MS)
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    try:
        page.goto(running.api)
        if "long" in parts:
            yield from _long(page, arguments.points)
        if "many" in parts:
            yield from _many(page, arguments.runs)
        if "live" in parts:
            yield from _live(page, running, arguments.seconds)
    finally:
        page.close()


def _first_ms(browser: Browser, running: Collector) -> float:
    """From nothing to the overview with its answers."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    try:
        page = context.new_page()
        page.goto(running.api, wait_until="commit")
        page.wait_for_selector("#live[data-state=live]")
        page.wait_for_selector("main .cards")
        return float(page.evaluate("performance.now()"))
    finally:
        context.close()


def _long(page: Page, points: int) -> Iterator[Figure]:
    name = f"run of {points:,} points"
    _shown(page, f"#/runs/{LONG}", CURVE)  # warms the server
    found = [_shown(page, f"#/runs/{LONG}", CURVE) for _ in range(REPEATS)]
    yield figure(f"{name}, drawn", statistics.median(found), "ms", LONG_MS)
    yield figure(f"{name}, drawn, longest of {REPEATS}", max(found), "ms")
    gaps = page.evaluate(ZOOMED, FRAMES)
    yield figure(f"{name}, zoomed", 1000 / statistics.mean(gaps), "frames/s", FPS)
    yield figure(f"{name}, zoomed, longest frame", max(gaps), "ms")
    yield figure(f"{name}, zoomed, until finer", page.evaluate(FINER), "ms")


def _many(page: Page, runs: int) -> Iterator[Figure]:
    name = f"{runs} runs overlaid"
    address = f"#/compare?experiment={MANY}&metric=loss"
    _shown(page, address, "#view .u-over")
    page.evaluate(WATCHED)
    took = _shown(page, address, "#view .u-over")
    time.sleep(_QUIET_S)
    yield figure(f"{name}, drawn", took, "ms")
    yield figure(f"{name}, longest frame", page.evaluate("window.longest"), "ms", BLOCKED_MS)


def _live(page: Page, running: Collector, seconds: float) -> Iterator[Figure]:
    training = Training(running.addresses["http"], PER_S)
    training.start()
    try:
        time.sleep(_QUIET_S)
        _shown(page, f"#/runs/{RUN}", CURVE)
        page.evaluate(WATCHED)
        lags: list[float] = []
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            newest = int(page.locator(CURVE).get_attribute("data-newest") or 0)
            lags.append(time.monotonic() - training.sent_s[newest])
            time.sleep(0.2)
        longest = page.evaluate("window.longest")
    finally:
        training.stop()
    name = f"{PER_S:,} updates/s for {seconds:.0f} s"
    third = max(1, len(lags) // 3)
    yield figure(f"{name}, updates sent", len(training.sent_s), "")
    yield figure(f"{name}, drawn behind the acknowledgement", statistics.median(lags), "s")
    yield figure(f"{name}, behind at most", max(lags), "s", LAG_S)
    growth = statistics.median(lags[-third:]) / statistics.median(lags[:third])
    yield figure(f"{name}, behind at the end / at the beginning", growth, "", at_most(1.5))
    yield figure(f"{name}, longest frame", longest, "ms", BLOCKED_MS)


def _shown(page: Page, address: str, selector: str) -> float:
    """ms, from another view that rests."""
    page.evaluate(SHOWN, ["#/sampling", "body[data-view=sampling] #view h1"])
    time.sleep(_QUIET_S)
    return float(page.evaluate(SHOWN, [address, selector]))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--points", type=int, default=1_000_000, help="of the long run")
    parser.add_argument("--runs", type=int, default=200, help="that are overlaid")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of updates (30)")
    return parser.parse_args(argv)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

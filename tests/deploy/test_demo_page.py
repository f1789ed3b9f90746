"""The page over the demo: followed while a real network trains, then every view looked at.

A picture of each view is written to `build/screenshots/` (or CRUCIBLE_TEST_SCREENSHOTS), for a person to look at.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from visits import CHROMIUM_FLAGS, CHROMIUM_VARIABLE, TIMEOUT_MS, chromium

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("CRUCIBLE_TEST_SCREENSHOTS", ROOT / "build" / "screenshots"))
SECONDS = 8.0
STORY_S = 240.0
# By name: an address, and what is there once it is drawn. Names in braces are of what the demo stored.
VIEWS = {
    "overview": ("#/", "#view .cards .figure"),
    "experiments": ("#/experiments", "#view tbody a"),
    "experiment": ("#/experiments/digits-learning-rates", "#view .rows tbody a"),
    "run": ("#/runs/{run}", "section.curve[data-flags]:not([data-flags='0'])"),
    "compare": ("#/compare?experiment=digits-learning-rates&metric=val_accuracy", "#view svg"),
    "anomalies": ("#/anomalies?severity=critical", "#view .anomalies li"),
    "events": ("#/events", "#view .rows tbody a"),
    "inference": ("#/inference?period=1h&model=gpt-4o-mini", "#view .u-over"),
    "sampling": ("#/sampling", "#view .lines li"),
    "collector": ("#/collector", "#view details"),
    "trace": ("#/traces/{trace}", "#view .timeline li"),
    "story": ("#/correlations/digits-nightly", "#view .timeline .kind"),
}
DARK = ("overview", "run", "compare")


@dataclass
class Demo:
    """`make demo KEEP=1` as a process; what it prints, as it comes."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._news = threading.Condition()
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def await_line(self, pattern: str, timeout_s: float) -> str:
        """The first group of the first line like that."""

        def found() -> list[str]:
            return [match[1] for line in self.lines if (match := re.search(pattern, line))]

        with self._news:
            self._news.wait_for(lambda: found() or not self._reader.is_alive(), timeout_s)
            assert found(), "".join(self.lines)
            return found()[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip(f"no Chromium: install it or set {CHROMIUM_VARIABLE}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    place = tmp_path_factory.mktemp("demo") / "data"
    command = (sys.executable, "deploy/demo.py", "--keep", "--data-dir", str(place))
    with subprocess.Popen(
        [*command, "--seconds", str(SECONDS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        running = Demo(process)
        try:
            yield running
        finally:
            process.terminate()
            for line in running.lines:
                if match := re.search(r"end it with: kill (\d+)", line):
                    kept = psutil.Process(int(match[1]))
                    kept.terminate()
                    kept.wait(60)


def get(api: str, path: str) -> Any:
    with urllib.request.urlopen(f"{api}/api/v1{path}", timeout=30) as answer:
        return json.load(answer)["data"]


def opened(browser: Browser, complaints: list[str], scheme: Any = "light") -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


@pytest.mark.timeout(600)
def test_a_training_is_followed_as_it_goes_and_then_every_view_has_something(
    demo: Demo, browser: Browser
) -> None:
    api = demo.await_line(r"page (http://[\d.:]+)", 180)
    complaints: list[str] = []
    page = opened(browser, complaints)
    page.goto(api)
    page.locator("#runs li a").first.click()
    curve = page.locator("section.curve[aria-label=loss]").first
    expect(curve).to_have_attribute("data-newest", re.compile(r"\d"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    drawn = [grown(page, curve.get_attribute("data-newest") or "0") for _ in range(3)]
    assert drawn == sorted(set(drawn))
    assert not any("/curves" in url and "event=crucible_train.batch.stop" in url for url in asked)
    expect(page.get_by_role("list", name="Newest events")).to_contain_text("crucible_train.batch")
    expect(page.locator("#live")).to_have_text("live")
    page.screenshot(path=FOLDER / "run-live.png")

    demo.await_line(r"end it with: kill (\d+)", STORY_S)
    (run,) = get(api, "/runs?experiment=digits-demo")
    pipeline = get(api, "/events?event=crucible_framework.pipeline.stop")[0]
    ids = {"run": run["run_id"], "trace": pipeline["trace_id"]}
    for name in VIEWS:
        look(page, api, name, ids, FOLDER / f"{name}.png")
    dark = opened(browser, complaints, "dark")
    for name in DARK:
        look(dark, api, name, ids, FOLDER / f"{name}-dark.png")
    assert complaints == []


def grown(page: Page, newest: str) -> int:
    """The newest step that is drawn, once it is another than that."""
    script = "newest => document.querySelector('section.curve[aria-label=loss]').dataset.newest !== newest"
    page.wait_for_function(script, arg=newest)
    curve = page.locator("section.curve[aria-label=loss]").first
    return int(curve.get_attribute("data-newest") or 0)


def look(page: Page, api: str, name: str, ids: dict[str, str], picture: Path) -> None:
    """Open a view anew, and take a picture of it when it is drawn."""
    address, selector = VIEWS[name]
    page.goto("about:blank")
    page.goto(f"{api}/{address.format(**ids)}")
    page.wait_for_selector(selector)
    expect(page.locator("#live")).to_have_text("live")
    page.wait_for_timeout(500)  # a frame or two more, for whoever looks at the picture
    page.screenshot(path=picture)

"""A page that is open in a real browser, and what is told about it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field

from playwright.sync_api import Page

# A question a second, on a machine that may be busy with other things.
TIMEOUT_MS = 20_000
CHROMIUM_VARIABLE = "CRUCIBLE_TEST_CHROMIUM"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The browser's program: by setting, else the system's."""
    given = os.environ.get(CHROMIUM_VARIABLE)
    return given or next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)


@dataclass
class Visit:
    """An open page, with whatever it complained of and whomever it called."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def go(self, path: str = "/") -> Page:
        self.page.goto(f"{self.origin}{path}")
        return self.page

    def forgive_missing(self) -> None:
        """Take back what the browser itself wrote of answers with 404."""
        self.complaints[:] = [each for each in self.complaints if "404" not in each]

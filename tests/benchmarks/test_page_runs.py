"""The benchmark of the page itself: that it measures, and says what it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import page
from visits import CHROMIUM_VARIABLE, chromium

ARGUMENTS = ("--kinds", "plain", "--points", "20000", "--runs", "10", "--seconds", "3")


@pytest.mark.skipif(
    chromium() is None, reason=f"no Chromium: install it or set {CHROMIUM_VARIABLE}"
)
def test_every_part_is_measured(tmp_path: Path) -> None:
    assert page.main(ARGUMENTS, output=tmp_path) == 0
    found = {each["name"]: each for each in json.loads((tmp_path / "bench-page.json").read_text())}
    assert 0 < found["files of the page, compressed"]["value"] < 300
    assert found["plain: run of 20,000 points, zoomed"]["value"] > 0
    assert found["plain: 10 runs overlaid, drawn"]["value"] > 0
    assert found["plain: 1,000 updates/s for 3 s, updates sent"]["value"] > 3000
    for each in found.values():
        assert each["value"] >= 0, each


def test_it_says_which_part_there_is_not() -> None:
    with pytest.raises(SystemExit, match="no such part: zoom"):
        page.main([*ARGUMENTS, "--parts", "zoom"])

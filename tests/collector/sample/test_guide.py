"""What collector/README.md says of sampling can be put into a settings file as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from crucible_collector.candidates import KeepReason
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.strategy_settings import SETTINGS, reference

GUIDE = (Path(__file__).parents[3] / "collector" / "README.md").read_text()
(SECTION,) = re.findall(r"^## Sampling\n(.*?)^## ", GUIDE, re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_is_a_valid_setting(block: str) -> None:
    assert len(Rules.parse(tomllib.loads(block)["sampling"]).rules) == ("strategy" in block)


def test_turning_sampling_on_takes_three_lines() -> None:
    assert min(block.count("\n") for block in BLOCKS if "strategy" in block) == 3


def test_every_strategy_and_every_reason_is_explained() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE)) == set(SETTINGS)
    reasons = {each.label for each in KeepReason if each and not each.name.endswith("_THINNED")}
    assert reasons <= set(re.findall(r"`(\w+)`", SECTION))


def test_every_setting_of_a_strategy_is_told_with_its_default() -> None:
    assert reference() in SECTION
    assert "None" not in reference()

"""What collector/README.md says of what is watched holds, and can be put into a settings file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from crucible_collector.detect.defaults import Basis, bases, basis_of, subjects
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.settings import Detection, reference
from crucible_collector.detect.watches import Watches

GUIDE = (Path(__file__).parents[3] / "collector" / "README.md").read_text()
(SECTION,) = re.findall(r"^## What is watched\n(.*?)^## ", GUIDE, re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
CLASSES, DETECTOR_ROWS, SETTINGS = (
    [line for line in table.splitlines() if line.startswith("| ")][1:]
    for table in re.findall(r"(?:^\|.*\n)+", SECTION, re.MULTILINE)
)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_is_a_valid_setting(block: str) -> None:
    detection = Detection.parse(tomllib.loads(block)["detection"])
    assert len(detection.rules) == block.count("[[detection.rules]]")


def test_every_detector_is_explained_in_a_line() -> None:
    explained = {
        name for row in DETECTOR_ROWS for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert explained == set(DETECTORS)


def told_of(basis: Basis) -> str:
    """The row of the table of classes that a basis belongs to."""
    if basis.watch_class == "trend":
        better = {True: "lower is better", False: "higher is better", None: "neither"}
        return f"trend, {better[basis.lower_is_better]}"
    if basis.watch_class == "level" and basis.is_log and basis.direction == 1:
        return "level, log, lower is better"
    return basis.watch_class.replace("_", " ")


def test_every_class_is_told_with_the_detectors_that_it_has() -> None:
    told = {row.split("|")[1].strip(): re.findall(r"`(\w+)`", row.split("|")[4]) for row in CLASSES}
    watches = Watches(Detection.parse({}))
    seen = set()
    for subject in subjects():
        basis, plan = basis_of(subject), watches.plan_for(subject, {})
        assert plan is not None
        row = told_of(basis)
        seen.add(row)
        expected = (
            told[row] if basis.can_be_non_finite else [n for n in told[row] if n != "non_finite"]
        )
        assert list(plan.detectors) == expected, subject
    assert seen == told.keys()
    assert {told_of(each) for each in bases()} == seen


def test_scales_are_those_of_the_registry() -> None:
    scales = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in CLASSES}
    for subject in subjects():
        basis = basis_of(subject)
        # A share of time is a rate whose distances its detector takes for ratios all the same.
        if scales[told_of(basis)] in {"log", "linear"} and basis.watch_class != "throughput":
            assert ("log" if basis.is_log else "linear") == scales[told_of(basis)], subject


def test_the_usual_sensitivity_is_told() -> None:
    watches = Watches(Detection.parse({}))
    found = {
        round(plan.sensitivity, 2)
        for subject in subjects()
        if (plan := watches.plan_for(subject, {})) is not None
    }
    assert found == {1.0, 0.83}


def test_every_setting_is_told_with_its_default() -> None:
    assert reference() in SECTION
    assert "None" not in reference()


def test_the_example_s_gauge_is_watched_by_it() -> None:
    (block,) = (each for each in BLOCKS if "queue.length" in each)
    watches = Watches(Detection.parse(tomllib.loads(block)["detection"]))
    assert watches.wants(Subject(Source.METRIC, "", "queue.length"))
    assert not watches.wants(Subject(Source.METRIC, "", "queue.age"))

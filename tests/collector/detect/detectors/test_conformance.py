"""What every detector promises, whatever it looks for."""

from __future__ import annotations

import doctest
import importlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from collector.detect.detectors.streams import fresh, score, values
from collector.detect.numbers import observations
from crucible_collector.batch import F64
from crucible_collector.detect.detector import Detector, Records, Scored, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.groups import only
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.settings import Detection
from crucible_collector.kernels import cache_directory

cache_directory()

METRIC = "conformance.value"
COUNT = 1200

every = pytest.mark.parametrize("name", DETECTORS)
every_way = pytest.mark.parametrize(
    ("is_log", "direction"), [(log, way) for log in (False, True) for way in (-1, 0, 1)]
)


def story(detector: Detector, seed: int = 3) -> F64:
    """Most of what can happen to a series; for who takes what is not finite, that alone."""
    random = np.random.default_rng(seed)
    if detector.takes_non_finite:
        return random.choice([np.nan, np.inf, -np.inf], COUNT)
    x = 10.0 + random.standard_normal(COUNT)
    x[300] = 1000.0
    x[301] = -1000.0
    x[500:] *= 3.0
    x[700:800] = 0.0
    x[900:] = random.integers(0, 2, COUNT - 900)
    return x


def told(found: Scored) -> F64:
    columns = [found.score, found.expected, found.lower, found.upper]
    return np.array(columns if found.value is None else [*columns, found.value])


def in_chunks(detector: Detector, records: Records, given: Values, size: int) -> F64:
    """The same numbers in several calls; in between, all that is left of the records are their bytes."""
    parts = []
    for begin in range(0, len(given), size):
        rows = slice(begin, begin + size)
        parts.append(told(detector.score(records, only(given, rows))))
        records = np.frombuffer(bytearray(records.tobytes()), detector.record)
    return np.concatenate(parts, axis=1)


@every
@every_way
def test_chunks_and_restarts_change_nothing(name: str, is_log: bool, direction: int) -> None:
    detector = DETECTORS[name]
    given = values(story(detector), is_log=is_log, direction=direction)
    whole = told(detector.score(fresh(detector), given))
    for size in (3, 500):
        np.testing.assert_array_equal(in_chunks(detector, fresh(detector), given, size), whole)


@every
@every_way
def test_what_is_expected_is_no_anomaly(name: str, is_log: bool, direction: int) -> None:
    """Or a person would read "expected 0.098, at least 0.89"."""
    detector = DETECTORS[name]
    found = score(detector, story(detector), is_log=is_log, direction=direction)
    slack = 1e-9 * np.abs(found.expected)
    assert not (found.expected < found.lower - slack).any()
    assert not (found.expected > found.upper + slack).any()


@every
def test_two_series_do_not_influence_each_other(name: str) -> None:
    detector = DETECTORS[name]
    first, second = story(detector, 3), story(detector, 4) * 1e6
    both = np.column_stack([first, second]).ravel()
    found = told(score(detector, both, series=2))
    np.testing.assert_array_equal(found[:, 0::2], told(score(detector, first)))
    np.testing.assert_array_equal(found[:, 1::2], told(score(detector, second)))


@every
def test_what_is_not_finite_changes_no_other_score(name: str) -> None:
    detector = DETECTORS[name]
    if detector.takes_non_finite:
        return
    x = np.abs(story(detector)) + 1.0
    with_flood = np.insert(x, [50, 600, 600, 600, 1199], [np.nan, np.inf, np.nan, -np.inf, np.nan])
    rule = {"metrics": [METRIC], "detectors": [name]}
    kept = scores_of_engine(with_flood, rule)[np.isfinite(with_flood)]
    if name in {"pace", "throughput"}:  # these look at times, which a number more does move
        assert np.isfinite(kept[-100:]).all()
    else:
        np.testing.assert_array_equal(kept, scores_of_engine(x, rule))


def scores_of_engine(x: F64, rule: Mapping[str, Any]) -> F64:
    engine = Engine(Detection.parse({"rules": [rule]}))
    window = observations(x, Subject(Source.METRIC, "", METRIC), with_steps=False)
    found = np.full(len(x), np.nan)
    for looked in engine.told(window):
        if looked.detector.name in rule["detectors"]:
            found[looked.rows] = looked.scored.score
    return found


@every
@every_way
def test_numbers_of_any_size_poison_nothing(name: str, is_log: bool, direction: int) -> None:
    detector = DETECTORS[name]
    if detector.takes_non_finite:
        return
    random = np.random.default_rng(5)
    extreme = [1.7e308, -1.7e308, 5e-324, 0.0, -5e-324, 1e200, -1e-200]
    calm = 10.0 + random.random(1500)
    x = np.concatenate([calm, extreme, extreme, calm])
    found = score(detector, x, is_log=is_log, direction=direction)
    assert np.isfinite(found.score[-500:]).all()
    # The tail is calm, and so mostly unflagged: but to a plateau, which it is, and to a drift, to which
    # several values of -1e308 in a row are the best there was.
    assert (found.score[-500:] > 1.0).mean() < 0.02 or name in {"plateau", "drift"}


@every
@every_way
def test_numbers_of_any_size_stop_nothing(name: str, is_log: bool, direction: int) -> None:
    """Of a detector that raises a whole window would not be looked at, whoever else is in it."""
    detector = DETECTORS[name]
    if detector.takes_non_finite:
        return
    random = np.random.default_rng(7)
    sizes = 10.0 ** random.uniform(-323, 308, 1000) * random.choice([1.0, -1.0], 1000)
    for x in (
        random.choice([0.0, 5e-324], 1000),
        random.choice([0.0, -0.0, 1e-323, -1e308], 1000),
        np.cumsum(random.choice([0.0, 5e-324], 1000)),
        np.repeat([0.0, 1e-310, 1e308, -1e308], 250),
        sizes,
    ):
        found = score(detector, x, is_log=is_log, direction=direction)
        assert not (found.score < 0.0).any()


@every
@every_way
@pytest.mark.parametrize("level", [0.1, 1.0, 3e-7, 12345.678, 1e12])
def test_a_constant_does_not_alarm_by_its_rounding(
    name: str, is_log: bool, direction: int, level: float
) -> None:
    """But for the plateau, which is what a constant is."""
    detector = DETECTORS[name]
    if name == "plateau":
        return
    random = np.random.default_rng(6)
    for noise in (0.0, 1e-16, 1e-15, 6e-8):
        x = level * (1.0 + noise * random.standard_normal(2000))
        found = score(detector, x, is_log=is_log, direction=direction)
        assert not (found.score > 1.0).any()


@every
@every_way
def test_bounds_say_what_the_score_says(name: str, is_log: bool, direction: int) -> None:
    """A score that is held back is 0, or 1 until it is certain; not told of a pause between epochs."""
    detector = DETECTORS[name]
    x = story(detector)
    found = score(detector, x, is_log=is_log, direction=direction)
    value = x if found.value is None else found.value
    bounded = ~np.isnan(found.lower) | ~np.isnan(found.upper)
    outside = (value < found.lower) | (value > found.upper)
    flagged = found.score > 1.0
    assert outside[bounded & flagged].all()
    if name != "pace":  # a single step may be slow as long as the mean is not
        assert np.isin(found.score[outside & ~flagged], (0.0, 1.0)).all()


@every
def test_what_is_told_of_a_warm_up_is_nothing(name: str) -> None:
    detector = DETECTORS[name]
    if detector.takes_non_finite:
        return
    assert np.isnan(score(detector, [1.0, 2.0]).score).all() or name == "zero"


@every
def test_the_docstring_tells_what_a_reader_asks_and_its_example_runs(name: str) -> None:
    module = importlib.import_module(type(DETECTORS[name]).__module__)
    assert module.__doc__ is not None
    for word in ("Assumption: ", "Formula", "Source: ", "Guarantee: ", "Warm-up"):
        assert word in module.__doc__, word
    assert "{" not in module.__doc__.partition("Guarantee")[2].partition(">>>")[0]
    done = doctest.testmod(sys.modules[module.__name__])
    assert done.attempted > 0
    assert done.failed == 0


def test_names_are_the_keys() -> None:
    assert {name: each.name for name, each in DETECTORS.items()} == {
        name: name for name in DETECTORS
    }

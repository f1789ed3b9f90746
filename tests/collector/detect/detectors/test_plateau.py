"""What has come to rest is told, once in a while; what still learns is not."""

from __future__ import annotations

import numpy as np
import pytest

from collector.detect.detectors.courses import course, flagged, scored
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.detectors.plateau import PATIENCE_MIN, PLATEAU


@pytest.mark.parametrize("sd", [0.03, 0.1, 0.4, 1.0])
def test_a_flat_series_is_told_but_once_in_so_many(sd: float) -> None:
    for seed in range(20):
        at = flagged(scored(PLATEAU, np.exp(sd * np.random.default_rng(seed).normal(size=2000))))
        assert at
        assert not at[1:] or min(np.diff(at)) >= PATIENCE_MIN


def test_what_still_learns_is_no_plateau() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        y = -0.3 * np.log1p(np.arange(2000) / 5) + 0.03 * rng.normal(size=2000)
        assert flagged(scored(PLATEAU, np.exp(y))) == []


def test_a_training_that_stops_to_learn_is_told_after_half_its_age() -> None:
    rng = np.random.default_rng(2)
    for stopped_at, waits in ((200, 200), (1000, 500)):
        y = np.minimum(np.arange(2500), stopped_at) * -0.004 + 0.05 * rng.normal(size=2500)
        at = flagged(scored(PLATEAU, np.exp(y)))
        assert stopped_at + waits <= at[0] <= stopped_at + 1.2 * waits + 50


def test_an_accuracy_comes_to_rest_upward() -> None:
    x = np.minimum(np.arange(1000) / 300, 1.0) * 0.8
    found = flagged(scored(PLATEAU, x, is_log=False, direction=-1))
    assert found
    assert min(found) > 500


def test_a_plateau_is_never_more_than_information() -> None:
    assert PLATEAU.severities.of(1e300, 10**9) is Severity.INFO


def test_clean_short_trainings_are_not_told() -> None:
    rng = np.random.default_rng(3)
    for kind in ("exponential", "power"):
        curves = [course(kind, 200, rng) for _ in range(10)]
        assert [flagged(scored(PLATEAU, np.exp(curve))) for curve in curves] == [[]] * 10

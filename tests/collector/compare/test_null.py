"""How often something is found where there is nothing, in simulations with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_collector.compare import Asked
from crucible_collector.compare.choice import Wanted, choose
from crucible_collector.compare.means import welch
from crucible_collector.compare.rates import chi_squared, table_of
from crucible_collector.compare.samples import Floats, Sample
from crucible_collector.compare.verdicts import is_significant
from drawn import Rng, pair_of, sample, settled, share, thinned

# Of 2,000 rounds at 5 %, nearly all shares lie between 3.5 and 6.5 %.
LOW, HIGH = 0.035, 0.065


def normal(rng: Rng, n: int) -> Floats:
    return rng.normal(5, 1, n)


def lognormal(rng: Rng, n: int) -> Floats:
    return rng.lognormal(0, 0.7, n)


@pytest.mark.parametrize("seed", [1, 2])
def test_weighted_welch_keeps_its_level(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = [
        welch(
            thinned(rng, "a", normal(rng, 200)), thinned(rng, "b", normal(rng, 150)), "two-sided"
        ).p_value
        or 0
        for _ in range(2000)
    ]
    assert LOW < share([each < 0.05 for each in p]) < HIGH


def test_the_variance_of_the_finite_population_would_not() -> None:
    """The trap: (1-p)/p^2 says how sure an estimate of what was stored is, not how runs differ."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(500):
        sides = [thinned(rng, name, normal(rng, 200)) for name in "ab"]
        variance = 0.0
        for side in sides:
            assert side.weights is not None
            w = side.weights
            residual = side.values - side.mean
            variance += float((w * (w - 1) * residual**2).sum() / w.sum() ** 2)
        found.append(abs(sides[0].mean - sides[1].mean) > 1.96 * variance**0.5)
    assert share(found) > 0.06


def test_weighted_rates_keep_their_level() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(2000):
        sides = []
        for name, n in (("a", 600), ("b", 500)):
            x = (rng.random(n) < 0.2).astype(np.float64)
            chance = rng.choice([0.1, 0.5, 1.0], n)
            kept = rng.random(n) < chance
            sides.append(Sample(name, x[kept], 1 / chance[kept]))
        found.append((chi_squared(table_of(sides)).p_value or 1) < 0.05)
    assert LOW < share(found) < HIGH


@pytest.mark.parametrize("draw", [normal, lognormal])
def test_what_is_chosen_automatically_keeps_its_level(draw: object) -> None:
    assert callable(draw)
    rng = np.random.default_rng(5)
    asked = Asked("latency", prefers_log=draw is lognormal)
    found = []
    for _ in range(500):
        pair, _ = pair_of(sample("a", draw(rng, 8)), sample("b", draw(rng, 6)), asked)
        found.append((pair.p_adjusted or 1) < 0.05)
    assert 0.025 < share(found) < 0.075


def test_of_pairs_and_of_small_rates_the_choice_keeps_its_level_too() -> None:
    rng = np.random.default_rng(6)
    ids = tuple("abcdefgh")
    paired, small = [], []
    for _ in range(400):
        base = rng.normal(0, 3, 8)
        a, b = (sample(n, base + rng.normal(0, 1, 8), pair_ids=ids) for n in "ab")
        pair, _ = pair_of(a, b, Asked("loss"))
        assert pair.choice.test == "paired_t"
        paired.append((pair.p_adjusted or 1) < 0.05)
    for _ in range(60):
        a, b = (sample(n, (rng.random(12) < 0.25).astype(float)) for n in "ab")
        pair, _ = pair_of(a, b, Asked("success", "rate"))
        small.append((pair.tested.p_value or 1) < 0.05)
    assert 0.02 < share(paired) < 0.08
    assert share(small) < 0.12  # exact: at most 5 % in truth, here of 60


def test_of_many_comparisons_at_once_any_is_found_as_rarely() -> None:
    rng = np.random.default_rng(7)
    asked = Asked("val_accuracy", lower_is_better=False)
    uncorrected = Asked("val_accuracy", lower_is_better=False, correction="none")
    corrected, raw = [], []
    for _ in range(200):
        samples = [sample(name, rng.normal(0, 1, 6)) for name in "abcdefg"]
        found = settled(samples, asked)
        corrected.append(any(is_significant(pair, asked) for pair in found.pairs))
        found = settled(samples, uncorrected)
        raw.append(any(is_significant(pair, uncorrected) for pair in found.pairs))
    assert share(corrected) < 0.09
    assert share(raw) > 0.12


def test_steps_of_runs_are_no_replicates() -> None:
    """The trap: 500 steps of 5 runs are not 2,500 numbers. A number a run keeps the level."""
    rng = np.random.default_rng(8)
    by_run, by_step = [], []
    for _ in range(400):
        levels = {name: rng.normal(0, 1, 5) for name in "ab"}
        steps = {
            name: level[:, None] + rng.normal(0, 1, (5, 100)) for name, level in levels.items()
        }
        a, b = (sample(name, each.mean(axis=1)) for name, each in steps.items())
        by_run.append((welch(a, b, "two-sided").p_value or 1) < 0.05)
        a, b = (sample(name, each.ravel()) for name, each in steps.items())
        by_step.append((welch(a, b, "two-sided").p_value or 1) < 0.05)
    assert share(by_run) < 0.08
    assert share(by_step) > 0.6


def test_the_choice_does_not_look_at_the_outcome() -> None:
    """Values however skewed or unequal: the same test, so that its level is its own."""
    rng = np.random.default_rng(9)
    wanted = Wanted(None, None, "two-sided", 0.05)
    tests = {
        choose(
            sample("a", draw(rng, 7)), sample("b", 3 * draw(rng, 9)), "mean", "linear", wanted
        ).test
        for draw in (normal, lognormal)
        for _ in range(20)
    }
    assert tests == {"welch"}

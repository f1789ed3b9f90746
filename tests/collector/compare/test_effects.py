"""Effect sizes, their intervals and what would have been seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from crucible_collector.compare import effects, means, power, resampling
from crucible_collector.compare.samples import Sample
from drawn import sample, share


def test_cohens_d_and_hedges_g_are_what_they_are_defined_to_be() -> None:
    a, b = sample("a", [1.0, 2, 3, 4]), sample("b", [3.0, 5, 6, 7, 9])
    pooled = np.sqrt((3 * np.var(a.values, ddof=1) + 4 * np.var(b.values, ddof=1)) / 7)
    d = effects.cohens_d(a, b, 0.95)
    assert d is not None
    assert d.value == pytest.approx((6 - 2.5) / pooled)
    # Hedges (1981), exact at 7 degrees of freedom.
    assert effects.hedges_g(d, 7).value == pytest.approx(d.value * 0.8882, rel=1e-4)
    # At either bound the statistic that was found lies at an end of what is expected.
    t, scale = stats.ttest_ind(b.values, a.values).statistic, np.sqrt(4 * 5 / 9)
    assert d.lower is not None
    assert d.upper is not None
    assert stats.nct.cdf(t, 7, d.lower * scale) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, 7, d.upper * scale) == pytest.approx(0.025, abs=1e-6)


def test_cliffs_delta_counts_all_pairs() -> None:
    rng = np.random.default_rng(5)
    a, b = sample("a", np.rint(rng.uniform(0, 6, 11))), sample("b", np.rint(rng.uniform(1, 8, 9)))
    signs = np.array([[np.sign(y - x) for x in a.values] for y in b.values])
    n, m = signs.shape
    delta = signs.mean()
    of_b, of_a = signs.mean(axis=1), signs.mean(axis=0)
    variance = (
        m**2 * ((of_b - delta) ** 2).sum()
        + n**2 * ((of_a - delta) ** 2).sum()
        - ((signs - delta) ** 2).sum()
    ) / (n * m * (n - 1) * (m - 1))
    found = effects.cliffs_delta(a, b, 0.95)
    assert found.value == pytest.approx(delta)
    z = stats.norm.ppf(0.975)
    root = np.sqrt(variance * ((1 - delta**2) ** 2 + z * z * variance))
    scale = 1 - delta**2 + z * z * variance
    bounds = (delta - delta**3 - z * root) / scale, (delta - delta**3 + z * root) / scale
    assert (found.lower, found.upper) == pytest.approx(bounds)
    apart = effects.cliffs_delta(sample("a", range(10)), sample("b", range(20, 30)), 0.95)
    assert (apart.value, apart.upper) == (1.0, 1.0)
    assert apart.lower == pytest.approx((10 - z * z) / (10 + z * z))


def test_power_and_the_least_effect_are_those_of_published_tables() -> None:
    # R: power.t.test(n = 20, delta = 1) is 0.8689528. Cohen (1988): d = 0.5 takes 64, 0.8 takes 26.
    assert power.power_of_d(1, np.sqrt(10), 38, 0.05, True) == pytest.approx(0.8689528, abs=1e-6)
    for size, d in ((64, 0.5), (26, 0.8)):
        assert (power.detectable_d((size, size), 0.05, True) or 9) <= d
        assert (power.detectable_d((size - 1, size - 1), 0.05, True) or 0) > d
    # Of pairs, d = 0.5 takes 34.
    assert (power.detectable_d_of_pairs(34, 0.05, True) or 9) <= 0.5
    assert (power.detectable_d_of_pairs(33, 0.05, True) or 0) > 0.5


def test_the_least_effect_is_found_in_four_of_five_simulated_comparisons() -> None:
    rng = np.random.default_rng(11)
    d = power.detectable_d((5, 5), 0.05, True)
    assert d is not None
    draws = rng.normal(0, 1, (4000, 2, 5))
    p = stats.ttest_ind(draws[:, 0], draws[:, 1] + d, axis=1).pvalue
    assert 0.78 < share(list(p < 0.05)) < 0.82
    least = power.detectable_risk_difference(0.2, (200, 200), 0.05, True)
    assert least is not None
    hits = rng.binomial(200, [[0.2], [0.2 + least]], (2, 4000)) / 200
    pooled = hits.mean(axis=0)
    z = (hits[1] - hits[0]) / np.sqrt(pooled * (1 - pooled) / 100)
    assert 0.77 < share(list(abs(z) > 1.96)) < 0.83


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Normal values of unequal variance for the mean, of equal variance for d, any for delta."""
    rng = np.random.default_rng(13)
    hits: dict[str, list[bool]] = {"difference": [], "d": [], "delta": []}
    delta = 2 * stats.norm.cdf(0.8 / np.sqrt(2)) - 1
    for _ in range(600):
        a, b = sample("a", rng.normal(0, 1, 12)), sample("b", rng.normal(0.8, 1, 15))
        wide = sample("wide", rng.normal(0.8, 4, 15))
        for name, found, truth in (
            ("difference", means.welch_interval(a, wide, 0.95), 0.8),
            ("d", effects.cohens_d(a, b, 0.95), 0.8),
            ("delta", effects.cliffs_delta(a, b, 0.95), delta),
        ):
            assert found is not None
            assert found.lower is not None
            assert found.upper is not None
            hits[name].append(found.lower <= truth <= found.upper)
    for name, covered in hits.items():
        assert 0.925 < share(covered) < 0.975, name


def test_bootstrap_intervals_are_reproducible_close_to_welchs_and_weighted() -> None:
    rng = np.random.default_rng(17)
    a, b = sample("a", rng.normal(0, 1, 60)), sample("b", rng.normal(1, 1, 60))
    first = resampling.bootstrap_difference(a, b, 0.95, 1)
    assert first == resampling.bootstrap_difference(a, b, 0.95, 1)
    assert first != resampling.bootstrap_difference(a, b, 0.95, 2)
    assert first is not None
    welch = means.welch_interval(a, b, 0.95)
    assert (first.lower, first.upper) == pytest.approx((welch.lower, welch.upper), abs=0.06)
    # Half of b is there for four: its mean moves towards these, and so does the interval.
    weights = np.where(b.values > np.median(b.values), 4.0, 1.0)
    weighted = resampling.bootstrap_difference(a, Sample("b", b.values, weights), 0.95, 1)
    assert weighted is not None
    assert weighted.lower is not None
    assert weighted.lower > (first.lower or 0)


def test_signs_turn_with_the_sides() -> None:
    rng = np.random.default_rng(19)
    for n, m in itertools.product((3, 8), (4, 11)):
        a, b = sample("a", rng.normal(0, 1, n)), sample("b", rng.normal(1, 2, m))
        for measure in (effects.cohens_d, effects.cliffs_delta, means.welch_interval):
            there, back = measure(a, b, 0.95), measure(b, a, 0.95)
            assert there is not None
            assert back is not None
            assert back.value == pytest.approx(-there.value)
            assert (back.lower, back.upper) == pytest.approx(
                (-(there.upper or 0), -(there.lower or 0)), abs=1e-6
            )

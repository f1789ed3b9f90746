"""Each test says what scipy or a published table says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crucible_collector.compare import means, ranks, rates
from crucible_collector.compare.corrections import corrected
from crucible_collector.compare.means import Alternative
from crucible_collector.compare.samples import Sample
from drawn import sample

RNG = np.random.default_rng(7)
A = sample("a", RNG.normal(0, 1, 9))
B = sample("b", RNG.normal(1, 3, 14))
C = sample("c", RNG.normal(0.5, 2, 6))
SIDES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


@pytest.mark.parametrize("side", SIDES)
def test_without_weights_welch_is_scipys(side: Alternative) -> None:
    found = means.welch(A, B, side)
    expected = stats.ttest_ind(B.values, A.values, equal_var=False, alternative=side)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.df is not None
    assert found.df[0] == pytest.approx(expected.df)
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = means.welch_interval(A, B, 0.9)
    bounds = stats.ttest_ind(B.values, A.values, equal_var=False).confidence_interval(0.9)
    assert (interval.lower, interval.upper) == pytest.approx((bounds.low, bounds.high))


def test_with_weights_welch_is_scipys_from_effective_summaries() -> None:
    """m = sum(wx)/sum(w), n = sum(w)^2/sum(w^2), V = n/(n-1) sum(w^2 (x-m)^2)/sum(w)^2."""
    sides = []
    for values in (A, B):
        w = RNG.uniform(1, 10, values.size)
        x = values.values
        m = (w * x).sum() / w.sum()
        n = w.sum() ** 2 / (w**2).sum()
        variance = n / (n - 1) * (w**2 * (x - m) ** 2).sum() / w.sum() ** 2
        sides.append((Sample(values.name, x, w), (m, np.sqrt(variance * n), n)))
    (a, of_a), (b, of_b) = sides
    expected = stats.ttest_ind_from_stats(*of_b, *of_a, equal_var=False)
    assert means.welch(a, b, "two-sided").p_value == pytest.approx(expected.pvalue)


def test_weights_in_proportion_say_what_no_weights_say() -> None:
    a, b = (Sample(s.name, s.values, np.full(s.size, 40.0)) for s in (A, B))
    assert means.welch(a, b, "two-sided").p_value == pytest.approx(
        means.welch(A, B, "two-sided").p_value
    )


def test_of_several_welchs_analysis_of_variance_is_scipys() -> None:
    expected = stats.f_oneway(A.values, B.values, C.values, equal_var=False)
    found = means.welch_anova([A, B, C])
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert means.welch_anova([A, sample("d", [1, 1, 1]), B]).p_value is None


@pytest.mark.parametrize("side", SIDES)
def test_order_is_tested_as_scipy_tests_it(side: Alternative) -> None:
    u = stats.mannwhitneyu(B.values, A.values, alternative=side, method="exact")
    assert ranks.mann_whitney(A, B, side).p_value == pytest.approx(u.pvalue)
    w = stats.wilcoxon(A.values, alternative=side)
    assert ranks.wilcoxon(A, side).p_value == pytest.approx(w.pvalue)
    ks = stats.ks_2samp(B.values, A.values)
    assert ranks.kolmogorov_smirnov(A, B, "two-sided").p_value == pytest.approx(ks.pvalue)


def test_one_sided_all_tests_agree_on_which_side_is_greater() -> None:
    low, high = sample("low", np.arange(12.0)), sample("high", np.arange(12.0) + 20.5)
    for test in (means.welch, ranks.mann_whitney, ranks.kolmogorov_smirnov):
        up, down = test(low, high, "greater").p_value, test(low, high, "less").p_value
        assert up is not None
        assert down is not None
        assert up < 1e-4, test
        assert down > 0.5, test
    table = np.array([[2.0, 18.0], [15.0, 5.0]])
    for name in ("boschloo", "fisher"):
        assert (rates.exact(name, table, "greater").p_value or 1) < 0.01, name
    assert (rates.chi_squared(table, "greater").p_value or 1) < 0.01
    zeros, ones = sample("zeros", [0.0] * 8), sample("ones", [1.0] * 7 + [0.0])
    assert (rates.mcnemar(zeros, ones, "greater").p_value or 1) < 0.01


def test_rank_tests_know_the_least_p_value_that_they_can_give() -> None:
    low, high = sample("low", [1.0, 2, 3]), sample("high", [4.0, 5, 6])
    found = ranks.mann_whitney(low, high, "two-sided").p_value
    assert found == pytest.approx(ranks.least_p("mann_whitney", (3, 3), True)) == 0.1
    five = sample("five", [1.0, 2, 3, 4, 5])
    found = ranks.wilcoxon(five, "two-sided").p_value
    assert found == pytest.approx(ranks.least_p("wilcoxon", (5, 5), True)) == 0.0625


def test_rates_are_tested_as_published() -> None:
    # Newcombe (1998): 81 of 263; 56 of 70 against 48 of 80.
    one = sample("one", [1.0] * 81 + [0.0] * 182)
    found = rates.wilson(one, 0.95)
    assert (found.lower, found.upper) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    first = sample("first", [1.0] * 56 + [0.0] * 14)
    second = sample("second", [1.0] * 48 + [0.0] * 32)
    difference = rates.risk_difference(second, first, 0.95)
    assert difference.value == pytest.approx(0.2)
    assert (difference.lower, difference.upper) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    table = rates.table_of([second, first])
    expected = stats.chi2_contingency([[48, 32], [56, 14]], correction=False)
    assert rates.chi_squared(table).p_value == pytest.approx(expected.pvalue)
    assert rates.exact("fisher", table, "two-sided").p_value == pytest.approx(
        stats.fisher_exact([[48, 32], [56, 14]]).pvalue
    )
    small = np.array([[7.0, 12.0 - 7], [8.0, 11.0 - 8]])
    assert rates.exact("boschloo", small, "two-sided").p_value == pytest.approx(
        stats.boschloo_exact([[7, 8], [5, 3]]).pvalue, rel=1e-3
    )


def test_pairs_of_rates_are_tested_by_those_that_differ() -> None:
    a = sample("a", [1.0] * 10 + [0.0] * 10)
    b = sample("b", [1.0] * 9 + [0.0] + [1.0] * 8 + [0.0] * 2)
    found = rates.mcnemar(a, b, "two-sided")
    assert found.p_value == pytest.approx(2 * (9 + 1) / 2**9)
    assert rates.paired_risk_difference(a, b, 0.95).value == pytest.approx(7 / 20)
    assert rates.mcnemar(a, a, "two-sided").p_value is None


def test_a_weighted_rate_has_effective_counts_and_an_empty_column_no_test() -> None:
    rng = np.random.default_rng(3)
    x = (rng.random(400) < 0.3).astype(float)
    w = rng.choice([1.0, 10.0], 400)
    weighted = Sample("w", x, w)
    p = (w * x).sum() / w.sum()
    n = w.sum() ** 2 / (w**2).sum()
    variance = n / (n - 1) * (w**2 * (x - p) ** 2).sum() / w.sum() ** 2
    assert sum(rates.effective_counts(weighted)) == pytest.approx(p * (1 - p) / variance)
    assert rates.effective_counts(Sample("all", np.ones(400), w)) == pytest.approx((n, 0))
    assert rates.chi_squared(np.array([[5.0, 0.0], [9.0, 0.0]])).p_value is None


def test_families_are_corrected_as_published() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert corrected(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected(p, "benjamini_hochberg") == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert corrected(p, "none") == p
    assert corrected([0.6, 0.7], "holm") == [1.0, 1.0]

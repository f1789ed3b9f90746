"""What is said, and that it is no more than was found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crucible_collector.compare import Asked, Sample, lower_is_better
from crucible_collector.compare.choice import TestName
from crucible_collector.compare.verdicts import Verdict, judged
from crucible_collector.errors import NotComparableError
from drawn import pair_of, sample, settled

LOW = [0.80, 0.81, 0.79, 0.80, 0.80]
HIGH = [0.83, 0.84, 0.83, 0.82, 0.83]
ACCURACY = Asked("val_accuracy", lower_is_better=False)


def verdict(a: Sample, b: Sample, asked: Asked) -> Verdict:
    pair, compared = pair_of(a, b, asked)
    return judged(pair, compared)


def test_better_is_said_with_how_much_and_how_sure() -> None:
    found = verdict(sample("A", LOW), sample("B", HIGH), ACCURACY)
    assert found.conclusion == "better"
    assert found.text == (
        "B is better than A: val_accuracy is higher by 0.03 (95 % interval 0.0197 to 0.0403), p = 0.000151"
        " (Welch's t-test; 5 runs each). Beside the spread that is a large effect (d = 4.24)."
    )


def test_improvement_is_positive_where_the_candidate_is_better_whichever_way_that_is() -> None:
    for lower, conclusion in ((False, "better"), (True, "worse")):
        asked = dataclasses.replace(ACCURACY, lower_is_better=lower)
        found = verdict(sample("A", LOW), sample("B", HIGH), asked)
        back = verdict(sample("B", HIGH), sample("A", LOW), asked)
        assert found.conclusion == conclusion
        assert {found.conclusion, back.conclusion} == {"better", "worse"}
        assert found.improvement is not None
        assert back.improvement is not None
        assert (found.improvement.value > 0) == (conclusion == "better")
        assert back.improvement.value == pytest.approx(-found.improvement.value)
        assert back.improvement.lower == pytest.approx(-(found.improvement.upper or 0))


def test_a_lower_latency_is_a_positive_improvement_in_percent() -> None:
    rng = np.random.default_rng(1)
    asked = Asked("latency", unit="request", lower_is_better=True, prefers_log=True)
    slow = sample("slow", rng.lognormal(3, 0.2, 200))
    fast = sample("fast", slow.values * 0.8)
    found = verdict(slow, fast, asked)
    assert found.improvement_percent is not None
    assert found.improvement_percent.value == pytest.approx(20)
    assert "fast is better than slow: latency is lower by 20 % (95 % interval " in found.text


def test_nothing_found_is_said_with_what_would_have_been_seen() -> None:
    found = verdict(sample("A", LOW), sample("B", [0.81, 0.8, 0.79, 0.8, 0.81]), ACCURACY)
    assert found.conclusion == "no_difference_found"
    assert found.text.startswith("No difference found in val_accuracy between A and B: p = ")
    assert found.text.endswith(
        "With 5 runs each only effects above d = 2.02 (0.0157) would have been seen in 4 of 5 such comparisons."
    )


def test_where_nobody_knows_which_way_is_better_nobody_is_called_better() -> None:
    asked = Asked("entropy", lower_is_better=None)
    found = verdict(sample("A", LOW), sample("B", HIGH), asked)
    assert found.conclusion == "different"
    assert "entropy is higher in B than in A" in found.text
    assert found.improvement is None


def test_a_margin_tells_what_matters_from_what_is_only_sure() -> None:
    tight = sample("A", np.linspace(0.8, 0.802, 30)), sample("B", np.linspace(0.803, 0.805, 30))
    small = verdict(*tight, dataclasses.replace(ACCURACY, margin=0.01))
    assert small.conclusion == "equivalent"
    assert "That there is some difference is sure" in small.text
    large = verdict(*tight, dataclasses.replace(ACCURACY, margin=0.001))
    assert large.text.endswith("It is more than the 0.001 that matters.")
    unsure = verdict(*tight, dataclasses.replace(ACCURACY, margin=0.003))
    assert unsure.text.endswith("Whether it is more than the 0.003 that matters is not sure.")
    same = verdict(
        tight[0], sample("B", tight[0].values), dataclasses.replace(ACCURACY, margin=0.01)
    )
    assert same.conclusion == "equivalent"
    assert "sure" not in same.text


def test_without_any_spread_no_test_is_made() -> None:
    ones, twos = sample("A", [1.0] * 4), sample("B", [2.0] * 4)
    found = verdict(ones, twos, Asked("loss", lower_is_better=True))
    assert found.conclusion == "untestable"
    assert found.text == (
        "loss is 1 in every run of A and 2 in every run of B; without any spread no test says how sure that"
        " difference is."
    )
    rounding = sample("B", [1.0, 1.0 + 2e-16, 1.0, 1.0])
    assert verdict(ones, rounding, Asked("loss")).conclusion == "identical"
    rates = Asked("success", "rate", lower_is_better=False)
    assert verdict(ones, sample("B", [1.0] * 3), rates).text == (
        "No difference can be tested: success is 1 in every run of A and B."
    )
    ids = tuple("abcdef")
    a, b = (sample(n, np.arange(6.0) + s, pair_ids=ids) for n, s in (("A", 0.0), ("B", 2.0)))
    assert "differs by the same 2 in all 6 pairs" in verdict(a, b, Asked("loss")).text


def test_corrections_and_sides_are_told_with_the_p_value() -> None:
    samples = [sample("A", LOW), sample("B", HIGH), sample("C", LOW)]
    found = settled(samples, ACCURACY)
    assert found.family_size == 2
    assert "corrected by Holm over 2" in judged(found.pairs[0], found).text
    one_sided = dataclasses.replace(ACCURACY, alternative="less")
    text = verdict(sample("A", LOW), sample("B", HIGH), one_sided).text
    assert "(asked was whether B is lower)" in text
    assert "one-sided (less)" in text
    three = settled(samples, dataclasses.replace(ACCURACY, against="all"))
    assert [(p.baseline.name, p.candidate.name) for p in three.pairs] == [
        ("A", "B"),
        ("A", "C"),
        ("B", "C"),
    ]


def test_named_tests_are_made_or_refused_with_the_reason() -> None:
    asked = dataclasses.replace(ACCURACY, test="mann_whitney")
    found = verdict(sample("A", [*LOW, 0.805]), sample("B", [*HIGH, 0.835]), asked)
    assert "val_accuracy is higher by order (Cliff's delta 1, 95 % interval" in found.text
    refusals: dict[tuple[TestName, bool | None], str] = {
        ("mann_whitney", None): "never gives a p-value below 0.1",
        ("wilcoxon", None): "share 0 ids",
        ("chi_squared", None): "is of rates",
        ("welch", True): "knows no pairs",
    }
    for (test, pairs), message in refusals.items():
        with pytest.raises(NotComparableError, match=message):
            verdict(
                sample("A", LOW[:3]),
                sample("B", HIGH[:3]),
                dataclasses.replace(ACCURACY, test=test, pairs=pairs),
            )
    weighted = Sample("B", np.array(HIGH), np.array([1.0, 2, 1, 1, 1]))
    with pytest.raises(NotComparableError, match="no weighted form"):
        verdict(sample("A", LOW), weighted, asked)


def test_the_registry_says_which_way_is_better_for_names_that_end_alike_too() -> None:
    known = {name: lower_is_better(name) for name in ("loss", "val_accuracy", "test/f1", "latency")}
    assert known == {"loss": True, "val_accuracy": False, "test/f1": False, "latency": True}
    assert lower_is_better("nobody.knows") is None

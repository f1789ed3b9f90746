"""Whatever numbers come, an answer or a refusal: no crash, no NaN, no p-value beyond 0 and 1."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_collector.compare import Asked, Sample
from crucible_collector.compare.means import Effect
from crucible_collector.compare.pairs import Bootstrap, Pair
from crucible_collector.compare.verdicts import judged
from crucible_collector.errors import NotComparableError
from drawn import settled

FINITE = st.floats(-1e100, 1e100)
PLAIN = st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-300, 1e99, 1e300, 5e-324, 1.0 + 2e-16, 3.0])
TESTS = st.sampled_from(
    [None, "welch", "paired_t", "mann_whitney", "wilcoxon", "kolmogorov_smirnov"]
)


@st.composite
def sides(draw: st.DrawFn, values: st.SearchStrategy[float]) -> list[Sample]:
    found = []
    for name in "abc"[: draw(st.integers(2, 3))]:
        numbers = np.array(draw(st.lists(values, min_size=1, max_size=12)), np.float64)
        weights = draw(st.none() | st.sampled_from([1.0, 7.0, 1e9]))
        made = None if weights is None else np.where(np.arange(len(numbers)) % 3 == 0, weights, 1.0)
        ids = tuple(str(n) for n in range(len(numbers))) if draw(st.booleans()) else None
        found.append(Sample(name, numbers, made, ids))
    return found


def check(samples: list[Sample], asked: Asked) -> None:
    try:
        found = settled(samples, asked)
    except NotComparableError:
        return
    for pair in found.pairs:
        for p in (pair.tested.p_value, pair.p_adjusted):
            assert p is None or 0 <= p <= 1
        for effect in _effects(pair):
            assert not math.isnan(effect.value)
            if effect.lower is not None and effect.upper is not None:
                assert effect.lower <= effect.upper
        verdict = judged(pair, found)
        assert "nan" not in verdict.text.replace("no bound", "")


def _effects(pair: Pair) -> list[Effect]:
    found = [getattr(pair, field.name) for field in dataclasses.fields(pair)]
    return [each for each in found if isinstance(each, Effect)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sides(FINITE | PLAIN), TESTS, st.booleans())
def test_any_numbers_have_an_answer_or_a_refusal(
    samples: list[Sample], test: object, on_log: bool
) -> None:
    check(samples, Asked("loss", test=test, prefers_log=on_log))  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sides(st.sampled_from([0.0, 1.0])))
def test_any_rates_have_an_answer_or_a_refusal(samples: list[Sample]) -> None:
    check(samples, Asked("success", "rate", lower_is_better=False, against="all"))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(sides(PLAIN))
def test_any_bootstrap_has_an_interval_or_none(samples: list[Sample]) -> None:
    check(samples, Asked("loss", bootstrap=Bootstrap(0)))

"""The decoder and the official parser see the same in every request, or both refuse it."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.decode.generated import damaged, random_request
from collector.decode.observed import same_or_both_refuse
from crucible_collector.batch import Signal

_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
_settings = settings(max_examples=60, deadline=None, suppress_health_check=_SLOW_TO_DRAW)


@pytest.mark.parametrize("signal", Signal)
@_settings
@given(rng=st.randoms(use_true_random=False))
def test_an_undamaged_request_decodes_to_what_was_put_into_it(
    signal: Signal, rng: random.Random
) -> None:
    assert same_or_both_refuse(signal, random_request(signal, rng).SerializeToString())


@pytest.mark.parametrize("signal", Signal)
@_settings
@given(rng=st.randoms(use_true_random=False))
def test_a_damaged_request_is_refused_by_both_or_decodes_to_the_same(
    signal: Signal, rng: random.Random
) -> None:
    same_or_both_refuse(signal, damaged(random_request(signal, rng).SerializeToString(), rng))


@pytest.mark.parametrize("signal", Signal)
def test_many_damaged_requests_of_which_both_outcomes_are_common(signal: Signal) -> None:
    """Seeded and cheap to draw: hundreds where the ones above shrink to a small example."""
    rng = random.Random(int(signal))
    outcomes = [
        same_or_both_refuse(signal, damaged(whole, rng))
        for whole in (random_request(signal, rng).SerializeToString() for _ in range(150))
        for _ in range(4)
    ]
    assert 0.1 < sum(outcomes) / len(outcomes) < 0.9

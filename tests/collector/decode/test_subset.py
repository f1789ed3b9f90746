"""Some rows of a window's records, taken out, say what they said among the others."""

from __future__ import annotations

import random

import numpy as np
import pytest

from collector.decode.generated import random_request
from collector.decode.observed import decode_bodies, observed
from crucible_collector import decode
from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
@pytest.mark.parametrize("seed", range(8))
def test_rows_that_are_taken_out_say_what_they_said(signal: Signal, seed: int) -> None:
    rng = random.Random(seed)
    records = decode_bodies(signal, _bodies(signal, rng))
    whole = observed(records)
    for count in (0, min(1, len(records)), len(records) // 2, len(records)):
        rows = np.array(sorted(rng.sample(range(len(records)), count)), np.int64)
        taken = observed(decode.take(records, rows))
        assert taken["records"] == [whole["records"][row] for row in rows]
        assert (taken["scopes"], taken["resources"]) == (whole["scopes"], whole["resources"])


def test_the_order_is_the_one_that_is_asked_for() -> None:
    records = decode_bodies(Signal.TRACES, _bodies(Signal.TRACES, random.Random(1)))
    rows = np.arange(len(records))[::-1].copy()
    taken = observed(decode.take(records, rows))["records"]
    assert taken == observed(records)["records"][::-1]


def _bodies(signal: Signal, rng: random.Random) -> list[bytes]:
    bodies: list[bytes] = []
    while len(bodies) < 6:
        body = random_request(signal, rng).SerializeToString()
        try:
            plain = decode.canonical(signal, body, records_max=10_000)
        except MalformedError:
            continue
        bodies.append(plain)
    return bodies

"""XXH64 is XXH64, and the hash of an attribute set does not know an order."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
import xxhash

from collector.decode.observed import decode_bodies
from collector.decode.spans import decoded, json_of, places, put, span
from crucible_collector import decode
from crucible_collector.batch import SLOT, Signal, TextRef
from crucible_collector.decode import official


@pytest.mark.parametrize("size", [*range(100), 255, 256, 257, 1000, 100_003])
def test_xxh64_is_that_of_the_reference(size: int) -> None:
    content = random.Random(size).randbytes(size)
    assert decode.xxh64(content) == xxhash.xxh64_intdigest(content)


def test_texts_are_hashed_where_they_lie() -> None:
    rng = random.Random(1)
    rows = [rng.randbytes(rng.randrange(80)) for _ in range(200)]
    hashes = decode.text_hash(*places(*rows))
    assert hashes.tolist() == [xxhash.xxh64_intdigest(row) for row in rows]


def test_absent_and_empty_text_hash_alike() -> None:
    buffer, _ = places(b"abc")
    ref = TextRef(np.zeros(2, dtype=np.int64), np.array([-1, 0], dtype=np.int32))
    assert decode.text_hash(buffer, ref).tolist() == [xxhash.xxh64_intdigest(b"")] * 2


def set_hash(*pairs: tuple[bytes, Any]) -> int:
    return int(decode.attribute_set_hash(decoded(span(*pairs)))[0])


def test_the_order_of_attributes_does_not_matter() -> None:
    pairs = [(b"a", 1), (b"b", "x"), (b"c", [1, 2]), (b"d", {b"e": 0.5})]
    assert len({set_hash(*order) for order in itertools.permutations(pairs)}) == 1


def test_different_sets_have_different_hashes() -> None:
    values: list[Any] = [None, 0, 1, 0.0, 1.0, -0.0, math.nan, "", "1", "1.0", "null", True, False]
    values += [b"", b"1", [], {}, [1], [[1]], {b"a": 1}, ["a", "b"], ["b", "a"], "ab", "b"]
    sets: list[list[tuple[bytes, Any]]] = [[(b"k", value)] for value in values]
    sets += [[], [(b"", None)], [(b"kb", "")], [(b"k", 1), (b"l", 1)], [(b"l", 1)]]
    sets += [[(b"k", "a"), (b"l", "b")], [(b"k", "b"), (b"l", "a")]]
    assert len({set_hash(*pairs) for pairs in sets}) == len(sets)


def test_the_hash_of_a_set_is_the_one_that_is_documented() -> None:
    """Ids in the database are made from it: it must be possible to compute it again elsewhere."""
    pairs = [(b"a", 1), (b"b\xff", "x\0"), (b"c", {b"$": [1e300, None]})]
    total = 0
    for key, value in pairs:
        text = key.decode("utf-8", "replace").encode() + b"\0" + json_of(value).encode()
        total += xxhash.xxh64_intdigest(text)
    word = total % 2**64
    word = (word ^ word >> 33) * 0xC2B2AE3D27D4EB4F % 2**64
    word = (word ^ word >> 29) * 0x165667B19E3779F9 % 2**64
    assert set_hash(*pairs) == word ^ word >> 32


def test_excluded_slots_do_not_count() -> None:
    step, epoch = SLOT["crucible.step"], SLOT["crucible.epoch"]
    spans = decoded(
        span((b"a", 1)),
        span((b"crucible.step", 1), (b"a", 1)),
        span((b"a", 1), (b"crucible.step", 3), (b"crucible.step", 2)),
        span((b"crucible.epoch", 1), (b"a", 1), (b"crucible.step", 2)),
    )
    hashes = decode.attribute_set_hash(spans, exclude_slots=(step, epoch)).tolist()
    assert len(set(hashes)) == 1
    assert len(set(decode.attribute_set_hash(spans).tolist())) == 4


def test_resources_and_scopes_are_hashed_by_their_slices() -> None:
    request = official.REQUEST[Signal.METRICS]()
    for value in (1, 2, 1):
        around = request.resource_metrics.add()  # type: ignore[attr-defined]
        put(around.resource.attributes.add(key=b"r").value, value)
        put(around.scope_metrics.add().scope.attributes.add(key=b"s").value, value)
    metrics = decode_bodies(Signal.METRICS, [request.SerializeToString()])
    one, two, again = decode.attribute_set_hash(metrics, metrics.resources.attribute_start).tolist()
    assert one == again == set_hash((b"r", 1))
    assert two == set_hash((b"r", 2))
    scopes = decode.attribute_set_hash(metrics, metrics.scopes.attribute_start).tolist()
    assert scopes == [set_hash((b"s", value)) for value in (1, 2, 1)]

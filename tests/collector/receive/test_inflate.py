"""Gzip is undone within bounds, and what is not gzip is said to be so."""

from __future__ import annotations

import gzip
import os
import tracemalloc

import pytest

from crucible_collector.errors import MalformedError, OverloadedError, TooLargeError
from crucible_collector.receive.inflate import inflate

MIB = 1 << 20


def inflated(body: bytes, bytes_max: int = 64 * MIB) -> bytes:
    return inflate(body, bytes_max, lambda _total_bytes: None)


@pytest.mark.parametrize("size", [0, 1, 1000, MIB - 1, MIB, 3 * MIB + 5])
def test_what_was_compressed_comes_back(size: int) -> None:
    content = os.urandom(size)
    assert inflated(gzip.compress(content, 1)) == content


def test_nothing_stays_nothing() -> None:
    assert inflated(b"") == b""


def test_members_are_joined() -> None:
    assert inflated(gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"content")[:-1],
        gzip.compress(b"content")[:5],
        gzip.compress(b"content") + b"more",
        b"plain",
        gzip.compress(b"content")[:-8] + bytes(8),  # a wrong checksum
    ],
    ids=["cut in its trailer", "cut in its header", "followed", "not gzip", "damaged"],
)
def test_damage_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError, match="gzip"):
        inflated(body)


def test_the_limit_is_exact() -> None:
    body = gzip.compress(bytes(1000))
    assert len(inflated(body, 1000)) == 1000
    with pytest.raises(TooLargeError):
        inflated(body, 999)


def test_a_bomb_costs_what_a_body_may() -> None:
    bomb = gzip.compress(bytes(512 * MIB), 1)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            inflated(bomb, 8 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


def test_members_without_end_are_malformed() -> None:
    with pytest.raises(MalformedError, match="members"):
        inflated(gzip.compress(b"") * 2000)


def test_growth_is_announced_and_may_be_refused() -> None:
    seen: list[int] = []

    def grow(total_bytes: int) -> None:
        seen.append(total_bytes)
        if total_bytes > 2 * MIB:
            raise OverloadedError("no room")

    with pytest.raises(OverloadedError):
        inflate(gzip.compress(bytes(64 * MIB)), 64 * MIB, grow)
    assert seen == sorted(seen)
    assert seen[-1] <= 3 * MIB

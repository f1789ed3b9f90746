"""Filters: what was added is found, by NumPy and by SQL alike; hardly anything else is."""

from __future__ import annotations

import uuid

import numpy as np
import psycopg
import pytest

from crucible_collector.batch import I64, Bool
from crucible_collector.store.trace_hints import filters

RANDOM = np.random.default_rng(1207)


def hashes(count: int) -> I64:
    return RANDOM.integers(-(1 << 63), (1 << 63) - 1, count, np.int64, endpoint=True)


def found_by_sql(dsn: str, filter_: bytes, asked: I64) -> Bool:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "select crucible.filter_has(%s, hash) from unnest(%s::bigint[]) hash",
            (filter_, asked.tolist()),
        ).fetchall()
    return np.array([row[0] for row in rows])


@pytest.mark.parametrize("count", [1, 63, 64, 65, 5_000, filters.ENTRIES_MAX])
def test_what_was_added_is_found_and_one_in_two_hundred_of_the_rest_at_most(count: int) -> None:
    added, others = hashes(count), hashes(20_000)
    made = filters.empty(count)
    filters.add(made, added)
    assert count <= filters.capacity(len(made)) <= max(64, 2 * count)
    assert filters.has(made, added).all()
    # (1 - exp(-1/4))^4 = 1/418 where a filter is just full, and less where it is not.
    assert filters.has(made, others).mean() < 1 / 200


def test_a_narrow_range_of_hashes_is_told_apart_as_well() -> None:
    """A large day's filters are of ranges; of 4,096 of them the upper twelve bits are all the same."""
    wide = (1 << 52) - 1
    made = filters.empty(filters.ENTRIES_MAX)
    filters.add(made, hashes(filters.ENTRIES_MAX) & wide)
    assert filters.has(made, hashes(20_000) & wide).mean() < 1 / 200


def test_the_database_finds_the_same(plain_database: str) -> None:
    for count in (10, 3_000, filters.ENTRIES_MAX):
        added = hashes(count)
        asked = np.concatenate([added[:2_000], hashes(20_000)])
        made = filters.empty(count)
        filters.add(made, added)
        assert (found_by_sql(plain_database, bytes(made), asked) == filters.has(made, asked)).all()


def test_hashes_are_the_same_on_every_server_and_under_every_collation(database: str) -> None:
    with psycopg.connect(database) as conn:
        row = conn.execute(
            "select crucible.hash_check(), crucible.trace_hash(%s),"
            " crucible.correlation_hash('Größe'), crucible.correlation_hash('Größe' collate \"C\")",
            (uuid.UUID(int=7),),
        ).fetchone()
    assert row == (
        6_378_195_165_005_414_043,
        -8_459_080_471_440_860_916,
        8_946_365_102_883_494_635,
        8_946_365_102_883_494_635,
    )

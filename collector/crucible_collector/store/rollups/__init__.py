"""The roll-ups, in the one of two ways that the server allows; relations and columns are the same.

`family` says what a roll-up is, `families` which there are. `continuous` has TimescaleDB Community
keep them. `portable` keeps them in tables of our own: each window adds its `parts`, `fold` sums them
up. What an earlier start chose stays chosen: either way rows outlive what they were made of.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import psycopg
from psycopg import sql

from crucible_collector.store.rollups import continuous, portable
from crucible_collector.store.rollups.families import FAMILIES, POINTS
from crucible_collector.store.rollups.family import SCHEMA, Family
from crucible_collector.store.servers import relation_kind

Kind = Literal["continuous", "portable"]


def kind_of(conn: psycopg.Connection[Any]) -> Kind | None:
    """Which way the roll-ups of this database are kept; None where there are none yet."""
    if relation_kind(conn, POINTS.parts) is not None:
        return "portable"
    return None if relation_kind(conn, POINTS.view(POINTS.levels[0])) is None else "continuous"


def ensure(conn: psycopg.Connection[Any], log: logging.Logger, *, has_hypertables: bool) -> Kind:
    """Make the roll-ups where they are missing, and say which way they are kept.

    To be called with the lock that collectors migrate under. Rows that are stored already are in
    portable roll-ups at once, in continuous ones as well, but cheaply only after the first refresh.
    """
    found = kind_of(conn)
    licence = continuous.licence(conn) if has_hypertables else None
    can_be_continuous = licence == continuous.COMMUNITY
    if has_hypertables and not can_be_continuous and found != "continuous":
        log.info(
            "TimescaleDB runs under the licence %r, without continuous aggregates:"
            " roll-ups are kept in tables of our own",
            licence,
        )
    if found == "continuous" and not can_be_continuous:
        log.warning(
            "roll-ups are continuous aggregates, which TimescaleDB does not refresh under the"
            " licence %r: set timescaledb.license to %r",
            licence,
            continuous.COMMUNITY,
        )
    if found is not None:
        return found
    if can_be_continuous:
        continuous.create(conn)
        continuous.refresh_by_themselves(conn, {})
        chosen: Kind = "continuous"
    else:
        portable.create(conn)
        chosen = "portable"
    for family in FAMILIES:
        _describe(conn, family)
    log.info("made the roll-ups: %s", chosen)
    return chosen


def _describe(conn: psycopg.Connection[Any], family: Family) -> None:
    for level in family.levels:
        about = f"{family.comment}, added up by {level.width} (UTC), whose start is time"
        _comment(conn, "view", family.view(level), about)
    relations = [*map(family.view, family.levels), family.parts, *map(family.table, family.levels)]
    for relation in relations:
        if relation_kind(conn, relation) is None:
            continue
        _comment(conn, "column", f"{relation}.time", "Start of the bucket")
        for column in family.own_columns:
            _comment(conn, "column", f"{relation}.{column.name}", column.comment)


def _comment(conn: psycopg.Connection[Any], kind: str, name: str, text: str) -> None:
    conn.execute(
        sql.SQL("comment on {} {} is {}").format(
            sql.SQL(kind), sql.Identifier(SCHEMA, *name.split(".")), sql.Literal(text)
        )
    )

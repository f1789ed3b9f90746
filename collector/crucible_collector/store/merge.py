"""Rows that several windows and collectors write to: dimensions, experiments, runs.

All are merged by `on conflict`, sorted by key, one table after another in one fixed order; a lasting
refusal of one row (a constraint somebody added) costs that row alone and never the window.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from crucible_collector.rows import Dimension, ExperimentFact, RunFact, WindowRows
from crucible_collector.store.copy import SCHEMA, is_lasting, message_of
from crucible_collector.store.ingest import (
    NS_PER_US,
    optional_timestamp,
    statement,
    timestamp,
)

log = logging.getLogger("crucible.store")

_Row = TypeVar("_Row")
_STAMPS = {"series": ("first_seen", "last_seen")}


def dimensions(connection: psycopg.Connection, rows: WindowRows, *, careful: bool) -> None:
    """Insert the resources, scopes and series that this window met for the first time."""
    if not len(rows.requests.received_ns):
        return
    seen = timestamp(int(rows.requests.received_ns.min()))
    for dimension in (rows.resources, rows.scopes, rows.series):
        if not dimension.rows:
            continue
        stamps = _STAMPS.get(dimension.relation, ("first_seen",))
        _each(
            connection,
            _insert(dimension, stamps),
            [dimension.rows[key] + (seen,) * len(stamps) for key in sorted(dimension.rows)],
            careful=careful,
        )
    _each(
        connection,
        statement("series_seen"),
        [
            {"series_ids": [id_ for id_, _ in part], "last_seen": [timestamp(ns) for _, ns in part]}
            for part in _parts(sorted(rows.series_seen.items()), careful=careful)
        ],
        careful=careful,
    )


def _insert(dimension: Dimension, stamps: tuple[str, ...]) -> sql.Composed:
    columns = dimension.columns + stamps
    return sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
        sql.Identifier(SCHEMA, dimension.relation),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(
            sql.SQL("%s::jsonb") if column == "attributes" else sql.SQL("%s") for column in columns
        ),
    )


def facts(connection: psycopg.Connection, rows: WindowRows, *, careful: bool) -> None:
    """Merge what the window says about experiments and runs."""
    if rows.experiments:
        _each(
            connection,
            statement("experiments"),
            [_experiment(rows.experiments[key]) for key in sorted(rows.experiments)],
            careful=careful,
        )
    runs = [rows.runs[key] for key in sorted(rows.runs)]
    # Two statements, taken in turns: rows are locked in the order of run_id, whoever knows which.
    for is_known, part in itertools.groupby(runs, lambda fact: fact.is_known):
        if is_known:
            _seen(connection, list(part), careful=careful)
        else:
            _each(connection, statement("runs"), [_run(fact) for fact in part], careful=careful)


def _seen(connection: psycopg.Connection, seen: list[RunFact], *, careful: bool) -> None:
    _each(
        connection,
        statement("runs_seen"),
        [
            {
                # As JSON: the driver's arrays cost five times as much (1.5 µs a span at 1,000 runs).
                "seen": json.dumps(
                    [
                        {
                            "run_id": fact.run_id,
                            "first_us": fact.first_ns // NS_PER_US,
                            "last_us": fact.last_ns // NS_PER_US,
                            "received_us": fact.received_ns // NS_PER_US,
                            "last_step": fact.last_step,
                            "last_epoch": fact.last_epoch,
                        }
                        for fact in part
                    ]
                )
            }
            for part in _parts(seen, careful=careful)
        ],
        careful=careful,
    )


def _parts(rows: list[_Row], *, careful: bool) -> list[list[_Row]]:
    """The rows of a statement over arrays: all at once or, with `careful`, each on its own."""
    if careful:
        return [[row] for row in rows]
    return [rows] if rows else []


def _each(
    connection: psycopg.Connection,
    query: Any,
    rows: Sequence[Mapping[str, Any] | Sequence[Any]],
    *,
    careful: bool,
) -> None:
    """Run the query for every row; with `careful`, a row that is refused for good is left out."""
    if not careful:
        with connection.cursor() as cursor:
            cursor.executemany(query, rows)
        return
    for row in rows:
        try:
            with connection.transaction():
                connection.execute(query, row)
        except psycopg.Error as error:
            if not is_lasting(error):
                raise
            log.warning("a row of a dimension was refused and left out: %s", message_of(error))


def _experiment(fact: ExperimentFact) -> dict[str, Any]:
    return {
        "experiment_id": fact.experiment_id,
        "name": fact.name,
        "hypothesis": fact.hypothesis,
        "status": fact.status,
        "status_at": optional_timestamp(fact.status_at_ns),
        "tags": fact.tags,
        "owner": fact.owner,
        "experiment_type": fact.experiment_type,
        "metadata": fact.metadata,
        "pause_count": fact.pause_count,
        "pause_reason": fact.pause_reason,
        "is_aborted": fact.is_aborted,
        "abort_reason": fact.abort_reason,
        "active_duration_ns": fact.active_duration_ns,
        "paused_duration_ns": fact.paused_duration_ns,
        "first_seen": timestamp(fact.first_ns),
        "last_seen": timestamp(fact.last_ns),
    }


def _run(fact: RunFact) -> dict[str, Any]:
    return {
        "run_id": fact.run_id,
        "experiment_id": fact.experiment_id,
        "experiment_received_at": None
        if fact.experiment_received_us is None
        else timestamp(fact.experiment_received_us * NS_PER_US),
        "condition": fact.condition,
        "kind": fact.kind,
        "status": fact.status,
        "status_at": optional_timestamp(fact.status_at_ns),
        "model_name": fact.model_name,
        "model_version": fact.model_version,
        "dataset_name": fact.dataset_name,
        "config": fact.config,
        "summary": fact.summary,
        "service_name": fact.service_name,
        "correlation_id": fact.correlation_id,
        "trace_id": fact.trace_id,
        "resource_id": fact.resource_id,
        "parent_run_id": fact.parent_run_id,
        "started_at": optional_timestamp(fact.started_ns),
        "ended_at": optional_timestamp(fact.ended_ns),
        "first_seen": timestamp(fact.first_ns),
        "last_seen": timestamp(fact.last_ns),
        "last_received_at": timestamp(fact.received_ns),
        "last_step": fact.last_step,
        "last_epoch": fact.last_epoch,
        "heartbeat_interval_s": fact.heartbeat_interval_s,
    }

"""The sampling rules that the database has, version by version, and the ledger of what they kept.

The newest version is in force for every collector of the database. A settings file becomes a version
only where it says something else than the newest file did: a collector that is started again with the
file that it had does not take back what was changed through the API since.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from crucible_collector.candidates import Counted, RuleCount
from crucible_collector.errors import ChangedMeanwhileError, SettingsError
from crucible_collector.store.ingest import statement, timestamp

Connection = psycopg.Connection[tuple[Any, ...]]

# Whoever makes a version waits for whoever else does, so that each knows which one it follows.
LOCK_KEY = int.from_bytes(b"sampling")
LOCK = "select pg_advisory_xact_lock(%s)"

NEWEST = """
-- Which rules are in force? The primary key, from its end.
select version, settings, digest, origin, changed_at, changed_by, reason
from crucible.sampling_settings
order by version desc
limit 1
"""

NEWEST_OF_FILES = """
-- What did a file say last? No index: there are as many rows as there were changes.
select digest from crucible.sampling_settings where origin = 'file' order by version desc limit 1
"""

FOLD = """
-- Adds minutes of the sampling ledger that are old to the row of their hour, and hours to that of their
-- day. Primary key. Rows that their journal's writer has are left for the next time.
with old as (
    select ctid from crucible.sampling_ledger
    where time < %(before)s and time <> date_trunc(%(width)s, time, 'UTC')
    limit %(most)s
    for update skip locked
),
gone as (
    delete from crucible.sampling_ledger known using old where known.ctid = old.ctid returning known.*
)
insert into crucible.sampling_ledger as known (
    time, seen_count, kept_count, weight_sum, weight_square_sum, probability_min, error_seen_count,
    error_kept_count, error_probability_min, trace_count_max, journal_id, rule, signal, stratum
)
select
    date_trunc(%(width)s, time, 'UTC'), sum(seen_count), sum(kept_count), sum(weight_sum),
    sum(weight_square_sum), min(probability_min), sum(error_seen_count), sum(error_kept_count),
    min(error_probability_min), max(trace_count_max), journal_id, rule, signal, stratum
from gone
group by 1, journal_id, rule, signal, stratum
order by 1, rule, signal, stratum, journal_id
on conflict (time, rule, signal, stratum, journal_id) do update set
    seen_count = known.seen_count + excluded.seen_count,
    kept_count = known.kept_count + excluded.kept_count,
    weight_sum = known.weight_sum + excluded.weight_sum,
    weight_square_sum = known.weight_square_sum + excluded.weight_square_sum,
    probability_min = least(known.probability_min, excluded.probability_min),
    error_seen_count = known.error_seen_count + excluded.error_seen_count,
    error_kept_count = known.error_kept_count + excluded.error_kept_count,
    error_probability_min = least(known.error_probability_min, excluded.error_probability_min),
    trace_count_max = greatest(known.trace_count_max, excluded.trace_count_max)
returning (select count(*) from gone)
"""
FOLD_ROWS_MAX = 20_000  # a transaction; an hour of two rules with a hundred strata each has 12,000
# From when on minutes are told by the hour, and hours by the day: of two rules with a hundred strata a
# collector writes 288,000 rows a day, and keeps 4,800 and then 200 of them.
FOLDED_AFTER = {"hour": dt.timedelta(days=7), "day": dt.timedelta(days=90)}

ADD = """
-- Puts other rules in force.
insert into crucible.sampling_settings (origin, changed_by, reason, settings, digest)
values (%(origin)s, %(changed_by)s, %(reason)s, %(settings)s, %(digest)s)
returning version
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One row of crucible.sampling_settings."""

    version: int
    settings: Mapping[str, Any]
    digest: uuid.UUID
    origin: str
    changed_at: dt.datetime
    changed_by: str
    reason: str


def in_force(connection: Connection) -> Version | None:
    """The newest version; None where nobody ever said anything: all is kept."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(NEWEST).fetchone()


def adopt_file(
    connection: Connection, settings: Mapping[str, Any], digest: uuid.UUID, changed_by: str = ""
) -> int | None:
    """Put in force what a file says; None where the newest file said just that.

    SettingsError where the database cannot keep it; so for `put`.
    """
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        row = connection.execute(NEWEST_OF_FILES).fetchone()
        if row is not None and row[0] == digest:
            return None
        return _add(connection, "file", settings, digest, changed_by, "")


def put(
    connection: Connection,
    settings: Mapping[str, Any],
    digest: uuid.UUID,
    *,
    changed_by: str = "",
    reason: str = "",
    follows: int | None = None,
) -> int:
    """Put rules in force and return their version; that in force where it has the same rules.

    `follows`: the version that was changed, 0 for none; ChangedMeanwhileError where another is in
    force. None asks nothing.
    """
    with connection.transaction():
        connection.execute(LOCK, (LOCK_KEY,))
        newest = in_force(connection)
        version = newest.version if newest else 0
        if follows is not None and follows != version:
            raise ChangedMeanwhileError(
                f"version {version} is in force, not {follows}: somebody changed it meanwhile"
            )
        if newest is not None and newest.digest == digest:
            return version
        return _add(connection, "api", settings, digest, changed_by, reason)


def _add(
    connection: Connection,
    origin: str,
    settings: Mapping[str, Any],
    digest: uuid.UUID,
    changed_by: str,
    reason: str,
) -> int:
    told = {"origin": origin, "changed_by": changed_by, "reason": reason}
    try:
        row = connection.execute(
            ADD, {**told, "settings": Jsonb(dict(settings)), "digest": digest}
        ).fetchone()
    except psycopg.DataError as error:  # a NUL or half a character in some text
        message = error.diag.message_primary
        raise SettingsError(f"sampling: the database cannot keep these: {message}") from None
    if row is None:
        raise RuntimeError("an inserted version has a number")
    return int(row[0])


def write_counts(connection: Connection, journal_id: uuid.UUID, counted: Counted) -> None:
    """Add what a window's decisions counted to the sampling ledger, within its transaction.

    The rows of a journal are written by its one writer, so that nobody waits; sorted all the same.
    """
    if not counted.rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            statement("sampling_ledger"),
            [_as_parameters(journal_id, counted.rows[key]) for key in sorted(counted.rows)],
        )


def fold_counts(connection: Connection, now: dt.datetime) -> int:
    """Have what is old in the sampling ledger told by the hour, then by the day; rows that went."""
    folded = 0
    for width, age in FOLDED_AFTER.items():
        # Whole hours and days only: the rest of one would be folded again and again.
        before = now.replace(minute=0, second=0, microsecond=0) - age
        if width == "day":
            before = before.replace(hour=0)
        count = FOLD_ROWS_MAX
        told = {"width": width, "before": before, "most": FOLD_ROWS_MAX}
        while count == FOLD_ROWS_MAX:
            row = connection.execute(FOLD, told).fetchone()
            count = int(row[0]) if row else 0
            folded += count
    return folded


def _as_parameters(journal_id: uuid.UUID, count: RuleCount) -> dict[str, Any]:
    return {
        "journal_id": journal_id,
        "time": timestamp(count.minute_ns),
        "rule": count.rule,
        "signal": count.signal.label,
        "stratum": count.stratum,
        "seen_count": count.seen_count,
        "kept_count": count.kept_count,
        "weight_sum": count.weight_sum,
        "weight_square_sum": count.weight_square_sum,
        "probability_min": count.probability_min,
        "error_seen_count": count.error_seen_count,
        "error_kept_count": count.error_kept_count,
        "error_probability_min": count.error_probability_min,
        "trace_count_max": count.trace_count_max,
    }

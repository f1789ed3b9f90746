"""The ledger of what sampling rules saw and kept, and the rules themselves, version by version."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from crucible_collector.candidates import Counted, RuleCount
from crucible_collector.store.ingest import statement, timestamp
from crucible_collector.store.versions import SAMPLING, Connection

in_force = SAMPLING.in_force  # None where nobody ever said anything: all is kept
adopt_file = SAMPLING.adopt_file
put = SAMPLING.put

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

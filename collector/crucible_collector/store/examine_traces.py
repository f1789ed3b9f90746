"""How far back a trace is looked for without a hint of its day."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_collector.findings import Finding
from crucible_collector.store.partitions import Connection

BEHIND_DAYS_MAX = 3

HORIZON = """
-- Since which day are traces looked for in every row, and how many days is that more than it should be?
-- Where no hints were made at all, that is since the oldest row. Leans on spans_time and logs_time.
select since, due - since
from (
    select
        case when hash_check = crucible.hash_check() and covered_until is not null then covered_until
             else (least(
                 (select time from crucible.spans order by time limit 1),
                 (select time from crucible.logs order by time limit 1)
             ) at time zone 'UTC')::date end as since,
        ((now() - interval '25 hours') at time zone 'UTC')::date as due
    from crucible.trace_horizon
) horizon
"""


def traces(conn: Connection) -> Iterator[Finding]:
    """Days that are over have hints of their traces, so that one trace is found at once."""
    row = conn.execute(HORIZON).fetchone()
    since, behind = row or (None, None)
    if behind is not None and behind > BEHIND_DAYS_MAX:
        yield Finding(
            "traces",
            "warning",
            f"a trace is looked for in every day since {since}: hints are {behind} days behind",
            "a running collector makes those of a day every few seconds: if this stays so, see its log,"
            " and end what has kept crucible.positions locked for long",
            {"since": str(since), "days_behind": behind},
        )
    else:
        yield Finding("traces", "ok", "days that are over have hints of their traces")

"""Whether what should be in the columnstore by now is there; jobs that fail show among the jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from crucible_collector.findings import Finding
from crucible_collector.store import columnstore
from crucible_collector.store.partitions import Connection
from crucible_collector.store.rollups import continuous
from crucible_collector.store.servers import relations_are_hypertables

# The policy runs twice a day, and what is late takes it a round more.
LATE = dt.timedelta(days=2)

OUTSIDE = """
-- How many chunks of a relation ended before then and are not in the columnstore? TimescaleDB's catalogue.
select count(*)
from timescaledb_information.chunks
where hypertable_schema = 'crucible' and hypertable_name = %(relation)s
  and not is_compressed and range_end < now() - %(late)s
"""


def packed(conn: Connection) -> Iterator[Finding]:
    """Days that are over go to the columnstore, where they take a tenth of the room."""
    if not relations_are_hypertables(conn) or continuous.licence(conn) != continuous.COMMUNITY:
        yield Finding("columnstore", "ok", "none: it takes TimescaleDB Community")
        return
    unsent, outside = [], {}
    for relation in columnstore.LAYOUTS:
        after = columnstore.policy(conn, relation)
        if after is None:
            unsent.append(relation)
            continue
        row = conn.execute(OUTSIDE, {"relation": relation, "late": after + LATE}).fetchone()
        if row and row[0]:
            outside[relation] = row[0]
    if outside:
        told = ", ".join(f"{count} of {relation}" for relation, count in outside.items())
        yield Finding(
            "columnstore",
            "warning",
            f"chunks should have been in the columnstore for days: {told}",
            "see the checks of jobs, and timescaledb_information.job_errors",
            {"chunk_count": outside},
        )
    elif unsent:
        told = ", ".join(unsent)
        yield Finding(
            "columnstore", "ok", f"no policy sends {told} there", facts={"unsent": unsent}
        )
    else:
        yield Finding("columnstore", "ok", "what is old enough is there")

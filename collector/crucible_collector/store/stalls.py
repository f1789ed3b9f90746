"""Which runs promised heartbeats and have fallen silent? They are said to have stalled.

What a reader could not guess: nobody looks at a clock. Each journal's row in `positions` says up to
when everything that its collector received is stored (`stored_until`, moved in the window's own
transaction) and since when it has been taking requests without a break (`heard_since`). Silence is
counted between the two, and to the *least* `stored_until` of all collectors heard of lately. So a run
is never declared stalled while its news waits in a journal that is being caught up, while the
database has just been away or set back, while a collector starts or turns clients away, nor because
clocks differ. Whoever holds the lock in a round does the round; the others leave it. A run that has
stalled is an anomaly from then on (see `stalled`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from psycopg.rows import class_row

from crucible_collector.metrics import STALLED_RUNS
from crucible_collector.store import live
from crucible_collector.store.partitions import Connection
from crucible_collector.store.stalled import StalledRun, StalledRuns

# A collector that has not reached the database for so long is gone, and nobody waits for what its
# journal may hold. One that ends in order, with nothing left in its journal, is gone at once.
GONE_AFTER_S = 3600.0
LOCK_KEY = int.from_bytes(b"stalled!") >> 1  # 63 bits; no other lock of ours

LOCK = "select pg_try_advisory_xact_lock(%s)"

SILENT = """
-- Which running runs that promised heartbeats were silent for longer than they may be?
-- Leans on runs_heartbeat. Runs that are being written at this very moment are left for the next
-- round: whoever waits for nobody is in no deadlock.
with listening as materialized (
    select max(heard_since) as heard_since, min(stored_until) as stored_until
    from crucible.positions
    where heard_since is not null and updated_at > now() - %(gone_after_s)s * interval '1 second'
    having bool_and(stored_until is not null)
),
silent as materialized (
    select run_id
    from crucible.runs, listening
    where runs.status = 'running'
      and runs.heartbeat_interval_s is not null
      and greatest(runs.last_received_at, listening.heard_since)
          + greatest(%(min_s)s, %(intervals)s * runs.heartbeat_interval_s) * interval '1 second'
          < listening.stored_until
    for update of runs skip locked
)
update crucible.runs
set status = 'stalled', stalled_at = now()
from silent
where runs.run_id = silent.run_id
returning runs.run_id, runs.stalled_at, runs.experiment_id, runs.condition, runs.model_name,
    runs.service_name, runs.last_step
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run may be silent: so many of its heartbeats' intervals, and never less than `min_s`."""

    intervals: float = 3.0
    min_s: float = 30.0


PATIENCE = Patience()


class Stalls:
    """The watcher's rounds; used by the maintenance thread."""

    def __init__(self, patience: Patience, log: logging.Logger) -> None:
        self._patience = patience
        self._log = log
        self._stalled = StalledRuns(log)

    def notice(self, conn: Connection) -> list[str]:
        """Declare what has fallen silent stalled; return the run ids, none where another does it."""
        with conn.transaction():
            row = conn.execute(LOCK, (LOCK_KEY,)).fetchone()
            if row is None or not row[0]:
                return []
            with conn.cursor(row_factory=class_row(StalledRun)) as cursor:
                found = cursor.execute(
                    SILENT,
                    {
                        "gone_after_s": GONE_AFTER_S,
                        "min_s": self._patience.min_s,
                        "intervals": self._patience.intervals,
                    },
                ).fetchall()
            kept = self._stalled.write(conn, found)
            live.note(conn, (), sorted(run.run_id for run in found), is_exact=True)
        kept.count()
        stalled = sorted(run.run_id for run in found)
        for run_id in stalled:
            self._log.warning("run %r has not been heard of: stalled", run_id)
        STALLED_RUNS.inc(len(stalled))
        return stalled

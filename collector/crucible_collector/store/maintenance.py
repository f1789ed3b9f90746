"""What the store needs now and then, in a thread of its own, never in an ingest transaction.

- every SUMMARISE_S: BRIN indexes learn about the rows written since. PostgreSQL would do it by
  autovacuum, but drops requests beyond 256 at once; and what is not summarised is read whole by
  every look-up of a trace (100,000 spans, the most that arrive meanwhile, are 43 MB).
- every AHEAD_S: room for today and tomorrow, and for days that sit in a default partition.
- every FOLD_S: parts of portable roll-ups are folded into minutes, hours and days (see rollups).
- every RETENTION_S: what is no longer kept goes, once an hour (see retention).
- every FORGET_S: digests of requests that nobody will resend any more go, and so do old entries of the
  anomalies' feed, alerts that were dealt with and the audit; what is old of the sampling ledger is folded; scans
  whose collector died are said to have failed.
- every LIVE_S: what transactions have touched is forgotten (see live).
- every HINTS_S, where due: filters that say in which days a trace has rows (see trace_hints).
- every BUDGETS_S: experiments that cost more than they may are told of (see budgets).
- every STALLS_S: runs that have fallen silent are declared stalled (see stalls), and periods of
  anomalies that nobody else will end are resolved (see states).
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import LiteralString

import psycopg

from crucible_collector.metrics import UNCAUGHT_ERRORS
from crucible_collector.store import audit, live, outbox, states
from crucible_collector.store.budgets import Budgets
from crucible_collector.store.partitions import RELATIONS, Connection, Partitions
from crucible_collector.store.retention import Retention
from crucible_collector.store.rollups.fold import Folding
from crucible_collector.store.sampling import fold_counts
from crucible_collector.store.servers import Capabilities
from crucible_collector.store.stalls import PATIENCE, Patience, Stalls
from crucible_collector.store.trace_hints.building import TraceHints

SUMMARISE_S = 5.0
AHEAD_S = 600.0
# Readers of roll-ups read every part there is. More often, a minute's rows would be written more often.
FOLD_S = 60.0
# Retention has an hour of its own: more often, where somebody was in the way.
RETENTION_S = 60.0
FORGET_S = 3600.0
STALLS_S = 5.0
BUDGETS_S = 10.0
SCANS_S = 60.0
# Hints have an hour of their own: more often, where days are to be made up for, one each time.
HINTS_S = 5.0
LIVE_S = 60.0
RETRY_S = 5.0
# Stock clients resend for minutes; forwarders with a queue on disk, after a weekend's outage.
REQUESTS_KEPT = dt.timedelta(days=7)
FORGET_BATCH = 10_000
# Who follows the feed and was away for longer begins anew.
FEED_KEPT = dt.timedelta(days=7)
# Whoever runs a scan says so far more often.
SCAN_SILENT = dt.timedelta(minutes=5)
# Below deadlock_timeout (1 s), after which whoever waits for autovacuum has it cancelled.
SUMMARISE_LOCK_TIMEOUT = "100ms"

SUMMARISABLE = """
-- Which BRIN indexes do the relations by time (their parts, that is) and `requests` have, and how
-- large is what they index? Leans on pg_inherits' parent index; one row a part.
select index.indexrelid::regclass::text, pg_relation_size(index.indrelid)
from pg_index index
join pg_class on pg_class.oid = index.indexrelid and relkind = 'i'
join pg_am on pg_am.oid = relam and amname = 'brin'
where index.indrelid = 'crucible.requests'::regclass
   or index.indrelid in (
       select inhrelid from pg_inherits
       where inhparent = any (array['crucible.spans', 'crucible.logs', 'crucible.points']::regclass[]))
"""

FORGETTABLE = """
-- Which requests were received before then? Leans on requests_received_at (BRIN).
delete from crucible.requests
where ctid = any (array(
    select ctid from crucible.requests where received_at < %(before)s limit %(most)s))
"""

FORGETTABLE_FEED = """
-- Which entries of the feed were written before then? Leans on anomaly_feed_written.
delete from crucible.anomaly_feed
where feed_id = any (array(
    select feed_id from crucible.anomaly_feed where written_at < %(before)s limit %(most)s))
"""

FAIL_SCANS = """
-- Which scans does nobody run any more? No index: few are kept.
update crucible.anomaly_scans
set state = 'failed', error = 'the collector that ran it has ended', finished_at = now(), updated_at = now()
where state = 'running' and updated_at < now() - %(silent)s
"""


def fail_scans(conn: Connection) -> int:
    """Say of scans whose collector died that they have failed; how many."""
    return conn.execute(FAIL_SCANS, {"silent": SCAN_SILENT}).rowcount


class Maintenance:
    """The body of the maintenance thread and its steps; one thread uses it."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        capabilities: Capabilities,
        log: logging.Logger,
        *,
        patience: Patience = PATIENCE,
        past: dt.timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connect = connect
        self._log = log
        self._clock = clock
        self._partitions = Partitions(capabilities, log)
        self._stalls = Stalls(patience, log)
        self._budgets = Budgets(log)
        self._is_folding = capabilities.rollups == "portable"
        self._folding = Folding(self._partitions, log)
        self._retention = Retention(capabilities, log, past=past)
        self._hints = TraceHints(log)
        self._summarised_bytes: dict[str, int] = {}

    def run(self, stopping: threading.Event) -> None:
        """Do each step when it is due until `stopping` is set; a database away is waited for."""
        while not stopping.is_set():
            try:
                with closing(self._connect()) as conn:
                    self._work(conn, stopping)
            except psycopg.Error as error:
                self._log.info("maintenance waits for the database: %s", str(error).strip())
            except Exception:  # noqa: BLE001 - the outermost loop of its thread
                UNCAUGHT_ERRORS.labels("maintenance").inc()
                self._log.exception("maintenance failed and starts over")
            stopping.wait(RETRY_S)

    def _work(self, conn: Connection, stopping: threading.Event) -> None:
        steps: list[tuple[float, Callable[[Connection], object]]] = [
            (AHEAD_S, self.make_room),
            (FORGET_S, self.forget_requests),
            (FORGET_S, self.fold_sampling_ledger),
            (FORGET_S, self.forget_feed),
            (FORGET_S, outbox.forget),
            (FORGET_S, audit.forget),
            (SCANS_S, fail_scans),
            (LIVE_S, live.forget),
            (SUMMARISE_S, self.summarise),
            (STALLS_S, self._stalls.notice),
            (STALLS_S, states.end_forsaken),
            (BUDGETS_S, self._budgets.check),
        ]
        if self._is_folding:
            steps.append((FOLD_S, self._folding.fold))
        # After the fold: what that adds to buckets of old goes with them.
        steps.append((RETENTION_S, self._retention.keep))
        # Last at a start: it may take seconds, the rest is soon done.
        steps.append((HINTS_S, self._hints.keep))
        due = [0.0] * len(steps)
        while not stopping.is_set():
            for number, (every_s, step) in enumerate(steps):
                if time.monotonic() >= due[number]:
                    step(conn)
                    due[number] = time.monotonic() + every_s
            stopping.wait(max(0.0, min(due) - time.monotonic()))

    def make_room(self, conn: Connection) -> None:
        """Make room ahead of time, and for what had to go to a default partition."""
        self._partitions.ensure_ahead(conn, dt.datetime.fromtimestamp(self._clock(), dt.UTC))
        for relation in RELATIONS:
            self._partitions.ensure_default(conn, relation)

    def summarise(self, conn: Connection) -> int:
        """Bring BRIN indexes up to date; return how many page ranges were summarised."""
        range_count = 0
        for index, heap_bytes in conn.execute(SUMMARISABLE).fetchall():
            if self._summarised_bytes.get(index) == heap_bytes:
                continue
            try:
                with conn.transaction():
                    conn.execute(f"set local lock_timeout = '{SUMMARISE_LOCK_TIMEOUT}'")
                    row = conn.execute(
                        "select brin_summarize_new_values(%s::regclass)", (index,)
                    ).fetchone()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                continue  # vacuum does it, or the part has been dropped
            except psycopg.errors.InsufficientPrivilege:  # a writer's: autovacuum does it, later
                self._summarised_bytes[index] = heap_bytes
                continue
            range_count += row[0] if row else 0
            self._summarised_bytes[index] = heap_bytes
        return range_count

    def fold_sampling_ledger(self, conn: Connection) -> int:
        """Have old minutes of the sampling ledger told by the hour, and by the day; rows that went."""
        return fold_counts(conn, dt.datetime.fromtimestamp(self._clock(), dt.UTC))

    def forget_requests(self, conn: Connection) -> int:
        """Forget digests older than REQUESTS_KEPT; return how many."""
        return self._forget(conn, FORGETTABLE, REQUESTS_KEPT)

    def forget_feed(self, conn: Connection) -> int:
        """Forget entries of the feed older than FEED_KEPT; return how many."""
        return self._forget(conn, FORGETTABLE_FEED, FEED_KEPT)

    def _forget(self, conn: Connection, statement: LiteralString, kept: dt.timedelta) -> int:
        """A batch a transaction."""
        before = dt.datetime.fromtimestamp(self._clock(), dt.UTC) - kept
        forgotten = 0
        while True:
            count = conn.execute(statement, {"before": before, "most": FORGET_BATCH}).rowcount
            forgotten += count
            if count < FORGET_BATCH:
                return forgotten

"""What a scan found, written under its label in one transaction, in place of what it found there before.

Nobody is alerted and the feed says nothing: these are what detectors would have found, not what happened.
All its periods are over, so that they stand in nobody's way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from crucible_collector.detect.found import Flag
from crucible_collector.errors import DatabaseError
from crucible_collector.store import flags, rollups
from crucible_collector.store import periods as stored_periods
from crucible_collector.store.connect import INGEST, connect
from crucible_collector.store.ingest import timestamp
from crucible_collector.store.partitions import Connection
from crucible_collector.store.periods import Period
from crucible_collector.store.replay import understood
from crucible_collector.store.rollups import portable
from crucible_collector.store.scanned import Wanted

# A scan that finds nothing for an hour is not to lose what it has found before.
SCAN = replace(
    INGEST,
    name="crucible scan",
    settings={**INGEST.settings, "idle_in_transaction_session_timeout": "0"},
)
LOCK = "select pg_try_advisory_xact_lock(%s::int, hashtext(%s))"
LOCK_KEY = int.from_bytes(b"scan")

FORGET = """
-- Takes away what scans have found under a label of what is scanned once more. anomaly_periods_run,
-- anomaly_periods_experiment or anomaly_periods_started; then anomalies_period, within their times.
with gone as (
    delete from crucible.anomaly_periods p
    where label = %(label)s
      and (%(run)s::text is null or run_id = %(run)s)
      and (
          %(experiment)s::text is null
          or experiment_id = %(experiment)s
          or run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
      )
      and (%(series)s::bigint is null or series_id = %(series)s)
      and (%(metric)s::text is null or metric = %(metric)s)
      and (%(event)s::text is null or event_name = %(event)s)
      and (%(detectors)s::text[] is null or detector = any(%(detectors)s))
      and (%(from_time)s::timestamptz is null or started_at >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or started_at < %(to_time)s)
    returning period_id, started_at, last_flag_at
)
select array_agg(period_id), min(started_at), max(last_flag_at) from gone
"""

FORGET_FLAGS = """
-- The flags of these periods. anomalies_period.
delete from crucible.anomalies
where period_id = any(%(periods)s)
  and time >= %(first)s
  and time <= %(last)s::timestamptz + interval '1 microsecond'
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Flags of a period that were found in a batch; `is_first`: they begin it."""

    period: Period
    flags: Sequence[Flag]
    is_first: bool


def at(time_ns: int) -> dt.datetime:
    """As the database keeps it."""
    return timestamp(time_ns)


class ScanResults:
    """Takes what is found, batch by batch. One scan's, as long as its transaction lasts."""

    def __init__(self, connection: Connection, label: str, *, writes_parts: bool) -> None:
        self._connection = connection
        self._label = label
        self._writes_parts = writes_parts

    def forget(self, wanted: Wanted, detectors: Sequence[str]) -> None:
        """Take away what was found before of what is `wanted`, by these detectors or by any."""
        connection = self._connection
        row = connection.execute(
            FORGET,
            {
                "label": self._label,
                "run": wanted.run,
                "experiment": wanted.experiment,
                "series": wanted.series,
                "metric": wanted.metric,
                "event": wanted.event,
                "from_time": wanted.start,
                "to_time": wanted.end,
                "detectors": list(detectors) or None,
            },
        ).fetchone()
        assert row is not None
        periods, first, last = row
        if periods is None:
            return
        connection.execute(FORGET_FLAGS, {"periods": periods, "first": first, "last": last})
        if self._writes_parts:
            portable.sum_label_again(connection, self._label)

    def flags(self, told: Sequence[Told]) -> None:
        """Write the flags of a batch."""
        rows = [
            row
            for each in told
            for row in flags.rows(each.period, each.flags, is_new=each.is_first)
        ]
        flags.write(self._connection, rows, careful=False, writes_parts=self._writes_parts)

    def periods(self, periods: Sequence[Period]) -> None:
        """Write periods that are over."""
        stored_periods.write(self._connection, periods)


@contextmanager
def scan_results(dsn: str, label: str) -> Iterator[ScanResults]:
    """Take what a scan finds: all of it, or nothing where it is not seen to its end.

    DatabaseAwayError, DatabaseError.
    """
    with understood("scan"), closing(connect(dsn, SCAN)) as connection:
        writes_parts = rollups.kind_of(connection) == "portable"
        with connection.transaction():
            locked = connection.execute(LOCK, (LOCK_KEY, label)).fetchone()
            if locked is None or not locked[0]:
                raise DatabaseError(f"another scan writes under the label {label!r}")
            yield ScanResults(connection, label, writes_parts=writes_parts)

"""Runs that have stalled, as anomalies: one period from when the silence is noticed until it ends.

Nothing came that a detector could look at, so that this is written where the silence is noticed, by the
rules of the settings in force as of any number called `heartbeat`. The value is null: the lack of one was
flagged.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from crucible_collector.decode import xxh64
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.found import Episode, Flag, Found, Watched
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.watches import Watches
from crucible_collector.errors import SettingsError
from crucible_collector.store import rollups
from crucible_collector.store.anomalies import Kept, write_found
from crucible_collector.store.partitions import Connection
from crucible_collector.store.states import STALL
from crucible_collector.store.versions import DETECTION

METRIC = "heartbeat"
EVENT = "crucible_telemetry.run.heartbeat"
# A sign of life is, as a step is, a number of which only the time counts: watched unless a rule says not to.
SUBJECT = Subject(Source.STEP, EVENT, METRIC)
# No distance from what was expected is meant: the run is given up.
SCORE = float("inf")
_KEY_MAX = (1 << 63) - 1
_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class StalledRun:
    """As crucible.runs has it."""

    run_id: str
    stalled_at: dt.datetime
    experiment_id: str | None
    condition: str | None
    model_name: str | None
    service_name: str | None
    last_step: int | None


class StalledRuns:
    """Writes them; one thread uses it. Remembers the settings for as long as their version is in force."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._version = 0
        self._watches = Watches(Detection.parse({}))

    def write(self, connection: Connection, runs: Sequence[StalledRun]) -> Kept:
        """Within the caller's transaction, which has said of these runs that they have stalled."""
        self._learn(connection)
        planned = [(run, self._plan(run)) for run in runs]
        episodes = [_episode(run, plan) for run, plan in planned if plan is not None]
        writes_parts = bool(episodes) and rollups.kind_of(connection) == "portable"
        # Careful: what the database refuses of one must not keep all runs from being declared stalled.
        return write_found(
            connection, Found(episodes), frozenset(), careful=True, writes_parts=writes_parts
        )

    def _learn(self, connection: Connection) -> None:
        newest = DETECTION.in_force(connection)
        if newest is None or newest.version == self._version:
            return
        self._version = newest.version
        try:
            self._watches = Watches(Detection.parse(newest.settings))
        except SettingsError as error:  # a newer collector's
            self._log.warning("stalled runs are told by the settings of before: %s", error)

    def _plan(self, run: StalledRun) -> Plan | None:
        told = {
            "event": EVENT,
            "run": run.run_id,
            "experiment": run.experiment_id or "",
            "condition": run.condition or "",
            "model": run.model_name or "",
            "service": run.service_name or "",
        }
        plan = self._watches.plan_for(SUBJECT, told)
        return plan if plan is not None and plan.severity_min <= Severity.CRITICAL else None


def key_of(run_id: str) -> int:
    """Of the run's heartbeats, as what is watched: XXH64 of `heartbeat`, a NUL and its id, 63 bits of it."""
    return xxh64(f"{METRIC}\0{run_id}".encode("utf-8", "replace")) & _KEY_MAX


def _episode(run: StalledRun, plan: Plan) -> Episode:
    watched = Watched(
        key=key_of(run.run_id),
        series_id=None,
        metric=METRIC,
        event_name=EVENT,
        experiment_id=run.experiment_id,
        run_id=run.run_id,
        condition=run.condition,
        model=run.model_name,
    )
    since_epoch = run.stalled_at - dt.datetime.fromtimestamp(0, dt.UTC)
    flag = Flag(
        time_ns=since_epoch // dt.timedelta(microseconds=1) * _NS_PER_US,
        value=None,
        expected=None,
        lower=None,
        upper=None,
        score=SCORE,
        severity=Severity.CRITICAL,
        step=run.last_step,
        trace_id=None,
        span_id=None,
        request=0,
        index=0,
    )
    return Episode(watched, STALL, plan, [flag], {0: 1}, opens=True)

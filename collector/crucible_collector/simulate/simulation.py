"""One simulation from settings to outcome, for the command line and, within bounds, for the API."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from crucible_collector.errors import OverloadedError
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate.aggregates import outcomes
from crucible_collector.simulate.replay import Limits, asked_attributes, replayed
from crucible_collector.simulate.report import Outcome
from crucible_collector.simulate.tally import Tally
from crucible_collector.store.replay import Wanted, replay

# A question to a collector that has better things to do: some seconds of one core. The command line,
# which has a process of its own, has no such bounds.
API_RECORDS_MAX = 500_000
API_SECONDS_MAX = 20.0
API_BATCH_TIMEOUT_S = 20.0
RETRY_AFTER_S = 5.0
UNLIMITED = Limits()


def simulate(
    dsn: str,
    rules: Rules,
    start: dt.datetime,
    end: dt.datetime,
    experiment: str | None = None,
    *,
    limits: Limits = UNLIMITED,
    batch_timeout_s: float = 0,
) -> Outcome:
    """Try `rules` on what is stored of a period. DatabaseAwayError, QueryTooSlowError, DatabaseError."""
    wanted = Wanted(start, end, experiment, asked_attributes(rules.as_json()))
    began = time.monotonic()
    tally = Tally(rules)
    with replay(dsn, wanted, batch_timeout_s=batch_timeout_s) as stored:
        found = replayed(stored, rules, tally, limits)
    return Outcome(
        from_time=start,
        to_time=end,
        until_time=None if found.until_ns is None else _time(found.until_ns),
        experiment=experiment,
        span_count=tally.span_count(),
        log_count=tally.log_count(),
        thinned_count=tally.thinned_count,
        is_complete=found.stopped_because is None,
        stopped_because=found.stopped_because,
        decided_early_count=found.decided_early_count,
        took_s=round(time.monotonic() - began, 3),
        rules=tally.rules(),
        totals=tally.totals(),
        events=tuple(outcomes(tally.events, tally.sums, tally.in_force())),
    )


def _time(ns: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=ns // 1000)


class Simulation:
    """Simulations for the API: one at a time and bounded; any thread may ask."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        """`dsn` tells where the database is when it is asked."""
        self._dsn = dsn
        self._running = threading.Lock()

    def simulate(
        self,
        settings: Mapping[str, Any],
        start: dt.datetime,
        end: dt.datetime,
        experiment: str | None,
    ) -> dict[str, Any]:
        """As JSON. SettingsError; OverloadedError while another runs; what `simulate` raises."""
        rules = Rules.parse(settings)
        limits = Limits(API_RECORDS_MAX, API_SECONDS_MAX)
        with self.running():
            outcome = simulate(
                self._dsn(),
                rules,
                start,
                end,
                experiment,
                limits=limits,
                batch_timeout_s=API_BATCH_TIMEOUT_S,
            )
        return outcome.as_json()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have no other run meanwhile; OverloadedError where one does."""
        if not self._running.acquire(blocking=False):
            raise OverloadedError("a simulation is running: one at a time", RETRY_AFTER_S)
        try:
            yield
        finally:
            self._running.release()

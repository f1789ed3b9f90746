"""Whose the runs are that somebody sends about: a key for some experiments must not tell of others' runs.

A record tells of a run under an experiment of its own choice, and its end, say, would end the run. Owners are
asked for once and remembered: a run stays the experiment's that was received with it first. While the database
is away nobody can say, and records are taken: whose a run is does not change by them. It is not asked again for
a while then, for all who send wait for one that waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from crucible_collector.errors import DatabaseAwayError, DatabaseError, OverloadedError
from crucible_collector.store.owners import owners_of

RUNS_MAX = 100_000
ASK_AGAIN_AFTER_S = 30.0
RETRY_AFTER_S = 2.0

log = logging.getLogger("crucible.access")


class Owners:
    """Of one database; any thread may ask."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        """`dsn` tells where the database is when it is asked."""
        self._dsn = dsn
        self._lock = threading.Lock()
        self._experiments: dict[str, str] = {}
        self._ask_from = float("-inf")  # monotonic

    def foreign(self, prefix: str, run_ids: Collection[str]) -> frozenset[str]:
        """Which of these runs are known to be of no experiment, or of one that does not begin so.

        OverloadedError where the database is there and does not say: what is slow must let nobody in.
        """
        with self._lock:
            found: dict[str, str | None] = {
                run_id: self._experiments[run_id]
                for run_id in run_ids
                if run_id in self._experiments
            }
        found |= self._asked(set(run_ids) - found.keys())
        return frozenset(
            run_id
            for run_id, experiment in found.items()
            if experiment is None or not experiment.startswith(prefix)
        )

    def _asked(self, run_ids: Collection[str]) -> dict[str, str | None]:
        if not run_ids or time.monotonic() < self._ask_from:
            return {}
        try:
            found = owners_of(self._dsn(), run_ids)
        except DatabaseAwayError as error:
            self._ask_from = time.monotonic() + ASK_AGAIN_AFTER_S
            log.warning(
                "for %g s nobody is asked whose runs are, and records of limited keys about them are taken: %s",
                ASK_AGAIN_AFTER_S,
                error,
            )
            return {}
        except DatabaseError as error:
            raise OverloadedError(
                f"whose the runs are that this names cannot be asked now: {error}", RETRY_AFTER_S
            ) from error
        with self._lock:
            if len(self._experiments) + len(found) > RUNS_MAX:
                self._experiments.clear()
            self._experiments |= {run: of for run, of in found.items() if of is not None}
        return found

"""Runs jobs: each in a thread of its own, at most two of a kind at a time, all at an end when the process is.

One that is cancelled, here or through another collector of the database, notices when it next says how far
it is.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from crucible_collector import metrics
from crucible_collector.errors import CollectorError, OverloadedError
from crucible_collector.store import jobs as kept
from crucible_collector.store.jobs import KeptJob, Kind, NewJob, kept_job

log = logging.getLogger("crucible.jobs")

AT_ONCE_MAX = 2  # of a kind
RETRY_AFTER_S = 10.0
# Others follow how far it is, and it follows whether it is to end.
RENEW_S = 1.0
STOP_TIMEOUT_S = 10.0

Report = Mapping[str, Any]


class CancelledError(Exception):
    """The job is to end now: whoever does its work lets this pass, and leaves nothing half."""


class Progress(Protocol):
    """How a job's work says how far it is."""

    def __call__(self, share: float, report: Report | None = None) -> None:
        """`share` from 0 to 1, `report` what is known so far. CancelledError where it is to end.

        Cheap: the database hears of it once a second.
        """
        ...


# What a job does, from its identity and a way to say how far it is to what it has to report.
Work = Callable[[uuid.UUID, Progress], Report]
# Takes back what a job has made, where it was cancelled after its work had last looked.
Undo = Callable[[uuid.UUID], None]


class Jobs:
    """Starts jobs and ends them; any thread may ask."""

    def __init__(self, dsn: Callable[[], str], collector: str) -> None:
        """`dsn` tells where the database is when it is asked; `collector` is who runs them."""
        self._dsn = dsn
        self._collector = collector
        self._running: dict[uuid.UUID, tuple[Kind, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(
        self,
        kind: Kind,
        request: Mapping[str, Any],
        work: Work,
        asked_by: str = "",
        *,
        undo: Undo | None = None,
    ) -> uuid.UUID:
        """Begin a job. DatabaseAwayError; OverloadedError while two of its kind run."""
        job = NewJob(uuid.uuid4(), kind, self._collector, asked_by, request)
        thread = threading.Thread(
            target=self._run, args=(job.job_id, work, undo), name=f"job-{kind}", daemon=True
        )
        with self._lock:
            running = Counter(each for each, _ in self._running.values())[kind]
            if running >= AT_ONCE_MAX or self._stopping.is_set():
                raise OverloadedError(
                    f"{running} jobs of the kind {kind} are running, which is as many as may at a time",
                    RETRY_AFTER_S,
                )
            self._running[job.job_id] = kind, thread
        try:
            kept.begin(self._dsn(), job)
        except BaseException:
            self._forget(job.job_id)
            raise
        thread.start()
        return job.job_id

    def cancel(self, job_id: uuid.UUID) -> None:
        """Have a job end, whichever collector runs it; nothing where it has."""
        kept.cancel(self._dsn(), job_id)

    def stop(self) -> None:
        """End those that run and take no more."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with self._lock:
            threads = [thread for _, thread in self._running.values() if thread.is_alive()]
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _forget(self, job_id: uuid.UUID) -> None:
        with self._lock:
            self._running.pop(job_id, None)

    def _run(self, job_id: uuid.UUID, work: Work, undo: Undo | None) -> None:
        """The body of a job's thread."""
        try:
            with kept_job(self._dsn(), job_id) as row:
                self._work(row, job_id, work, undo)
        except CollectorError as error:
            log.warning("job %s: its end could not be written: %s", job_id, error)
        finally:
            self._forget(job_id)

    def _work(self, row: KeptJob, job_id: uuid.UUID, work: Work, undo: Undo | None) -> None:
        try:
            is_kept = row.finish("completed", work(job_id, self._follow(row)))
            if undo is not None and not is_kept:
                undo(job_id)
        except CancelledError as error:
            row.finish("cancelled", error=str(error) or None)
        except CollectorError as error:
            row.finish("failed", error=str(error))
        except Exception:
            metrics.UNCAUGHT_ERRORS.labels("job").inc()
            log.exception("uncaught error in a job")
            row.finish("failed", error="an error of the collector's own; its log has it")

    def _follow(self, row: KeptJob) -> Progress:
        due = time.monotonic()

        def progress(share: float, report: Report | None = None) -> None:
            nonlocal due
            if self._stopping.is_set():
                raise CancelledError("the collector that ran it was stopped")
            if time.monotonic() >= due:
                if not row.renewed(share, report):
                    raise CancelledError
                due = time.monotonic() + RENEW_S

        return progress

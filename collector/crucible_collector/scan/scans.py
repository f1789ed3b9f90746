"""Scans for the API: each in a thread of its own, at most two at a time, all at an end when the process is.

One that is cancelled, here or through another collector of the database, notices within a second, or
after the batch that it is at.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack

from crucible_collector import metrics
from crucible_collector.api.routes.scans import BandAsked, BandTold
from crucible_collector.api.scanned import ScanRequest
from crucible_collector.detect.settings import Detection
from crucible_collector.errors import CollectorError, OverloadedError
from crucible_collector.scan.asked import detection, wanted
from crucible_collector.scan.band import band
from crucible_collector.scan.look import CancelledError, Scan, asked_attributes
from crucible_collector.store import scans as kept
from crucible_collector.store.scan_results import scan_results
from crucible_collector.store.scanned import scanned
from crucible_collector.store.scans import KeptScan, kept_scan

log = logging.getLogger("crucible.scan")

AT_ONCE_MAX = 2
RETRY_AFTER_S = 10.0
# Others follow how far it is, and it follows whether it is to end.
RENEW_S = 1.0
STOP_TIMEOUT_S = 10.0
# Each has a connection of its own, and up to 100,000 points in memory.
BANDS_MAX = 4
BAND_RETRY_S = 1.0


class Scans:
    """Starts scans and ends them; any thread may ask."""

    def __init__(self, dsn: Callable[[], str], in_force: Callable[[], Detection]) -> None:
        """`dsn` tells where the database is, `in_force` the settings of detection, when they are asked."""
        self._dsn = dsn
        self._in_force = in_force
        self._running: dict[uuid.UUID, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._bands = threading.BoundedSemaphore(BANDS_MAX)

    def start(self, asked: ScanRequest) -> uuid.UUID:
        """Begin a scan. SettingsError, DatabaseAwayError; OverloadedError while two run."""
        settings = detection(asked, self._in_force())
        scan_id = uuid.uuid4()
        thread = threading.Thread(
            target=self._run,
            args=(scan_id, asked, settings),
            name="anomaly-scan",
            daemon=True,
        )
        with self._lock:
            if len(self._running) >= AT_ONCE_MAX or self._stopping.is_set():
                raise OverloadedError(
                    f"{len(self._running)} scans are running, which is as many as may at a time",
                    RETRY_AFTER_S,
                )
            self._running[scan_id] = thread
        try:
            kept.begin(self._dsn(), scan_id, asked.label, asked.told())
        except BaseException:
            self._forget(scan_id)
            raise
        thread.start()
        return scan_id

    def cancel(self, scan_id: uuid.UUID) -> None:
        """Have a scan end, whichever collector runs it."""
        kept.cancel(self._dsn(), scan_id)

    def band(self, asked: BandAsked) -> BandTold | None:
        """What a detector expected of a curve (see api.routes.scans.Scanning)."""
        if not self._bands.acquire(blocking=False):
            raise OverloadedError("as many bands are drawn as may be at a time", BAND_RETRY_S)
        try:
            return band(self._dsn(), asked, self._in_force())
        finally:
            self._bands.release()

    def stop(self) -> None:
        """End those that run and take no more."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with self._lock:
            threads = [each for each in self._running.values() if each.is_alive()]
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _forget(self, scan_id: uuid.UUID) -> None:
        with self._lock:
            self._running.pop(scan_id, None)

    def _run(self, scan_id: uuid.UUID, asked: ScanRequest, settings: Detection) -> None:
        """The body of a scan's thread."""
        try:
            with kept_scan(self._dsn(), scan_id) as row:
                self._scan(row, asked, settings)
        except CollectorError as error:
            log.warning("scan %s: its end could not be written: %s", scan_id, error)
        finally:
            self._forget(scan_id)

    def _scan(self, row: KeptScan, asked: ScanRequest, settings: Detection) -> None:
        try:
            row.finish("completed", self._found(row, asked, settings))
        except CancelledError as error:
            row.finish("cancelled", error=str(error) or None)
        except CollectorError as error:
            row.finish("failed", error=str(error))
        except Exception:
            metrics.UNCAUGHT_ERRORS.labels("scan").inc()
            log.exception("uncaught error in a scan")
            row.finish("failed", error="an error of the collector's own; its log has it")

    def _found(self, row: KeptScan, asked: ScanRequest, settings: Detection) -> dict[str, object]:
        dsn, attributes, chosen = self._dsn(), asked_attributes(settings), wanted(asked)
        with ExitStack() as stack:
            stored = stack.enter_context(scanned(dsn, chosen, attributes))
            results = None
            if asked.write:
                results = stack.enter_context(scan_results(dsn, asked.label))
                results.forget(chosen, asked.detectors)
            scan = Scan(chosen, asked.label, settings, self._follow(row), results)
            report = scan.run(stored).as_json()
            if not row.renewed(1.0):
                raise CancelledError
        return report

    def _follow(self, row: KeptScan) -> Callable[[float], None]:
        due = time.monotonic()

        def progress(share: float) -> None:
            nonlocal due
            if self._stopping.is_set():
                raise CancelledError("the collector that ran it was stopped")
            if time.monotonic() >= due:
                if not row.renewed(share):
                    raise CancelledError
                due = time.monotonic() + RENEW_S

        return progress

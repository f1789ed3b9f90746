"""Says, every `heartbeat_s` seconds, that a run still runs: how a killed one is told from a long one.

One daemon thread a process, which exists only while runs are open. The first heartbeat goes out as
the run begins, since the collector can only miss what it has once heard. A paused experiment's runs
go on beating: they are alive.

What a reader could not guess: a heartbeat is a trace of its own, since a run may last for days. Its
time is read before the run is seen to be open, so that none is later than the run's end. Runs are
held weakly: one that was dropped without an end falls silent, as it should. After a fork the runs
stay the parent's. Nothing is sent under the lock, which the garbage collector may want as well, when
it ends a run while some other lock is held.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from opentelemetry.context import Context

from crucible_schema import events as names
from crucible_telemetry.emission import send_point
from crucible_telemetry.faults import guarded

if TYPE_CHECKING:
    from crucible_telemetry.run import Run

THREAD_NAME = "crucible-heartbeat"
_AFTER_A_FAULT_S = 1.0
# A heartbeat takes microseconds. Longer than this only a signal handler would wait, which has
# interrupted the thread that holds the lock.
_LAST_BEAT_S = 0.5
_WAIT_MAX_S = 3600.0  # there are numbers of seconds that a lock cannot wait for


class _Heart:
    """The open runs of this process, each with the time of its next heartbeat; one thread's work.

    A run that sends none (`heartbeat_s=0`) has one at infinity: it is open all the same.
    """

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may end a run while this thread holds it.
        self._changed = threading.Condition(threading.RLock())
        self._due_s: weakref.WeakKeyDictionary[Run, float] = weakref.WeakKeyDictionary()
        self._thread: threading.Thread | None = None

    def begin(self, run: Run) -> None:
        using = run._telemetry
        if using.tracer is None:
            return
        is_beating = 0 < using.heartbeat_s < math.inf
        with self._changed:
            if run in self._due_s:
                return
            self._due_s[run] = time.monotonic() + using.heartbeat_s if is_beating else math.inf
            using.unregister(self.stop)  # once is enough
            using.register(self.stop)
            if is_beating and self._thread is None:
                thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify_all()
        if is_beating:
            _beat(run)

    def end(self, run: Run) -> None:
        with self._changed:
            if self._due_s.pop(run, None) is not None:
                self._changed.notify_all()

    def runs(self) -> list[Run]:
        with self._changed:
            return list(self._due_s)

    def stop(self, timeout_s: float) -> None:
        """Forget all runs: what records them is being shut down."""
        with self._changed:
            thread = self._thread
            self._due_s.clear()
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(min(timeout_s, _LAST_BEAT_S))

    def _run(self) -> None:
        while True:
            self._beat_due()
            with self._changed:
                wait_s = guarded(self._wait_s)()
                if wait_s == math.inf:
                    self._thread = None
                    return
                self._changed.wait(_AFTER_A_FAULT_S if wait_s is None else min(wait_s, _WAIT_MAX_S))

    @guarded
    def _beat_due(self) -> None:
        now_s = time.monotonic()
        with self._changed:
            due = [run for run, due_s in self._due_s.items() if due_s <= now_s]
            for run in due:
                self._due_s[run] = now_s + run._telemetry.heartbeat_s
        for run in due:
            _beat(run)

    def _wait_s(self) -> float:
        """Return how long no heartbeat is due; infinite where none ever is."""
        return max(0.0, min(self._due_s.values(), default=math.inf) - time.monotonic())


@guarded
def _beat(run: Run) -> None:
    now_ns = run._now_ns()
    if not run._is_open:
        return
    attributes = {
        **run._inherited,
        **run._progress(),
        names.HEARTBEAT_INTERVAL_S: float(run._telemetry.heartbeat_s),
    }
    name = names.CRUCIBLE_TELEMETRY_RUN_HEARTBEAT
    send_point(run._telemetry, Context(), name, now_ns, now_ns, attributes)


_heart = _Heart()


@guarded
def begin(run: Run) -> None:
    """Beat for a run from now on."""
    _heart.begin(run)


@guarded
def end(run: Run) -> None:
    """Beat no more for a run."""
    _heart.end(run)


def open_runs() -> list[Run]:
    """Return the runs that are open in this process."""
    return _heart.runs()


def _after_fork() -> None:
    global _heart  # noqa: PLW0603 - a thread that is not in this process may hold the lock
    _heart = _Heart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

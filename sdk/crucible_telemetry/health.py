"""How a run is, as the collector sees it: asked in the background, read without waiting.

One daemon thread a process, which exists only while there are open trainings that have been asked
`should_stop()`. It asks `GET /api/v1/runs/<run>/health` every five seconds, and at once the first time.
What a reader could not guess: a collector that does not answer never stops a training. What it said
last holds for a minute; after that nothing is known. A forked child asks nobody: its copy of a training
has what was known at the fork.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from crucible_telemetry import faults, telemetry
from crucible_telemetry.destination import Destination
from crucible_telemetry.faults import Fault, guarded

if TYPE_CHECKING:
    from crucible_telemetry.api_line import Answer, ApiLine
    from crucible_telemetry.training import Training

THREAD_NAME = "crucible-health"
INTERVAL_S = 5.0
KNOWN_FOR_S = 60.0  # without an answer
UNKNOWN = "unknown"
_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404
_VERDICTS = {"healthy", "warning", "critical", UNKNOWN}
_REASONS_MAX = 100
_AFTER_A_FAULT_S = 1.0
_LAST_ANSWER_S = 0.5  # a request that waits is broken off


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is wrong with a run, as the collector tells it."""

    severity: str  # info, warning or critical
    text: str
    metric: str | None = None
    detector: str | None = None
    since: str | None = None  # ISO 8601
    period_id: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a run is; true where it should stop: it is in what no training recovers from."""

    run_id: str
    verdict: str = UNKNOWN  # or healthy, warning, critical
    should_stop: bool = False
    reasons: tuple[Reason, ...] = ()

    def __bool__(self) -> bool:
        return self.should_stop


class Watch:
    """What is known of one run. `health` is replaced by the thread alone."""

    __slots__ = ("due_s", "etag", "health", "heard_s")

    def __init__(self, run_id: str) -> None:
        self.health = Health(run_id)
        self.etag = ""
        self.due_s = self.heard_s = 0.0

    def hear(self, answer: Answer) -> None:
        """Take note of an answer. Raises ValueError where it is none."""
        run_id = self.health.run_id
        if answer.status == _OK:
            self.health, self.etag = health_of(run_id, answer.body), answer.etag
        elif answer.status == _NOT_FOUND:  # the collector has not heard of the run yet
            self.forget()
        elif answer.status != _NOT_MODIFIED:
            raise ValueError(f"HTTP {answer.status}")
        self.heard_s = time.monotonic()

    def forget(self) -> None:
        self.health, self.etag = Health(self.health.run_id), ""


class _Asking:
    """The trainings of this process whose health is asked for; one thread's work."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may end a run while this thread holds it.
        self._changed = threading.Condition(threading.RLock())
        self._watches: weakref.WeakKeyDictionary[Training, Watch] = weakref.WeakKeyDictionary()
        self._lines: dict[Destination, ApiLine] = {}
        self._thread: threading.Thread | None = None

    def begin(self, run: Training, watch: Watch) -> None:
        with self._changed:
            self._watches[run] = watch
            run._telemetry.unregister(self.stop)  # once is enough
            run._telemetry.register(self.stop)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify_all()

    def end(self, run: Training) -> None:
        with self._changed:
            if self._watches.pop(run, None) is not None:
                self._changed.notify_all()

    def stop(self, timeout_s: float) -> None:
        """Ask no more: what records the runs is being shut down."""
        with self._changed:
            thread = self._thread
            lines, self._lines = self._lines, {}
            self._watches.clear()
            self._changed.notify_all()
        for line in lines.values():
            line.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(min(timeout_s, _LAST_ANSWER_S))

    def _run(self) -> None:
        while True:
            self._ask_due()
            with self._changed:
                wait_s = guarded(self._wait_s)()
                if wait_s == math.inf:
                    self._thread = None
                    lines, self._lines = self._lines, {}
                    break
                self._changed.wait(_AFTER_A_FAULT_S if wait_s is None else wait_s)
        for line in lines.values():
            line.close()

    def _wait_s(self) -> float:
        """Return how long nobody is to be asked; infinite where there is no run to ask about."""
        due_s = min((watch.due_s for watch in self._watches.values()), default=math.inf)
        return max(0.0, due_s - time.monotonic())

    @guarded
    def _ask_due(self) -> None:
        now_s = time.monotonic()
        with self._changed:
            due = [(run, watch) for run, watch in self._watches.items() if watch.due_s <= now_s]
            for _, watch in due:
                watch.due_s = now_s + INTERVAL_S
            asked = [(run._telemetry.api, watch) for run, watch in due]
            del due  # a run that nobody else holds is not kept by being asked about
        silent: set[Destination] = set()  # one time-out is enough for all of its runs
        for place, watch in asked:
            if place is not None and place not in silent and not self._ask(place, watch):
                silent.add(place)
        for _, watch in asked:
            if time.monotonic() - watch.heard_s > KNOWN_FOR_S:
                watch.forget()

    def _ask(self, place: Destination, watch: Watch) -> bool:
        """Return whether there was an answer."""
        path = f"/api/v1/runs/{quote(watch.health.run_id, safe='')}/health"
        try:
            watch.hear(self._line(place).get(path, watch.etag))
        except Exception as error:  # noqa: BLE001 - whatever is wrong there is no matter of a training
            if self._watches:  # or it was broken off on purpose
                told = f"{type(error).__name__}: {error}"
                faults.note(Fault.HEALTH, "The collector does not say how a run is: %s", told)
            return False
        return True

    def _line(self, place: Destination) -> ApiLine:
        from crucible_telemetry.api_line import ApiLine  # noqa: PLC0415 - see `begin` below

        with self._changed:
            if place not in self._lines:
                self._lines[place] = ApiLine(place)
            return self._lines[place]


def health_of(run_id: str, body: bytes) -> Health:
    """Read an answer. Raises ValueError where it is none."""
    data = json.loads(body)
    data = data.get("data") if isinstance(data, dict) else None
    if not isinstance(data, dict) or data.get("verdict") not in _VERDICTS:
        raise ValueError("the answer is no health of a run")
    reasons = data.get("reasons")
    found = (
        [each for each in reasons if isinstance(each, dict)] if isinstance(reasons, list) else []
    )
    return Health(
        run_id,
        data["verdict"],
        data.get("should_stop") is True,
        tuple(_reason(each) for each in found[:_REASONS_MAX]),
    )


def _reason(told: Mapping[str, Any]) -> Reason:
    def text(name: str) -> str | None:
        value = told.get(name)
        return None if value is None else str(value)

    return Reason(
        text("severity") or "",
        text("text") or "",
        text("metric"),
        text("detector"),
        text("since"),
        text("period_id"),
    )


_asking = _Asking()


@guarded
def begin(run: Training) -> Watch | None:
    """Ask about a run from now on; None where it is not open, and nothing is asked."""
    if not run._is_open:
        return None
    watch = Watch(run.run_id)
    if run._telemetry.api is None or run._telemetry.tracer is None:
        return watch
    if run._fork_count == telemetry.fork_count:
        # Now, in the thread that may fork: a child that is forked in the middle of an import waits
        # for ever when it needs the same module.
        from crucible_telemetry import api_line  # noqa: F401, PLC0415 - ssl and http.client: 20 ms

        _asking.begin(run, watch)
    return watch


@guarded
def end(run: Training) -> None:
    """Ask no more about a run."""
    _asking.end(run)


def _after_fork() -> None:
    global _asking  # noqa: PLW0603 - a thread that is not in this process may hold the lock
    _asking = _Asking()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

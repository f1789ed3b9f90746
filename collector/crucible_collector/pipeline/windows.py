"""Which window comes next, and the rows that it becomes: what the preparing thread does.

Windows are taken in the order of the journal. Where the sampling rules want to know what comes after a
record, a window comes twice: ahead, and behind once it is old enough. How old is told by receipt times,
so that a journal that is caught up after an outage is decided as it would have been; the clock is asked
only when nothing more has come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from crucible_collector import metrics
from crucible_collector.enrich.subscription import Subscription
from crucible_collector.journal import Journal, Window
from crucible_collector.pipeline.checkpoints import Checkpoints, Staged
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.learners import Learners
from crucible_collector.pipeline.prepare import prepare, set_aside_whole
from crucible_collector.pipeline.prices import PricesInForce
from crucible_collector.pipeline.relearning import ANY, NOWHERE, Relearning, beyond
from crucible_collector.pipeline.remembered import Remembered
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.rows import Phase, WindowRows
from crucible_collector.sample.sampler import Sampler
from crucible_collector.store.positions import Place, Recorded
from crucible_collector.store.window import Encoded, encode_tables

log = logging.getLogger("crucible.pipeline")

# A window is written in about half a second at the database's pace and holds what fits in memory.
WINDOW_RECORDS_MAX = 16_384
WINDOW_BYTES_MAX = 16 * 1024 * 1024
# One of which next to nothing is written may hold more: what a window costs whatever is in it then is
# less a record (of inferences of which 1 % is kept, 10 to 18 % more are let in a second, in three pairs).
SPARSE_TIMES = 4
SPARSE_SHARE = 0.25
# Small windows wait this long for company: a commit a millisecond helps nobody.
LINGER_S = 0.05
LINGER_BYTES = 1024 * 1024
IDLE_WAIT_S = 0.5
CHECKPOINT_S = 30.0
# Bytes of the journal that are kept for learning from again: a few seconds at the highest rates.
CHECKPOINT_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class Prepared:
    """A window with everything made that can be made before its transaction."""

    rows: WindowRows
    encoded: list[Encoded]
    staged: Staged | None = None  # counts once the window is committed

    def follows(self, place: Place) -> bool:
        """Whether it is the next to be written where the journal stands there."""
        rows = self.rows
        if rows.phase is Phase.BEHIND:
            return rows.start == place.decided
        return rows.start == place.position and (
            rows.phase is Phase.AHEAD or place.decided == place.position
        )

    def after(self, place: Place) -> Place:
        """Where the journal stands when it is written."""
        end = self.rows.end
        if self.rows.phase is Phase.BEHIND:
            return Place(place.position, end)
        return Place(end, place.decided if self.rows.phase is Phase.AHEAD else end)


@dataclass(slots=True)
class _Undecided:
    """A window that was seen."""

    start: int
    end: int
    received_ns: int  # the newest receipt in it and before it


class Windows:
    """The journal's windows, each as rows. One thread at a time; `reset` when nothing is under way."""

    def __init__(
        self,
        journal: Journal,
        remembered: Remembered,
        subscription: Subscription,
        in_force: SamplingInForce,
        checkpoints: Checkpoints | None,
        *,
        detection: DetectionInForce,
        prices: PricesInForce,
        clock_ns: Callable[[], int],
        with_parts: Callable[[], bool],
    ) -> None:
        """`with_parts`: whether windows bring what they add to portable roll-ups."""
        self._journal = journal
        self._remembered = remembered
        self._subscription = subscription
        self._in_force = in_force
        self._checkpoints = checkpoints
        self._clock_ns = clock_ns
        self._with_parts = with_parts
        self._detection = detection
        self._now = in_force.now
        self._watching = detection.now
        self._learners = Learners(self._now.settings, self._watching.settings)
        self._prices = prices
        self._relearning = Relearning(journal, subscription, self._learners, prices)
        self._place: Place | None = None  # where the next windows begin
        self._undecided: deque[_Undecided] = deque()
        self._received_ns = 0
        self._written_share = dict.fromkeys(Phase, 0.0)  # rows a record of the last window of each
        self._checkpoint_at_s = time.monotonic() + CHECKPOINT_S
        self._checkpoint_decided = 0
        self._is_new = True
        self._is_forgetful = checkpoints is None  # what is learned cannot be kept
        # What the writing thread tells: windows seen up to here are committed, with these duplicates.
        self.committed_position = 0
        self.duplicates: dict[int, frozenset[int]] = {}

    @property
    def sampler(self) -> Sampler:
        return self._learners.sampler

    @property
    def _learns(self) -> bool:
        """Whether there is anything to be learned, and so to be remembered."""
        return bool(self._now.settings.rules) or self._watching.settings.enabled

    @property
    def place(self) -> Place | None:
        return self._place

    def reset(self, place: Place, recorded: Iterable[Recorded]) -> Place:
        """Begin at `place`; returns up to where what was learned is safe."""
        self._follow_settings()
        windows = list(recorded)
        learned, safe = NOWHERE, place
        if self._is_new:
            learned = self._relearning.restored(self._checkpoints, place)
            safe = learned if windows or learned != NOWHERE else place
            learned = self._relearning.replay(learned, place, windows)
        elif self._place is not None and place.position < self._place.position:
            self._relearning.set_back(self._checkpoints, place, windows)
        known = {(each.start, each.end): each for each in self._undecided}
        self._undecided.clear()
        self.duplicates.clear()
        for rest in self._undecided_of(windows, place):
            found = known.get((rest.start, rest.end))
            if found is None:
                self._heard(self._relearning.observe(rest, learned))
                found = _Undecided(rest.start, rest.end, self._received_ns)
            self._undecided.append(found)
            self.duplicates[rest.start] = rest.duplicates
        self._place = place
        self._checkpoint_decided = safe.decided
        self._is_new = False
        self.committed_position = place.position
        return safe

    @property
    def keeps_learned(self) -> bool:
        """Whether what lies between a checkpoint and the database has to be there for a restart.

        Not where the journal has no room: as long as nothing comes, nothing makes a checkpoint.
        """
        return self._learns and not self._is_forgetful and not self._journal.blocked

    def committed(self, place: Place, recorded: Iterable[Recorded]) -> None:
        """The database stands at `place`, and what is prepared follows."""
        self.committed_position = place.position
        for rest in self._undecided_of(recorded, place):
            self.duplicates[rest.start] = rest.duplicates

    def _undecided_of(self, recorded: Iterable[Recorded], place: Place) -> Iterator[Recorded]:
        for each in recorded:
            if each.end > place.decided:
                yield self._relearning.rest(each, place.decided)

    def is_committed(self, start: int, end: int, duplicates: frozenset[int]) -> None:
        """A window was written ahead, without its duplicates."""
        self.duplicates[start] = duplicates
        self.committed_position = end

    def next(self, stopping: threading.Event) -> Prepared | None:
        """The next window, prepared; None if none comes within a moment."""
        self._follow_settings()
        place = _there(self._place)
        prepared = self._behind(place, stopping)
        if prepared is None and not self._is_catching_up():
            prepared = self._ahead(place, stopping)
        elif prepared is None:
            stopping.wait(LINGER_S)
        self._in_force.told(self.sampler)
        self._detection.told(self._learners.engine)
        if prepared is not None:
            self._place = prepared.after(place)
            prepared.staged = self._stage()
        return prepared

    def _follow_settings(self) -> None:
        now = self._in_force.now
        if now is not self._now:
            self.sampler.change(now.settings)
            self._now = now
        watching = self._detection.now
        if watching is not self._watching:
            self._learners.engine.change(watching.settings)
            self._watching = watching

    def _is_catching_up(self) -> bool:
        """Whether what is undecided is decided first, since nothing is to be waited for any more."""
        return bool(self._undecided) and self.sampler.wait_s == 0

    def _behind(self, place: Place, stopping: threading.Event) -> Prepared | None:
        """The oldest undecided window, once it is old enough and committed ahead."""
        if not self._undecided:
            return None
        first = self._undecided[0]
        if first.end > self.committed_position or not self._is_due(first, place, stopping):
            return None
        duplicates = self.duplicates.pop(first.start, frozenset())
        with metrics.WINDOW_SECONDS.labels("decide").time():
            prepared = self._prepared(
                first.start, Phase.BEHIND, until=first.end, duplicates=duplicates
            )
        if prepared is None:
            raise RuntimeError(f"the journal has nothing at {first.start}, which is undecided")
        self._undecided.popleft()
        end, count = prepared.rows.end, len(prepared.rows.window)
        if end < first.end:  # a part of it, since all could not be prepared
            self._undecided.appendleft(_Undecided(end, first.end, first.received_ns))
            self.duplicates[end] = beyond(duplicates, count)
        return prepared

    def _heard(self, received_ns: int) -> None:
        """Requests were received by then: the newest, unless the clock has been set back since."""
        self._received_ns = min(max(self._received_ns, received_ns), self._clock_ns())

    def _is_due(self, first: _Undecided, place: Place, stopping: threading.Event) -> bool:
        """Whether it is old enough; one of a time yet to come waits for a clock that was set back."""
        due_ns = first.received_ns + round(self.sampler.wait_s * 1e9)
        if not first.received_ns <= self._received_ns < due_ns:
            return True
        if self._journal.tail > place.position:
            return False
        if stopping.is_set() or self._journal.blocked:  # nothing comes that could be waited for
            return True
        return not first.received_ns <= self._clock_ns() < due_ns

    def _ahead(self, place: Place, stopping: threading.Event) -> Prepared | None:
        """What comes next in the journal: all of it, or what needs no decision."""
        journal = self._journal
        if not journal.wait(place.position, self._patience_s(stopping)):
            return None
        if journal.tail - place.position < LINGER_BYTES:
            stopping.wait(LINGER_S)
        is_whole = self.sampler.wait_s == 0
        prepared = self._prepared(place.position, Phase.WHOLE if is_whole else Phase.AHEAD)
        if prepared is not None and not is_whole:
            received_ns = prepared.rows.requests.received_ns
            if len(received_ns):
                self._heard(int(received_ns.max()))
            self._undecided.append(
                _Undecided(prepared.rows.start, prepared.rows.end, self._received_ns)
            )
        return prepared

    def _patience_s(self, stopping: threading.Event) -> float:
        if stopping.is_set():
            return 0.0
        return LINGER_S if self._undecided else IDLE_WAIT_S

    def _prepared(
        self,
        position: int,
        phase: Phase,
        *,
        until: int | None = None,
        duplicates: frozenset[int] = frozenset(),
    ) -> Prepared | None:
        """The next window; a smaller one where that cannot be prepared, its first request at last.

        A request that cannot be prepared even alone is set aside whole. `until` is where a window
        ended that is read again, whatever its size.
        """
        records_max, bytes_max = self._records_max(), WINDOW_BYTES_MAX
        if until is not None:
            records_max = bytes_max = ANY
        while True:
            window = self._journal.read(
                position, records_max=records_max, bytes_max=bytes_max, until=until
            )
            if window is None:
                return None
            try:
                with metrics.WINDOW_SECONDS.labels("prepare").time():
                    rows = self._rows(window, phase, duplicates)
                    return Prepared(rows, encode_tables(rows, with_parts=self._with_parts()))
            except Exception as error:
                metrics.UNCAUGHT_ERRORS.labels("prepare").inc()
                log.exception("a window of %d requests cannot be prepared", len(window))
                if len(window) <= 1:
                    message = f"{type(error).__name__}: {error}"
                    return Prepared(set_aside_whole(window, message, phase), [])
            records_max = int(window.record_count.sum()) // 2
            if not records_max:
                bytes_max = 1  # what comes first is read whatever its size

    def _rows(
        self, window: Window, phase: Phase, duplicates: frozenset[int] = frozenset()
    ) -> WindowRows:
        known = self._remembered.known()
        rows = prepare(
            *(window, known, self._subscription, self.sampler, phase, duplicates),
            self._learners.engine,
            self._prices.pricing(),
        )
        is_learned_from = phase is Phase.WHOLE and self._learns
        rows.is_recorded = phase is Phase.AHEAD or is_learned_from
        written_count = sum(table.batch.num_rows for table in rows.tables)
        self._written_share[phase] = written_count / max(int(window.record_count.sum()), 1)
        return rows

    def _records_max(self) -> int:
        is_sparse = bool(self._now.settings.rules) and (
            sum(self._written_share.values()) <= SPARSE_SHARE
        )
        return WINDOW_RECORDS_MAX * (SPARSE_TIMES if is_sparse else 1)

    def _stage(self) -> Staged | None:
        """A checkpoint, from time to time, where there is anything to be remembered."""
        grown = _there(self._place).decided - self._checkpoint_decided
        if time.monotonic() < self._checkpoint_at_s and grown < CHECKPOINT_BYTES:
            return None
        return self.stage()

    def stage(self) -> Staged | None:
        """A checkpoint of what was learned up to the last window that was prepared."""
        self._checkpoint_at_s = time.monotonic() + CHECKPOINT_S
        self._checkpoint_decided = 0 if self._place is None else self._place.decided
        if self._checkpoints is None or not self._learns or self._place is None:
            return None
        try:
            with metrics.WINDOW_SECONDS.labels("checkpoint").time():
                staged = self._checkpoints.stage(self._place, self._learners.state())
        except OSError as error:
            log.warning("what was learned cannot be kept: %s", error)
            self._is_forgetful = True
            return None
        self._is_forgetful = False
        return staged


def _there(place: Place | None) -> Place:
    if place is None:
        raise RuntimeError("a window was asked for before the database said where to begin")
    return place

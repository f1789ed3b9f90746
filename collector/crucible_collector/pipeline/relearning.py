"""What a start does for detectors and samplers: the last checkpoint, and what was seen and decided since.

Windows are read again as they were cut, and nothing is written. A decision that comes out otherwise than
it did (rules have changed meanwhile) is no harm: thresholds that depend on nobody's randomness are right
whatever was known, and what was written stays as it is. The detectors look at each window once, the first
time that it is read again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence

from crucible_collector import metrics
from crucible_collector.enrich.subscription import Subscription
from crucible_collector.journal import Journal, Window
from crucible_collector.pipeline.checkpoints import Checkpoint, Checkpoints
from crucible_collector.pipeline.learners import Learners
from crucible_collector.pipeline.prepare import detect_again, replay
from crucible_collector.pipeline.prices import PricesInForce
from crucible_collector.rows import Phase
from crucible_collector.store.positions import Place, Recorded

log = logging.getLogger("crucible.pipeline")

NOWHERE = Place(0, 0)  # before all that there is of a journal
ANY = 1 << 62  # of a window that is read again, whatever its size


class Relearning:
    """Teaches learners. Used by one thread, while no window is being prepared."""

    def __init__(
        self,
        journal: Journal,
        subscription: Subscription,
        learners: Learners,
        prices: PricesInForce,
    ) -> None:
        self._journal = journal
        self._prices = prices
        self._subscription = subscription
        self._learners = learners
        self._looked_at = 0  # up to where the detectors have looked
        self._seen_ns = -1  # the newest receipt in what was observed for a replay

    def restored(self, checkpoints: Checkpoints | None, place: Place) -> Place:
        """Take over the last checkpoint; up to where it knows, NOWHERE where there is none to go by."""
        found = None if checkpoints is None else checkpoints.load()
        if found is None:
            return NOWHERE
        if found.place.position > place.position or found.place.decided > place.decided:
            log.warning("the checkpoint is ahead of the database, which was set back")
        self._restore_engine(found, place)
        return found.place if self._learners.restore_sampler(found.state) else NOWHERE

    def _restore_engine(self, found: Checkpoint, place: Place) -> None:
        """Not where it has seen what is yet to be written: that would be late, and nothing found in it."""
        if found.place.position <= place.position and self._learners.restore_engine(found.state):
            self._looked_at = found.place.position

    def set_back(
        self, checkpoints: Checkpoints | None, place: Place, windows: Sequence[Recorded]
    ) -> None:
        """The database was set back to `place`: the detectors are to know what they knew there."""
        self._learners.forget_series()
        self._looked_at = 0
        found = None if checkpoints is None else checkpoints.load()
        if found is not None:
            self._restore_engine(found, place)
        for each in windows:
            if self._looked_at <= each.start and each.end <= place.position:
                self._detect(each)
        self._looked_at = place.position
        log.info("the database was set back: the detectors look again from there")

    def _detect(self, each: Recorded) -> None:
        window = self.again(each.start, each.end)
        if window is None:
            return
        told = self._subscription, self._learners.sampler, each.duplicates
        try:
            detect_again(window, *told, self._learners.engine, self._prices.pricing())
        except Exception:
            metrics.UNCAUGHT_ERRORS.labels("relearn").inc()
            log.exception("nothing can be learned from the window at %d", each.start)

    def replay(self, learned: Place, place: Place, windows: Sequence[Recorded]) -> Place:
        """Learn again from what was decided after `learned`, up to `place`; returns what is known then.

        As it was then, a window is decided after those were seen that came while it waited.
        """
        begun_s = time.monotonic()
        count = 0
        unseen = deque(each for each in windows if each.start >= learned.position)
        for each in windows:
            if learned.decided <= each.start and each.end <= place.decided:
                window = self.again(each.start, each.end)
                if window is None:
                    continue
                learned = self._look_ahead(window, unseen, learned)
                self._learn(window, Phase.BEHIND, each)
                count += 1
        if count:
            seconds = time.monotonic() - begun_s
            log.info(
                "detectors and samplers learned again from %d windows in %.1f s", count, seconds
            )
        return learned

    def _look_ahead(self, window: Window, unseen: deque[Recorded], learned: Place) -> Place:
        """Observe what had been seen when this window was decided, in whole windows."""
        wait_ns = round(self._learners.sampler.wait_s * 1e9)
        due_ns = int(window.received_ns.max(initial=0)) + wait_ns
        while wait_ns and unseen and self._seen_ns < due_ns:
            each = unseen.popleft()
            self._seen_ns = max(self._seen_ns, self.observe(each, learned))
            learned = Place(each.end, learned.decided)
        return learned

    def observe(self, each: Recorded, learned: Place) -> int:
        """A window that is yet to be decided: its newest receipt, ns; it is observed if it was not."""
        window = self.again(each.start, each.end)
        if window is None or not len(window):
            return 0
        if each.start >= learned.position:
            self._learn(window, Phase.AHEAD, each)
        return int(window.received_ns.max())

    def rest(self, each: Recorded, decided: int) -> Recorded:
        """What of a window is undecided: all of it, but where a part had to be taken alone."""
        if decided <= each.start:
            return each
        window = self.again(each.start, decided)
        count = 0 if window is None else len(window)
        return Recorded(decided, each.end, beyond(each.duplicates, count))

    def again(self, start: int, end: int) -> Window | None:
        """Just what lies between two positions that windows began and ended at."""
        return self._journal.read(start, records_max=ANY, bytes_max=ANY, until=end)

    def _learn(self, window: Window, phase: Phase, each: Recorded) -> None:
        """What raises here was set aside, or kept without a sampler, when it was written."""
        engine = self._learners.engine if each.start >= self._looked_at else None
        self._looked_at = max(self._looked_at, each.end)
        told = self._subscription, self._learners.sampler, phase, each.duplicates
        try:
            replay(window, *told, engine, self._prices.pricing())
        except Exception:
            metrics.UNCAUGHT_ERRORS.labels("relearn").inc()
            log.exception("nothing can be learned from the window at %d", each.start)


def beyond(duplicates: frozenset[int], count: int) -> frozenset[int]:
    """The same requests, counted from the one after the first `count`."""
    return frozenset(each - count for each in duplicates if each >= count)

"""How often a webhook is tried: within its rate, and ever more seldom while it does not take anything.

Only the collector's own clock that never goes back is asked here. What waits is in the outbox, so that
nothing is lost with what is remembered here: a collector that starts anew tries at once.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

DELAY_FIRST_S = 1.0
DELAY_MAX_S = 300.0
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is; tests have a day go by in a moment."""

    monotonic_s: Callable[[], float] = time.monotonic
    unix_s: Callable[[], float] = time.time


def delay_s(attempt_count: int, jitter: random.Random) -> float:
    """How long to wait after so many failures in a row: twice as long each time, up to DELAY_MAX_S.

    Of that, between half and all, so that collectors that failed together do not come back together.
    """
    longest = min(DELAY_MAX_S, DELAY_FIRST_S * 2.0 ** min(attempt_count - 1, 30))
    return longest * jitter.uniform(0.5, 1.0)


class Patience:
    """Of one webhook. Owner: the sender's thread."""

    def __init__(self, clock_s: Callable[[], float], jitter: random.Random) -> None:
        self._clock_s = clock_s
        self._jitter = jitter
        self._failure_count = 0
        self._paused_until_s = float("-inf")
        self._begun_s: deque[float] = deque()  # requests of the last minute, oldest first

    @property
    def is_failing(self) -> bool:
        return self._failure_count > 0

    def may_send(self, per_minute_max: float) -> bool:
        """Whether a request may be made now; in no minute are there more than the most."""
        now = self._clock_s()
        if now < self._paused_until_s:
            return False
        most = max(1, int(per_minute_max))
        period_s = MINUTE_S * most / per_minute_max  # longer where less than one a minute may be
        while self._begun_s and now - self._begun_s[0] >= period_s:
            self._begun_s.popleft()
        return len(self._begun_s) < most

    def begin(self) -> None:
        """A request is made."""
        self._begun_s.append(self._clock_s())

    def arrived(self) -> None:
        """It takes what it is sent."""
        self._failure_count = 0

    def is_away(self, retry_after_s: float | None) -> float:
        """It does not take anything now; how long it is left alone. It may ask for longer."""
        self._failure_count += 1
        pause_s = max(delay_s(self._failure_count, self._jitter), retry_after_s or 0.0)
        self._paused_until_s = self._clock_s() + pause_s
        return pause_s

"""When a collector that takes nothing is asked again.

After half a second, then about every two: one that is back is found within that. What the collector
itself says about when it wants to be asked goes before, also before a user who flushes.
"""

from __future__ import annotations

import random
import time

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 2.0


class Patience:
    """Kept by the sending thread; `hurry` may come from any."""

    def __init__(self) -> None:
        self.ask_at_s = 0.0  # on the monotonic clock; 0: at once
        self.is_away = False
        self._is_told_when = False
        self._backoff_s = BACKOFF_FIRST_S
        self._jitter = random.Random()  # noqa: S311 - and not the experiment's own generator

    def is_to_wait(self) -> bool:
        return time.monotonic() < self.ask_at_s

    def put_off(self, retry_after_s: float | None) -> bool:
        """Wait after an attempt that failed; True for the first one of an outage."""
        wait_s = self._backoff_s * self._jitter.uniform(0.8, 1.2)
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_MAX_S)
        self._is_told_when = retry_after_s is not None
        self.ask_at_s = time.monotonic() + max(wait_s, retry_after_s or 0.0)
        was_away, self.is_away = self.is_away, True
        return not was_away

    def end(self) -> bool:
        """Go on after an answer; True if it ends an outage."""
        self.ask_at_s = 0.0
        self._backoff_s = BACKOFF_FIRST_S
        was_away, self.is_away = self.is_away, False
        return was_away

    def hurry(self) -> None:
        """Ask at once, unless the collector said when."""
        if not self._is_told_when:
            self.ask_at_s = 0.0

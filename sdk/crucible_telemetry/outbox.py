"""What waits in memory: a bounded queue that producers append to, and the counts of what became of it.

What a reader could not guess:

- Producers only append. Full means that the oldest item goes, counted: what a run does now is worth
  more than what it did.
- The lock is re-entrant because the garbage collector may close a generator, and so end a span, in
  the middle of `put` on the same thread; a signal's handler may come there, too. An item is counted
  after it was appended, so that nobody waits for one that never came.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from crucible_telemetry.encoding import Encoded, Item


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """What became of the records.

    accepted = delivered + rejected + dropped + failed + waiting + spooled
    """

    accepted: int = 0
    delivered: int = 0  # acknowledged by the collector
    rejected: int = 0  # left out by the collector, which took the rest of their request
    dropped: int = 0  # pushed out of a full queue or a full spool
    failed: int = 0  # given up: refused, not sent in time, or lost on disk
    waiting: int = 0  # in memory, or being sent
    spooled: int = 0  # on disk, to be sent when the collector is back
    recovered: int = 0  # beside these: left by a process that died, sent by this one


class Outbox:
    """Many producers, one consumer."""

    def __init__(self, items_max: int, on_half_full: Callable[[], None]) -> None:
        self._items_max = items_max
        self._half = items_max // 2
        self._on_half_full = on_half_full
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._queue: deque[Item] = deque()
        self._is_closed = False
        self._accepted = self._dropped = 0
        self._delivered = self._rejected = self._failed = 0
        self._spooled = self._recovered = 0

    def put(self, item: Item) -> None:
        """Append an item. Never blocks; about 0.5 µs."""
        count = item.count if type(item) is Encoded else 1
        with self._lock:
            if self._is_closed:
                self._dropped += count
            else:
                length = len(self._queue)
                if length >= self._items_max:
                    self._dropped += _count(self._queue.popleft())
                self._queue.append(item)
                if length == self._half:
                    self._on_half_full()
            self._accepted += count

    def take(self, items_max: int) -> list[Item]:
        """Return the oldest items; who takes them tells later what became of them."""
        with self._lock:
            return [self._queue.popleft() for _ in range(min(len(self._queue), items_max))]

    def __len__(self) -> int:
        return len(self._queue)

    def is_full(self) -> bool:
        return len(self._queue) >= self._items_max

    @property
    def dropped_count(self) -> int:
        return self._dropped

    def close(self) -> None:
        """Drop, and count, what comes from now on."""
        with self._lock:
            self._is_closed = True

    # What became of records, as the consumer tells.

    def delivered(self, count: int, rejected_count: int) -> None:
        with self._settled:
            rejected_count = min(count, rejected_count)
            self._rejected += rejected_count
            self._delivered += count - rejected_count
            self._settled.notify_all()

    def failed(self, count: int) -> None:
        with self._settled:
            self._failed += count
            self._settled.notify_all()

    def spooled(self, count: int) -> None:
        """Count records that went to disk, or, below 0, that came from there to be settled."""
        with self._lock:
            self._spooled += count

    def lost_on_disk(self, count: int) -> None:
        with self._settled:
            self._spooled -= count
            self._dropped += count
            self._settled.notify_all()

    def recovered(self, count: int) -> None:
        with self._lock:
            self._recovered += count

    def wait_until_settled(self, timeout_s: float, begin: Callable[[], None]) -> bool:
        """Wait until what was accepted so far is settled; False at the deadline."""
        with self._settled:
            target = self._accepted
            begin()
            return self._settled.wait_for(lambda: self._settled_count() >= target, timeout_s)

    def counts(self) -> DeliveryCounts:
        with self._lock:
            settled = self._settled_count()
            return DeliveryCounts(
                accepted=self._accepted,
                delivered=self._delivered,
                rejected=self._rejected,
                dropped=self._dropped,
                failed=self._failed,
                waiting=self._accepted - settled - self._spooled,
                spooled=self._spooled,
                recovered=self._recovered,
            )

    def _settled_count(self) -> int:
        return self._delivered + self._rejected + self._dropped + self._failed


def _count(item: Item) -> int:
    return item.count if isinstance(item, Encoded) else 1

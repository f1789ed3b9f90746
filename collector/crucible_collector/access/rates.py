"""How much a key or an address may send or ask: a token bucket for each, of each kind.

A bucket holds five seconds of what may be sent (a minute of what may be asked), so that bursts pass. What
is larger than a bucket passes when it is full and is paid for afterwards: nothing is refused for ever, and
no request is taken in part. Limits are those of one collector.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from crucible_collector.errors import TooFastError

BURST_S = 5.0
MINUTE_S = 60.0
# Beyond these the one that was used longest ago begins anew, as it would have by itself after a minute.
BUCKETS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits; None: none."""

    requests_per_minute_max: int | None = None
    spans_per_s_max: int | None = None
    bytes_per_s_max: int | None = None

    @property
    def bound_what_is_sent(self) -> bool:
        return self.spans_per_s_max is not None or self.bytes_per_s_max is not None


class Bucket:
    """Not for several threads at once: `Buckets` holds a lock."""

    __slots__ = ("_at", "_capacity", "_level", "_per_s")

    def __init__(self, per_s: float, capacity: float, now: float) -> None:
        self._per_s, self._capacity, self._level, self._at = per_s, capacity, capacity, now

    @property
    def left(self) -> int:
        """What may be taken now, as of the last look."""
        return max(int(self._level), 0)

    def fits(self, per_s: float) -> bool:
        """Whether it was made for this rate."""
        return self._per_s == per_s

    def wait_s(self, wanted: float, now: float) -> float:
        """After how long so much may be taken; 0: now."""
        self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
        self._at = now
        return max(min(wanted, self._capacity) - self._level, 0.0) / self._per_s

    def take(self, wanted: float) -> None:
        self._level -= wanted


class Buckets:
    """Every key's and address's buckets in this process. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def ask(self, who: str, rates: Rates) -> int | None:
        """Take one question's; how many are left, None without a limit. TooFastError."""
        limit = rates.requests_per_minute_max
        if limit is None:
            return None
        with self._lock:
            now = self._clock()
            bucket = self._bucket(who, "requests", limit / MINUTE_S, limit, now)
            wait_s = bucket.wait_s(1, now)
            if wait_s:
                raise TooFastError(f"{limit} requests a minute are the limit", wait_s)
            bucket.take(1)
            return bucket.left

    def send(self, who: str, rates: Rates, *, spans: int, body_bytes: int, take: bool) -> None:
        """Take what a request needs of both, or nothing of either. TooFastError.

        Without `take` it is only seen whether there is that much.
        """
        wanted = (
            ("spans", rates.spans_per_s_max, spans, "records"),
            ("bytes", rates.bytes_per_s_max, body_bytes, "bytes"),
        )
        with self._lock:
            now = self._clock()
            taken = []
            for kind, per_s, count, noun in wanted:
                if per_s is None or not count:
                    continue
                bucket = self._bucket(who, kind, per_s, per_s * BURST_S, now)
                wait_s = bucket.wait_s(count, now)
                if wait_s:
                    raise TooFastError(f"{per_s} {noun} a second are the limit", wait_s)
                taken.append((bucket, count))
            if take:
                for bucket, count in taken:
                    bucket.take(count)

    def _bucket(self, who: str, kind: str, per_s: float, capacity: float, now: float) -> Bucket:
        bucket = self._buckets.get((who, kind))
        if bucket is None or not bucket.fits(per_s):
            bucket = self._buckets[who, kind] = Bucket(per_s, capacity, now)
        self._buckets.move_to_end((who, kind))
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return bucket

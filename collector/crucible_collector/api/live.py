"""Whatever is stored, told to everybody who follows along, as it is committed.

A reader's place is a snapshot of the database: what it has not been told is what that snapshot does not
see. So nothing is missed, whichever collector wrote it, however late, and in whichever order transactions
were committed; and nobody who writes takes a lock for it. `place` says how that is written down.

One task a process reads for all listeners together, a window's rows once however many want them, and only
while somebody listens. What it read lies in a ring; a listener who is further behind than that, or came
back with an older place, reads on by itself, and meets the others where they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass

from crucible_collector import metrics
from crucible_collector.api.live_rows import Asked, Batch, Windows, Wish
from crucible_collector.api.place import Place
from crucible_collector.errors import DatabaseError, OverloadedError
from crucible_collector.store.read import Reads

POLL_S = 0.25
# Each has one of the connections of `serve.CONNECTIONS_MAX`.
LISTENERS_MAX = 100
RING_CHARACTERS_MAX = 1 << 24
RETRY_AFTER_S = 5.0
_AWAY_POLL_S = 2.0
# Of the pool's eight connections so many, whoever comes back at once.
_READS_AT_ONCE = 2

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reset:
    """What came before cannot be told any more: whoever followed reads it anew by other questions."""

    reason: str


class Live:
    """Owner: the application. Used in one event loop at a time; `close` from any thread."""

    def __init__(
        self,
        reads: Reads,
        *,
        poll_s: float = POLL_S,
        listeners_max: int = LISTENERS_MAX,
        ring_characters_max: int = RING_CHARACTERS_MAX,
    ) -> None:
        self.windows = Windows(reads)
        self._poll_s = poll_s
        self._listeners_max = listeners_max
        self._ring_characters_max = ring_characters_max
        self._listeners: set[Follower] = set()
        self._ring: deque[Batch] = deque()
        self._ring_characters = 0
        self.number = 0  # of the newest batch: how many there have been
        self.place: Place | None = None  # after the newest batch
        self.settled: tuple[Place, int] | None = None  # the same at the end of a round
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._turns = asyncio.Semaphore(_READS_AT_ONCE)

    def close(self) -> None:
        """End all listening, soon, and take no listener until `reopen`."""
        self._is_closed = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and all in it has ended
                self._loop.call_soon_threadsafe(self._end_all)

    def reopen(self) -> None:
        self._is_closed = False

    async def listen(self, after: Place | None, wish: Wish) -> Follower:
        """Follow what comes after a place (None: from now on); the caller has it leave in the end.

        OverloadedError where too many listen; the errors of `reads`.
        """
        if self._is_closed or len(self._listeners) >= self._listeners_max:
            why = "the collector stops" if self._is_closed else "as many listen as may"
            raise OverloadedError(why, retry_after_s=RETRY_AFTER_S)
        follower = Follower(self, wish)
        self._listeners.add(follower)
        try:
            now = await self.windows.now()
        except BaseException:
            self.leave(follower)
            raise
        follower.expect(after, now)
        if self._task is None:
            self.place = self.settled = None
            self._loop = asyncio.get_running_loop()
            # In no request's context: its questions end when that request's reader leaves.
            self._task = asyncio.create_task(self._follow(), name="live", context=Context())
        return follower

    def leave(self, follower: Follower) -> None:
        """What was shared goes with the last one."""
        self._listeners.discard(follower)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._ring.clear()
            self._ring_characters = 0

    def batch_after(self, number: int) -> Batch | None:
        """The batch that follows the one of this number; None where the ring has let go of it."""
        place = len(self._ring) - (self.number - number)
        return self._ring[place] if place >= 0 else None

    async def read(self, place: Place, until: Place, wish: Wish) -> Batch:
        """A step from one place to another, for one listener; the errors of `reads`."""
        async with self._turns:
            return await self.windows.step(place, until, Asked.of([wish]))

    async def _follow(self) -> None:
        """The one task: until the last listener leaves."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            wait_s = self._poll_s
            try:
                await self._round()
                # At most every other moment: a flood that nobody can follow leaves time to ingest.
                wait_s = max(wait_s, loop.time() - began)
            except DatabaseError:
                wait_s = _AWAY_POLL_S
            except Exception:  # noqa: BLE001 (outermost loop, counted)
                metrics.UNCAUGHT_ERRORS.labels("api").inc()
                _LOG.exception("uncaught error while following what is stored")
                wait_s = _AWAY_POLL_S
            await asyncio.sleep(wait_s)

    async def _round(self) -> None:
        """Read up to now what anybody wants; who came meanwhile begins with the next round."""
        joining = [each for each in self._listeners if each.is_expected and not each.is_started]
        asked = Asked.of(each.wish for each in self._listeners)
        now = await self.windows.now()
        why = None if self.place is None else self.place.unusable(now)
        if self.place is None or why is not None:
            self.place = now
            for each in self._listeners:
                if each.is_started:
                    each.reset(why or "nobody listened", now, self.number)
        while not self.place.is_at(now):
            self._share(await self.windows.step(self.place, now, asked))
        self.place = now
        self.settled = now, self.number
        for each in joining:
            each.start(now, self.number)
        self._wake(self._listeners)

    def _share(self, batch: Batch) -> None:
        self.place = batch.after
        if not batch.rows:
            return
        self.number += 1
        self._ring.append(batch)
        self._ring_characters += batch.characters
        while self._ring_characters > self._ring_characters_max and len(self._ring) > 1:
            self._ring_characters -= self._ring.popleft().characters
        self._wake(self._listeners)

    def _wake(self, followers: Iterable[Follower]) -> None:
        for each in followers:
            each.wake()

    def _end_all(self) -> None:
        for each in self._listeners:
            each.end()


class Follower:
    """A place in what is told. One task asks it for what is next."""

    def __init__(self, live: Live, wish: Wish) -> None:
        self._live = live
        self.wish = wish
        self._news = asyncio.Event()
        self._is_ended = False
        self._number = 0  # of the batch of the ring that it has come to
        self._own: tuple[Place, int] | None = None  # how far it reads by itself
        self._reset: Reset | None = None
        self.is_expected = False  # with its place: a round may pass while that is looked at
        self.is_started = False
        self.place: Place | None = None  # None until it is started, where it follows from now on

    def expect(self, after: Place | None, now: Place) -> None:
        """Take a place that a reader came with, if it is one that can be followed."""
        why = None if after is None else after.unusable(now)
        if why is not None:
            self._reset = Reset(why)
        else:
            self.place = after
        self.is_expected = True

    def start(self, now: Place, number: int) -> None:
        """Whatever is stored from here on is among what is read for all."""
        self.is_started = True
        self._number = number
        if self.place is None:
            self.place = now
        else:
            self._own = now, number

    def reset(self, reason: str, now: Place, number: int) -> None:
        self._reset = Reset(reason)
        self.place, self._number, self._own = now, number, None

    async def begun(self) -> Place | None:
        """Where it begins, as soon as what is stored is among what is read for all; None at the end."""
        while not self._is_ended:
            self._news.clear()
            if self.is_started and self.place is not None:
                return self.place
            await self._news.wait()
        return None

    async def next(self, timeout_s: float) -> Batch | Reset | None:
        """What comes next, once it has begun; a batch without rows after so long without any; None at the end."""
        while not self._is_ended:
            self._news.clear()
            found = await self._more()
            if found is not None:
                return found
            try:
                await asyncio.wait_for(self._news.wait(), timeout_s)
            except TimeoutError:
                assert self.place is not None
                return Batch([], self.place)
        return None

    async def _more(self) -> Batch | Reset | None:
        """A batch that has something for it, None where there is none now."""
        while True:
            if self._reset is not None:
                found, self._reset = self._reset, None
                return found
            try:
                batch = await self._step()
            except DatabaseError:
                return None  # the next round wakes it
            if batch is not None:
                self.place = batch.after
                rows = [row for row in batch.rows if self.wish.wants(row)]
                if rows:
                    return Batch(rows, batch.after)
            elif self._reset is None:
                return None

    async def _step(self) -> Batch | None:
        live = self._live
        if self._own is None and self._number < live.number:
            batch = live.batch_after(self._number)
            if batch is not None:
                self._number += 1
                return batch
            if live.settled is None or live.settled[1] <= self._number:
                return None  # further behind than the ring within one round: after it
            self._own = live.settled
        if self._own is not None:
            return await self._read_on(*self._own)
        self.place = live.place
        return None

    async def _read_on(self, until: Place, number: int) -> Batch | None:
        """A step by itself: further behind than what is kept, it begins anew."""
        live = self._live
        assert self.place is not None
        assert live.settled is not None
        why = self.place.unusable(live.settled[0])
        if why is not None:
            self.reset(why, *live.settled)
            return None
        batch = await live.read(self.place, until, self.wish)
        if batch.after.is_at(until):
            self._own, self._number = None, number
        return batch

    def wake(self) -> None:
        self._news.set()

    def end(self) -> None:
        self._is_ended = True
        self._news.set()

    def leave(self) -> None:
        self._live.leave(self)

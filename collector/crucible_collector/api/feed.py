"""What happens to periods of anomalies, as it happens, to everybody who listens.

One task a process asks the database, and only while somebody listens; it wakes the listeners when there
is more. A listener has no queue but a place in the feed: the newest entries are shared in memory, and
whoever is further behind than these reads on in the database. So a slow listener costs the others nothing
and misses nothing that the database keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from crucible_collector import metrics
from crucible_collector.errors import DatabaseError, OverloadedError
from crucible_collector.store.read import Reads

POLL_S = 0.5
# Some minutes of a bad day, in some MB.
RECENT_MAX = 2000
# What is read at once; whoever was away for days reads on page by page.
PAGE_MAX = 500
# Each has one of the connections of `serve.CONNECTIONS_MAX`.
LISTENERS_MAX = 100
RETRY_AFTER_S = 5.0
_AWAY_POLL_S = 2.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the feed; `text` is its body as JSON, in one line."""

    feed_id: int
    kind: str
    body: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Of what came after an id some is not kept any more, or the id is none of this database."""

    after: int
    place: int  # what comes after this follows


class Feed:
    """Owner: the application. Used in one event loop at a time; `close` from any thread."""

    def __init__(
        self,
        reads: Reads,
        *,
        poll_s: float = POLL_S,
        recent_max: int = RECENT_MAX,
        listeners_max: int = LISTENERS_MAX,
    ) -> None:
        self._reads = reads
        self._poll_s = poll_s
        self._recent_max = recent_max
        self._listeners_max = listeners_max
        self._listeners: set[Listener] = set()
        # What came after `_recent_from` up to `_place`; empty while nobody listens.
        self._recent: deque[Entry] = deque()
        self._recent_from = 0
        self._place = 0
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def close(self) -> None:
        """End all listening, soon, and take no listener until `reopen`."""
        self._is_closed = True
        if self._loop is not None:
            with contextlib.suppress(
                RuntimeError
            ):  # the loop is closed, and so all in it has ended
                self._loop.call_soon_threadsafe(self._end_all)

    def reopen(self) -> None:
        self._is_closed = False

    async def listen(self, after: int | None) -> Listener:
        """Listen to what comes after this id (None: from now on); the caller has it leave in the end.

        OverloadedError where too many listen; the errors of `reads`.
        """
        if self._is_closed or len(self._listeners) >= self._listeners_max:
            why = "the collector stops" if self._is_closed else "as many listen as may"
            raise OverloadedError(why, retry_after_s=RETRY_AFTER_S)
        listener = Listener(self)
        self._listeners.add(listener)
        try:
            oldest, newest = await self._extent()
        except BaseException:
            self.leave(listener)
            raise
        listener.start(after, oldest, newest)
        if self._task is None:
            self._place = self._recent_from = newest
            self._loop = asyncio.get_running_loop()
            # In no request's context: its questions end when that request's reader leaves.
            self._task = asyncio.create_task(self._follow(), name="anomaly-feed", context=Context())
        return listener

    def leave(self, listener: Listener) -> None:
        """What was shared goes with the last one."""
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._recent.clear()

    async def after(self, place: int) -> list[Entry]:
        """What comes next, at most a page of it; the errors of `reads`."""
        if place < self._recent_from:
            return await self._read(place)
        found = []
        for entry in reversed(self._recent):
            if entry.feed_id <= place:
                break
            found.append(entry)
        return found[::-1][:PAGE_MAX]

    async def _follow(self) -> None:
        """The one task: until the last listener leaves."""
        was_away = False
        while True:
            wait_s = self._poll_s
            try:
                if was_away:
                    await self._check_not_set_back()
                    was_away = False
                entries = await self._read(self._place)
                if entries:
                    self._share(entries)
                if len(entries) == PAGE_MAX:
                    continue
            except DatabaseError:
                was_away, wait_s = True, _AWAY_POLL_S
            except Exception:  # noqa: BLE001 (outermost loop, counted)
                metrics.UNCAUGHT_ERRORS.labels("api").inc()
                _LOG.exception("uncaught error while following the feed of anomalies")
                wait_s = _AWAY_POLL_S
            await asyncio.sleep(wait_s)

    def _share(self, entries: list[Entry]) -> None:
        self._recent.extend(entries)
        self._place = entries[-1].feed_id
        while len(self._recent) > self._recent_max:
            self._recent_from = self._recent.popleft().feed_id
        for listener in self._listeners:
            listener.wake()

    async def _check_not_set_back(self) -> None:
        """A database that was restored gives ids again: listeners resume and are told of a gap."""
        _, newest = await self._extent()
        if newest < self._place:
            self._end_all()

    def _end_all(self) -> None:
        for listener in self._listeners:
            listener.end()

    async def _read(self, place: int) -> list[Entry]:
        rows = await run_in_threadpool(
            self._reads.json_rows, "anomaly_feed", after=place, limit=PAGE_MAX
        )
        found = map(json.loads, rows)
        # Escaped, as some readers take more characters than SSE does for the end of a line.
        return [
            Entry(
                each["feed_id"],
                each["kind"],
                each["body"],
                json.dumps(each["body"], ensure_ascii=True, separators=(",", ":")),
            )
            for each in found
        ]

    async def _extent(self) -> tuple[int, int]:
        """The oldest and the newest id that are kept; 0 and 0 where none is."""
        [row] = await run_in_threadpool(self._reads.json_rows, "anomaly_feed_extent")
        found = json.loads(row)
        return found["oldest"] or 0, found["newest"] or 0


class Listener:
    """A place in the feed. One task asks it for what is next."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._news = asyncio.Event()
        self._is_ended = False
        self.place = 0
        self.gap: Gap | None = None

    def start(self, after: int | None, oldest: int, newest: int) -> None:
        """Take a place, given what is kept."""
        if after is None:
            self.place = newest
        elif after > newest:
            self.gap, self.place = Gap(after, newest), newest
        elif after < oldest - 1:
            self.gap, self.place = Gap(after, oldest - 1), oldest - 1
        else:
            self.place = after

    async def next(self, timeout_s: float) -> list[Entry] | None:
        """What comes next, in order; nothing after so long without anything; None at the end."""
        while not self._is_ended:
            self._news.clear()
            try:
                entries = await self._feed.after(self.place)
            except DatabaseError:
                entries = []
            if entries:
                self.place = entries[-1].feed_id
                return entries
            try:
                await asyncio.wait_for(self._news.wait(), timeout_s)
            except TimeoutError:
                return []
        return None

    def wake(self) -> None:
        self._news.set()

    def end(self) -> None:
        self._is_ended = True
        self._news.set()

    def leave(self) -> None:
        self._feed.leave(self)

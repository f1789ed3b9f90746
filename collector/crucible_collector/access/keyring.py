"""Which keys are valid, as this process knows it: all of them in memory, read again every two seconds.

A request costs a look-up and a hash, and no question to the database; a key that was revoked, by whichever
collector or command, is good for nothing within two seconds. One that is not known yet is asked for at
once, so that a new key works as soon as it was told. What was read stays good while the database is away,
for a day: whatever outlasts an outage in the journal is let in meanwhile.
"""

from __future__ import annotations

import datetime as dt
import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping

from crucible_collector import metrics
from crucible_collector.access.secrets import digest_of, id_of
from crucible_collector.errors import CollectorError, OverloadedError
from crucible_collector.store.keys import KeptKey, kept_keys

log = logging.getLogger("crucible.access")

READ_EVERY_S = 2.0
# While somebody asks for keys that are not known: their guesses cost the database no more than this.
READ_AT_MOST_EVERY_S = 0.2
UNKNOWN_WAIT_S = 2.0
KEPT_AWAY_S = 86_400.0
USED_EVERY_S = 60.0
STOP_TIMEOUT_S = 5.0
RETRY_AFTER_S = 2.0

_NONE: Mapping[str, KeptKey] = {}


class KeyRing:
    """Owner: the guard. One thread reads; any may ask."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        """`dsn` tells where the database is when it is asked."""
        self._dsn = dsn
        self._keys = _NONE
        self._read_at: float | None = None  # monotonic; None: never yet
        self._used: set[str] = set()
        self._told_used_at = time.monotonic()
        self._changed = threading.Condition()
        self._is_wanted = False  # somebody waits for a reading that has not begun
        self._begun_count = 0
        self._done_count = 0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the keys, and go on reading them; a database that is away is asked again."""
        self._read()
        self._thread = threading.Thread(target=self._run, name="access-keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)

    @property
    def is_known(self) -> bool:
        """Whether the keys have been read, and not too long ago."""
        return self._read_at is not None and time.monotonic() - self._read_at < KEPT_AWAY_S

    @property
    def valid_count(self) -> int:
        now = dt.datetime.now(dt.UTC)
        return sum(_is_current(key, now) for key in self._keys.values())

    def find(self, text: str) -> KeptKey | None:
        """The valid key that this is, if it is one that is known. Waits for nothing.

        OverloadedError where nobody can know: the database has been away from the start, or too long.
        """
        if not self.is_known:
            raise OverloadedError(
                "API keys are in the database, which does not answer: nobody can be let in until it does",
                RETRY_AFTER_S,
            )
        key = self._keys.get(id_of(text) or "")
        if key is None or not hmac.compare_digest(key.digest, digest_of(text)):
            return None
        if not _is_current(key, dt.datetime.now(dt.UTC)):
            return None
        self._used.add(key.key_id)
        return key

    def is_unknown(self, text: str) -> bool:
        """Whether this has the form of a key that was not there when keys were last read."""
        key_id = id_of(text)
        return key_id is not None and key_id not in self._keys

    def is_valid(self, key_id: str) -> bool:
        """Whether a key that was valid still is."""
        key = self._keys.get(key_id)
        return key is not None and self.is_known and _is_current(key, dt.datetime.now(dt.UTC))

    def read_again(self) -> None:
        """Have the keys read anew and wait for it, for two seconds at most."""
        with self._changed:
            self._is_wanted = True
            wanted = self._begun_count + 1  # one under way may have looked too early
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._done_count >= wanted or self._stopping, UNKNOWN_WAIT_S
            )

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, READ_AT_MOST_EVERY_S)
                self._changed.wait_for(
                    lambda: self._stopping or self._is_wanted,
                    max(READ_EVERY_S - (time.monotonic() - began), 0),
                )
                if self._stopping:
                    return
            try:
                self._read()
            except Exception:
                metrics.UNCAUGHT_ERRORS.labels("access").inc()
                log.exception("the keys could not be read")

    def _read(self) -> None:
        with self._changed:
            self._begun_count += 1
            self._is_wanted = False
        was_away = self._read_at is None or self._read_at < time.monotonic() - 2 * READ_EVERY_S
        try:
            with kept_keys(self._dsn()) as kept:
                keys = {key.key_id: key for key in kept.valid()}
                used, self._used = self._used, set()
                if used and time.monotonic() - self._told_used_at >= USED_EVERY_S:
                    kept.used(used)
                    self._told_used_at = time.monotonic()
                else:
                    self._used |= used
        except CollectorError as error:
            if not was_away:
                log.info("the keys cannot be read again now: %s", error)
            return
        finally:
            with self._changed:
                self._done_count = self._begun_count
                self._changed.notify_all()
        self._keys, self._read_at = keys, time.monotonic()


def _is_current(key: KeptKey, now: dt.datetime) -> bool:
    return key.expires_at is None or key.expires_at > now

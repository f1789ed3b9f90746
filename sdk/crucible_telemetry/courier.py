"""Decides what is sent when, what is kept on disk, and what is given up: one thread's work.

What a reader could not guess:

- Oldest first, always: what is on disk, then the requests in hand, then the queue. So while there is
  something on disk, what is newer goes there too.
- A request is encoded once and sent again as it is: by its bytes the collector recognises one that
  it has already stored, when only the answer was lost.
- After one failed attempt everything goes to the spool at once, for a process may be killed at any
  time. `patience` says when the collector is asked again.
- Where there is no spool (or the disk does not take it), the request in hand is tried again until it
  is through, the queue behind it is full, or `retry_s` have passed.
- A collector that hangs answers after ten seconds, or never. What waits behind such an attempt is
  spooled by another thread (`look_after`), and at the end by the one that closes (`abandon`). Hence
  the lock, which is free while the sender is called.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from opentelemetry.sdk.resources import Resource

from crucible_telemetry import faults
from crucible_telemetry.encoding import Encoded, Item
from crucible_telemetry.faults import Fault
from crucible_telemetry.outbox import Outbox
from crucible_telemetry.patience import Patience
from crucible_telemetry.spool import Spool, Stored
from crucible_telemetry.transport import Kind, Outcome, Parcel, Sender

_DISK_PAUSE_S = 30.0  # before a disk that failed is tried again
_LONG_ATTEMPT_S = 1.0
_LOCK_S = 0.2  # to wait for the thread; longer, and it is the disk that hangs


class Courier:
    """The only one who takes from the outbox, calls the sender and touches the spool."""

    def __init__(
        self,
        sender_factory: Callable[[], Sender],
        outbox: Outbox,
        spool: Spool | None,
        *,
        resource: Resource,
        batch_spans_max: int,
        retry_s: float,
    ) -> None:
        self._sender_factory = sender_factory
        self._outbox = outbox
        self._spool = spool
        self._resource = resource
        self._batch_spans_max = batch_spans_max
        self._retry_s = retry_s
        self._sender: Sender | None = None
        self._is_closed = self._is_abandoned = False
        self._attempt_at_s: float | None = None  # when the one that is being made began
        self._working = threading.Lock()
        self._hand: deque[Parcel] = deque()  # older than the queue, newer than the spool
        self._hand_since_s: float | None = None  # when the first of them was first tried
        self._patience = Patience()
        self._disk_at_s = 0.0
        self._has_told_dropped = False

    def open(self) -> None:
        """Make the sender. Raises what its making raises."""
        self._opened()

    def work(self, stop: threading.Event) -> None:
        """Send what can be sent, oldest first, and keep what cannot."""
        self._say_dropped()
        with self._working:
            while not self._is_abandoned and not stop.is_set():
                if self._patience.is_to_wait():
                    self._keep()
                    return
                if not self._send_oldest():
                    return
                if self._spool and len(self._outbox) >= self._batch_spans_max:
                    self._keep()

    def work_last(self) -> None:
        """Send what is left, until the first attempt that fails."""
        with self._working:
            self._patience.ask_at_s = 0.0
            while not self._is_abandoned and not self._patience.ask_at_s and self._send_oldest():
                pass

    def end(self) -> None:
        """Spool what is left; without a spool it has failed. Lets go of everything."""
        self._say_dropped()
        with self._working:
            if not self._is_abandoned:
                self._end()
        self.close_sender()

    def abandon(self) -> None:
        """End, from another thread, in place of one that hangs in the sender."""
        if self._working.acquire(timeout=_LOCK_S):
            try:
                self._is_abandoned = True
                self._end()
            finally:
                self._working.release()

    def look_after(self) -> None:
        """Spool what waits, from another thread, while an attempt takes long."""
        if self._is_attempt_long() and self._working.acquire(timeout=_LOCK_S):
            try:
                if self._is_attempt_long() and not self._is_abandoned:
                    self._keep()
            finally:
                self._working.release()

    def hurry(self) -> None:
        """Ask a collector that is away at once, unless it said when it wants to be asked."""
        self._patience.hurry()

    def close_sender(self) -> None:
        """Break off an attempt that is being made; there will be no other."""
        if not self._is_closed:
            self._is_closed = True
            if self._sender is not None:
                faults.guarded(self._sender.close)()

    def _is_attempt_long(self) -> bool:
        began_s = self._attempt_at_s
        return began_s is not None and time.monotonic() - began_s >= _LONG_ATTEMPT_S

    # What follows is done with `_working` held.

    def _send_oldest(self) -> bool:
        """Make one attempt at the oldest request there is; False if there is none."""
        stored = self._oldest_spooled()
        if stored is None and not self._has_in_hand():
            return False
        parcel = self._hand[0] if stored is None else stored.parcel
        outcome = self._attempt(parcel)
        if self._is_abandoned:
            return False
        stored = stored or self._spooled_meanwhile(parcel)
        is_in_hand = bool(self._hand) and self._hand[0] is parcel
        if outcome.kind is Kind.RETRY:
            self._say_away(outcome)
            if is_in_hand:
                self._give_up_if_late()
            return True
        self._say_answer(outcome)
        if is_in_hand:
            self._hand.popleft()
            self._hand_since_s = None
            self._settle(parcel, outcome)
        elif stored is not None:
            self._settle_stored(stored, outcome)
        return True

    def _spooled_meanwhile(self, parcel: Parcel) -> Stored | None:
        """Find a request that was in hand when the attempt began, and is on disk by now."""
        if self._spool is None or (self._hand and self._hand[0] is parcel):
            return None
        stored = self._spool.oldest()
        if stored is None or not isinstance(parcel, Encoded):
            return None
        return stored if stored.parcel.body == parcel.body else None

    def _attempt(self, parcel: Parcel) -> Outcome:
        """Call the sender. What it raises, it would raise again for the same request."""
        self._attempt_at_s = time.monotonic()
        self._working.release()
        try:
            if self._is_closed:
                return Outcome(Kind.RETRY, "the time to send it was over")
            return self._opened().send(parcel)
        except Exception as error:  # noqa: BLE001 - a user's exporter may raise anything
            faults.note(Fault.ERROR, "The exporter failed", exc_info=True)
            return Outcome(Kind.REFUSED, type(error).__name__)
        finally:
            self._working.acquire()
            self._attempt_at_s = None

    def _settle(self, parcel: Parcel, outcome: Outcome) -> None:
        if outcome.kind is Kind.DELIVERED:
            self._outbox.delivered(parcel.count, outcome.rejected_count)
        else:
            self._outbox.failed(parcel.count)

    def _settle_stored(self, stored: Stored, outcome: Outcome) -> None:
        if self._spool is None or not self._spool.remove(stored):
            return  # it was pushed out meanwhile, and counted
        if stored.is_own:
            self._outbox.spooled(-stored.parcel.count)
            self._settle(stored.parcel, outcome)
        elif outcome.kind is Kind.DELIVERED:
            self._outbox.recovered(stored.parcel.count - outcome.rejected_count)

    def _opened(self) -> Sender:
        if self._sender is None:
            self._sender = self._sender_factory()
        return self._sender

    def _has_in_hand(self) -> bool:
        """Whether there is a request newer than what is on disk; encodes the next if need be."""
        while not self._hand and len(self._outbox):
            self._hand.extend(self._packed(self._outbox.take(self._batch_spans_max)))
        return bool(self._hand)

    def _packed(self, items: Sequence[Item]) -> list[Parcel]:
        """Return requests of the items; one that cannot be encoded costs no other its place."""
        if not items:
            return []
        try:
            return self._opened().pack(items, self._resource)
        except Exception:  # noqa: BLE001 - a span of the user's own may hold anything
            if len(items) > 1:
                half = len(items) // 2
                return [*self._packed(items[:half]), *self._packed(items[half:])]
            faults.note(Fault.ERROR, "A record could not be encoded", exc_info=True)
            self._outbox.failed(1)
            return []

    def _end(self) -> None:
        self._keep()
        left = sum(parcel.count for parcel in self._hand)
        self._hand.clear()
        while items := self._outbox.take(self._batch_spans_max):
            left += sum(item.count if isinstance(item, Encoded) else 1 for item in items)
        self._outbox.failed(left)
        if self._spool is not None:
            self._spool.close()

    # What the collector answers, or does not.

    def _say_away(self, outcome: Outcome) -> None:
        if self._patience.put_off(outcome.retry_after_s):
            faults.logger.warning(
                "The collector does not take spans; they are kept %s and tried again (%s)",
                "in memory" if self._spool is None else "on disk",
                outcome.message,
            )

    def _give_up_if_late(self) -> None:
        """Without a spool, let go of a request that holds up the others."""
        if self._can_spool():
            return
        if self._hand_since_s is None:
            self._hand_since_s = time.monotonic()
        if self._patience.ask_at_s > self._hand_since_s + self._retry_s or self._outbox.is_full():
            self._outbox.failed(self._hand.popleft().count)
            self._hand_since_s = None

    def _say_dropped(self) -> None:
        if not self._has_told_dropped and (count := self._outbox.dropped_count):
            self._has_told_dropped = True
            faults.logger.warning(
                "More was recorded than could be sent or kept; the oldest %d are dropped"
                " (said once; crucible_telemetry.counts() goes on counting)",
                count,
            )

    def _say_answer(self, outcome: Outcome) -> None:
        if self._patience.end():
            faults.logger.info("The collector takes spans again")
        if outcome.kind is Kind.REFUSED:
            faults.note(Fault.REFUSED, "The collector refused a request: %s", outcome.message)
        elif outcome.rejected_count or outcome.message:
            faults.note(
                Fault.REJECTED,
                "The collector rejected %d records of a request: %s",
                outcome.rejected_count,
                outcome.message,
            )

    # The spool.

    def _can_spool(self) -> bool:
        return self._spool is not None and time.monotonic() >= self._disk_at_s

    def _oldest_spooled(self) -> Stored | None:
        if self._spool is None:
            return None
        self._spool.adopt()
        stored = self._spool.oldest()
        self._count_lost()
        return stored

    def _keep(self) -> None:
        """Move to the spool what is in memory, as far as the disk takes it."""
        while self._spool is not None and self._can_spool() and self._has_in_hand():
            parcel = self._hand[0]
            if not isinstance(parcel, Encoded):
                return
            try:
                self._spool.put(parcel)
            except OSError as error:
                self._disk_at_s = time.monotonic() + _DISK_PAUSE_S
                faults.note(Fault.SPOOL, "The spool cannot be written: %s", error)
            else:
                self._hand.popleft()
                self._outbox.spooled(parcel.count)
            self._count_lost()

    def _count_lost(self) -> None:
        if self._spool is not None and (lost_count := self._spool.take_lost_count()):
            self._outbox.lost_on_disk(lost_count)

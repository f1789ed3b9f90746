"""What scopes are recorded with: the process's one configuration, from `configure()` to `shutdown()`.

Until `configure()` is called nothing is recorded or sent: code instrumented with this SDK stays
silent in programs that do not ask for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Tracer
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from crucible_telemetry import endings, faults, settings
from crucible_telemetry.delivery import Delivery, DeliveryCounts
from crucible_telemetry.destination import Destination
from crucible_telemetry.encoding import Item
from crucible_telemetry.ids import Clock, PrivateIds
from crucible_telemetry.privacy import Policy
from crucible_telemetry.subscription import Subscription

Closer = Callable[[float], object]

# How many forks lie between the first process and this one. A scope that was opened before a fork
# is the parent's: its copy in the child ends without a word.
fork_count = 0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What every scope is recorded with; without a tracer nothing is recorded."""

    tracer: Tracer | None = None
    provider: AnyTracerProvider | None = None
    delivery: Delivery | None = None  # None: the provider, or its owner, delivers
    is_shared: bool = False  # the user's provider: our spans are then the parents of theirs
    # Where batches go that are no spans of the provider's; None: they are, like all the rest.
    put: Callable[[Item], None] | None = None
    resource: Resource | None = None  # such batches' resource
    scope: InstrumentationScope | None = None
    exit_timeout_s: float = settings.EXIT_TIMEOUT_S
    heartbeat_s: float = settings.HEARTBEAT_S  # 0: none
    api: Destination | None = None  # who can tell how a run is; None: nobody
    policy: Policy = field(default_factory=Policy)
    subscription: Subscription = field(default_factory=Subscription)
    clock: Clock = field(default_factory=Clock)
    ids: PrivateIds = field(default_factory=PrivateIds)
    _closers: list[Closer] = field(default_factory=list)

    def register(self, closer: Closer) -> None:
        """Have `closer(timeout_s)` called before the last flush, the newest first.

        For what makes events by itself: samplers, heartbeats. It has to stop within the time.
        """
        self._closers.append(closer)

    def unregister(self, closer: Closer) -> None:
        """Take a closer back; one that is not there is nothing."""
        if closer in self._closers:
            self._closers.remove(closer)

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was recorded so far is sent; False if the deadline comes first."""
        deadline_s = time.monotonic() + timeout_s
        is_flushed = self.delivery is None or self.delivery.flush(timeout_s)
        if self.delivery is None or self.is_shared:
            force_flush = getattr(self.provider, "force_flush", None)
            left_s = max(0.0, deadline_s - time.monotonic())
            is_flushed &= force_flush is None or bool(force_flush(int(left_s * 1000)))
        return is_flushed

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop what makes events, send what waits; True if all was delivered.

        A provider that was given to `configure()` is flushed and left running: it is its owner's.
        """
        limit_s = self.exit_timeout_s if timeout_s is None else timeout_s
        deadline_s = time.monotonic() + limit_s
        while self._closers:
            closer = self._closers.pop()
            faults.guarded(closer)(max(0.0, deadline_s - time.monotonic()))
        left_s = max(0.0, deadline_s - time.monotonic())
        if self.delivery is None:
            return self.flush(left_s)
        is_flushed = not self.is_shared or self.flush(left_s)
        left_s = max(0.0, deadline_s - time.monotonic())
        return self.delivery.close(left_s) and is_flushed


OFF = Telemetry()
_current = OFF
_is_silenced = False  # switched off on purpose: no reminder to configure
_lock = threading.RLock()


def current() -> Telemetry:
    return _current


def remind() -> None:
    """Tell once that nothing is recorded, unless somebody wanted that."""
    if not _is_silenced and not settings.is_switched_off():
        faults.note(
            faults.Fault.UNCONFIGURED, "Nothing is recorded: crucible.configure() comes first"
        )


def silence() -> None:
    """Say that somebody has decided: from now on nobody is reminded."""
    global _is_silenced  # noqa: PLW0603 - the one state of the process
    _is_silenced = True


def replace(telemetry: Telemetry) -> Telemetry:
    """Make this the process's configuration and return the one before it."""
    global _current
    with _lock:
        previous, _current = _current, telemetry
    return previous


def flush(timeout_s: float = 5.0) -> bool:
    """Wait until what was recorded so far has been sent; False if the deadline comes first."""
    return faults.guarded(current().flush)(timeout_s) or False


def shutdown(timeout_s: float = 5.0) -> bool:
    """Send what waits and stop recording, in at most about `timeout_s`; True if all was delivered.

    A provider that was given to `configure()` is flushed and left running: it is its owner's.
    """
    with endings.undisturbed():
        return faults.guarded(replace(OFF).close)(timeout_s) or False


def counts() -> dict[str, int]:
    """Return what became of the spans of this configuration, and the faults of this process.

    `unsubscribed` are the events that `events_allow` and `events_deny` left out.
    """
    telemetry = current()
    spans = DeliveryCounts() if telemetry.delivery is None else telemetry.delivery.counts()
    return {
        **asdict(spans),
        "unsubscribed": telemetry.subscription.left_out_count,
        **{f"fault.{name}": count for name, count in faults.counts().items()},
    }


endings.finish_with(lambda: replace(OFF).close(), lambda: current().flush(current().exit_timeout_s))


def _count_fork() -> None:
    global _lock, fork_count  # noqa: PLW0603 - as above
    _lock = threading.RLock()  # another thread of the parent may have held it
    fork_count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)

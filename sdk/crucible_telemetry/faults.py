"""Counts what went wrong inside the SDK, so that nothing of it reaches the experiment.

Each kind of fault is logged once per process, at WARNING, and counted from then on: a log line for
every lost number would disturb more than the loss does.
"""

from __future__ import annotations

import enum
import functools
import logging
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("crucible_telemetry")


class Fault(enum.StrEnum):
    """What can go wrong, each with the words of its one warning."""

    ERROR = "error"  # an exception of the SDK itself
    NOT_A_NUMBER = "not_a_number"
    TOO_MANY_MEASUREMENTS = "too_many_measurements"
    TOO_MANY_ATTRIBUTES = "too_many_attributes"
    TOO_LARGE = "too_large"
    REDACT = "redact"  # the user's function failed
    AFTER_END = "after_end"
    OUT_OF_ORDER = "out_of_order"  # paused twice, say
    UNCONFIGURED = "unconfigured"
    REFUSED = "refused"  # by the collector, for good: a request
    REJECTED = "rejected"  # by the collector: some records of a request
    HARDWARE = "hardware"  # a GPU or the host cannot be read
    HEALTH = "health"  # the collector's API does not say how a run is
    SPOOL = "spool"  # the disk does not take what is to be kept
    SPOOL_FULL = "spool_full"
    SPOOL_FILE = "spool_file"  # one that is not whole


_counts: dict[Fault, int] = {}
# Re-entrant: a generator closed by the garbage collector may note a fault in the middle of a note.
_lock = threading.RLock()


def note(fault: Fault, message: str, *arguments: object, exc_info: bool = False) -> None:
    """Count a fault; the first of its kind is also logged."""
    with _lock:
        before = _counts.get(fault, 0)
        _counts[fault] = before + 1
    if not before:
        logger.warning(
            f"{message} (said once; crucible_telemetry.counts() goes on counting)",  # noqa: G004
            *arguments,
            exc_info=exc_info,
        )


def counts() -> dict[str, int]:
    """Return how often each fault occurred in this process; those that never did are left out."""
    with _lock:
        return {fault.value: count for fault, count in _counts.items()}


def reset() -> None:
    """Forget all counts, and warn again."""
    with _lock:
        _counts.clear()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - the one state of the process
    _lock = threading.RLock()  # in a forked child: a thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def guarded(method: Callable[P, R]) -> Callable[P, R | None]:
    """Make a function that counts its own exceptions and returns None in their place."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(*args, **kwargs)
        except Exception:  # noqa: BLE001 - the outermost line between the SDK and the experiment
            note(Fault.ERROR, "%s failed", method.__qualname__, exc_info=True)
            return None

    return call

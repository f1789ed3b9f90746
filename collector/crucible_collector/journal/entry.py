"""What goes into the journal, and what is said about bytes that did not come out again."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import U8, Signal

U32 = npt.NDArray[np.uint32]

DIGEST_BYTES = 16


class EntryFlag(enum.IntFlag):
    """What else the check found out. The numbers are in the journal: never renumber."""

    ANONYMOUS = 1  # some record has neither id nor time: never taken for a duplicate
    REFUSED_WHOLE = 2  # counts only; the body is empty


NO_FLAGS = EntryFlag(0)


def _none_refused() -> U32:
    return np.empty(0, np.uint32)


def _no_reasons() -> U8:
    return np.empty(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One request as it was received, with the check's verdicts.

    `body` must not change until the append is resolved: it is written from where it lies.
    """

    signal: Signal
    body: bytes | memoryview
    received_ns: int
    digest: bytes  # 16
    record_count: int
    refused_index: U32 = field(default_factory=_none_refused)
    refused_reason: U8 = field(default_factory=_no_reasons)  # batch.Reason, one a refused_index
    flags: EntryFlag = NO_FLAGS


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of the journal that could not be read; its bytes are kept in `damaged/`.

    kind is "corrupt" (it may have been acknowledged), "missing" (its file is gone, or was let go)
    or, found at opening only, "torn": behind everything that is known to have been synced, and so
    a write that nobody was told is safe. signal and record_count are known when the record's header
    survived.
    """

    position: int
    length: int
    kind: str
    signal: Signal | None = None
    record_count: int = 0

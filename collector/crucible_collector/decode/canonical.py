"""The door: a request that the kernels read, or a refusal.

What the kernels do not read (cut off, repeated singular messages, groups, over-long tags, a known
field with another wire type) goes through the official parser once, which refuses it or gives the
same message in plain form.
"""

from __future__ import annotations

import threading

import numpy as np

from crucible_collector.batch import I64, SLOT_KEYS, Signal
from crucible_collector.decode import official
from crucible_collector.decode.columns import survey_requests
from crucible_collector.decode.layouts import LOGS, SPANS
from crucible_collector.decode.metric_layout import METRICS
from crucible_collector.decode.plan import Counter, Layout
from crucible_collector.decode.wire import BAD
from crucible_collector.errors import MalformedError, TooLargeError

# What one request may take in columns, and in digits of doubles. Ordinary requests take two bytes a
# byte; 64 MiB of empty attributes would take 1 GiB, of doubles like 1e308 (written out, so that
# jsonb keeps them doubles) 1.9 GiB.
DECODED_BYTES_MAX = 256 << 20

# The official parser takes up to 100 bytes a byte (4 MiB of empty spans: 420 MiB), one request at a
# time. Stock clients send nothing that would go there, whatever its size.
OFFICIAL_BYTES_MAX = 1 << 20

_LAYOUTS: dict[Signal, Layout] = {
    Signal.TRACES: SPANS,
    Signal.METRICS: METRICS,
    Signal.LOGS: LOGS,
}

_official_lock = threading.Lock()


def canonical(signal: Signal, body: bytes, *, records_max: int) -> bytes:
    """Return `body`, or the same request in a form that the kernels read.

    Raises MalformedError if the official parser refuses it, TooLargeError if it has more than
    `records_max` records, would take too much memory decoded, or is both unusual and large.
    """
    code = _check(signal, body, records_max)
    if code == 0:
        return body
    if len(body) > OFFICIAL_BYTES_MAX:
        if code == BAD:
            raise MalformedError("not a request: it ends within a field")
        raise TooLargeError(
            f"a request in unusual protobuf encoding may have {OFFICIAL_BYTES_MAX} bytes at most"
        )
    with _official_lock:
        message = official.parse(signal, body)
        message.DiscardUnknownFields()
        plain: bytes = message.SerializeToString()
        del message
    if _check(signal, plain, records_max) != 0:
        raise MalformedError("the official parser reads this request, the collector does not")
    return plain


def _check(signal: Signal, body: bytes, records_max: int) -> int:
    """Return 0 or the survey's code; raise TooLargeError for what the limits forbid."""
    layout = _LAYOUTS[signal]
    code, _, counts = survey_requests(
        layout,
        np.frombuffer(body, dtype=np.uint8),
        np.zeros(1, dtype=np.int64),
        np.array([len(body)], dtype=np.int64),
        deep=True,
    )
    # Also of a request that could not be read to its end: what was seen so far is there.
    if counts[Counter.RECORD] > records_max:
        raise TooLargeError(
            f"a request may have {records_max} {signal.label.replace('_', ' ')} at most"
        )
    if decoded_bytes(layout, counts) > DECODED_BYTES_MAX:
        raise TooLargeError(f"the request would take more than {DECODED_BYTES_MAX} bytes in memory")
    return code


def decoded_bytes(layout: Layout, counts: I64) -> int:
    """Return what a request of so many rows takes as columns, and as digits of doubles."""
    attributes = (
        counts[Counter.RECORD_ATTRIBUTE]
        + counts[Counter.OTHER_ATTRIBUTE]
        + counts[Counter.RESOURCE_ATTRIBUTE]
    )
    slotted = counts[Counter.RECORD] + counts[Counter.RESOURCE]
    return int(
        8 * counts[layout.rows].sum()
        + 33 * attributes
        + (16 + 4 * len(SLOT_KEYS)) * slotted
        + counts[Counter.DIGITS]
    )

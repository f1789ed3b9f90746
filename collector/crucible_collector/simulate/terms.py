"""The variance terms that kept rows would have carried, from the very code that writes them.

Here every event is one key and one minute: sums over events, and over all of them, ask for no more.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import F64, I64, U8, Bool
from crucible_collector.candidates import U64
from crucible_collector.sample.memory import packed_keys
from crucible_collector.sample.variance import KeptRows, Variances


class Terms:
    """One thread asks for them, window by window: what was kept of a trace before is remembered."""

    def __init__(self) -> None:
        self._variances = Variances()

    def of(
        self,
        trace_id: U8,
        event: U64,
        bucket: I64,
        probability: F64,
        is_error: Bool,
        values: dict[str, F64],
    ) -> dict[str, F64]:
        """By the names of the columns, one value a kept row; what is 0 everywhere is left out.

        `event` is a hash, `bucket` of the duration; `values` are NaN where there is none.
        """
        high, low = np.ascontiguousarray(trace_id).view(np.uint64).T
        kept = KeptRows(
            trace=packed_keys(high.copy(), low.copy()),
            key=event,
            event=event,
            minute=np.zeros(len(event), np.int64),
            bucket=bucket,
            probability=probability,
            is_error=is_error,
            values=values,
        )
        return self._variances.terms(kept)

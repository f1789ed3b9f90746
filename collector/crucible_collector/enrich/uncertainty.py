"""What the rows of sampled spans carry for the error bars of every sum that they will be part of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crucible_collector.batch import F64, I64, Bool, Spans
from crucible_collector.candidates import STATUS_ERROR, U64
from crucible_collector.decode import text_hash, xxh64
from crucible_collector.enrich.candidates import MODEL
from crucible_collector.enrich.columns import slot_hash, slot_int, slot_text
from crucible_collector.enrich.costs import cost_usd
from crucible_collector.enrich.hashing import fold
from crucible_collector.enrich.partials import MINUTE_US, duration_bucket
from crucible_collector.enrich.sampled import Chosen
from crucible_collector.sample.memory import packed_keys
from crucible_collector.sample.variance import KeptRows, Variances

_MINUTE_NS = MINUTE_US * 1000


def variance_columns(chosen: Chosen[Spans], variances: Variances) -> dict[str, pa.Array]:
    """The variance terms of kept spans, null for 0; nothing where all of them were certain."""
    if not chosen.decided.threshold.any():
        return {}
    terms = variances.terms(_kept(chosen))
    return {name: pa.array(values, mask=values == 0) for name, values in terms.items()}


def _kept(chosen: Chosen[Spans]) -> KeptRows:
    spans, events = chosen.records, chosen.events
    words = np.ascontiguousarray(spans.trace_id).view(np.uint64)
    names = np.array([xxh64(each.encode()) for each in events.names], np.uint64)
    event = names[events.code]
    duration_ns = chosen.end_ns - chosen.start_ns
    return KeptRows(
        trace=packed_keys(words[:, 0].copy(), words[:, 1].copy()),
        key=_rollup_key(spans, event),
        event=event,
        minute=chosen.start_ns // _MINUTE_NS,
        bucket=duration_bucket(duration_ns).astype(np.int64),
        probability=chosen.decided.probability,
        is_error=spans.status_code == STATUS_ERROR,
        values={
            "duration": duration_ns.astype(np.float64),
            "input_token": _counted(*slot_int(spans, "gen_ai.usage.input_tokens")),
            "output_token": _counted(*slot_int(spans, "gen_ai.usage.output_tokens")),
            "cost": _counted(*cost_usd(spans)),
        },
    )


def _rollup_key(spans: Spans, event: U64) -> U64:
    """What the roll-ups of spans tell rows apart by."""
    key = fold(
        "rollup",
        slot_hash(spans, "crucible.experiment.id"),
        slot_hash(spans, "crucible.run.id"),
        event,
        text_hash(spans.buffer, slot_text(spans, *MODEL)),
        spans.status_code,
    )
    return key.view(np.uint64)


def _counted(values: I64 | F64, there: Bool) -> F64:
    found: npt.NDArray[np.float64] = np.where(there, values.astype(np.float64), np.nan)
    return found

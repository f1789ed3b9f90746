"""What the calls of language models in a window cost, before it is decided what is watched and kept.

A cost that the sender told stays as it is. Others are computed, of spans that are calls: those with
tokens and a model. Not those of agents, chains and tools, whose tokens are the sum of what the calls
within them told: whoever added both up would count each twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import F64, I64, Bool, Spans, TextRef
from crucible_collector.cost.pricing import CallNames, Pricing
from crucible_collector.cost.rates import Tokens
from crucible_collector.decode import distinct, text_hash, xxh64
from crucible_collector.enrich.columns import (
    first_text,
    slot_float,
    slot_int,
    slot_text,
    texts_of,
)
from crucible_collector.enrich.hashing import U64, fold
from crucible_collector.metrics import UNPRICED_SPANS, UNPRICED_TOKENS

COST = "crucible.measurement.cost_usd"
PROVIDER = ("gen_ai.provider.name",)
ANSWERED = ("gen_ai.response.model",)
ASKED = ("gen_ai.request.model", "crucible.model.name")
TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
)
# Whose tokens are those of the calls within: gen_ai.operation.name, and OpenInference's kinds of spans.
NOT_CALLS = ("invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "plan")
CALLS = ("LLM", "EMBEDDING", "RERANKER")
_NOT_CALLS = np.array([xxh64(each.encode()) for each in NOT_CALLS], np.uint64)
_CALLS = np.array([xxh64(each.encode()) for each in CALLS], np.uint64)
# Labels of a metric: whatever senders call models, there are no more of them.
MODELS_TOLD_MAX = 100
OTHER_MODELS = "other"

_MEMO = "cost_usd"


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls whose cost nobody told."""

    rows: I64  # of the spans
    tokens: Tokens
    names: list[CallNames]
    of: I64  # (rows) its names


def price_spans(
    spans: Spans, keep: Bool, start_ns: I64, pricing: Pricing, *, is_counted: bool
) -> None:
    """Find what calls cost, for `cost_usd` to give; `is_counted`: calls without a price are."""
    told, there = slot_float(spans, COST)
    calls = _calls(spans, keep & ~there)
    if calls is None:
        return
    computed, has_price = pricing.costs(calls.names, calls.of, start_ns[calls.rows], calls.tokens)
    told, there = told.copy(), there.copy()
    rows = calls.rows[has_price]
    told[rows], there[rows] = computed[has_price], True
    spans.memo[_MEMO] = told, there
    if is_counted and len(rows) < len(calls.rows):
        _count(calls, ~has_price)


def cost_usd(spans: Spans) -> tuple[F64, Bool]:
    """What each span cost in US dollars, told or computed, and which have a cost."""
    found: tuple[F64, Bool] | None = spans.memo.get(_MEMO)
    return slot_float(spans, COST) if found is None else found


def carry_over(spans: Spans, rows: I64, chosen: Spans) -> None:
    """Have `chosen`, which are these rows of the spans, cost what they did."""
    found: tuple[F64, Bool] | None = spans.memo.get(_MEMO)
    if found is not None:
        chosen.memo[_MEMO] = found[0][rows], found[1][rows]


def _calls(spans: Spans, wanted: Bool) -> _Calls | None:
    (sent, _), (answered, _) = (slot_int(spans, key) for key in TOKENS[:2])
    rows = np.flatnonzero(wanted & ((sent > 0) | (answered > 0)) & (sent >= 0) & (answered >= 0))
    if not len(rows):
        return None
    models = [slot_text(spans, *keys) for keys in (ANSWERED, ASKED)]
    rows = rows[(first_text(*models).length > 0)[rows]]
    rows = rows[_is_call(spans, rows)]
    if not len(rows):
        return None
    counts = [np.maximum(slot_int(spans, key)[0][rows], 0) for key in TOKENS]
    refs = [slot_text(spans, *PROVIDER, resources=False), *models]
    first, of = distinct(fold("call", *(_hash(spans, ref, rows).view(np.int64) for ref in refs)))
    names = [texts_of(spans, ref, rows[first]) for ref in refs]
    found = [_names(*each) for each in zip(*names, strict=True)]
    return _Calls(rows, Tokens.of(*counts), found, of)


def _is_call(spans: Spans, rows: I64) -> Bool:
    """Unless it says that it is something else."""
    operation = slot_text(spans, "gen_ai.operation.name", resources=False)
    kind = slot_text(spans, "openinference.span.kind", resources=False)
    is_other = np.isin(_hash(spans, operation, rows), _NOT_CALLS)
    is_other |= (kind.length[rows] > 0) & ~np.isin(_hash(spans, kind, rows), _CALLS)
    return ~is_other


def _hash(spans: Spans, ref: TextRef, rows: I64) -> U64:
    return text_hash(spans.buffer, TextRef(ref.offset[rows], ref.length[rows]))


def _names(provider: str | None, answered: str | None, asked: str | None) -> CallNames:
    return CallNames(provider or None, tuple(dict.fromkeys(filter(None, (answered, asked)))))


_models_told: set[str] = set()


def _count(calls: _Calls, unpriced: Bool) -> None:
    """By the model that answered; the preparing thread."""
    tokens = calls.tokens.input + calls.tokens.output
    spans_of: Counter[str] = Counter()
    tokens_of: Counter[str] = Counter()
    for place in np.unique(calls.of[unpriced]).tolist():
        rows = unpriced & (calls.of == place)
        label = _label(calls.names[place].models[0])
        spans_of[label] += int(rows.sum())
        tokens_of[label] += int(tokens[rows].sum())
    for label, count in spans_of.items():
        UNPRICED_SPANS.labels(label).inc(count)
        UNPRICED_TOKENS.labels(label).inc(tokens_of[label])


def _label(model: str) -> str:
    if model not in _models_told and len(_models_told) >= MODELS_TOLD_MAX:
        return OTHER_MODELS
    _models_told.add(model)
    return model

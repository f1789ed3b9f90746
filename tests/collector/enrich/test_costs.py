"""What calls cost is known before anything is decided, stored in a column, and never overwrites what was told."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from crucible_collector import metrics
from crucible_collector.batch import SPELLINGS
from crucible_collector.candidates import Candidates, Decided
from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import Pricing
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.settings import Detection
from crucible_collector.enrich.costs import MODELS_TOLD_MAX, OTHER_MODELS
from crucible_collector.enrich.window import Known
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.rows import Phase, WindowRows
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from journals import open_small
from rows_of import entry_of, span_of, traces, write_entries

NONE = Known((), (), ())
MODEL, ANSWERED, PROVIDER = "gen_ai.request.model", "gen_ai.response.model", "gen_ai.provider.name"
SENT, GOT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
COST = "crucible.measurement.cost_usd"
CALL: dict[str, Any] = {MODEL: "gpt-4o", SENT: 1000, GOT: 100}
PAID = (1000 * 2.5 + 100 * 10) / 1e6


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., WindowRows]:
    numbers = itertools.count()

    def make(*calls: dict[str, Any], **how: Any) -> WindowRows:
        spans = [span_of(number, "chat", **call) for number, call in enumerate(calls, 1)]
        if (seed := how.pop("traces_seed", None)) is not None:
            randomness = random.Random(seed)
            for span in spans:
                span.trace_id = randomness.randbytes(16)
        with_prices = {"pricing": Pricing(), **how}
        directory = tmp_path / f"journal-{next(numbers)}"
        journal = open_small(directory, segment_bytes=1 << 20, bytes_max=1 << 23)
        try:
            return prepare(write_entries(journal, [entry_of(traces(*spans))]), NONE, **with_prices)
        finally:
            journal.close()

    return make


def costs(rows: WindowRows) -> list[float | None]:
    (table,) = (each for each in rows.tables if each.relation == "spans")
    if "cost_usd" not in table.batch.schema.names:
        return [None] * table.batch.num_rows
    order = table.batch.column("span_id").to_pylist()
    found: list[float | None] = table.batch.column("cost_usd").to_pylist()
    return [cost for _, cost in sorted(zip(order, found, strict=True))]


def unpriced(model: str) -> tuple[float, float]:
    counters = metrics.UNPRICED_SPANS, metrics.UNPRICED_TOKENS
    spans, tokens = (each.labels(model)._value.get() for each in counters)
    return spans, tokens


def test_a_call_costs_what_its_tokens_do_and_nothing_else_costs_anything(
    prepared: Callable[..., WindowRows],
) -> None:
    found = costs(
        prepared(
            CALL,
            {**CALL, ANSWERED: "gpt-4o-2024-05-13"},  # what answered counts
            {**CALL, ANSWERED: "our-deployment"},  # nobody sells that
            {
                "llm.model_name": "gpt-4o",
                "llm.token_count.prompt": 1000,
                "gen_ai.usage.completion_tokens": 100,
            },
            {**CALL, "gen_ai.usage.cache_read.input_tokens": 1000},
            {**CALL, "gen_ai.usage.cache_read_input_tokens": 1000},
            {MODEL: "gpt-4o", SENT: 0, GOT: 0},
            {MODEL: "gpt-4o"},
            {SENT: 1000, GOT: 100},
            {**CALL, SENT: -1},
            {},
        )
    )
    cached = (1000 * 1.25 + 100 * 10) / 1e6
    dear = (1000 * 5 + 100 * 15) / 1e6
    paid: list[float | None] = [PAID, dear, PAID, PAID, cached, cached]
    assert found == pytest.approx([*paid, *[None] * 5])


def test_what_the_sender_told_stays(prepared: Callable[..., WindowRows]) -> None:
    told = prepared(
        {**CALL, COST: 7.5}, {**CALL, "llm.cost.total": 0}, {**CALL, COST: "free"}, CALL
    )
    assert costs(told) == pytest.approx([7.5, 0.0, PAID, PAID])


# Which value of each changes what a call costs, and to what.
PRICED: dict[str, tuple[str | int, float | None]] = {
    "gen_ai.provider.name": ("vllm", None),
    "gen_ai.operation.name": ("invoke_agent", None),
    "gen_ai.usage.cache_read.input_tokens": (1000, (1000 * 0.3 + 100 * 15) / 1e6),
    "gen_ai.usage.cache_creation.input_tokens": (1000, (1000 * 3.75 + 100 * 15) / 1e6),
    "gen_ai.usage.reasoning.output_tokens": (200, (1000 * 3 + 300 * 15) / 1e6),
}


@pytest.mark.parametrize("key", PRICED)
def test_what_decides_about_a_price_is_read_from_every_spelling(
    prepared: Callable[..., WindowRows], key: str
) -> None:
    value, expected = PRICED[key]
    claude = {**CALL, MODEL: "claude-3-5-sonnet-20241022"}
    spellings = SPELLINGS[key]
    assert len(spellings) > 1
    found = costs(prepared(claude, *(claude | {each: value} for each in spellings)))
    assert found == pytest.approx([(1000 * 3 + 100 * 15) / 1e6, *[expected] * len(spellings)])


def test_without_prices_costs_are_what_was_told(prepared: Callable[..., WindowRows]) -> None:
    assert costs(prepared({**CALL, COST: 7.5}, CALL, pricing=None)) == [7.5, None]


@pytest.mark.parametrize(
    "kind",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "execute_tool"},
        {"openinference.span.kind": "AGENT"},
        {"openinference.span.kind": "CHAIN"},
    ],
)
def test_agents_and_chains_do_not_cost_what_the_calls_within_them_do(
    prepared: Callable[..., WindowRows], kind: dict[str, str]
) -> None:
    found = costs(
        prepared(
            CALL | kind,
            CALL | {"gen_ai.operation.name": "chat"},
            CALL | {"openinference.span.kind": "LLM"},
        )
    )
    assert found == pytest.approx([None, PAID, PAID])


def test_a_call_without_a_price_costs_nobody_knows_what_and_is_counted(
    prepared: Callable[..., WindowRows],
) -> None:
    lora = {**CALL, MODEL: "lora-of-ours"}
    before = unpriced("lora-of-ours")
    assert costs(prepared(lora, lora, {**lora, COST: 1.0}, CALL)) == [
        None,
        None,
        1.0,
        pytest.approx(PAID),
    ]
    assert unpriced("lora-of-ours") == (before[0] + 2, before[1] + 2200)


def test_each_call_without_a_price_is_counted_once_and_under_few_names(
    prepared: Callable[..., WindowRows], tmp_path: Path
) -> None:
    calls = [{**CALL, MODEL: f"hostile-{number}"} for number in range(MODELS_TOLD_MAX + 50)]
    before = unpriced(OTHER_MODELS)[0]
    prepared(*calls, phase=Phase.BEHIND)
    assert unpriced(OTHER_MODELS)[0] == before
    prepared(*calls)
    assert unpriced(OTHER_MODELS)[0] >= before + 50
    labels = {
        sample.labels["model"] for sample in next(iter(metrics.UNPRICED_SPANS.collect())).samples
    }
    assert len(labels) <= MODELS_TOLD_MAX + 1


def test_a_users_price_is_the_one_that_counts(prepared: Callable[..., WindowRows]) -> None:
    table = PriceTable.parse({"models": [{"prefix": "lora", "input_usd": 1, "output_usd": 10}]})
    found = costs(prepared({**CALL, MODEL: "lora-of-ours"}, pricing=Pricing(table)))
    assert found == pytest.approx([0.002])


def test_samplers_and_error_bars_know_computed_costs(prepared: Callable[..., WindowRows]) -> None:
    """Of 64 traces some half are kept, each of which stands for two."""
    sampler = Sampler(Rules.parse({"rules": [{"strategy": "uniform", "probability": 0.5}]}))
    rows = prepared(*[CALL] * 64, sampler=sampler, traces_seed=1)
    (table,) = (each for each in rows.tables if each.relation == "spans")
    kept = table.batch.num_rows
    assert 16 < kept < 48
    assert table.batch.column("cost_usd").to_pylist() == pytest.approx([PAID] * kept)
    variance = pc.sum(table.batch.column("cost_variance")).as_py()
    assert variance == pytest.approx(kept * PAID**2 * 0.5 / 0.25)


class Listening(Sampler):
    """Keeps everything, and what it was asked to decide about."""

    seen: Sequence[Candidates]

    def decide(self, candidates: Sequence[Candidates], end: int) -> list[Decided]:
        self.seen = candidates
        return super().decide(candidates, end)


def test_what_is_kept_is_decided_with_computed_costs_in_mind(
    prepared: Callable[..., WindowRows],
) -> None:
    sampler = Listening(Rules.parse({}))
    prepared(CALL, {**CALL, COST: 2.0}, {}, sampler=sampler)
    (seen,) = sampler.seen
    assert seen.cost_usd.tolist() == pytest.approx([PAID, 2.0, 0.0])


def test_detectors_watch_computed_costs(prepared: Callable[..., WindowRows]) -> None:
    wanted = {
        "metrics": ["cost_usd"],
        "detectors": ["zscore"],
        "sensitivity": 0.5,
        "severity_min": "info",
    }
    engine = Engine(Detection.parse({"rules": [wanted]}))
    calls = [{**CALL, GOT: 100 + each % 3, "crucible.run.id": "run"} for each in range(200)]
    dear = {**CALL, GOT: 1_000_000, "crucible.run.id": "run"}
    found = prepared(*calls, dear, engine=engine).found
    flagged = {each.watched.metric: each.flags[-1].value for each in found.episodes}
    assert flagged["cost_usd"] == pytest.approx((1000 * 2.5 + 1_000_000 * 10) / 1e6)

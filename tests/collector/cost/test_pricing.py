"""Prices are those of the list, of every model and whenever it changed; a user's table wins."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.types import ModelPrice

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import NAMES_MAX, NEW_NAMES_MAX, CallNames, Pricing
from crucible_collector.cost.rates import Tokens

# Input, output, read from the cache, written to it, reasoned: short, empty parts, beyond every step.
USES = (
    (1000, 500, 0, 0, 0),
    (128_000, 10, 0, 0, 0),
    (128_001, 10, 1000, 0, 0),
    (300_000, 2000, 100_000, 5000, 1500),
    (2_000_001, 70_000, 1_999_000, 1001, 70_000),
    (7, 0, 7, 0, 0),
)
# The list has changed prices on some two hundred days, and eight of its prices hold for hours of a day.
TIMES = tuple(
    dt.datetime(year, month, 3, hour, minute, tzinfo=dt.UTC)
    for year, month in ((2023, 6), (2024, 6), (2024, 12), (2025, 6), (2026, 2), (2026, 11))
    for hour, minute in ((0, 0), (8, 15), (16, 30))
)


def cost(
    model: str,
    use: tuple[int, ...] = (1_000_000, 1_000_000, 0, 0, 0),
    *,
    at: str = "2026-11-23T10:00:00Z",
    provider: str | None = None,
    table: dict[str, Any] | None = None,
) -> float | None:
    """What one call costs; None where it has no price."""
    pricing = Pricing(PriceTable.parse(table or {}))
    time_ns = int(dt.datetime.fromisoformat(at).timestamp()) * 10**9
    found, there = pricing.costs(
        [CallNames(provider, (model,))],
        np.zeros(1, np.int64),
        np.array([time_ns]),
        Tokens.of(*(np.array([each]) for each in use)),
    )
    return float(found[0]) if there[0] else None


def test_every_price_of_the_list_is_computed_as_the_list_itself_does() -> None:
    """All models at all providers, over its changes of prices, for short, long and cached prompts."""
    time_ns = np.repeat([int(each.timestamp()) * 10**9 for each in TIMES], len(USES))
    tokens = Tokens.of(*np.tile(np.array(USES), (len(TIMES), 1)).T)
    none = np.zeros(len(time_ns), np.int64)
    pricing, known = Pricing(), {True: 0, False: 0}
    for provider in providers:
        for model in provider.models:
            if provider.find_model(model.id) is not model:
                continue  # no call can name it so
            usd, there = pricing.costs([CallNames(provider.id, (model.id,))], none, time_ns, tokens)
            of_prices: dict[int, list[float] | None] = {}
            expected: list[float] = []
            for time in TIMES:
                prices = model.get_prices(time)
                if id(prices) not in of_prices:
                    of_prices[id(prices)] = by_the_list(prices)
                expected += of_prices[id(prices)] or [np.nan] * len(USES)
            told = np.where(there, usd, np.nan)
            np.testing.assert_allclose(told, expected, 1e-12, err_msg=f"{provider.id} {model.id}")
            known[bool(there.all())] += 1
    assert known[True] > 1900
    assert known[False] < known[True] / 8  # speech by the minute, pages, and names without prices


def by_the_list(prices: ModelPrice) -> list[float] | None:
    """What the list itself makes of USES; None where it has no price of tokens."""
    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    usages = [
        Usage(**dict(zip(names, use, strict=False)), output_reasoning_tokens=use[4]) for use in USES
    ]
    return [float(prices.calc_price(each)["total_price"]) for each in usages]


@pytest.mark.parametrize(
    ("model", "input_usd", "output_usd"),
    [
        ("claude-3-5-sonnet-20241022", 3, 15),
        ("claude-3-5-haiku-20241022", 0.8, 4),
        ("gpt-4o", 2.5, 10),
        ("gpt-4o-2024-05-13", 5, 15),
        ("o1", 15, 60),
        ("gemini-1.5-pro", 2.5, 10),  # a million tokens are beyond its step
        ("claude-sonnet-4-5", 6, 22.5),
        ("gemini-2.5-pro", 2.5, 15),
    ],
)
def test_known_models_cost_what_their_makers_ask(
    model: str, input_usd: float, output_usd: float
) -> None:
    assert cost(model, (1_000_000, 0, 0, 0, 0)) == pytest.approx(input_usd)
    assert cost(model) == pytest.approx(input_usd + output_usd)


@pytest.mark.parametrize(
    "model",
    ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "gpt-6-sol", "gemini-3.8-flash"],
)
def test_models_of_today_have_prices(model: str) -> None:
    found = cost(model)
    assert found is not None
    assert found > 0


def test_a_long_prompt_has_the_price_of_its_step_for_all_of_its_tokens() -> None:
    assert cost("gemini-1.5-pro", (128_000, 0, 0, 0, 0)) == pytest.approx(0.128 * 1.25)
    assert cost("gemini-1.5-pro", (128_001, 0, 0, 0, 0)) == pytest.approx(0.128001 * 2.5)
    assert cost("gemini-1.5-pro", (128_001, 1000, 0, 0, 0)) == pytest.approx(0.3300025)


def test_a_call_has_the_price_of_its_day() -> None:
    before, after = (cost("o3", at=f"2025-06-{day}T23:59:59Z") for day in ("09", "10"))
    assert [before, after] == pytest.approx([50, 10])
    assert cost("o3", at="2025-06-10T01:59:59+02:00") == before  # of its day in UTC


def test_cached_tokens_are_part_of_the_prompt_and_reasoned_ones_of_the_answer() -> None:
    assert cost("gpt-4o", (1000, 0, 400, 0, 0)) == pytest.approx((600 * 2.5 + 400 * 1.25) / 1e6)
    written = cost("claude-3-5-sonnet-20241022", (1000, 0, 300, 500, 0))
    assert written == pytest.approx((200 * 3 + 300 * 0.3 + 500 * 3.75) / 1e6)
    assert cost("o1", (0, 1000, 0, 0, 900)) == cost("o1", (0, 1000, 0, 0, 0)) == pytest.approx(0.06)


def test_parts_that_are_more_than_the_whole_stand_beside_it() -> None:
    """As the API of some providers counts them, and some tools pass them on."""
    assert cost("claude-3-5-sonnet-20241022", (12, 0, 50_000, 0, 0)) == pytest.approx(
        (12 * 3 + 50_000 * 0.3) / 1e6
    )
    assert cost("gemini-2.5-pro", (0, 100, 0, 0, 900)) == pytest.approx(1000 * 10 / 1e6)


@pytest.mark.parametrize(
    ("provider", "model", "input_usd"),
    [
        ("azure.ai.openai", "gpt-4o", 2.5),
        ("aws.bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", 3),
        ("gcp.vertex_ai", "gemini-2.5-flash", 0.3),
        ("x_ai", "grok-4", 3),
        ("OpenAI", "GPT-4o", 2.5),
        ("litellm-of-ours", "gpt-4o", None),
        ("vllm", "deepseek-r1", None),
        (None, "my-lora", None),
        ("openai", "whisper-1", None),  # by the minute
    ],
)
def test_providers_go_by_the_names_of_the_conventions_and_others_have_no_price(
    provider: str | None, model: str, input_usd: float | None
) -> None:
    found = cost(model, (100_000, 0, 0, 0, 0), provider=provider)
    assert found == (None if input_usd is None else pytest.approx(input_usd / 10))


OURS = {"prefix": "gpt-4o", "input_usd": 1, "output_usd": 2}


def test_a_price_of_the_user_wins_on_its_days() -> None:
    table = {
        "models": [
            {"match": "gpt-4o-mini", "input_usd": 0, "output_usd": 0},
            {**OURS, "from": "2026-02-01", "until": "2026-03-01", "provider": "openai"},
        ]
    }
    use = (1_000_000, 1_000_000, 0, 0, 0)
    for at, expected in (("01-31", 12.5), ("02-01", 3), ("02-28", 3), ("03-01", 12.5)):
        found = cost("gpt-4o", use, at=f"2026-{at}T12:00:00Z", provider="openai", table=table)
        assert found == pytest.approx(expected), at
    assert cost("gpt-4o", use, at="2026-02-10T12:00:00Z", table=table) == pytest.approx(12.5)
    assert cost("gpt-4o-mini", use, table=table) == 0


def test_a_price_of_the_user_may_tell_kinds_of_tokens_apart() -> None:
    model = {"match": "mine", "input_usd": 10, "output_usd": 20}
    use = (1_000_000, 1_000_000, 300_000, 100_000, 500_000)
    assert cost("mine", use, table={"models": [model]}) == pytest.approx(30)
    kinds = {"cache_read_usd": 1, "cache_write_usd": 12, "reasoning_usd": 40}
    found = cost("mine", use, table={"models": [model | kinds]})
    assert found == pytest.approx(6 + 0.3 + 1.2 + 10 + 20)


def test_a_call_is_priced_by_what_was_asked_for_where_nobody_sells_what_answered() -> None:
    pricing, at = Pricing(), dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    source = pricing.source(CallNames("azure", ("our-deployment", "gpt-4o")), at)
    assert source is not None
    assert (source.provider, source.model) == ("azure", "gpt-4o")


def test_names_are_remembered_within_bounds_and_a_hostile_window_is_not_looked_up_for_ever() -> (
    None
):
    pricing = Pricing()
    for begin in range(0, 3 * NAMES_MAX, NAMES_MAX // 4):
        names = [CallNames(None, (f"model-{begin + each}",)) for each in range(NAMES_MAX // 4)]
        rows = np.arange(len(names))
        tokens = Tokens.of(*np.ones((5, len(rows)), np.int64))
        pricing.costs(names, rows, np.zeros(len(rows), np.int64), tokens)
        assert len(pricing._known) <= min(NAMES_MAX, (begin * 4 // NAMES_MAX + 1) * NEW_NAMES_MAX)

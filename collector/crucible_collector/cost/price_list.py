"""The price list that comes with the collector: the bundled data of genai-prices, which is never fetched.

Who asks names a model as calls do, and a provider where these name one. A provider that the list does not
know has no prices: a model that somebody serves himself is not sold at the price of who else sells it.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version

from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from crucible_collector.cost.rates import Price, Rate

# OpenTelemetry's names of providers, where the list would not know them or take them for another.
_OTHER_NAMES = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "az_ai_openai": "azure",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}
_REQUESTS_PER_PRICE = 1000
_ANY_DAY = dt.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that the list knows, at one provider."""

    provider: Provider
    model: ModelInfo

    @property
    def starts(self) -> tuple[dt.date, ...]:
        """Days (UTC) from which on another price holds, ascending."""
        constraints = _constraints(self.model)
        return tuple(
            sorted(
                {each.start_date for each in constraints if isinstance(each, StartDateConstraint)}
            )
        )

    @property
    def times(self) -> tuple[dt.time, ...]:
        """Times of each day (UTC) at which the price changes, ascending; most models have none."""
        daily = [
            each for each in _constraints(self.model) if isinstance(each, TimeOfDateConstraint)
        ]
        ends = {_in_utc(each) for one in daily for each in (one.start_time, one.end_time)}
        return tuple(sorted(ends))

    def rate(self, at: dt.datetime) -> Rate | None:
        """What it costs at a time; None where the list has no price of tokens for it."""
        return _rate(self.model.get_prices(at))


def data_version() -> str:
    """Of the list."""
    return f"genai-prices {version('genai-prices')}"


def find(provider_name: str | None, model_name: str) -> Listed | None:
    """The model that a call names; None where the list does not have it. Up to a millisecond."""
    model_name = model_name.lower()
    if provider_name:
        name = provider_name.lower().strip()
        provider = find_provider_by_id(providers, _OTHER_NAMES.get(name, name))
    else:
        matches = (
            each for each in providers if each.model_match and each.model_match.is_match(model_name)
        )
        provider = next(matches, None)
    if provider is None:
        return None
    model = provider.find_model(model_name, all_providers=providers)
    return None if model is None else Listed(provider, model)


def _constraints(
    model: ModelInfo,
) -> list[StartDateConstraint | TimeOfDateConstraint | None]:
    if isinstance(model.prices, ModelPrice):
        return []
    return [each.constraint for each in model.prices]


def _in_utc(time: dt.time) -> dt.time:
    if time.tzinfo is None:
        return time
    return dt.datetime.combine(_ANY_DAY, time).astimezone(dt.UTC).time()


def _rate(prices: ModelPrice) -> Rate | None:
    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    starts = sorted(
        {
            tier.start
            for each in vars(prices).values()
            if isinstance(each, TieredPrices)
            for tier in each.tiers
        }
    )
    return Rate(_price(prices, -1), tuple((start, _price(prices, start)) for start in starts))


def _price(prices: ModelPrice, start: int) -> Price:
    """That of calls whose prompt is longer than `start`, and no longer than the next step."""
    at = functools.partial(_at, start=start)
    input_usd, output_usd = at(prices.input_mtok, 0.0), at(prices.output_mtok, 0.0)
    return Price(
        input_usd=input_usd,
        output_usd=output_usd,
        cache_read_usd=at(prices.cache_read_mtok, input_usd),
        cache_write_usd=at(prices.cache_write_mtok, input_usd),
        reasoning_usd=at(prices.output_reasoning_mtok, output_usd),
        request_usd=at(prices.requests_kcount, 0.0) / _REQUESTS_PER_PRICE,
    )


def _at(price: Decimal | TieredPrices | None, otherwise: float, *, start: int) -> float:
    if price is None:
        return otherwise
    if isinstance(price, Decimal):
        return float(price)
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return float(reached[-1] if reached else price.base)

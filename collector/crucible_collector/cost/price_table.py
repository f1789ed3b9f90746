"""The price table that a user sets against the list: what it says wins, for the models and days it names.

[[prices.models]] of a settings file; the first that fits a call decides. What none fits is as the list
has it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, ValidationError, model_validator

from crucible_collector.cost.rates import Price, Rate
from crucible_collector.errors import SettingsError
from crucible_collector.tables import (
    Name,
    Table,
    Text,
    check_names,
    digest,
    first_error,
    mistake,
    place_of,
    with_names,
)

MODELS_MAX = 1000
_USD_MAX = 1e6
# Times are 64 bits of nanoseconds since 1970.
FIRST_DAY, LAST_DAY = dt.date(1970, 1, 1), dt.date(2261, 12, 31)


def _usd(description: str, default: Any = ...) -> Any:
    return Field(default, ge=0, le=_USD_MAX, description=description)


class PricedModel(Table):
    """What some models cost from one day to another."""

    name: Name = Field(description="in answers that say where a price is from (price-1 by place)")
    match: Text | None = Field(None, description="the model's name; or else a prefix")
    prefix: Text | None = Field(None, description="beginning of the models' names")
    provider: Text | None = Field(
        None, description="as calls name it; default: whoever, also where they name none"
    )
    from_day: dt.date | None = Field(
        None,
        alias="from",
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="the first day (UTC); default: ever since",
    )
    until: dt.date | None = Field(
        None,
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="the day (UTC) after the last; default: for good",
    )
    input_usd: float = _usd("US dollars a million tokens of prompts")
    output_usd: float = _usd("US dollars a million tokens of answers")
    cache_read_usd: float | None = _usd(
        "of prompts' tokens that came from the provider's cache; default: input_usd", None
    )
    cache_write_usd: float | None = _usd(
        "of prompts' tokens that went into it; default: input_usd", None
    )
    reasoning_usd: float | None = _usd(
        "of answers' tokens that were reasoned; default: output_usd", None
    )

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if (self.match is None) == (self.prefix is None):
            raise ValueError("expected either match or prefix")
        if self.from_day and self.until and self.from_day >= self.until:
            raise ValueError(f"from = {self.from_day} is not before until = {self.until}")
        return self

    def fits(self, provider: str | None, model: str) -> bool:
        """Whether it is about this model, whenever. Upper and lower case are the same."""
        if self.provider is not None and self.provider.lower() != (provider or "").lower():
            return False
        if self.match is not None:
            return self.match.lower() == model.lower()
        return model.lower().startswith((self.prefix or "").lower())

    def holds_on(self, day: dt.date) -> bool:
        """Whether it holds on a day (UTC)."""
        begins = self.from_day is None or self.from_day <= day
        return begins and (self.until is None or day < self.until)

    @property
    def rate(self) -> Rate:
        """As numbers."""
        read, write, reasoning = self.cache_read_usd, self.cache_write_usd, self.reasoning_usd
        return Rate(
            Price(
                input_usd=self.input_usd,
                output_usd=self.output_usd,
                cache_read_usd=self.input_usd if read is None else read,
                cache_write_usd=self.input_usd if write is None else write,
                reasoning_usd=self.output_usd if reasoning is None else reasoning,
            )
        )


class PriceTable(Table):
    """The user's prices; without any the list decides about all models."""

    currency: Literal["USD"] = Field("USD", description="USD")
    models: tuple[PricedModel, ...] = Field(
        (), max_length=MODELS_MAX, description="what models cost; the first that fits decides"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A price without a name has that of its place."""
        return with_names(value, "models", "price")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names((model.name for model in self.models), "price")
        return self

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> PriceTable:
        """From a table as a file or a body has it; raises SettingsError with one readable line."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise SettingsError(_explain(error, value)) from None

    def as_json(self) -> dict[str, Any]:
        """The canonical form; `parse` takes it back."""
        return self.model_dump(mode="json", by_alias=True)

    def digest(self) -> UUID:
        """Equal for equal prices."""
        return digest(self.as_json())


def _explain(error: ValidationError, value: Mapping[str, Any]) -> str:
    """One line: which price, which key, what is wrong."""
    first = first_error(error)
    where = first["loc"]
    if len(where) > 1 and where[0] == "models":
        place = place_of(value, "models", int(where[1]), "price")
        return f"prices: {place}: " + mistake(first, where[2:], _known(PricedModel))
    return "prices: " + mistake(first, where, _known(PriceTable))


def _known(kind: type[Table]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in kind.model_fields.items())

"""What answers about costs look like: sums, prices, budgets, computations anew.

`models` says how they are written.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crucible_collector.api.aggregates import Interval
from crucible_collector.api.models import Model, Time
from crucible_collector.api.parameters import Paged, Period, Text, parted
from crucible_collector.api.parameters import Time as AskedTime
from crucible_collector.cost.price_table import FIRST_DAY, LAST_DAY

_INTERVAL = (
    "95 % interval of what sampling leaves open; of no width where all was kept. An upper end that is null: "
    "nothing that was kept bounds it."
)
_GROUPED = "Null unless grouped by it, or of none."

CostGroup = Literal["experiment", "run", "condition", "model", "provider", "event"]


class CostFilter(Paged, Period):
    interval: Literal["1h", "1d", "none"] = Field(
        "none", description="A row for each hour or day (UTC), or one for all of the period."
    )
    group_by: Annotated[list[CostGroup], BeforeValidator(parted)] = Field(
        [],
        description="A row for each of these, too: several with commas, or the parameter repeated.",
        examples=[["experiment", "model"]],
    )
    experiment: Text | None = Field(None, description="Experiment id, as the calls name it.")
    run: Text | None = Field(None, description="Run id.")
    condition: Text | None = Field(None, description="Condition of the run.")
    model: Text | None = Field(None, description="Model that was asked or that answered.")
    event: Text | None = Field(None, description="Event name.")


class UnpricedFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id, as the calls name it.")


class Cost(Model):
    """What calls of language models used and cost: estimates where they were sampled."""

    time: Time | None = Field(
        description="Start of the hour or day (UTC); null: all of the period in one row."
    )
    experiment_id: str | None = Field(description=_GROUPED)
    run_id: str | None = Field(description=_GROUPED)
    condition: str | None = Field(description="Of the run. " + _GROUPED)
    event_name: str | None = Field(description=_GROUPED)
    model: str | None = Field(description=_GROUPED)
    provider: str | None = Field(
        description="Who sells the model, by the price list and the model's name alone; null unless grouped "
        "by it, or where the list does not know."
    )
    cost_usd: float | None = Field(
        description="US dollars, of the calls that have a cost: as told, or computed by the prices of their "
        "day. Null where none has one."
    )
    cost_usd_standard_error: float = Field(description="That sampling makes; 0 where all was kept.")
    cost_usd_interval: Interval | None = Field(description=_INTERVAL)
    call_count: float = Field(description="Calls that told tokens or a cost.")
    cost_per_1k_calls_usd: float | None = Field(description="US dollars a thousand priced calls.")
    cost_per_1k_calls_usd_interval: Interval | None = Field(
        description=_INTERVAL + " Null where other events are among those that were sampled."
    )
    cost_per_1m_calls_usd: float | None = Field(description="US dollars a million priced calls.")
    input_tokens: float = Field(description="Tokens in prompts, cached ones included.")
    input_tokens_interval: Interval
    output_tokens: float = Field(description="Tokens in answers, reasoned ones included.")
    output_tokens_interval: Interval
    unpriced_call_count: float = Field(
        description="Of call_count, those that have no cost, as no price of the model is known; counted where "
        "all calls of a model, event and run (of an hour or a day) have none."
    )
    unpriced_tokens: float = Field(description="Tokens of these, of prompts and answers.")
    estimated: bool = Field(
        description="Whether any of the calls was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )


class PricesVersion(Model):
    """A user's prices that are, or were, in force for every collector of the database."""

    version: int = Field(description="Rises with every change.")
    origin: Literal["file", "api"] = Field(
        description="file: the settings of a collector; api: `PUT /cost/prices`."
    )
    changed_at: Time
    changed_by: str = Field(
        description="Who, as they said; of a file the collector's host and data directory."
    )
    reason: str
    settings: dict[str, Any] = Field(
        description="As `PUT /cost/prices` takes them, with every default.",
        examples=[{"currency": "USD", "models": []}],
    )


class Prices(Model):
    """The user's prices in force; what they say nothing of is as the list has it."""

    version: int = Field(description="0: nobody made any, and the list decides.")
    origin: Literal["file", "api"] | None
    changed_at: Time | None
    changed_by: str
    reason: str
    settings: dict[str, Any] = Field(examples=[{"currency": "USD", "models": []}])
    price_list: str = Field(
        description="The list that comes with the collector.", examples=["genai-prices 0.2.3"]
    )
    collector_version: int | None = Field(
        description="By which this collector works: a change arrives within seconds. Null where this process "
        "stores nothing itself."
    )


class PriceStep(Model):
    """What tokens cost from some length of the prompt on, US dollars a million."""

    prompt_tokens_above: int = Field(description="0: any prompt that no later step is about.")
    input_usd: float
    output_usd: float
    cache_read_usd: float = Field(description="Of prompts' tokens from the provider's cache.")
    cache_write_usd: float = Field(description="Of prompts' tokens that went into it.")
    reasoning_usd: float = Field(description="Of answers' tokens that were reasoned.")
    request_usd: float = Field(description="US dollars for each call besides.")


class ModelPrice(Model):
    """Which price a call of a model has."""

    model: str = Field(description="As it was asked for.")
    provider: str | None = Field(description="As it was asked for.")
    at: Time
    is_priced: bool
    price_of: str | None = Field(
        description="The model of the list, with its provider, or the name of the user's price.",
        examples=["anthropic/claude-3-5-sonnet"],
    )
    from_table: bool = Field(description="Whether it is a user's price.")
    steps: list[PriceStep] = Field(description="Empty where no price is known.")


class ModelFilter(Model):
    model: Text = Field(description="As calls name it.", examples=["gpt-4o"])
    provider: Text | None = Field(
        None, description="As calls name it; without one the model's name alone tells."
    )
    day: dt.date | None = Field(
        None, ge=FIRST_DAY, le=LAST_DAY, description="Day (UTC) of the call; default: today."
    )


class Budget(Model):
    """How much an experiment may cost a day (UTC)."""

    experiment_id: str | None = Field(
        description="Null: every experiment that has no budget of its own."
    )
    usd_per_day: float
    changed_at: Time
    changed_by: str
    reason: str


class BudgetChange(Model):
    """A warning is given at 80 % of it, an alert at all of it, each once a day."""

    usd_per_day: float = Field(gt=0, le=1e12, allow_inf_nan=False)
    changed_by: Text = ""
    reason: Text = ""


class RecomputeRequest(Model):
    """Which costs are to be computed anew: of calls that began in a period, whose cost nobody told."""

    from_time: AskedTime | None = Field(
        None, alias="from", description="Calls that began then or later; default: all."
    )
    to_time: AskedTime | None = Field(
        None, alias="to", description="Calls that began before this; default: now."
    )
    experiment: Text | None = Field(None, description="Only those of this experiment.")
    dry_run: bool = Field(False, description="Only tell what would be changed.")


class RecomputedRequest(Model):
    """As it was asked for."""

    from_time: str | None = Field(
        alias="from", description="RFC 3339; null: from the first call on."
    )
    to_time: str = Field(alias="to", description="RFC 3339.")
    experiment: str | None
    dry_run: bool


class Recomputed(Model):
    """What came of it so far."""

    call_count: int = Field(description="Calls that were looked at: with tokens, and no cost told.")
    changed_count: int = Field(description="Calls whose cost is another now, or would be.")
    unpriced_count: int = Field(description="Calls that have no price.")
    before_usd: float = Field(
        description="What the stored calls cost before, each as it is stored."
    )
    after_usd: float
    difference_usd: float
    weighted_difference_usd: float = Field(
        description="Of all calls, those that were sampled away included."
    )
    done_until: str | None = Field(
        description="Calls that began before are done; null: none is yet."
    )

"""What a simulation of sampling settings is asked with, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from crucible_collector.api.models import Model, Time
from crucible_collector.api.parameters import Text
from crucible_collector.api.parameters import Time as AskedTime


class Asked(BaseModel):
    """The period that rules are tried on; they stand beside it, as `PUT /sampling` takes them."""

    from_time: AskedTime = Field(alias="from")
    to_time: AskedTime = Field(alias="to")
    experiment: Text | None = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if self.from_time >= self.to_time:
            raise ValueError("expected a time before `to`")
        return self


class SimulatedRule(Model):
    rule: str | None = Field(description="Null: records that no rule is about, or all together.")
    signal: Literal["spans", "log_records"]
    seen_count: int
    kept_count: int
    seen_bytes: int = Field(description="Of their rows as PostgreSQL sizes them, without indexes.")
    kept_bytes: int
    seen_per_s_max: int = Field(description="In the second in which most ended.")
    kept_per_s_max: int


class SimulatedAggregate(Model):
    name: str = Field(examples=["count", "duration_total_ms", "p99_ms"])
    stored: float | None = Field(description="As it is; null where no event tells any.")
    estimate: float | None = Field(description="As it would have been; null: nothing was kept.")
    relative_error: float | None = Field(description="(estimate - stored) / stored.")
    relative_standard_error: float | None = Field(
        description="That the answer itself would have told; null where it has none."
    )
    low: float | None = Field(description="Of its 95 % interval.")
    high: float | None = Field(description="Null where nothing bounds it.")
    covers: bool | None = Field(description="Whether the interval holds what is stored.")


class SimulatedEvent(Model):
    event: str | None = Field(description="Null: all events together.")
    seen_count: int
    kept_count: int
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces are uncertain: intervals may be too narrow."
    )
    aggregates: list[SimulatedAggregate]


class Simulated(Model):
    """What the settings would have done with the records of a period."""

    from_time: Time
    to_time: Time
    until_time: Time | None = Field(description="The last end; null where there was no record.")
    experiment: str | None
    span_count: int
    log_count: int
    thinned_count: int = Field(
        description="Of both: stored with p < 1. They weigh as much as they stand for, but rates and "
        "budgets were judged by what is left of them."
    )
    is_complete: bool = Field(description="False where it stopped before the end of the period.")
    stopped_because: str | None
    decided_early_count: int = Field(
        description="Records that could not be held for as long as the rules wait."
    )
    took_s: float
    rules: list[SimulatedRule]
    totals: list[SimulatedRule] = Field(description="By signal, all rules together.")
    events: Annotated[
        list[SimulatedEvent], Field(description="All together first, then the 20 most frequent.")
    ]

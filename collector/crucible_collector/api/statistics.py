"""What answers about a model, an event or an experiment look like, and over which period they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from crucible_collector.api.aggregates import Interval
from crucible_collector.api.models import Model, Time
from crucible_collector.api.parameters import Paged, Period, Text, parted
from crucible_collector.api.portrait import Described, Lying
from crucible_collector.api.reliability import Reliability

_PERIODS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}

EVENTS_MAX = 20


class StatisticsFilter(Period):
    model_config = ConfigDict(extra="forbid")

    period: Literal["1h", "24h", "7d", "30d"] = Field(
        "24h", description="So long up to `to`; where `from` is given, that counts."
    )
    experiment: Text | None = Field(None, description="Experiment id, as the events name it.")

    def bounds(self) -> tuple[datetime, datetime]:
        """From when to when; up to now where no end is given."""
        end = self.to_time or datetime.now(UTC)
        if self.from_time is not None:
            return self.from_time, end
        width = _PERIODS[self.period]
        return (end - width if end - datetime.min.replace(tzinfo=UTC) > width else end), end


class ModelStatisticsFilter(StatisticsFilter):
    event: Annotated[list[Text], BeforeValidator(parted)] = Field(
        [],
        max_length=EVENTS_MAX,
        description="Only events of these names: several with commas, or the parameter repeated. Without it whatever "
        "names the model counts, its trainings and attacks as well as its calls.",
        examples=[
            ["crucible_deployment.inference.stop", "crucible_deployment.inference.exception"]
        ],
    )


class ModelFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id, as the events name it.")
    event: Text | None = Field(None, description="Event name.")


class SummaryFilter(Period):
    model_config = ConfigDict(extra="forbid")


class CalledModel(Model):
    """A model that was asked, or that answered."""

    model: str = Field(examples=["gpt-4o"])
    count: float = Field(description="Estimated number of calls: stored ones weighted.")
    count_standard_error: float = Field(description="0 where nothing was sampled away.")
    count_interval: Interval
    error_count: float = Field(description="Of these, with status error; weighted likewise.")
    error_count_standard_error: float = Field(description="0 where no error was sampled away.")
    error_count_interval: Interval
    stored_count: int = Field(description="Calls that are or were in the database.")
    last_time: Time
    estimated: bool = Field(
        description="Whether any was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )


class _Statistics(Described):
    from_time: Time = Field(alias="from")
    to_time: Time = Field(alias="to")
    throughput_per_s: float | None = Field(description="count by the seconds of the period.")


class EventStatistics(_Statistics):
    event_name: str


class Version(Model):
    """Calls of one version of a model at one provider."""

    version: str | None = Field(description="`crucible.model.version`; null: none was told.")
    provider: str | None = Field(description="`gen_ai.provider.name`, or an older name of it.")
    statistics: Described


class ModelStatistics(_Statistics):
    model: str
    time_to_first_token_ms: Lying | None = Field(
        description="Milliseconds; null where no call told it, or not all are read."
    )
    versions: list[Version] | None = Field(description="Null where not all are read.")


class EventType(Model):
    event_name: str | None
    count: float


class ConditionSummary(Model):
    condition: str | None = Field(description="As the events name it; null: none.")
    statistics: Described
    reliability: Reliability | None = Field(
        description="Of the requests of its runs; null: none had an outcome."
    )


class ExperimentStatistics(Model):
    """An experiment in numbers, and each of its conditions beside it."""

    experiment_id: str
    first_time: Time = Field(description="Earliest time of anything of it.")
    last_time: Time = Field(description="Latest time of anything of it.")
    duration_s: float = Field(description="Seconds between these.")
    event_types: list[EventType] = Field(description="Events by name, at most a thousand names.")
    statistics: Described
    reliability: Reliability | None = Field(description="Null: no event had an outcome.")
    conditions: list[ConditionSummary] | None = Field(
        description="By name; null where not all events are read: a shorter period helps."
    )

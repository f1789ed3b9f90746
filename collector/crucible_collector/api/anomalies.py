"""What may be asked about anomalies, and what answers look like.

`models` says how they are written.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from crucible_collector.api.models import Id, Model, Number, Time, TraceId
from crucible_collector.api.parameters import Paged, Period, Text, parse_id_64

Severity = Literal["info", "warning", "critical"]
State = Literal["active", "acknowledged", "resolved", "silenced"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


def at_least(severity: Severity | None) -> list[Severity] | None:
    """This severity and those above, as a parameter of queries; None: whichever."""
    return None if severity is None else list(SEVERITIES[SEVERITIES.index(severity) :])


SeriesId = Annotated[
    int, BeforeValidator(parse_id_64), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]+$"})
]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("expected who it is, or why")
    return text.strip()


Said = Annotated[Text, AfterValidator(_not_blank), WithJsonSchema({"type": "string"})]


class _Filter(Paged, Period):
    run: Text | None = Field(None, description="Run id.")
    experiment: Text | None = Field(None, description="Experiment id.")
    condition: Text | None = Field(None, description="Condition (variant) of the experiment.")
    event: Text | None = Field(
        None, description="Event name.", examples=["crucible_train.batch.stop"]
    )
    metric: Text | None = Field(None, description="What is watched.", examples=["loss"])
    model: Text | None = Field(None, description="Model that was asked or that answered.")
    detector: Text | None = Field(None, description="The method.", examples=["ewma"])
    severity: Severity | None = Field(None, description="This severity or worse.")
    series: SeriesId | None = Field(None, description="Series id: hex digits.")
    label: Text = Field(
        "", description="Empty: what was found in the stream; else the label of a scan."
    )

    def chosen(self) -> dict[str, Any]:
        """As parameters of the queries."""
        names = ("run", "experiment", "condition", "event", "metric", "model", "detector", "series")
        return {
            **{name: getattr(self, name) for name in names},
            "severities": at_least(self.severity),
            "label": self.label,
            "from_time": self.from_time,
            "to_time": self.to_time,
        }


class AnomalyFilter(_Filter):
    period: uuid.UUID | None = Field(None, description="Period of anomalies that it is part of.")


class PeriodFilter(_Filter):
    state: Literal["active", "acknowledged", "resolved", "silenced", "open"] | None = Field(
        None, description="State of the period; open: any but resolved."
    )


class CountFilter(Period):
    model_config = ConfigDict(extra="forbid")

    run: Text | None = Field(None, description="Run id.")
    experiment: Text | None = Field(None, description="Experiment id.")
    label: Text = Field(
        "", description="Empty: what was found in the stream; else the label of a scan."
    )


class StateChange(BaseModel):
    """What a person makes of a period."""

    model_config = ConfigDict(extra="forbid")

    state: State
    by: Said = Field(description="Who.", examples=["ada"])
    reason: Said = Field(description="Why.", examples=["the data loader was restarted"])


PeriodId = Annotated[uuid.UUID, Field(examples=["0b5e2a52-9c1e-4a53-8a2b-6d1c8f3e7a90"])]
WatchId = Annotated[
    Id | None, Field(description="Of what is watched as one series, stored as a series or not.")
]


class _Whose(Model):
    severity: Severity
    metric: str = Field(
        description="duration_ms, error_rate, steps_per_second or heartbeat for what is no measurement.",
        examples=["loss"],
    )
    event_name: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    model: str | None
    detector: str = Field(examples=["ewma"])
    label: str = Field(description="Empty: found in the stream; else the label of a scan.")
    watch_id: WatchId
    series_id: Id | None = Field(description="Null: it is no number of a stored series.")
    trace_id: TraceId | None
    span_id: Id | None


class Anomaly(_Whose):
    """One value that was flagged, and what was expected."""

    time: Time
    step: int | None
    value: Number = Field(
        description="What was tested: the number, or what the detector makes of it (a rate, a mean); null"
        " where the lack of a value was flagged."
    )
    expected: Number = Field(description="Before the value was seen; null: nothing is told.")
    lower: Number = Field(description="Below this it is anomalous; null: there is no such bound.")
    upper: Number = Field(description="Above this it is anomalous; null: there is no such bound.")
    score: Number = Field(
        description="Above 1 is anomalous; infinite for a value that is not finite."
    )
    starts_period: bool
    period_id: PeriodId


class AnomalyPeriod(_Whose):
    """Flags of one detector on one series that follow each other, as one thing that happened."""

    period_id: PeriodId
    state: State
    unit: str | None
    rank: int | None
    rule: str = Field(description="The rule that has it watched; empty: the registry does.")
    started_at: Time
    ended_at: Time | None = Field(description="When the series was back; null: it is not yet.")
    last_flag_at: Time
    first_step: int | None
    last_step: int | None
    first_value: Number
    flag_count: int = Field(
        description="Values that were flagged; of many only the first and the worst have a row."
    )
    peak_score: Number = Field(description="The largest score of its flags.")
    peak_at: Time | None
    peak_value: Number = Field(
        description="The value that had it, and below what was expected then."
    )
    peak_expected: Number
    peak_lower: Number
    peak_upper: Number
    state_at: Time
    state_by: str | None = Field(description="Who made it so; null: it came so by itself.")
    state_reason: str | None


class AnomalyCause(Model):
    """What else changed in the run just before."""

    metric: str
    event_name: str | None
    rank: int | None
    before: Number = Field(description="Median of what came before.")
    after: Number = Field(description="The first number that departed from it.")
    step: int | None
    time: Time
    score: float = Field(description="Their distance, in deviations of what came before.")
    says: str = Field(examples=["learning_rate went from 0.05 to 1.5 at step 811"])


class AnomalyPeriodInFull(AnomalyPeriod):
    text: str = Field(
        description="What happened, in a sentence.",
        examples=["loss was 12.3 at step 812, expected 0.52 (0.41 to 0.62)"],
    )
    flags: list[Anomaly] = Field(description="The newest of those that have a row.")
    causes: list[AnomalyCause] = Field(description="The most abrupt change first.")
    beside: list[AnomalyPeriod] = Field(
        description="Other periods of the run at that time, the nearest first."
    )


class AnomalyCount(Model):
    metric: str
    severity: Severity
    flag_count: int = Field(description="Values that were flagged and have a row.")
    period_count: int = Field(description="Periods that began.")
    score_max: Number


class Reason(Model):
    """Something that is wrong and not over."""

    period_id: PeriodId | None = Field(description="Null: the run's own status says it.")
    run_id: str | None
    severity: Severity
    metric: str | None
    detector: str | None
    since: Time
    text: str = Field(examples=["loss was not finite 41 times from step 812 on, first NaN"])
    state: State = Field(
        description="Somebody knows of what is acknowledged or silenced, and it does not count; what is "
        "resolved here lasted until the run ended, and does."
    )


class RunHealth(Model):
    run_id: str
    run_status: str
    verdict: Literal["healthy", "warning", "critical", "unknown"] = Field(
        description="unknown: nothing of it is watched."
    )
    should_stop: bool = Field(
        description="Whether it is in what no training recovers from: a loss that is not finite ten times "
        "over and not back, or one that has drifted away critically."
    )
    reasons: list[Reason] = Field(description="The newest last; at most 100.")
    checked_at: Time


class ExperimentHealth(Model):
    """Of all its runs, and of what belongs to none."""

    experiment_id: str
    verdict: Literal["healthy", "warning", "critical"]
    reasons: list[Reason] = Field(description="The newest last; at most 100.")
    checked_at: Time

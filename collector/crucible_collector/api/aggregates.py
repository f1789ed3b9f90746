"""What answers look like that stand for many rows: aggregates, and curves of which points are left out.

`models` says how they are written.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible_collector.api.models import CurvePoint, Meta, Model, Time

Interval = Annotated[
    tuple[float, float | None],
    Field(
        description="95 % interval of what sampling leaves open; of no width where all was kept. An upper end "
        "that is null: nothing that was kept bounds it.",
        examples=[[951, 1043]],
    ),
]

_PERCENTILE = (
    "Milliseconds that so many percent of the events do not exceed, within 1 %; null where `percentiles` "
    "leaves them out."
)
_STANDARD_ERROR = (
    "That sampling makes; 0 where nothing was sampled. Too large, never too small, where the group has a part "
    "of its traces' events."
)
_INTERVAL = "95 % interval of what sampling leaves open; of no width where all was kept. "
_OPEN = _INTERVAL + "An upper end that is null: nothing that was kept bounds it."
_OF_PERCENTILE = _INTERVAL + (
    "An upper end that is null: it may be beyond all that were kept. Null where `percentiles` leaves them out."
)


class EventCount(Model):
    event_name: str
    count: float = Field(description="Estimated number: stored ones weighted where sampled.")
    count_standard_error: float = Field(description="0 where nothing was sampled away.")
    count_interval: Interval
    error_count: float = Field(description="Of these, with status error; weighted likewise.")
    error_count_standard_error: float = Field(description="0 where no error was sampled away.")
    error_count_interval: Interval
    stored_count: int = Field(description="Events that are or were in the database.")
    last_time: Time
    estimated: bool = Field(
        description="Whether any of the events was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )


class EventAggregate(Model):
    """Estimates where events were sampled: each that is stored is weighted by its inclusion probability."""

    time: Time | None = Field(
        description="Start of the minute, hour or day (UTC); null: all of the period in one row."
    )
    experiment_id: str | None = Field(description="Null unless grouped by it, or of none.")
    run_id: str | None = Field(description="Null unless grouped by it, or of none.")
    event_name: str | None = Field(description="Null unless grouped by it.")
    model: str | None = Field(description="Null unless grouped by it, or of none.")
    status: Literal["unset", "ok", "error"] | None = Field(description="Null unless grouped by it.")
    count: float = Field(description="Number of events.")
    count_standard_error: float = Field(description=_STANDARD_ERROR)
    count_interval: Interval = Field(description=_INTERVAL + "Rounded outwards.")
    stored_count: int = Field(description="Events that are or were in the database.")
    error_count: float = Field(description="Of `count`, with status error.")
    error_count_standard_error: float = Field(description=_STANDARD_ERROR)
    error_count_interval: Interval = Field(description=_INTERVAL + "Rounded outwards.")
    error_rate: float | None = Field(
        description="error_count / count, from 0 to 1; null where none was kept, as is what durations are like."
    )
    error_rate_interval: Interval | None = Field(description=_INTERVAL)
    duration_total_ms: float = Field(description="Milliseconds of all events together.")
    duration_total_ms_standard_error: float = Field(description=_STANDARD_ERROR)
    duration_total_ms_interval: Interval = Field(description=_OPEN)
    duration_mean_ms: float | None = Field(description="Milliseconds.")
    duration_mean_ms_interval: Interval | None = Field(description=_OPEN)
    duration_min_ms: float | None = Field(description="Milliseconds; of those that were kept.")
    duration_max_ms: float | None = Field(description="Milliseconds; of those that were kept.")
    input_tokens: float | None = Field(description="Tokens in prompts; null where none told.")
    input_tokens_standard_error: float = Field(description=_STANDARD_ERROR)
    input_tokens_interval: Interval | None = Field(description=_OPEN)
    output_tokens: float | None = Field(description="Tokens in answers; null where none told.")
    output_tokens_standard_error: float = Field(description=_STANDARD_ERROR)
    output_tokens_interval: Interval | None = Field(description=_OPEN)
    cost_usd: float | None = Field(description="US dollars; null where none told.")
    cost_usd_standard_error: float = Field(description=_STANDARD_ERROR)
    cost_usd_interval: Interval | None = Field(description=_OPEN)
    estimated: bool = Field(
        description="Whether any of the events was sampled, or others may have been of which nothing is left."
    )
    interval_reliable: bool = Field(
        description="False where fewer than 30 traces that were sampled tell how far off it may be."
    )
    p50_ms: float | None = Field(description=_PERCENTILE)
    p50_ms_interval: Interval | None = Field(description=_OF_PERCENTILE)
    p90_ms: float | None = Field(description=_PERCENTILE)
    p90_ms_interval: Interval | None = Field(description=_OF_PERCENTILE)
    p95_ms: float | None = Field(description=_PERCENTILE)
    p95_ms_interval: Interval | None = Field(description=_OF_PERCENTILE)
    p99_ms: float | None = Field(description=_PERCENTILE)
    p99_ms_interval: Interval | None = Field(description=_OF_PERCENTILE)
    p99_9_ms: float | None = Field(description=_PERCENTILE)
    p99_9_ms_interval: Interval | None = Field(description=_OF_PERCENTILE)


class PointAggregate(Model):
    """In the unit of the series; of finite numbers up to 1e100 either way, unless it says otherwise."""

    time: Time = Field(description="Start of the minute, hour or day (UTC).")
    count: int = Field(description="Finite numbers.")
    non_finite_count: int = Field(
        description="NaN, infinities and what is beyond 1e100, not in the rest."
    )
    mean: float | None = Field(description="Null where no number was finite, like all that follow.")
    std: float | None = Field(
        description="Standard deviation (sample, n - 1), null of one number; 0 where it is below "
        "1e-7 of their size, which sums do not resolve."
    )
    min: float | None
    max: float | None
    first: float | None = Field(description="The earliest.")
    last: float | None = Field(description="The latest.")
    sum: float | None


class CurveMeta(Meta):
    """Where a curve stands."""

    downsampled: bool = Field(description="Whether points were left out: see `points_max`.")
    point_count: int | None = Field(
        description="Points that the answer stands for; null where `points_max` was not given."
    )


class Curve(Model):
    data: list[CurvePoint]
    meta: CurveMeta

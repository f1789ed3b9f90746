"""What answers look like: the source of the OpenAPI page.

PostgreSQL writes the answers' text (`store.read` says why), so these models describe and do not
build; the tests read every answer back through them, no field more and none less.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from crucible_collector.api.parameters import Reason

T = TypeVar("T")

Time = Annotated[
    str,
    Field(
        description="RFC 3339 in UTC with nine digits.",
        examples=["2026-11-23T10:00:00.123456789Z"],
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z$",
    ),
]
TraceId = Annotated[
    str, Field(pattern="^[0-9a-f]{32}$", examples=["5b8efff798038103d269b633813fc60c"])
]
Id = Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["eee19b7ec3c1b174"])]
Threshold = Annotated[
    str | None,
    Field(
        description="The rejection threshold that its probability comes from, as `th` in a tracestate: of 56 "
        "bits, in hex without the zeros at its end; 0: for certain; null where nobody sampled it.",
        pattern="^(0|[0-9a-f]{0,13}[1-9a-f])$",
        examples=["c", "fd70a3d70a3d71"],
    ),
]
Number = Annotated[
    float | Literal["NaN", "Infinity", "-Infinity"] | None,
    Field(
        description='What JSON has no number for is "NaN", "Infinity" or "-Infinity"; null where '
        "the sender recorded no value.",
        examples=[0.3125, "NaN"],
    ),
]
OriginalName = Annotated[
    str | None,
    Field(description="As sent, where the registry has another name for it; else null."),
]
Attributes = Annotated[
    dict[str, Any],
    Field(
        description="Attributes as sent. What JSON has no form for carries a mark: "
        '{"$double": "NaN"}, {"$bytes": "<base64>"}, {"$kvlist": {…}} around keys that begin with $.',
        examples=[{"crucible.run.id": "run-7", "crucible.step": 40}],
    ),
]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Meta(Model):
    """Where a list stands."""

    limit: int = Field(description="Rows that were asked for at most.")
    has_more: bool = Field(description="Whether there are rows beyond these.")
    next_cursor: str | None = Field(description="For the parameter `cursor`; null at the end.")


class Nothing(Model):
    """A single answer has nothing further to say."""


class Page(Model, Generic[T]):
    data: list[T]
    meta: Meta


class One(Model, Generic[T]):
    data: T
    meta: Nothing


class Experiment(Model):
    experiment_id: str
    name: str | None
    hypothesis: str | None
    status: Literal["running", "paused", "stopped", "archived"]
    tags: list[str]
    owner: str | None
    experiment_type: str | None = Field(examples=["ablation"])
    metadata: dict[str, Any]
    sample_size: int | None = Field(description="Runs or samples that are planned.")
    status_at: Time | None = Field(description="Since when it has its status; null: nothing told.")
    pause_count: int = Field(
        description="Pauses of its newest stretch of work, and those over REST."
    )
    pause_reason: str | None = Field(description="Null unless it is paused.")
    active_duration_ms: float | None = Field(
        description="Milliseconds that its newest stretch of work went on, pauses left out."
    )
    paused_duration_ms: float | None = Field(description="Milliseconds of pauses in it.")
    is_aborted: bool
    abort_reason: str | None
    first_seen: Time
    last_seen: Time
    run_count: int


class Run(Model):
    run_id: str
    experiment_id: str | None
    condition: str | None
    parent_run_id: str | None = Field(description="The run, a pipeline say, that it is a part of.")
    kind: Literal["training", "pipeline"] | None
    status: Literal[
        "pending", "running", "completed", "failed", "cancelled", "early_stopped", "stalled"
    ]
    model_name: str | None
    model_version: str | None
    dataset_name: str | None
    config: Any = Field(description="The training configuration as sent.")
    summary: Any = Field(description="What the run said of itself at its end.")
    service_name: str | None
    correlation_id: str | None
    trace_id: TraceId | None
    started_at: Time | None
    ended_at: Time | None
    duration_ms: float | None = Field(description="Milliseconds; null while it runs.")
    first_seen: Time
    last_seen: Time
    last_received_at: Time | None = Field(
        description="When the collector last got something of it; its own clock may differ."
    )
    stalled_at: Time | None = Field(description="Since when it counts as stalled; else null.")
    heartbeat_interval_s: float | None = Field(
        description="Seconds between its heartbeats; null: it sends none and is never called stalled."
    )
    last_step: int | None
    last_epoch: int | None
    anomaly_severity: Literal["info", "warning", "critical"] | None = Field(
        description="The worst of its periods of anomalies that are active; null: none is."
    )


class Latest(Model):
    """The newest number of one metric, whichever rank measured it."""

    metric: str = Field(examples=["loss"])
    event_name: str | None = Field(examples=["crucible_train.batch.stop"])
    rank: int | None
    unit: str | None
    series_id: Id
    step: int | None
    time: Time
    value: Number
    value_int: str | None = Field(
        description="The integer in full, where a double does not hold it exactly."
    )


class RunInFull(Run):
    latest: list[Latest]
    latest_is_complete: bool = Field(
        description="False where the run has more metrics than are listed: see its series."
    )


class Series(Model):
    series_id: Id
    source: Literal["event", "metric"] = Field(
        description="Measured by a crucible event, or an OTLP metric."
    )
    metric: str = Field(examples=["loss"])
    original_metric: OriginalName
    kind: Literal["gauge", "sum", "histogram", "exponential_histogram", "summary", "measurement"]
    number_kind: Literal["int", "double"] | None
    temporality: Literal["delta", "cumulative", "unspecified"] | None
    is_monotonic: bool | None
    unit: str | None
    description: str | None
    experiment_id: str | None
    run_id: str | None
    event_name: str | None
    rank: int | None
    attributes: Attributes
    service_name: str | None
    resource_attributes: Attributes
    scope_name: str | None
    scope_version: str | None
    first_seen: Time
    last_seen: Time


class RunSeries(Series):
    point_count: int
    non_finite_count: int = Field(description="NaN and infinities among the points.")
    value_min: float | None = Field(description="Over finite values.")
    value_max: float | None = Field(description="Over finite values.")
    last_value: Number
    last_step: int | None
    last_time: Time | None


class CurvePoint(Model):
    step: int | None
    time: Time
    value: Number
    event_name: str | None
    rank: int | None
    series_id: Id


class Point(Model):
    """A number of an OTLP gauge or sum, as sent: cumulative sums are not differenced."""

    step: int | None
    time: Time
    value: Number
    value_int: str | None = Field(
        description="The integer in full, where a double does not hold it exactly."
    )
    start_time: Time | None
    flags: int
    exemplars: list[Any]


class Distribution(Model):
    """A histogram (bounds, counts), an exponential one (scale, offsets) or a summary (quantiles)."""

    time: Time
    start_time: Time | None
    count: int
    sum: Number
    min: Number
    max: Number
    bounds: list[Number] = Field(description="Upper bounds; the quantiles of a summary.")
    counts: list[int] = Field(description="Explicit buckets, or the positive exponential ones.")
    scale: int | None
    zero_count: int | None
    zero_threshold: Number
    positive_offset: int | None
    negative_offset: int | None
    negative_counts: list[int]
    quantile_values: list[Number]
    flags: int
    exemplars: list[Any]


class Sampled(Model):
    """How it came to be kept."""

    sample_probability: float = Field(
        description="With which it was kept; a count weighs it by the inverse."
    )
    sample_threshold: Threshold
    upstream_probability: float | None = Field(
        description="With which the sender said it had kept it; null where it said none."
    )
    keep_reason: Reason | None = Field(description="Null where nobody sampled it.")


class Event(Sampled):
    """A span, or the event that its end is."""

    time: Time = Field(description="Start of the span.")
    duration_ms: float = Field(description="Milliseconds; 0 for a point event.")
    trace_id: TraceId
    span_id: Id
    parent_span_id: Id | None
    name: str = Field(examples=["crucible_train.epoch"])
    event_name: str | None = Field(examples=["crucible_train.epoch.stop"])
    original_event_name: OriginalName
    kind: str = Field(examples=["internal", "server", "client", "producer", "consumer"])
    status: str = Field(examples=["unset", "ok", "error"])
    status_message: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    correlation_id: str = Field(description="The trace id where none was set.")
    step: int | None
    epoch: int | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Number = Field(description="US dollars.")
    service_name: str | None
    scope_name: str | None
    scope_version: str | None
    attributes: Attributes
    resource_attributes: Attributes
    events: list[Any] = Field(description="The span's events, exceptions among them.")
    links: list[Any]
    trace_state: str | None
    flags: int
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int


class TraceSpan(Event):
    depth: int = Field(description="0 for a root, or a span whose parent is not in this answer.")
    child_count: int
    parent_is_missing: bool = Field(description="It names a parent that is not in this answer.")


class Log(Sampled):
    time: Time
    observed_time: Time | None
    severity_number: int = Field(description="1 to 24; 0 where the sender gave none.")
    severity_text: str | None
    body: Any
    event_name: str | None
    original_event_name: OriginalName
    trace_id: TraceId | None
    span_id: Id | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    correlation_id: str | None
    step: int | None
    epoch: int | None
    service_name: str | None
    scope_name: str | None
    scope_version: str | None
    attributes: Attributes
    resource_attributes: Attributes
    flags: int
    dropped_attributes_count: int


class Correlated(Model):
    """One entry of a timeline; of `event` and `log` the one that `type` names is there."""

    type: Literal["event", "log"]
    time: Time
    event: Event | None
    log: Log | None


class LedgerLine(Model):
    """received = stored + sampled + filtered + duplicate + rejected; what is left over should be 0."""

    signal: str = Field(examples=["spans", "data_points", "log_records"])
    received_count: int
    stored_count: int
    duplicate_count: int
    sampled_count: int = Field(description="Left out by sampling.")
    sampled_by_rule: dict[str, int] = Field(examples=[{"inferences": 4096}])
    filtered_count: int = Field(description="Left out by the settings events_allow, events_deny.")
    filtered_by_rule: dict[str, int] = Field(examples=[{"events_deny=crucible_train.batch": 512}])
    rejected_count: int
    rejected_by_reason: dict[str, int] = Field(examples=[{"invalid_trace_id": 1}])
    unaccounted_count: int


class Problem(Model):
    code: str = Field(examples=["invalid_parameter"])
    message: str = Field(examples=["limit: Input should be less than or equal to 1000"])
    details: Any = Field(
        examples=[[{"parameter": "limit", "message": "Input should be less than or equal to 1000"}]]
    )


class Failure(Model):
    """Every answer that is not 2xx."""

    error: Problem


Request = TypeVar("Request")
Report = TypeVar("Report")


class Job(Model, Generic[Request, Report]):
    """Something that goes on by itself after it was asked for."""

    job_id: str
    created_at: Time
    updated_at: Time
    finished_at: Time | None
    state: Literal["running", "completed", "failed", "cancelled"]
    progress: float = Field(description="From 0 to 1.")
    collector: str = Field(description="Which collector runs it.")
    request: Request = Field(description="As it was asked for.")
    report: Report | None = Field(description="What there is to tell so far.")
    error: str | None

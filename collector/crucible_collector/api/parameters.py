"""What a question may say: the types of path and query parameters, checked before any SQL runs.

A parameter that is not known is an error, not ignored: `?runn=7` would otherwise answer for every
run. Text with NUL is refused here because PostgreSQL has no such text.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
# Points are small (130 bytes) and a curve wants many; ten thousand take 60 ms on two cores.
POINTS_LIMIT_DEFAULT = 1000
POINTS_LIMIT_MAX = 10_000
# A whole trace is wanted at once, for its tree; at some 2 kB a span this is 20 MB of answer.
SPANS_LIMIT_MAX = 10_000
# Rows have fifty fields at most.
FIELDS_MAX = 100
# No stored name is longer than 256 bytes where it is indexed; longer ones cannot match anything.
TEXT_LENGTH_MAX = 1024

STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}
# The labels of `candidates.KeepReason`, in its order; written out for OpenAPI and the types.
Reason = Literal[
    "error",
    "anomaly",
    "slow",
    "match",
    "cost",
    "error_thinned",
    "anomaly_thinned",
    "slow_thinned",
    "quota",
    "random",
    "trace",
    "upstream",
]

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?"
    r"([Zz]|[+-]\d{2}:\d{2})?",
    re.ASCII,
)
# `+` means a space in a query string, so `…T10:00:00+02:00` arrives with one unless it was escaped.
_LOST_PLUS = re.compile(r" (\d{2}:\d{2})$")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_64 = re.compile(r"[0-9a-fA-F]{1,16}")
# The first number of each range of OTLP's SeverityNumber.
SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}


def parse_time(value: Any) -> datetime:
    """RFC 3339 or a date; without an offset UTC is meant; nanoseconds are cut to microseconds."""
    match = _TIME.fullmatch(_LOST_PLUS.sub(r"+\1", str(value)))
    if match is None:
        raise ValueError("expected a time like 2026-11-23T10:00:00Z")
    day, clock, fraction, offset = match.groups()
    if offset and not clock:
        raise ValueError("expected a time before the offset")
    text = f"{day}T{clock or '00:00'}"
    if fraction:
        text += f".{fraction[:6]:0<6}"
    try:
        parsed = datetime.fromisoformat(text + (offset or "Z").upper())
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {error}") from None


def parse_trace_id(value: Any) -> uuid.UUID:
    text = str(value)
    if not _TRACE_ID.fullmatch(text):
        raise ValueError("expected 32 hex digits, or the same as a UUID")
    return uuid.UUID(text)


def as_trace_id(text: str) -> uuid.UUID | None:
    """The trace id that a correlation id may be, or None."""
    return uuid.UUID(text) if _TRACE_ID.fullmatch(text) else None


def parse_id_64(value: Any) -> int:
    """Hex digits as the signed 64-bit integer that the database keeps."""
    text = str(value)
    if not _ID_64.fullmatch(text):
        raise ValueError("expected up to 16 hex digits")
    number = int(text, 16)
    return number - (1 << 64) if number >= 1 << 63 else number


def parse_severity(value: Any) -> int:
    text = str(value).lower()
    if text in SEVERITIES:
        return SEVERITIES[text]
    if re.fullmatch(r"\d{1,2}", text, re.ASCII) and 1 <= int(text) <= 24:
        return int(text)
    raise ValueError(f"expected 1 to 24 or one of {', '.join(SEVERITIES)}")


def id_64_text(number: int) -> str:
    """The id as answers give it."""
    return f"{number & (1 << 64) - 1:016x}"


def storable(value: str) -> str:
    """For an AfterValidator: a text that the database can hold, and no longer than names are."""
    if "\0" in value:
        raise ValueError("no stored text has a NUL in it")
    if len(value) > TEXT_LENGTH_MAX:
        raise ValueError(f"at most {TEXT_LENGTH_MAX} characters")
    return value


Text = Annotated[str, AfterValidator(storable)]
Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T10:00:00Z"]}),
]
TraceId = Annotated[
    uuid.UUID,
    BeforeValidator(parse_trace_id),
    WithJsonSchema({"type": "string", "examples": ["5b8efff798038103d269b633813fc60c"]}),
]
Severity = Annotated[
    int,
    BeforeValidator(parse_severity),
    WithJsonSchema({"type": "string", "examples": ["warn", "17"]}),
]


def parted(value: Any) -> Any:
    """For a BeforeValidator: `a,b` and `a` and `b` given one after the other mean the same."""
    given = value if isinstance(value, list) else [value]
    return [part for text in given for part in str(text).split(",") if part]


class Paged(BaseModel):
    """Where every list begins and ends, and what its rows have."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Rows in this answer.")
    cursor: Text | None = Field(
        None, description="`meta.next_cursor` of the answer before; the same filters with it."
    )
    fields: Annotated[list[Text], BeforeValidator(parted)] = Field(
        [],
        max_length=FIELDS_MAX,
        description="Only these fields of each row, in this order: several with commas, or the parameter "
        "repeated. Without it: all.",
    )


class Period(BaseModel):
    """A half-open period, to the microsecond."""

    from_time: Time | None = Field(None, alias="from", description="This time or later.")
    to_time: Time | None = Field(None, alias="to", description="Before this time.")


RunStatus = Literal[
    "pending", "running", "completed", "failed", "cancelled", "early_stopped", "stalled"
]
ExperimentStatus = Literal["running", "paused", "stopped", "archived"]


class RunFilter(Paged, Period):
    """Runs that lie in the period in whole or in part."""

    experiment: Text | None = Field(None, description="Experiment id.")
    status: Annotated[list[RunStatus], BeforeValidator(parted)] = Field(
        [],
        description="Status of the run: one of these, several with commas, or the parameter repeated.",
    )
    condition: Text | None = Field(None, description="Condition (variant) of the experiment.")
    kind: Literal["training", "pipeline"] | None = Field(None, description="What the run is.")
    model: Text | None = Field(None, description="Name of the model that it trains or runs.")
    parent: Text | None = Field(None, description="Id of the run that it is a part of.")
    prefix: Text | None = Field(None, description="Beginning of the run id.")

    def chosen(self) -> dict[str, Any]:
        """The filters as parameters of the query."""
        names = ("experiment", "condition", "kind", "model", "parent", "prefix")
        return {
            **{name: getattr(self, name) for name in names},
            "status": self.status or None,
            "from": self.from_time,
            "to": self.to_time,
        }


class ExperimentFilter(Paged):
    status: Annotated[list[ExperimentStatus], BeforeValidator(parted)] = Field(
        [],
        description="Status of the experiment: one of these, several with commas, or the parameter repeated.",
    )
    tag: Annotated[list[Text], BeforeValidator(parted)] = Field(
        [],
        max_length=FIELDS_MAX,
        description="A tag that it has: of several with commas, or the parameter repeated, all.",
    )
    owner: Text | None = Field(None, description="Whose it is.")
    prefix: Text | None = Field(None, description="Beginning of the experiment id.")
    text: Text | None = Field(
        None, description="Words that its name or its hypothesis contains, in either case."
    )

    def chosen(self) -> dict[str, Any]:
        """The filters as parameters of the query."""
        return {
            **{name: getattr(self, name) for name in ("owner", "prefix", "text")},
            "status": self.status or None,
            "tags": self.tag or None,
        }


KeepReasons = Annotated[list[Reason], BeforeValidator(parted)]
_KEPT_BECAUSE: Any = Field(
    [],
    description="Why sampling kept it: one of these, several with commas, or the parameter repeated.",
    examples=[["error", "slow"]],
)


def reasons(wanted: list[Reason]) -> dict[str, Any]:
    """As parameters of a query: one by itself, which an index gives in order of time."""
    return {
        "reason": wanted[0] if len(wanted) == 1 else None,
        "reasons": wanted if len(wanted) > 1 else None,
    }


class EventFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id.")
    run: Text | None = Field(None, description="Run id.")
    event: Text | None = Field(
        None, description="Event name.", examples=["crucible_train.epoch.stop"]
    )
    correlation: Text | None = Field(None, description="Correlation id, as it was set.")
    trace: TraceId | None = Field(None, description="Trace id.")
    status: Literal["unset", "ok", "error"] | None = Field(None, description="Span status.")
    keep_reason: KeepReasons = _KEPT_BECAUSE


class EventCountFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id.")
    run: Text | None = Field(None, description="Run id.")


Group = Literal["experiment", "run", "event", "model", "status"]


class EventAggregateFilter(Paged, Period):
    interval: Literal["1m", "5m", "15m", "1h", "6h", "1d", "none"] = Field(
        "none",
        description="A row for each minute, hour, day or so (UTC), or one for all of the period.",
    )
    group_by: Annotated[list[Group], BeforeValidator(parted)] = Field(
        [],
        description="A row for each of these, too: several with commas, or the parameter repeated.",
        examples=[["event", "model"]],
    )
    experiment: Text | None = Field(None, description="Experiment id, as the events name it.")
    run: Text | None = Field(None, description="Run id.")
    event: Text | None = Field(
        None, description="Event name.", examples=["crucible_train.epoch.stop"]
    )
    model: Text | None = Field(None, description="Model that was asked or that answered.")
    status: Literal["unset", "ok", "error"] | None = Field(None, description="Span status.")
    percentiles: bool | None = Field(
        None,
        description="Percentiles of durations. Without it: where roll-ups answer, that is unless a run or "
        "less than an hour is asked for; those read every event of the period.",
    )

    @property
    def is_of_one_event(self) -> bool:
        """Whether each row is about one event."""
        return self.event is not None or "event" in self.group_by

    @property
    def is_one_row(self) -> bool:
        """Whether all of the period is asked for in one row."""
        return self.interval == "none" and not self.group_by

    def chosen(self) -> dict[str, Any]:
        """The filters as parameters of queries of spans and their roll-ups."""
        return {
            "experiment": self.experiment,
            "story": None,
            "run": self.run,
            "event": self.event,
            "model": self.model,
            "status": STATUS_CODES[self.status] if self.status else None,
        }


class PointAggregateFilter(Paged, Period):
    interval: Literal["1m", "5m", "15m", "1h", "6h", "1d"] = Field(
        "1h", description="A row for each minute, hour, day or so (UTC)."
    )


class LogFilter(Paged, Period):
    experiment: Text | None = Field(None, description="Experiment id.")
    run: Text | None = Field(None, description="Run id.")
    trace: TraceId | None = Field(None, description="Trace id.")
    severity: Severity | None = Field(None, description="This severity or worse.")
    keep_reason: KeepReasons = _KEPT_BECAUSE


class TraceFilter(Paged, Period):
    limit: int = Field(LIMIT_MAX, ge=1, le=SPANS_LIMIT_MAX, description="Spans in this answer.")


class TimelineFilter(Paged, Period):
    """No more than a page and a period."""


class SeriesFilter(Paged):
    metric: Text | None = Field(None, description="Name of the metric.")
    service: Text | None = Field(None, description="`service.name` of the resource.")
    run: Text | None = Field(None, description="Run id.")
    source: Literal["event", "metric"] | None = Field(
        None, description="Measurement of an event, or OTLP metric."
    )


class PointFilter(Paged, Period):
    limit: int = Field(
        POINTS_LIMIT_DEFAULT, ge=1, le=POINTS_LIMIT_MAX, description="Points in this answer."
    )


class CurveFilter(PointFilter):
    event: Text | None = Field(None, description="Only as measured by this event.")
    rank: int | None = Field(None, ge=0, lt=1 << 63, description="Only this rank.")
    from_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="First step.")
    to_step: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="Before this step.")
    points_max: int | None = Field(
        None,
        ge=2,
        le=POINTS_LIMIT_MAX,
        description="At most so many points, of all that match, in one answer: where there are more, those "
        "that draw the same curve (first, last, and of each stretch the least, the largest and the first "
        "that is no number). Without cursor; `limit` does not apply.",
    )

    @model_validator(mode="after")
    def _all_at_once(self) -> CurveFilter:
        if self.points_max is not None and self.cursor is not None:
            raise ValueError("points_max answers at once: it takes no cursor")
        return self

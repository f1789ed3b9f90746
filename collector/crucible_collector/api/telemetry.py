"""What events look like that are posted, and what is answered; `receive.events_bridge` makes OTLP of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from crucible_collector.api.models import Model


class TelemetryEvent(BaseModel):
    """One event. What else stands beside these fields is read as metadata."""

    model_config = ConfigDict(extra="allow")

    event_name: str | list[str] = Field(
        examples=[["crucible_train", "epoch", "stop"], "crucible_train.epoch.stop"]
    )
    measurements: dict[str, Any] = Field(
        default_factory=dict, examples=[{"duration": 5_000_000, "loss": 0.25}]
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, examples=[{"run_id": "run-7", "epoch": 3}]
    )
    timestamp: int | float | str | None = Field(
        None,
        description="Microseconds since 1970 (s, ms and ns are told by their magnitude) or ISO 8601; "
        "without one it is the time of receipt.",
        examples=[1_795_428_000_000_000],
    )
    source: dict[str, Any] | str | None = Field(
        None, examples=[{"service": "trainer", "version": "1.2", "host": "node-3", "pid": 17}]
    )


class EventProblem(Model):
    index: int = Field(description="Of the event in the request, from 0.")
    code: str = Field(examples=["invalid_duration", "time_out_of_range"])
    message: str = Field(examples=['duration: "fast" is no duration'])


class TakenEvents(Model):
    accepted: int = Field(description="Events that are on disk and will be stored.")
    rejected: int = Field(description="Events that will not be.")
    errors: list[EventProblem] = Field(description="Why, for the first hundred of those.")

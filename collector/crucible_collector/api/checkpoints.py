"""What a checkpoint is told as."""

from __future__ import annotations

from pydantic import Field

from crucible_collector.api.models import Id, Model, Number, Time, TraceId


class Checkpoint(Model):
    """One `crucible_train.checkpoint.saved`."""

    time: Time
    duration_ms: float = Field(
        description="Milliseconds that saving took; 0 where nobody measured it."
    )
    trace_id: TraceId
    span_id: Id
    step: int | None
    epoch: int | None
    path: str | None = Field(description="Where it lies, as the run said.", examples=["mlp-7.pt"])
    name: str | None
    kind: str | None = Field(description="What can be done with it.", examples=["state"])
    model_size_bytes: Number
    metrics: dict[str, Number] = Field(
        description="What was measured with it.", examples=[{"accuracy": 0.97}]
    )
    is_error: bool
    sample_probability: float

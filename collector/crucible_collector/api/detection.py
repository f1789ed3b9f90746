"""What answers about the settings of detection look like: what is in force, and what is watched by it.

`models` says how they are written.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible_collector.api.models import Model, Time

_AS_PUT = "As `PUT /anomalies/settings` takes them, with every default. Secrets are in none of it."
_EXAMPLE: dict[str, Any] = {"enabled": True, "series_max": 200000, "rules": [], "webhooks": []}

SourceName = Literal["point", "span", "duration", "status", "step", "metric"]


class DetectionVersion(Model):
    """Settings that are, or were, in force for every collector of the database."""

    version: int = Field(description="Rises with every change.")
    origin: Literal["file", "api"] = Field(
        description="file: the settings of a collector; api: `PUT /anomalies/settings`."
    )
    changed_at: Time
    changed_by: str = Field(
        description="Who, as they said; of a file the collector's host and data directory."
    )
    reason: str
    settings: dict[str, Any] = Field(description=_AS_PUT, examples=[_EXAMPLE])


class CollectorDetection(Model):
    """This collector's part. Counts are since its start."""

    version: int = Field(
        description="By which it works: a change arrives within seconds. 0: none yet."
    )
    series_count: int = Field(description="Series that are remembered.")
    memory_bytes: int = Field(description="What these take.")
    evicted_count: int = Field(description="Series that were let go to stay within bounds.")
    value_count: int = Field(description="Numbers that were looked at.")
    late_count: int = Field(description="Of these, older than the newest of their series.")
    unstored_count: int = Field(
        description="Beginnings and ends of periods beyond what a window stores."
    )


class DetectionSettings(Model):
    """The settings in force, and how they are doing here."""

    version: int = Field(description="0: nobody made any, and the registry says what is watched.")
    origin: Literal["file", "api"] | None
    changed_at: Time | None
    changed_by: str
    reason: str
    settings: dict[str, Any] = Field(description=_AS_PUT, examples=[_EXAMPLE])
    collector: CollectorDetection | None = Field(
        description="Null where this process stores nothing itself."
    )


class WatchedSubject(Model):
    """One way in which a number of an event, or an OTLP metric, is watched."""

    source: SourceName = Field(
        description="point: a curve of a run; span: a measurement that stays on its span; duration, "
        "status: of an event; step: the steps of a training; metric: an OTLP metric."
    )
    event: str | None = Field(description="Null for OTLP metrics.")
    metric: str = Field(examples=["loss"])
    rule: str | None = Field(
        description="The rule that says so; null: the registry. Rules stand in their order, and the "
        "first that fits decides."
    )
    when: dict[str, Any] = Field(
        description="What else a number must be so that the rule fits; empty: nothing.",
        examples=[{"runs": ["run-7"]}],
    )
    is_watched: bool
    watch_class: str | None = Field(description="Null where it is not watched; so is what follows.")
    detectors: list[str] | None
    scale: Literal["linear", "log"] | None
    direction: Literal["up", "down", "both"] | None
    sensitivity: float | None
    severity_min: Literal["info", "warning", "critical"] | None
    is_silenced: bool | None
    samples_more: bool | None
    webhooks: list[str] | None = Field(description="Who is alerted, by name.")


class Watching(Model):
    """What is watched by the settings in force."""

    version: int
    watches: list[WatchedSubject]

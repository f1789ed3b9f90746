"""What an archive is asked for by, and what is answered of one."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crucible_collector.api.models import Model, Time
from crucible_collector.api.parameters import Text
from crucible_collector.api.parameters import Time as AskedTime

Relation = Literal["spans", "points", "histograms", "logs", "anomalies"]


class ArchiveRequest(BaseModel):
    """The body of `POST /archives`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: Text | None = Field(None, description="Only what is of this experiment.")
    from_time: AskedTime | None = Field(None, alias="from", description="Rows of then or later.")
    to_time: AskedTime | None = Field(None, alias="to", description="And before this.")
    relations: tuple[Relation, ...] = Field((), description="Only rows of these; default: of all.")
    drop: bool = Field(
        False, description="Then drop the rows; roll-ups keep what they have of them."
    )

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not (self.experiment or self.from_time or self.to_time or self.relations):
            raise ValueError("expected one of experiment, from, to and relations at least")
        if self.from_time and self.to_time and self.from_time >= self.to_time:
            raise ValueError("expected `from` before `to`")
        return self


class Archived(Model):
    """What of the store is in an archive, as it was asked for."""

    experiment: str | None = None
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    relations: list[Relation]


class ArchiveJob(Model):
    """What last went on with it in a running collector."""

    job_id: str
    kind: Literal["archive", "restore"]
    state: Literal["running", "completed", "failed", "cancelled"]
    progress: float = Field(description="From 0 to 1.")
    error: str | None


class Archive(Model):
    """Rows that were put away as Parquet files."""

    archive_id: str
    created_at: Time
    updated_at: Time
    written_at: Time | None = Field(
        description="When its manifest was written; null: it is none yet."
    )
    verified_at: Time | None = Field(
        description="When all of it was last read back and found right."
    )
    dropped_at: Time | None
    restored_at: Time | None
    state: Literal[
        "writing", "written", "verified", "dropping", "dropped", "restoring", "restored", "failed"
    ]
    error: str | None = Field(description="Why it stopped where it is.")
    asked_by: str = Field(description="The API key's name; empty: none.")
    url: str = Field(description="Where its folder, which is named as its id, lies.")
    is_own: bool = Field(description="Whether it was made from this database.")
    request: Archived
    manifest_sha256: str | None
    file_count: int
    row_count: int
    byte_count: int
    dropped_count: int | None = Field(description="Rows that were dropped here; null: none were.")
    restored_count: int | None = Field(description="Rows that were missing and came back.")
    row_counts: dict[str, int] = Field(description="By relation, what rows refer to included.")
    job: ArchiveJob | None = Field(description="Null where only commands worked on it.")


def told(asked: ArchiveRequest) -> dict[str, Any]:
    """As it was asked, as JSON."""
    return asked.model_dump(mode="json", by_alias=True, exclude_defaults=True)

"""What can be asked of exports, and what is told of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from crucible_collector.api.models import Job, Model
from crucible_collector.api.parameters import Severity, Text, Time

ExportOf = Literal["events", "traces", "points", "logs", "anomalies", "runs", "summary"]
ExportFormat = Literal["csv", "jsonl", "parquet", "arrow"]
Hidden = Literal["users", "texts"]

OFS: tuple[ExportOf, ...] = get_args(ExportOf)
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
PATTERNS_MAX = 100
FIELDS_MAX = 1000
# Below this a key could be guessed, and with it who is behind a hash.
KEY_LENGTH_MIN = 8

_Patterns = Annotated[list[Text], Field(max_length=PATTERNS_MAX)]


class Anonymise(BaseModel):
    """What does not leave as it is: names of columns and attributes, at any depth, with * and ?."""

    model_config = ConfigDict(extra="forbid")

    drop: _Patterns = Field([], description="Left out.", examples=[["gen_ai.prompt*"]])
    hash: _Patterns = Field(
        [],
        description="In place of each value its HMAC-SHA-256, so that equal ones stay equal.",
        examples=[["tenant.*"]],
    )
    presets: list[Hidden] = Field(
        [],
        max_length=2,
        description="users: ids of users and sessions are hashed, names and addresses dropped. texts: what was"
        " said to models and by them is dropped, bodies of logs and messages of errors, too.",
    )
    key: SecretStr | None = Field(
        None,
        min_length=KEY_LENGTH_MIN,
        max_length=1024,
        description="Of the hashes, for exports that are to be joined; kept nowhere. Default: a random one.",
    )


class ExportRequest(BaseModel):
    """What is to be taken away, and as what."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    of: ExportOf = Field(
        description="traces: all events of each trace that has one of those asked for."
    )
    format: ExportFormat = Field("parquet", description="arrow: an Arrow IPC file.")
    experiment: Text | None = Field(None, description="Experiment id.")
    run: Text | None = Field(None, description="Run id.")
    condition: Text | None = Field(None, description="Condition (variant) of the experiment.")
    event: Text | None = Field(None, description="Event name.")
    model: Text | None = Field(None, description="Model that was asked, or that a run trains.")
    metric: Text | None = Field(None, description="Name of the metric, of points and anomalies.")
    status: Text | None = Field(None, description="unset, ok or error of events; a run's own.")
    severity: Severity | None = Field(None, description="This severity of logs or worse.")
    from_time: Time | None = Field(
        None, alias="from", description="This time or later; of runs, when they were first seen."
    )
    to_time: Time | None = Field(None, alias="to", description="Before this time.")
    fields: list[Text] | None = Field(
        None,
        min_length=1,
        max_length=FIELDS_MAX,
        description="Columns, in this order; default: all. One of an attribute is named attributes.<key>.",
    )
    attributes: Literal["json", "columns"] | None = Field(
        None,
        description="json: one column of JSON; columns: one for each key of any row, a.b for nested ones."
        " Default: columns for CSV, else json.",
    )
    partition: bool = Field(
        False,
        description="Parquet in directories experiment_id=…/day=…, as Hive has them; else one file.",
    )
    anonymise: Anonymise = Field(default_factory=lambda: Anonymise.model_validate({}))

    @model_validator(mode="after")
    def _fits(self) -> ExportRequest:
        if self.partition and self.format != "parquet":
            raise ValueError("partition is for parquet")
        if self.fields is not None and len(set(self.fields)) < len(self.fields):
            raise ValueError("fields names a column twice")
        return self

    @property
    def wants_columns(self) -> bool:
        """Whether attributes are to have columns of their own."""
        return (self.attributes or ("columns" if self.format == "csv" else "json")) == "columns"

    def told(self) -> Mapping[str, Any]:
        """What was asked, for people; the key of hashes is not in it."""
        asked = self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"anonymise": {"key"}}
        )
        asked = {"of": self.of, "format": self.format} | asked
        if not asked.get("anonymise", True):
            del asked["anonymise"]
        return asked


class ExportedFile(Model):
    name: str = Field(description="As GET …/files/{name} takes it, its own % escaped again.")
    byte_count: int
    row_count: int


class ExportReport(Model):
    """How far an export is, or what it came to."""

    row_count: int
    row_count_estimated: int = Field(description="As the database guessed before it began.")
    byte_count: int
    columns: list[str] = Field(description="Of each file; those of partitions are in the paths.")
    columns_left_out_count: int = Field(
        description="Keys of attributes that were more than there may be columns: in …_rest, as JSON."
    )
    files: list[ExportedFile] = Field(description="The first thousand; none until it is done.")
    file_count: int
    hash_key: Literal["given", "random"] | None = Field(
        description="Which key hashes were made with; null where nothing was hashed."
    )
    as_of: str | None = Field(description="What was stored later is not in it.")


Export = Job[dict[str, Any], ExportReport]


def as_of_now() -> str:
    """The moment, as RFC 3339."""
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")

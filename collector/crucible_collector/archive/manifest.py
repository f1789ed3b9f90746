"""What is in an archive, as `manifest.json` beside its files: the last thing to be written.

Whoever reads one that came from elsewhere believes nothing of it that is not of its form: paths lead
nowhere else, relations and columns are names.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crucible_collector.archive.destination import Destination
from crucible_collector.errors import ArchiveError
from crucible_collector.store.archives.slices import KEYS
from crucible_collector.store.partitions import RELATIONS

NAME = "manifest.json"
FORMAT: Literal["crucible-archive/1"] = "crucible-archive/1"
_SHA256 = r"^[0-9a-f]{64}$"
_PATH = re.compile(r"(\w+)/(day=\d{4}-\d\d-\d\d/)?[\w-]+\.parquet")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Part):
    name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    type: str


class Sampling(_Part):
    """Of rows that stand for others: `weight_sum` estimates how many there were."""

    sampled_row_count: int
    probability_min: float
    probability_max: float
    weight_sum: float


class File(_Part):
    """One file; its rows by time lie in [from_time, to_time)."""

    path: str
    relation: Literal[
        "spans", "points", "histograms", "logs", "anomalies",
        "anomaly_periods", "experiments", "runs", "series", "resources", "scopes",
    ]  # fmt: skip
    row_count: int = Field(ge=0)
    byte_count: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)
    content_sha256: str = Field(pattern=_SHA256)
    columns: list[Column]
    first_time: dt.datetime | None
    last_time: dt.datetime | None
    from_time: dt.datetime | None
    to_time: dt.datetime | None
    sampling: Sampling | None


class Manifest(_Part):
    """All of an archive."""

    format: Literal["crucible-archive/1"] = FORMAT
    archive_id: uuid.UUID
    created_at: dt.datetime
    collector_version: str
    schema_version: str = Field(description="The newest migration of the store it was made from.")
    asked: dict[str, Any]
    row_counts: dict[str, int]
    sampling: dict[str, Sampling]
    files: list[File]

    def text(self) -> bytes:
        """As it is written."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest as it lies there."""

    manifest: Manifest
    sha256: str


def read(destination: Destination) -> Read:
    """The manifest of an archive; ArchiveError where there is none, or none that can be believed."""
    try:
        text = destination.read(NAME)
    except FileNotFoundError:
        raise ArchiveError(
            f"{destination.url}/{destination.archive_id} has no {NAME}: there is no such archive, or it"
            " was never finished"
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArchiveError(f"{NAME} cannot be read: {where}: {first['msg']}") from None
    if manifest.archive_id != destination.archive_id:
        raise ArchiveError(f"{NAME} is that of another archive, {manifest.archive_id}")
    for file in manifest.files:
        _check(file)
    return Read(manifest, hashlib.sha256(text).hexdigest())


def _check(file: File) -> None:
    match = _PATH.fullmatch(file.path)
    if match is None or match[1] != file.relation:
        raise ArchiveError(f"{NAME} names a file {file.path!r}, which is none of an archive's")
    has_times = file.from_time is not None and file.to_time is not None
    if has_times != (file.relation in RELATIONS) or has_times == (file.relation in KEYS):
        raise ArchiveError(f"{NAME} says nothing, or too much, of the times of {file.path}")


def sampling_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Sampling]:
    """What is known of sampling, by relation, over its files."""
    found: dict[str, list[Sampling]] = {}
    for entry in entries:
        if entry["sampling"] is not None:
            one = Sampling.model_validate(entry["sampling"])
            found.setdefault(entry["relation"], []).append(one)
    return {
        relation: Sampling(
            sampled_row_count=sum(each.sampled_row_count for each in some),
            probability_min=min(each.probability_min for each in some),
            probability_max=max(each.probability_max for each in some),
            weight_sum=math.fsum(each.weight_sum for each in some),
        )
        for relation, some in found.items()
    }

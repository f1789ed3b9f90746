"""What is said of an experiment over REST, and what its course looks like."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from crucible_collector.api.models import Experiment, Model, Time
from crucible_collector.api.paging import is_storable

# As what is sent may have it: longer ones could not be indexed.
ID_BYTES_MAX = 256
WORDS_MAX = 1024
PROSE_MAX = 16_384
TAGS_MAX = 100


def _storable(value: str) -> str:
    if not is_storable(value):
        raise ValueError("no stored text has a NUL or half a surrogate pair in it")
    return value


def _id(value: str) -> str:
    if len(_storable(value).encode()) > ID_BYTES_MAX:
        raise ValueError(f"at most {ID_BYTES_MAX} bytes")
    return value


def _map(value: dict[str, Any]) -> dict[str, Any]:
    """Without what jsonb cannot hold."""
    left: list[Any] = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str):
            _storable(each)
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError("no number in it is larger than a double can hold")
    return value


Words = Annotated[str, Field(max_length=WORDS_MAX), AfterValidator(_storable)]
Prose = Annotated[str, Field(max_length=PROSE_MAX), AfterValidator(_storable)]
Map = Annotated[dict[str, Any], AfterValidator(_map)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Description(_Said):
    """What changes of an experiment; what is not named stays, and null takes it out."""

    name: Words | None = None
    hypothesis: Prose | None = None
    tags: list[Words] | None = Field(None, max_length=TAGS_MAX)
    owner: Words | None = None
    experiment_type: Words | None = Field(None, examples=["ablation"])
    sample_size: int | None = Field(
        None, ge=1, lt=1 << 63, description="Runs or samples that are planned."
    )
    metadata: Map | None = Field(
        None,
        description="Merged into what there is by the names in it: null takes one out.",
        examples=[{"ticket": "ML-7", "draft": None}],
    )


class NewExperiment(Description):
    """An experiment ahead of its first run."""

    experiment_id: (
        Annotated[str, Field(min_length=1, max_length=ID_BYTES_MAX), AfterValidator(_id)] | None
    ) = Field(
        None,
        description="As its runs will name it (crucible.experiment.id); without it one is made up.",
        examples=["digits-sweep"],
    )
    name: Annotated[str, Field(min_length=1, max_length=WORDS_MAX), AfterValidator(_storable)] = (
        Field(examples=["Learning rates on digits"])
    )


class Reason(_Said):
    """Why."""

    reason: Words | None = Field(None, examples=["the cluster is needed for something else"])


class ConditionOfExperiment(Model):
    condition: str | None
    run_count: int
    running_count: int
    completed_count: int
    failed_count: int = Field(description="Failed, cancelled or stalled.")
    first_seen: Time
    last_seen: Time


class Course(Model):
    """From the first that was heard of it to the last."""

    wall_clock_duration_ms: float = Field(description="Milliseconds.")
    active_duration_ms: float = Field(description="Milliseconds of these outside pauses.")
    paused_duration_ms: float = Field(
        description="Milliseconds of pauses: those over REST, and of its newest stretch of work."
    )
    runs_by_status: dict[str, int] = Field(examples=[{"completed": 5, "running": 1}])


class ExperimentInFull(Experiment):
    course: Course
    conditions: list[ConditionOfExperiment]
    conditions_are_complete: bool = Field(description="False where there are more than are listed.")

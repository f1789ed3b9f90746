"""A story to carry elsewhere: into a thread, a request, another process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import crucible_telemetry as crucible


@contextlib.contextmanager
def story(condition: str = "lr = 1e-3, é+;%") -> Iterator[dict[str, str]]:
    """A carrier from inside a stage of a pipeline of an experiment."""
    with crucible.experiment("sweep", condition=condition, correlation_id="job 7"):
        with crucible.pipeline("p", run_id="outer") as pipeline, pipeline.stage("train"):
            yield crucible.current_context()

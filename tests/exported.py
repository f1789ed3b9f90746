"""What tests of exports have in common: a store with one of everything, and exports of it to files."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crucible_collector.api.exports import ExportRequest
from crucible_collector.export.kinds import KINDS
from crucible_collector.export.outputs import OneFile, Partitions
from crucible_collector.export.run import run
from crucible_collector.jobs import Report
from stored import Stored, at

TEXT = 'a "b", c\nd\\é\t=1+1'
OTHER_TRACE = uuid.UUID(int=7)


def fill(dsn: str) -> None:
    """Two runs of an experiment and one of none, what they measured, said and were flagged for."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        stored = Stored(conn)
        stored.resource(attributes={"service.name": "trainer", "host.name": "h1"})
        conn.execute(
            "insert into crucible.scopes (scope_id, first_seen, name, version)"
            " values (12, now(), 'sdk', '1')"
        )
        stored.experiment("sweep/ä", name="Sweep")
        for number, status in ((1, "completed"), (2, "failed")):
            stored.run(
                f"run-{number}",
                experiment_id="sweep/ä",
                condition=f"c{number}",
                status=status,
                started_at=at(0),
                ended_at=at(90),
                config={"lr": 0.1, "layers": {"count": number}},
            )
        stored.run("run-3")
        _fill_spans(stored)
        for series_id, run in ((1, "run-1"), (2, "run-2")):
            stored.series(series_id, "loss", run_id=run, event_name="crucible_train.batch.stop")
            stored.points(series_id, [1.0, math.nan, 0.25])
        stored.point(1, time=at(86_400), time_ns_rest=7, step=9, value=-math.inf, value_int=2**62)
        stored.log(run_id="run-1", severity_number=17, body='"it failed"', trace_id=OTHER_TRACE)
        stored.log(run_id="run-3", severity_number=9, sample_probability=0.5)
        period = stored.period(1, run_id="run-1")
        stored.anomaly(period, run_id="run-1", experiment_id="sweep/ä", value=math.nan)


def _fill_spans(stored: Stored) -> None:
    stored.span(
        span_id=-1,
        time_ns_rest=789,
        duration_ns=1_234_567,
        run_id="run-1",
        event_name="ask",
        name=TEXT,
        status_code=2,
        cost_usd=0.1,
        input_tokens=3,
        model="m1",
        sample_probability=0.25,
        sample_threshold=3 << 54,
        keep_reason="random",
        attributes={
            "user.id": "ada",
            "gen_ai.prompt": "hello",
            "n": 1,
            "nested": {"deep": {"x": 0.5}, "on": True},
            "list": [1, "a"],
            "loss": {"$double": "NaN"},
        },
        events=[{"name": "exception", "attributes": {"exception.message": "no", "user.id": "ada"}}],
    )
    stored.span(
        span_id=2, time=at(1), run_id="run-2", event_name="ask", attributes={"n": 1.5, "late": "x"}
    )
    stored.span(span_id=3, time=at(86_400), run_id="run-2", trace_id=OTHER_TRACE, model="m2")
    stored.span(span_id=4, time=at(2), event_name="alone", attributes={"n": 2, "user.id": "ada"})


@pytest.fixture
def filled(database: str) -> str:
    """The DSN of a database with all that, on each kind of server in turn."""
    fill(database)
    return database


@pytest.fixture
def filled_plain(plain_database: str) -> str:
    fill(plain_database)
    return plain_database


def ignored(share: float, report: Report | None = None) -> None:
    """A jobs.Progress that nobody follows."""


def exported(dsn: str, path: Path, **asked: Any) -> Report:
    """Export to a file, or with `partition` to a directory."""
    request = ExportRequest.model_validate({"format": path.suffix[1:] or "parquet", **asked})
    if request.partition:
        day_of = KINDS[request.of].day_of
        return run(dsn, request, lambda shown: Partitions(path, shown, day_of), ignored)
    with path.open("wb") as file:
        return run(
            dsn,
            request,
            lambda shown: OneFile(file, request.format, shown, path.name, is_stream=False),
            ignored,
        )

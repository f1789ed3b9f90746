"""Kedro's hooks, in a real session of a project made here, under each of its runners."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import ITS_OWN_WARNINGS, adapter, library, only
from sdk.receivers import http_receiver, plain

library("kedro")
runners = library("kedro.runner")
kedro_session = library("kedro.framework.session")
startup = library("kedro.framework.startup")
project = library("kedro.framework.project")
adapted = adapter("kedro")

pytestmark = ITS_OWN_WARNINGS

PIPELINES = """
    from kedro.pipeline import Pipeline, node
    import crucible_telemetry as crucible

    def tokenise(text, minimum):
        return [word for word in text.split() if len(word) >= minimum]

    def count(words):
        with crucible.training(model_name="counter") as training:
            training.log(final_loss=0.0)
        return len(words)

    def explode(words):
        raise ValueError("boom")

    def register_pipelines():
        tokens = node(tokenise, ["params:text", "params:minimum"], "words", name="tokenise")
        counted = node(count, "words", "total", name="count")
        fails = node(explode, "words", "nothing", name="explode")
        return {
            "__default__": Pipeline([counted, tokens]),
            "failing": Pipeline([tokens, fails]),
        }
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a Kedro project; its package goes with the test."""
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "src")])
    files = {
        "pyproject.toml": """
            [tool.kedro]
            project_name = "words"
            package_name = "words"
            kedro_init_version = "1.0.0"
            source_dir = "src"
        """,
        "src/words/__init__.py": "",
        "src/words/settings.py": "",
        "src/words/pipeline_registry.py": PIPELINES,
        "conf/base/parameters.yml": "text: to be or not to be\nminimum: 3",
        "conf/base/catalog.yml": "{}",
        "conf/local/.keep": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(content))
    startup.bootstrap_project(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "words"]:
        del sys.modules[name]


def run(path: Path, runner: str = "SequentialRunner", **options: Any) -> Captured:
    with capture() as captured, kedro_session.KedroSession.create(path) as session:
        instrument(instrument(session, allowed_options=["params:minimum"]))
        session.run(runner=getattr(runners, runner)(), **options)
    return captured


@pytest.mark.parametrize("runner", ["SequentialRunner", "ThreadRunner"])
def test_a_run_is_a_pipeline_and_its_nodes_are_stages(path: Path, runner: str) -> None:
    captured = run(path, runner)
    stop = only(captured, "crucible_framework.pipeline.stop")
    assert stop.attributes["crucible.status"] == "completed"
    assert stop.attributes["crucible.pipeline.id"] == "__default__"
    stages = captured.named("crucible_framework.stage.stop")
    assert [
        (stage.attributes["crucible.stage.name"], stage.attributes["crucible.stage.index"])
        for stage in stages
    ] == [("tokenise", 0), ("count", 1)]
    for stage in stages:
        assert stage.span.context.trace_id == stop.span.context.trace_id
        assert stage.span.parent is not None
        assert stage.span.parent.span_id == stop.span.context.span_id
    assert faults.counts() == {}


def test_what_a_node_trains_is_part_of_the_run(path: Path) -> None:
    captured = run(path)
    stop = only(captured, "crucible_framework.pipeline.stop")
    training = only(captured, "crucible_train.training.stop")
    assert training.attributes["crucible.run.parent_id"] == stop.attributes["crucible.run.id"]


def test_only_the_parameters_that_are_allowed_are_sent(path: Path) -> None:
    starts = run(path).named("crucible_framework.stage.start")
    assert starts[0].attributes["crucible.stage.options"] == '{"params:minimum":3}'
    assert not any("to be" in str(start.attributes) for start in starts)


def test_a_failed_node_fails_the_pipeline_and_says_so(path: Path) -> None:
    with capture() as captured, pytest.raises(ValueError, match="boom"):
        with kedro_session.KedroSession.create(path) as session:
            instrument(session).run(pipeline_name="failing")
    failed = only(captured, "crucible_framework.pipeline.exception")
    assert failed.attributes["crucible.pipeline.failed_stage"] == "explode"
    assert failed.attributes["crucible.error.reason"] == "boom"
    assert only(captured, "crucible_framework.stage.exception")


SETTINGS = """
import os
import crucible_telemetry as crucible
from crucible_telemetry.integrations.kedro import CrucibleHooks

crucible.configure(endpoint=os.environ["ENDPOINT"], protocol="http/protobuf", spool_dir="")
HOOKS = (CrucibleHooks(),)
"""

PARALLEL = """
import sys
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import ParallelRunner

bootstrap_project(Path(sys.argv[1]))
with KedroSession.create(sys.argv[1]) as session:
    session.run(runner=ParallelRunner())
"""


def test_nodes_in_processes_of_their_own_are_stages_of_the_same_pipeline(path: Path) -> None:
    (path / "src/words/settings.py").write_text(SETTINGS)
    with http_receiver() as received:
        environment = {"ENDPOINT": f"http://{received.address}", "KEDRO_MP_CONTEXT": "fork"}
        subprocess.run(
            [sys.executable, "-c", PARALLEL, str(path)],
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
            timeout=60,
        )
    told = {span.name: span for span in received.spans}
    pipeline = told["crucible_framework.pipeline"]
    stages = [span for span in received.spans if span.name == "crucible_framework.stage"]
    named = {plain(stage.attributes)["crucible.stage.name"]: stage for stage in stages}
    assert {
        name: plain(stage.attributes)["crucible.stage.index"] for name, stage in named.items()
    } == {"tokenise": 0, "count": 1}
    for stage in stages:
        assert stage.trace_id == pipeline.trace_id
        assert stage.parent_span_id == pipeline.span_id
    training = plain(told["crucible_train.training"].attributes)
    run_id = plain(pipeline.attributes)["crucible.run.id"]
    assert training["crucible.run.parent_id"] == run_id


def test_a_run_belongs_to_the_experiment_around_it(path: Path) -> None:
    with capture() as captured, crucible.experiment("words"):
        with kedro_session.KedroSession.create(path) as session:
            instrument(session).run()
    stop = only(captured, "crucible_framework.pipeline.stop")
    assert stop.attributes["crucible.experiment.id"] == "words"

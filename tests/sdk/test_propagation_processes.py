"""The story across threads, tasks and processes: pools, forks and those that are started."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import capture
from sdk import pooled
from sdk.carried import story
from sdk.registered import only
from sdk.staged import PIPELINE, STAGE


def test_a_function_that_is_carried_belongs_here_in_every_thread_at_a_time() -> None:
    both = threading.Barrier(3)

    def work(index: int) -> str:
        with crucible.stage(f"part {index}"):
            both.wait(10)
            return crucible.current_pipeline().run_id

    with capture() as captured, crucible.pipeline("p", run_id="outer"):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            assert list(pool.map(crucible.carry(work), range(3))) == ["outer"] * 3
    parents = [event.span.parent for event in captured.named(f"{STAGE}.stop")]
    assert parents == [captured.spans[-1].context] * 3


def test_a_coroutine_function_that_is_carried_belongs_here_in_another_loop() -> None:
    async def work(item: int) -> int:
        await asyncio.sleep(0)
        with crucible.stage("work"):
            return item

    with capture() as captured, crucible.pipeline("p"):
        carried = crucible.carry(work)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: asyncio.run(carried(3))).result() == 3
    stop = only(captured, f"{STAGE}.stop")
    assert stop.span.parent == captured.spans[-1].context


def test_what_is_carried_keeps_its_name_and_what_it_raises() -> None:
    def work(item: int) -> int:
        """Work."""
        raise ValueError(item)

    carried = crucible.carry(work)
    assert (carried.__name__, carried.__doc__) == ("work", "Work.")
    with pytest.raises(ValueError, match="7"):
        carried(7)
    assert crucible.carry(functools.partial(int, base=2))("11") == 3


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pool_of_processes_works_on_the_same_story(method: str) -> None:
    with capture(), story() as carrier:
        carried = crucible.carry(pooled.told_here)
        with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context(method), initializer=pooled.record_nowhere
        ) as pool:
            told = pool.submit(carried, 3).result(60)
    assert told.pop("item") == 3
    assert told.pop("pid") != os.getpid()
    assert told == carrier


CHILD = """
import json, sys
import crucible_telemetry as crucible
from crucible_telemetry.scope import surrounding
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
crucible.configure("child", exporter=exporter, heartbeat_s=0)
with crucible.stage("train"), crucible.training(run_id="inner"):
    pass
crucible.flush()
print(json.dumps([
    {"name": span.name, "trace": span.context.trace_id, "parent": span.parent and span.parent.span_id,
     "index": span.attributes.get("crucible.stage.index"),
     "attributes": {key: value for key, value in span.attributes.items() if type(value) is str}}
    for span in exporter.get_finished_spans()
]))
"""


def run_child(environment: Mapping[str, str]) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    return {span["name"]: span for span in json.loads(told)}


def test_a_process_that_is_started_with_the_environment_joins_without_a_line() -> None:
    with capture() as captured, crucible.experiment("sweep", condition="a"):
        with crucible.pipeline("two-stages", run_id="outer") as pipeline:
            with pipeline.stage("tokenise"):
                pass
            child = run_child(crucible.current_context(as_environment=True))
    own = only(captured, f"{PIPELINE}.stop")
    stage, training = child[STAGE], child["crucible_train.training"]
    assert stage["trace"] == own.span.context.trace_id
    assert stage["parent"] == own.span.context.span_id
    assert stage["attributes"]["crucible.run.id"] == "outer"
    assert stage["attributes"]["crucible.pipeline.id"] == "two-stages"
    assert stage["index"] == 1
    assert training["attributes"]["crucible.run.parent_id"] == "outer"
    for span in child.values():
        assert span["attributes"]["crucible.experiment.id"] == "sweep"
        assert span["attributes"]["crucible.condition"] == "a"
        assert (
            span["attributes"]["crucible.correlation.id"]
            == own.attributes["crucible.correlation.id"]
        )


def test_an_environment_without_a_word_of_ours_is_left_alone() -> None:
    child = run_child({"TRACEPARENT": f"00-{7:032x}-{9:016x}-01", "BAGGAGE": "user=7"})
    assert child[STAGE]["parent"] is None
    assert child[STAGE]["trace"] != 7


def test_every_thread_of_such_a_process_is_part_of_the_story_until_it_is_configured_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAGGAGE", "crucible.run.id=outer,crucible.correlation.id=job%207")
    seen: list[str] = []

    def work() -> None:
        with crucible.training() as training:
            seen.append(training.correlation_id)

    pooled.record_nowhere()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with capture():
        work()
    monkeypatch.delenv("BAGGAGE")
    pooled.record_nowhere()
    work()
    assert seen[0] == "job 7"
    assert "job 7" not in seen[1:]


def test_a_scope_that_is_left_open_in_such_a_process_ends_with_it() -> None:
    program = """
import crucible_telemetry as crucible
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class Printer(SpanExporter):
    def export(self, spans):
        print(*[(span.name, span.attributes.get("crucible.status")) for span in spans], flush=True)
        return SpanExportResult.SUCCESS

crucible.configure(exporter=Printer(), heartbeat_s=0)
crucible.training().open()
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BAGGAGE": "crucible.run.id=outer"},
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    assert "('crucible_train.training', 'cancelled')" in told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_works_inside_what_was_open_and_ends_nothing_of_it() -> None:
    reading, writing = os.pipe()
    with capture() as captured, crucible.pipeline("p") as pipeline, pipeline.stage("load"):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                with crucible.stage("part"):
                    pass
                pipeline.close()
                ends = [event for event in captured.events if event.name.endswith(".stop")]
                parents = [event.span.parent.span_id for event in ends if event.span.parent]
                os.write(writing, json.dumps(parents).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(writing)
    assert json.loads(os.read(reading, 1000)) == [
        only(captured, f"{STAGE}.stop").span.context.span_id
    ]
    os.close(reading)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_does_not_wait_for_pools_that_were_imported_after_the_provider_was_made() -> None:
    program = """
import os
from crucible_telemetry.testing import capture

with capture():
    import concurrent.futures.thread

    pid = os.fork()
    if pid == 0:
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    # In a session of its own, or a child that hangs would outlive the time that it is given.
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.communicate(timeout=30)[0] == "7\n"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

"""Pipelines: their stages, loops, runs and traces, and what they are part of."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from typing import Any

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import capture
from sdk.registered import assert_registered, only
from sdk.staged import PIPELINE, STAGE, stages


def test_a_pipeline_sends_its_start_its_stages_and_its_end_in_one_trace() -> None:
    with capture() as captured, crucible.experiment("sweep", condition="a"):
        with crucible.pipeline("tokenise-and-train", owner="vision", tags=["nlp"]) as pipeline:
            with pipeline.stage("tokenise"):
                pass
            with crucible.stage("train"):
                pass
            pipeline.log(accuracy=0.9)
    names = [event.name for event in captured.events]
    assert names[1:-1] == [
        f"{PIPELINE}.start",
        *(f"{STAGE}.start", f"{STAGE}.stop") * 2,
        f"{PIPELINE}.stop",
    ]
    assert_registered(captured)
    inside = captured.spans[1:-1]
    assert {span.context.trace_id for span in inside} == {inside[-1].context.trace_id}
    experiment = captured.spans[-1]
    assert [link.context for link in inside[-1].links] == [experiment.context]
    stop = only(captured, f"{PIPELINE}.stop")
    assert stop.measurements == {"stages_completed": 2, "accuracy": 0.9}
    assert stop.attributes["crucible.status"] == "completed"
    assert stop.attributes["crucible.pipeline.id"] == "tokenise-and-train"
    assert stop.attributes["crucible.experiment.tags"] == ("nlp",)
    assert stop.attributes["crucible.experiment.owner"] == "vision"
    for event in captured.events[1:-1]:
        assert event.attributes["crucible.run.id"] == pipeline.run_id
        assert event.attributes["crucible.experiment.id"] == "sweep"
        assert event.attributes["crucible.condition"] == "a"


def test_stages_have_the_index_of_their_place_and_nested_ones_a_count_of_their_own() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        with pipeline.stage("prepare"):
            with pipeline.stage("download"):
                pass
            with crucible.stage("unpack"):
                pass
        with pipeline.stage("train"):
            pass
    assert stages(captured) == [
        ("download", 0, 1, "ok"),
        ("unpack", 1, 1, "ok"),
        ("prepare", 0, 1, "ok"),
        ("train", 1, 1, "ok"),
    ]
    spans = {event.attributes.get("crucible.stage.name"): event.span for event in captured.events}
    assert spans["download"].parent == spans["prepare"].context
    assert only(captured, f"{PIPELINE}.stop").measurements["stages_completed"] == 2


def test_stages_that_are_known_beforehand_have_their_place_and_are_counted() -> None:
    with capture() as captured, crucible.pipeline("p", stages=["load", "train"]) as pipeline:
        with pipeline.stage("train"):
            pass
        with pipeline.stage("extra"):
            pass
    assert [(name, index) for name, index, *_ in stages(captured)] == [("train", 1), ("extra", 2)]
    assert only(captured, f"{PIPELINE}.start").measurements == {"stage_count": 2}
    assert "stage_count" not in only(captured, f"{PIPELINE}.stop").measurements


def test_a_loop_numbers_its_iterations_and_keeps_the_places_of_its_stages() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        with pipeline.stage("load"):
            pass
        for index, fold in pipeline.loop("folds", "ab"):
            with pipeline.stage("train") as stage:
                stage.log(fold=index)
            with crucible.stage("score"):
                assert fold in "ab"
        with pipeline.stage("report"):
            pass
    assert_registered(captured, but=frozenset({"crucible.experiment.id"}))
    found = [
        (
            event.attributes["crucible.stage.name"],
            event.attributes["crucible.stage.index"],
            event.attributes.get("crucible.loop.name"),
            event.attributes.get("crucible.loop.index"),
        )
        for event in captured.named(f"{STAGE}.stop")
    ]
    assert found == [
        ("load", 0, None, None),
        ("train", 1, "folds", 0),
        ("score", 2, "folds", 0),
        ("train", 1, "folds", 1),
        ("score", 2, "folds", 1),
        ("report", 3, None, None),
    ]
    assert only(captured, f"{PIPELINE}.stop").measurements["stages_completed"] == 6


def test_of_nested_loops_the_innermost_counts_and_a_run_inside_carries_it() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        for _ in pipeline.loop("seeds", range(2)):
            for _ in pipeline.loop("folds", range(2)):
                with pipeline.stage("train"), crucible.training():
                    pass
            with pipeline.stage("sum up"):
                pass
    loops = [
        (event.attributes["crucible.loop.name"], event.attributes["crucible.loop.index"])
        for event in captured.named(f"{STAGE}.stop")
    ]
    assert loops == [
        ("folds", 0),
        ("folds", 1),
        ("seeds", 0),
        ("folds", 0),
        ("folds", 1),
        ("seeds", 1),
    ]
    training = captured.named("crucible_train.training.stop")[1]
    assert training.attributes["crucible.loop.index"] == 1


def test_an_async_loop_is_numbered_too() -> None:
    async def items() -> Any:
        for item in "ab":
            yield item

    async def run() -> None:
        with crucible.pipeline("p") as pipeline:
            async for index, item in pipeline.loop("items", items()):
                with pipeline.stage("one") as stage:
                    assert item == "ab"[index]
                    stage.log(index=index)

    with capture() as captured:
        asyncio.run(run())
    found = [event.attributes["crucible.loop.index"] for event in captured.named(f"{STAGE}.stop")]
    assert found == [0, 1]


def test_a_break_out_of_a_loop_leaves_the_pipeline_where_it_was() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        for _ in pipeline.loop("folds", range(9)):
            with pipeline.stage("train"):
                break
        assert current_scope.get() is pipeline
        with pipeline.stage("report"):
            pass
    assert [name for name, *_ in stages(captured)] == ["train", "report"]
    assert "crucible.loop.name" not in captured.named(f"{STAGE}.stop")[1].attributes
    assert only(captured, f"{PIPELINE}.stop").attributes["crucible.status"] == "completed"


def test_a_training_inside_has_a_run_and_a_trace_of_its_own_and_names_the_pipelines() -> None:
    with capture() as captured, crucible.experiment("sweep") as experiment:
        with experiment.pipeline("p", run_id="outer") as pipeline, pipeline.stage("train"):
            with experiment.training(run_id="inner") as training:
                for epoch in training.epochs(1):
                    for batch in epoch.batches("a"):
                        batch.log(loss=1.0)
    assert_registered(captured)
    stage, stop = only(captured, f"{STAGE}.stop"), only(captured, "crucible_train.training.stop")
    assert stop.attributes["crucible.run.id"] == "inner"
    assert stop.attributes["crucible.run.parent_id"] == "outer"
    assert stop.attributes["crucible.stage.name"] == "train"
    assert [link.context for link in stop.span.links] == [stage.span.context]
    assert stop.span.context.trace_id != stage.span.context.trace_id
    batch_stop = only(captured, "crucible_train.batch.stop")
    assert batch_stop.attributes["crucible.run.parent_id"] == "outer"
    assert "crucible.run.parent_id" not in stage.attributes
    assert {event.attributes["crucible.correlation.id"] for event in captured.events} == {
        experiment.correlation_id
    }


def test_a_pipeline_inside_a_stage_shares_its_trace_and_has_a_run_of_its_own() -> None:
    with capture() as captured, crucible.pipeline("outer", run_id="o") as outer:
        with outer.stage("first"), crucible.pipeline("inner", run_id="i") as inner:
            with inner.stage("one"):
                pass
    stops = {
        event.attributes["crucible.pipeline.id"]: event
        for event in captured.named(f"{PIPELINE}.stop")
    }
    first = next(
        event
        for event in captured.named(f"{STAGE}.stop")
        if event.attributes["crucible.stage.name"] == "first"
    )
    assert stops["inner"].span.parent == first.span.context
    assert stops["inner"].attributes["crucible.run.parent_id"] == "o"
    assert stops["outer"].measurements["stages_completed"] == 1


def test_an_experiment_inside_a_pipeline_is_not_its_run_but_its_runs_name_it() -> None:
    with capture() as captured, crucible.pipeline("p", run_id="outer") as pipeline:
        with pipeline.stage("search"), crucible.experiment("sweep") as experiment:
            with experiment.training(run_id="inner"):
                pass
    stop = only(captured, "crucible_telemetry.experiment.stop")
    assert "crucible.run.id" not in stop.attributes
    inner = only(captured, "crucible_train.training.stop")
    assert inner.attributes["crucible.run.parent_id"] == "outer"
    assert inner.attributes["crucible.experiment.id"] == "sweep"
    assert experiment.correlation_id == pipeline.correlation_id


def test_a_stage_stands_alone_outside_any_pipeline() -> None:
    with capture() as captured, crucible.experiment("sweep"):
        with crucible.stage("tokenise"):
            pass
    stop = only(captured, f"{STAGE}.stop")
    experiment = captured.spans[-1]
    assert_registered(captured)
    assert stop.span.parent is None
    assert [link.context for link in stop.span.links] == [experiment.context]
    assert stop.attributes["crucible.stage.index"] == 0
    assert "crucible.run.id" not in stop.attributes


def test_a_stage_inside_an_epoch_is_part_of_its_trace() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            with crucible.stage("evaluate"):
                pass
            epoch.log(loss=1.0)
    stop = only(captured, f"{STAGE}.stop")
    assert stop.span.parent == only(captured, "crucible_train.epoch.stop").span.context
    assert stop.attributes["crucible.run.id"] == training.run_id


def test_stages_side_by_side_in_threads_have_places_of_their_own() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:

        def work(name: str, both: threading.Barrier) -> None:
            with pipeline.stage(name):
                both.wait(10)

        both = threading.Barrier(2)
        threads = [threading.Thread(target=work, args=(name, both)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(index for _, index, *_ in stages(captured)) == [0, 1]
    assert only(captured, f"{PIPELINE}.stop").measurements["stages_completed"] == 2


def test_the_final_metrics_of_a_pipeline_are_its_measurements() -> None:
    metrics = {"accuracy": 0.5, "note": "words"}
    with capture() as captured, crucible.pipeline("p", metrics=metrics) as pipeline:
        metrics["accuracy"] = 0.75
        pipeline.log(cost_usd=1)
    assert only(captured, f"{PIPELINE}.stop").measurements == {
        "stages_completed": 0,
        "accuracy": 0.75,
        "cost_usd": 1,
    }


def test_what_goes_on_inside_can_be_asked_for_and_is_nothing_outside() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:
        with pipeline.stage("train") as stage:
            assert crucible.current_stage() is stage
            assert crucible.current_pipeline() is pipeline
    crucible.current_stage().log(loss=1.0)
    crucible.current_pipeline().log(loss=1.0)
    assert len(captured.events) == 4


def test_the_run_id_is_the_given_one_or_a_fresh_one_that_stays() -> None:
    with capture():
        assert crucible.pipeline("p", run_id="r-7").run_id == "r-7"
        with crucible.pipeline("p") as pipeline:
            assert pipeline.run_id == pipeline.run_id == "run-1"


@dataclasses.dataclass
class Context:
    """What the stages of the Elixir packages hand on to each other, in Python."""

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)


def test_a_pipeline_of_objects_with_run_needs_no_line_more() -> None:
    @crucible.stage("tokenise", allowed_options=["vocabulary"])
    class Tokenise:
        def run(self, ctx: Context, opts: dict[str, Any]) -> Context:
            return Context({**ctx.metrics, "tokens": float(opts["vocabulary"])})

    @crucible.stage
    class Train:
        def run(self, ctx: Context, opts: dict[str, Any]) -> Context:
            return Context({**ctx.metrics, "loss": opts["vocabulary"] / 32})

    @crucible.pipeline
    def tokenise_and_train(ctx: Context, opts: dict[str, Any]) -> Context:
        return Train().run(Tokenise().run(ctx, opts), opts)

    with capture() as captured, crucible.experiment("e"):
        assert tokenise_and_train(Context(), {"vocabulary": 8, "key": "secret"}).metrics == {
            "tokens": 8.0,
            "loss": 0.25,
        }
    assert_registered(captured)
    first, second = captured.named(f"{STAGE}.stop")
    assert (first.attributes["crucible.stage.name"], first.measurements) == (
        "tokenise",
        {"tokens": 8},
    )
    assert (second.attributes["crucible.stage.name"], second.measurements) == (
        "Train",
        {"loss": 0.25},
    )
    assert first.attributes["crucible.stage.options"] == '{"vocabulary":8}'
    stop = only(captured, f"{PIPELINE}.stop")
    assert stop.attributes["crucible.pipeline.id"] == "tokenise_and_train"
    assert stop.measurements == {"stages_completed": 2, "tokens": 8, "loss": 0.25}

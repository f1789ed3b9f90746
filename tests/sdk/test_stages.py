"""Functions of every kind as stages and pipelines: configured, switched off or neither."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import capture
from sdk.staged import PIPELINE, STAGE, ends


def test_a_decorated_function_is_a_stage_at_each_call_under_its_own_name() -> None:
    @crucible.stage
    def tokenise(text: str) -> list[str]:
        """Cut a text."""
        crucible.current_stage().log(characters=len(text))
        return text.split()

    with capture() as captured:
        assert tokenise("a b") == ["a", "b"]
        tokenise("")
    first, second = captured.named(f"{STAGE}.stop")
    assert (first.measurements, second.measurements) == ({"characters": 3}, {"characters": 0})
    assert first.attributes["crucible.stage.name"] == "tokenise"
    assert first.attributes["crucible.stage.module"].endswith(".<locals>.tokenise")
    assert first.span.context.trace_id != second.span.context.trace_id
    assert tokenise.__doc__ == "Cut a text."
    assert list(inspect.signature(tokenise).parameters) == ["text"]


def test_what_a_function_returns_and_raises_is_its_callers() -> None:
    @crucible.stage("divide")
    def divide(dividend: int, divisor: int) -> float:
        return dividend / divisor

    with capture() as captured:
        assert divide(1, 2) == 0.5
        with pytest.raises(ZeroDivisionError):
            divide(1, 0)
        with pytest.raises(TypeError):
            divide(1)  # type: ignore[call-arg]
    assert ends(captured) == [
        ("stop", "divide", "ok"),
        ("exception", "divide", "error"),
        ("exception", "divide", "error"),
    ]


def test_configure_may_come_after_the_decoration_and_without_it_nothing_happens() -> None:
    @crucible.stage("work")
    def work() -> int:
        return 1

    @crucible.stage
    def numbers() -> Iterator[int]:
        yield 1

    assert work() == 1
    assert list(numbers()) == [1]
    with capture() as captured:
        assert work() == 1
    assert ends(captured) == [("stop", "work", "ok")]


def test_a_coroutine_function_stays_one_and_its_stage_lasts_until_it_is_done() -> None:
    @crucible.stage("fetch")
    async def fetch(item: int) -> int:
        await asyncio.sleep(0)
        crucible.current_stage().log(item=item)
        return item

    async def main() -> list[int]:
        with crucible.pipeline("p"):
            return await asyncio.gather(*(fetch(item) for item in range(3)))

    assert inspect.iscoroutinefunction(fetch)
    with capture() as captured:
        assert asyncio.run(main()) == [0, 1, 2]
    stops = captured.named(f"{STAGE}.stop")
    assert [stop.measurements["item"] for stop in stops] == [0, 1, 2]
    assert [stop.span.parent for stop in stops] == [captured.spans[-1].context] * 3


def test_a_cancelled_coroutine_says_so() -> None:
    @crucible.stage("wait")
    async def wait() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as captured:
        asyncio.run(main())
    assert ends(captured) == [("stop", "wait", "cancelled")]


def test_a_generators_stage_lasts_as_long_as_the_iteration_but_is_not_around_its_consumer() -> None:
    @crucible.stage("read")
    def read(count: int) -> Iterator[int]:
        for index in range(count):
            assert crucible.current_stage().name == "read"
            with crucible.stage("inner"):
                yield index

    assert inspect.isgeneratorfunction(read)
    with capture() as captured, crucible.pipeline("p") as pipeline:
        for item in read(2):
            assert current_scope.get() is not None
            with crucible.stage("consume"):
                assert item in {0, 1}
    assert ends(captured)[-1] == ("stop", "read", "ok")
    consumers = [
        event.span.parent
        for event in captured.named(f"{STAGE}.stop")
        if event.attributes["crucible.stage.name"] == "consume"
    ]
    del pipeline
    assert consumers == [captured.spans[-1].context] * 2


def test_generators_that_feed_each_other_are_stages_side_by_side() -> None:
    @crucible.stage
    def source() -> Iterator[int]:
        yield from range(3)

    @crucible.stage
    def doubled(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            yield 2 * item

    with capture() as captured, crucible.pipeline("p") as pipeline:
        assert list(doubled(source())) == [0, 2, 4]
        assert current_scope.get() is pipeline
    parents = {
        event.attributes["crucible.stage.name"]: event.span.parent
        for event in captured.named(f"{STAGE}.stop")
    }
    doubled_span = next(
        event.span
        for event in captured.named(f"{STAGE}.stop")
        if event.attributes["crucible.stage.name"] == "doubled"
    )
    assert parents["doubled"] == captured.spans[-1].context
    assert parents["source"] == doubled_span.context  # it begins when the other asks


def test_a_consumer_that_stops_early_has_ended_a_generator_well() -> None:
    closed = []

    @crucible.stage
    def read() -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            closed.append(crucible.current_stage().name)

    with capture() as captured:
        for _ in read():
            break
    assert closed == ["read"]
    assert ends(captured) == [("stop", "read", "ok")]


def test_what_is_sent_and_thrown_into_a_generator_arrives_and_its_value_comes_out() -> None:
    def plain() -> Generator[int, int, str]:
        got = yield 0
        try:
            yield got
        except KeyError:
            yield -1
        return "done"

    def consumed(generator: Generator[int, int, str]) -> list[Any]:
        seen: list[Any] = [next(generator), generator.send(5), generator.throw(KeyError("x"))]
        with pytest.raises(StopIteration) as stop:
            next(generator)
        return [*seen, stop.value.value]

    with capture() as captured:
        assert consumed(crucible.stage("g")(plain)()) == consumed(plain()) == [0, 5, -1, "done"]
        unhandled = crucible.stage("g")(plain)()
        next(unhandled)
        with pytest.raises(ValueError, match="thrown"):
            unhandled.throw(ValueError("thrown"))
    assert ends(captured) == [("stop", "g", "ok"), ("exception", "g", "error")]


def test_an_async_generator_is_a_stage_as_long_as_it_is_iterated_over() -> None:
    @crucible.stage
    async def read(count: int) -> AsyncIterator[int]:
        for index in range(count):
            await asyncio.sleep(0)
            assert crucible.current_stage().name == "read"
            yield index

    async def main() -> None:
        with crucible.pipeline("p") as pipeline:
            assert [item async for item in read(3)] == [0, 1, 2]
            stream = read(9)
            async for _ in stream:
                assert current_scope.get() is pipeline
                break
            await stream.aclose()  # type: ignore[attr-defined]
            failing = read(3)
            await anext(failing)
            with pytest.raises(ValueError, match="thrown"):
                await failing.athrow(ValueError("thrown"))  # type: ignore[attr-defined]

    assert inspect.isasyncgenfunction(read)
    with capture() as captured:
        asyncio.run(main())
    assert ends(captured) == [
        ("stop", "read", "ok"),
        ("stop", "read", "ok"),
        ("exception", "read", "error"),
    ]


class Model:
    @crucible.stage
    def fit(self, rows: int) -> int:
        return rows

    @staticmethod
    @crucible.stage
    def inner_static() -> str:
        return "inner"

    @crucible.stage("outer_static")
    @staticmethod
    def outer_static() -> str:
        return "outer"

    @crucible.stage("made")
    @classmethod
    def made(cls) -> type[Model]:
        return cls

    @crucible.stage("called")
    def __call__(self) -> str:
        return "called"


def test_methods_of_all_kinds_stay_methods() -> None:
    with capture() as captured:
        assert Model().fit(3) == 3
        assert Model.inner_static() == "inner"
        assert Model().outer_static() == "outer"
        assert Model.made() is Model
        assert Model()() == "called"
    assert [name for _, name, _ in ends(captured)] == [
        "fit",
        "inner_static",
        "outer_static",
        "made",
        "called",
    ]


def test_objects_that_can_be_called_and_partial_functions_can_be_stages() -> None:
    class Fetch:
        async def __call__(self, item: int) -> int:
            return item

    def add(one: int, other: int) -> int:
        return one + other

    with capture() as captured:
        assert asyncio.run(crucible.stage(Fetch())(1)) == 1
        assert crucible.stage("add one")(functools.partial(add, 1))(2) == 3
    assert [name for _, name, _ in ends(captured)] == ["Fetch", "add one"]


def test_a_class_without_run_is_left_as_it_is() -> None:
    class Nothing:
        pass

    assert crucible.stage("x")(Nothing) is Nothing
    assert crucible.counts()["fault.out_of_order"] == 1


def test_a_recursive_stage_is_nested_in_itself() -> None:
    @crucible.stage
    def count_down(count: int) -> int:
        return 0 if count == 0 else count_down(count - 1)

    with capture() as captured:
        assert count_down(2) == 0
    depths = [event.span.parent is None for event in captured.named(f"{STAGE}.stop")]
    assert depths == [False, False, True]


def test_a_pipeline_decorates_functions_of_every_kind_and_takes_a_fresh_run_each_time() -> None:
    @crucible.pipeline("nightly", owner="team")
    async def nightly() -> str:
        return crucible.current_pipeline().run_id

    @crucible.pipeline
    def hourly() -> Iterator[str]:
        yield crucible.current_pipeline().run_id

    with capture() as captured:
        assert [asyncio.run(nightly()), asyncio.run(nightly())] == ["run-1", "run-2"]
        assert list(hourly()) == ["run-3"]
    stops = captured.named(f"{PIPELINE}.stop")
    assert [stop.attributes["crucible.pipeline.id"] for stop in stops] == [
        "nightly",
        "nightly",
        "hourly",
    ]
    assert stops[0].attributes["crucible.experiment.owner"] == "team"


def test_a_pipelines_own_stage_decorates_too() -> None:
    with capture() as captured, crucible.pipeline("p") as pipeline:

        @pipeline.stage("work")
        def work() -> None:
            pass

        work()
        work()
    assert ends(captured) == [("stop", "work", "ok")] * 2
    parents = [event.span.parent for event in captured.named(f"{STAGE}.stop")]
    assert parents == [captured.spans[-1].context] * 2


def test_switched_off_everything_works_and_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_TELEMETRY", "0")
    crucible.configure()
    with crucible.pipeline("p") as pipeline:
        for _, item in pipeline.loop("items", "ab"):
            with pipeline.stage("work", metrics={}) as stage:
                stage.log(loss=1.0)
                stage.skip(item)
            with crucible.extract({"X-Correlation-Id": "x"}), crucible.training():
                assert crucible.current_context() == {}
        pipeline.fail("reason")
    assert current_scope.get() is None
    assert pipeline.run_id
    assert not {name for name in crucible.counts() if name.startswith("fault.")}

"""Answers that come in pieces: what is measured, who sees the call, and how a stream may end."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import TICK_NS, Captured, Event, capture

STOP = "crucible_deployment.inference.stop"
EXCEPTION = "crucible_deployment.inference.exception"


def only(captured: Captured, name: str = STOP) -> Event:
    (event,) = captured.named(name)
    return event


def delta(text: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"delta": {"content": text}, "finish_reason": more.pop("finish", None)}],
        **more,
    }


async def several(*pieces: Any) -> AsyncIterator[Any]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


class EitherWay:
    """A stream that some clients return: for both kinds of loops."""

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "b"])

    def __aiter__(self) -> AsyncIterator[str]:
        return several("a", "b", "c")


# The clock of a capture moves by one tick, a millisecond, with every reading.


def test_pieces_pass_unchanged_and_are_timed() -> None:
    with capture() as captured, crucible.inference("m") as call:
        assert list(call.stream(["a", "b", "ß"])) == ["a", "b", "ß"]
    event = only(captured)
    assert event.measurements == {
        "time_to_first_token_ms": 1.0,
        "time_per_output_token_ms": 1.0,
        "tokens_per_second": 1000.0,
        "output_chunks": 3,
        "output_size": 4,
    }
    assert "gen_ai.usage.output_tokens" not in event.attributes
    assert TICK_NS == 1_000_000


def test_tokens_that_the_answer_reports_count_rather_than_its_pieces() -> None:
    pieces = [
        delta(model="gpt-4o", id="c-1"),
        delta("a"),
        delta("b"),
        delta(finish="stop"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 11}},
    ]
    with capture() as captured, crucible.inference("m") as call:
        for _ in call.stream(pieces):
            pass
    event = only(captured)
    assert event.attributes["gen_ai.usage.output_tokens"] == 11
    assert event.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert event.measurements["output_chunks"] == 2
    assert event.measurements["tokens_per_second"] == pytest.approx(11 / 0.002)
    assert event.measurements["time_per_output_token_ms"] == pytest.approx(0.1)


def test_tokens_that_the_caller_counts_are_tokens() -> None:
    with capture() as captured:
        with crucible.inference("m") as call:
            for _ in call.stream([[1, 2], [3, 4, 5]], tokens=len):
                pass
        with crucible.inference("m") as call:
            call.first_token()
            call.token()
            call.token(3)
    streamed, counted = captured.named(STOP)
    assert streamed.attributes["gen_ai.usage.output_tokens"] == 5
    assert counted.attributes["gen_ai.usage.output_tokens"] == 4
    assert counted.measurements["time_to_first_token_ms"] == 1.0
    assert counted.measurements["time_per_output_token_ms"] == pytest.approx(2 / 3)


def test_an_answer_in_one_piece_has_a_speed_but_no_first_token() -> None:
    with capture() as captured, crucible.inference("m") as call:
        call.usage(output_tokens=10)
    # Two ticks: the end of the call, and the reading for the speed.
    assert only(captured).measurements == {"tokens_per_second": 5_000.0}


def test_an_asynchronous_stream_is_followed_as_well() -> None:
    async def main() -> None:
        with crucible.inference("m") as call:
            assert [piece async for piece in call.stream(several("a", "b"))] == ["a", "b"]

    with capture() as captured:
        asyncio.run(main())
    assert only(captured).measurements["output_chunks"] == 2


def test_a_stream_for_both_kinds_of_loops_stays_one() -> None:
    async def main() -> None:
        with crucible.inference("m") as call:
            assert [piece async for piece in call.stream(EitherWay())] == ["a", "b", "c"]
        with crucible.inference("m") as call:
            assert list(call.stream(EitherWay())) == ["a", "b"]

    with capture() as captured:
        asyncio.run(main())
    assert [event.measurements["output_chunks"] for event in captured.named(STOP)] == [3, 2]


def test_a_stream_left_early_is_cancelled_with_its_numbers_so_far() -> None:
    with capture() as captured, crucible.inference("m") as call:
        for piece in call.stream("abcd"):
            if piece == "b":
                break
    event = only(captured)
    assert event.attributes["crucible.status"] == "cancelled"
    assert event.measurements["output_chunks"] == 2


def test_a_stream_left_after_the_answer_has_ended_is_not_cancelled() -> None:
    with capture() as captured, crucible.inference("m") as call:
        for _ in call.stream([delta("a"), delta(finish="stop"), delta("never seen")]):
            if call.finish_reasons:
                break
    assert "crucible.status" not in only(captured).attributes


def test_the_rest_of_a_stream_is_still_there_for_who_wants_it() -> None:
    source = iter("abcd")
    with capture(), crucible.inference("m") as call:
        for _ in call.stream(source):
            break
    assert list(source) == ["b", "c", "d"]


def test_what_a_stream_raises_is_the_callers() -> None:
    def breaking() -> Iterator[str]:
        yield "a"
        raise ConnectionError("reset")

    with capture() as captured, pytest.raises(ConnectionError, match="reset"):
        with crucible.inference("m") as call:
            list(call.stream(breaking()))
    event = only(captured, EXCEPTION)
    assert event.measurements["output_chunks"] == 1
    assert event.attributes["crucible.status"] == "error"


@crucible.inference("m")
def talk(*words: str) -> Iterator[str]:
    yield from words


@crucible.inference("m")
async def talk_later(*words: str) -> AsyncIterator[str]:
    for word in words:
        await asyncio.sleep(0)
        yield word


def test_a_decorated_generator_is_one_call_an_iteration() -> None:
    assert inspect.isgeneratorfunction(talk)
    with capture() as captured:
        assert list(talk("a", "b")) == ["a", "b"]
        assert list(talk()) == []
    assert [event.measurements.get("output_chunks") for event in captured.named(STOP)] == [2, None]


def test_a_decorated_asynchronous_generator_is_one_call_an_iteration() -> None:
    async def main() -> list[str]:
        return [word async for word in talk_later("a", "b")]

    assert inspect.isasyncgenfunction(talk_later)
    with capture() as captured:
        assert asyncio.run(main()) == ["a", "b"]
    assert only(captured).measurements["output_chunks"] == 2


def test_many_asynchronous_streams_at_once_are_told_apart() -> None:
    @crucible.inference("m")
    async def count(upto: int) -> AsyncIterator[str]:
        crucible.current_inference().describe(request_id=str(upto))
        async for _ in several(*range(upto)):
            yield "x"

    async def consume(upto: int) -> None:
        async for _ in count(upto):
            assert current_scope.get() is None

    async def main() -> None:
        await asyncio.gather(*(consume(upto) for upto in range(1, 50)))

    with capture() as captured:
        asyncio.run(main())
    calls = captured.named(STOP)
    assert len(calls) == 49
    assert all(
        event.measurements["output_chunks"] == int(event.attributes["crucible.request.id"])
        for event in calls
    )


def test_the_consumer_of_a_stream_is_not_inside_the_call() -> None:
    @crucible.inference("outer")
    def outer() -> Iterator[str]:
        with crucible.inference("inner"):
            yield "a"
            yield "b"
        yield "c"

    with capture() as captured:
        for _ in outer():
            assert current_scope.get() is None
            with crucible.inference("consumer"):
                pass
    spans = {event.attributes["crucible.model.name"]: event.span for event in captured.named(STOP)}
    assert spans["inner"].parent == spans["outer"].context
    assert spans["consumer"].parent is None


def test_streams_consumed_in_turns_keep_their_own_calls() -> None:
    @crucible.inference("m")
    def pieces(name: str) -> Iterator[str]:
        for _ in range(3):
            crucible.current_inference().describe(request_id=name)
            yield name

    with capture() as captured, crucible.inference("around") as around:
        for _ in zip(pieces("a"), pieces("b"), strict=False):
            assert crucible.current_inference() is around
    calls = captured.named(STOP)[:-1]
    assert sorted(event.attributes["crucible.request.id"] for event in calls) == ["a", "b"]
    around_context = captured.spans[-1].context
    assert all(event.span.parent == around_context for event in calls)


def test_a_stream_that_ends_elsewhere_than_it_began_leaves_the_scope_there_alone() -> None:
    with capture():
        stream = talk("a", "b")
        with crucible.inference("first"):
            next(stream)
        with crucible.inference("second") as second:
            assert list(stream) == ["b"]
            assert crucible.current_inference() is second


def test_a_decorated_generator_closed_early_is_cancelled_and_cleaned_up() -> None:
    cleaned: list[str] = []

    @crucible.inference("m")
    def words() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            cleaned.append(str(crucible.current_inference()._is_open))

    with capture() as captured:
        for _ in words():
            break
        gc.collect()
    assert cleaned == ["True"]
    assert only(captured).attributes["crucible.status"] == "cancelled"
    assert only(captured).measurements["output_chunks"] == 1


def test_a_decorated_asynchronous_generator_closed_early_is_cancelled() -> None:
    async def main() -> None:
        stream = talk_later("a", "b", "c")
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    with capture() as captured:
        asyncio.run(main())
    assert only(captured).attributes["crucible.status"] == "cancelled"


def test_a_cancelled_consumer_cancels_the_call() -> None:
    @crucible.inference("m")
    async def endless() -> AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in endless():
            pass

    async def main() -> None:
        task = asyncio.create_task(consume())
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as captured:
        asyncio.run(main())
    event = only(captured)
    assert event.attributes["crucible.status"] == "cancelled"
    assert event.measurements["output_chunks"] == 1


def test_a_decorated_generator_takes_what_is_sent_and_thrown_in() -> None:
    @crucible.inference("m")
    def echo() -> Any:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield "caught"
        return "done"

    with capture() as captured:
        stream = echo()
        assert next(stream) == "first"
        assert stream.send("mine") == "mine"
        assert stream.throw(KeyError("k")) == "caught"
        with pytest.raises(StopIteration) as stop:
            next(stream)
    assert stop.value.value == "done"
    assert only(captured).measurements["output_chunks"] == 3


def test_a_decorated_asynchronous_generator_takes_what_is_sent_and_thrown_in() -> None:
    @crucible.inference("m")
    async def echo() -> Any:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield "caught"

    async def main() -> None:
        stream = echo()
        assert await anext(stream) == "first"
        assert await stream.asend("mine") == "mine"
        assert await stream.athrow(KeyError("k")) == "caught"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    with capture() as captured:
        asyncio.run(main())
    assert only(captured).measurements["output_chunks"] == 3


def test_an_error_in_a_decorated_generator_is_the_callers() -> None:
    @crucible.inference("m")
    def failing() -> Iterator[str]:
        yield "a"
        raise ValueError("broken")

    with capture() as captured, pytest.raises(ValueError, match="broken"):
        list(failing())
    assert only(captured, EXCEPTION).measurements["output_chunks"] == 1


def test_unconfigured_generators_are_what_they_were() -> None:
    assert list(talk("a", "b")) == ["a", "b"]

    async def main() -> list[str]:
        return [word async for word in talk_later("a")]

    assert asyncio.run(main()) == ["a"]

"""One call of a model in memory: what is told of it, what is kept back, what it belongs to."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.trace import StatusCode

import crucible_telemetry as crucible
from crucible_schema import EVENTS, AttributeType, Requirement, Watch
from crucible_telemetry import faults, telemetry
from crucible_telemetry.privacy import Policy, UserIds
from crucible_telemetry.testing import Captured, Event, capture

STOP = "crucible_deployment.inference.stop"
EXCEPTION = "crucible_deployment.inference.exception"


@contextmanager
def capturing(**policy: Any) -> Iterator[Captured]:
    with capture() as captured:
        using = dataclasses.replace(telemetry.current(), policy=Policy(**policy))
        telemetry.replace(using)
        yield captured


def only(captured: Captured, name: str = STOP) -> Event:
    (event,) = captured.named(name)
    return event


def answer(**usage: int) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"message": {"content": "Grüße"}, "finish_reason": "stop"}],
        "usage": usage or {"prompt_tokens": 12, "completion_tokens": 34},
    }


def test_a_call_is_told_in_both_sets_of_names() -> None:
    with capture() as captured, crucible.inference(
        "gpt-4o", provider="openai", operation="chat", deployment_id="d-1", request_id="r-1",
        model_version=3, temperature=1, session_id="s-1",
    ) as call:  # fmt: skip
        call.respond(answer())
    event = only(captured)
    assert event.attributes == event.attributes | {
        "crucible.model.name": "gpt-4o",
        "crucible.model.version": "3",
        "crucible.deployment.id": "d-1",
        "crucible.request.id": "r-1",
        "crucible.session.id": "s-1",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 34,
    }
    assert "crucible.status" not in event.attributes
    assert event.duration_ns > 0


def test_everything_told_is_in_the_registry_with_its_type() -> None:
    with capturing(capture_content=True, user_ids=UserIds.PLAIN) as captured:
        with crucible.inference(
            "m", provider="p", operation="chat", user_id="ada", batch_size=2, max_tokens=9,
            target="vllm", environment="test", traffic_percent=50, start_marker=True,
        ) as call:  # fmt: skip
            call.input("hello")
            call.usage(
                input_tokens=1, output_tokens=2, cached_tokens=1, cache_creation_tokens=0,
                reasoning_tokens=1, cost_usd=1,
            )  # fmt: skip
            call.token()
            call.respond(answer(), http_status=200)
        with pytest.raises(ValueError, match="no"), crucible.inference("m"):
            raise ValueError("no")
    types: dict[AttributeType, type] = {
        AttributeType.STRING: str,
        AttributeType.INT: int,
        AttributeType.DOUBLE: float,
        AttributeType.STRINGS: tuple,
    }
    assert len(captured.events) == 3
    for event in captured.events:
        definition = EVENTS[event.name]
        uses = {use.attribute.key: use.attribute.type for use in definition.attributes}
        uses |= {use.measurement.key: use.measurement.type for use in definition.measurements}
        sent = event.attributes | {
            f"crucible.measurement.{k}": v for k, v in event.measurements.items()
        }
        sent.pop("http.response.status_code", None)
        for key, value in sent.items():
            assert isinstance(value, types[uses[key]]), (event.name, key, value)
        required = {
            use.attribute.key
            for use in definition.attributes
            if use.requirement is Requirement.REQUIRED
        }
        assert required - set(event.attributes) <= {"service.name"} | {
            key for key in required if key.startswith("exception.")
        }


def test_what_is_told_later_counts() -> None:
    with capture() as captured, crucible.inference("m") as call:
        call.usage(input_tokens=1, output_tokens=1)
        call.respond(answer(input_tokens=5, output_tokens=7))
        call.usage(output_tokens=8, cost_usd=0.25)
        call.describe(model_version="2", my_own="x")
    event = only(captured)
    assert event.attributes["gen_ai.usage.input_tokens"] == 5
    assert event.attributes["gen_ai.usage.output_tokens"] == 8
    assert event.measurements["cost_usd"] == 0.25
    assert event.attributes["crucible.model.version"] == "2"
    assert event.attributes["crucible.inference.my_own"] == "x"


def test_a_usage_that_is_no_number_is_counted_and_nothing_else_is_lost() -> None:
    with capture() as captured, crucible.inference("m") as call:
        call.usage(input_tokens="many", output_tokens=3)  # type: ignore[arg-type]
    assert only(captured).attributes["gen_ai.usage.output_tokens"] == 3
    assert "gen_ai.usage.input_tokens" not in only(captured).attributes
    assert faults.counts() == {"not_a_number": 1}


def test_sizes_are_bytes_and_what_was_said_stays_here() -> None:
    with capture() as captured, crucible.inference("m", user_id="ada") as call:
        call.input([{"role": "user", "content": "Grüße"}, {"role": "user", "content": "x"}])
        call.respond(answer())
    event = only(captured)
    assert event.measurements["input_size"] == 8
    assert event.measurements["output_size"] == 7
    assert not any("Gr" in str(value) or "ada" in str(value) for value in event.attributes.values())


def test_content_is_sent_where_it_is_asked_for() -> None:
    with capturing(capture_content=True) as captured, crucible.inference("m") as call:
        call.input([{"role": "user", "content": "Hello"}])
        call.respond(text="Hi ", finish_reason="stop")
    event = only(captured)
    assert json.loads(event.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hello"}]}
    ]
    assert json.loads(event.attributes["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Hi "}],
            "finish_reason": "stop",
        }
    ]


def test_an_answer_too_long_to_be_sent_is_cut() -> None:
    with capturing(capture_content=True) as captured, crucible.inference("m") as call:
        call.respond(text='"' * 100_000)
    (message,) = json.loads(only(captured).attributes["gen_ai.output.messages"])
    assert message["parts"][0]["content"].endswith('"…')
    assert only(captured).measurements["output_size"] == 100_000


def test_the_whole_answer_after_its_pieces_is_not_counted_twice() -> None:
    with capture() as captured, crucible.inference("m") as call:
        for _ in call.stream(["Grü", "ße"]):
            pass
        call.respond(answer())
    assert only(captured).measurements["output_size"] == 7


def test_a_user_is_sent_as_a_hash_or_in_plain_where_that_is_asked_for() -> None:
    with capturing(user_ids=UserIds.HASH) as hashed, crucible.inference("m", user_id="ada"):
        pass
    with capturing(user_ids=UserIds.PLAIN) as plain, crucible.inference("m", user_id="ada"):
        pass
    assert len(only(hashed).attributes["crucible.user.id_hash"]) == 64
    assert "user.id" not in only(hashed).attributes
    assert only(plain).attributes["user.id"] == "ada"


def test_a_failed_call_tells_why_and_what_it_had_used() -> None:
    class RateLimitError(Exception):
        status_code = 429

    with capture() as captured, pytest.raises(RateLimitError):
        with crucible.inference("m") as call:
            call.usage(input_tokens=10)
            raise RateLimitError("slow down")
    event = only(captured, EXCEPTION)
    assert event.attributes["crucible.status"] == "error"
    assert event.attributes["http.response.status_code"] == 429
    assert event.attributes["gen_ai.usage.input_tokens"] == 10
    assert event.span.status.status_code is StatusCode.ERROR


def test_a_cancelled_call_is_no_failure() -> None:
    async def ask() -> None:
        with crucible.inference("m"):
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as captured:
        asyncio.run(main())
    event = only(captured)
    assert event.attributes["crucible.status"] == "cancelled"
    assert event.span.status.status_code is StatusCode.UNSET


def test_a_call_alone_is_a_trace_in_the_story_that_baggage_tells_of() -> None:
    with capture() as captured:
        with crucible.inference("m"):
            pass
        token = context.attach(baggage.set_baggage("crucible.correlation.id", "story-1"))
        with crucible.inference("m"):
            pass
        context.detach(token)
    alone, told = captured.named(STOP)
    assert alone.span.parent is None
    assert alone.attributes["crucible.correlation.id"] == f"{alone.span.context.trace_id:032x}"
    assert told.attributes["crucible.correlation.id"] == "story-1"


def test_a_call_in_a_batch_is_a_part_of_it() -> None:
    with capture() as captured, crucible.training(run_id="r") as training:
        for epoch in training.epochs(1):
            for _ in epoch.batches("a"):
                with crucible.inference("teacher") as call:
                    assert crucible.current_inference() is call
    batch, call_event = only(captured, "crucible_train.batch.stop"), only(captured)
    assert call_event.span.parent is not None
    assert call_event.span.parent.span_id == batch.span.context.span_id
    assert call_event.attributes["crucible.run.id"] == "r"
    assert call_event.attributes["crucible.epoch"] == 0


def test_calls_directly_in_an_experiment_are_traces_of_their_own_linked_to_it() -> None:
    with capture() as captured, crucible.experiment("e", condition="a"):
        for _ in range(2):
            with crucible.inference("m"):
                pass
    experiment = only(captured, "crucible_telemetry.experiment.stop").span
    calls = captured.named(STOP)
    assert len({call.span.context.trace_id for call in calls} | {experiment.context.trace_id}) == 3
    assert [[link.context for link in call.span.links] for call in calls] == [
        [experiment.context]
    ] * 2
    assert {call.attributes["crucible.experiment.id"] for call in calls} == {"e"}
    assert {call.attributes["crucible.condition"] for call in calls} == {"a"}


def test_a_call_in_a_call_is_its_child() -> None:
    with capture() as captured, crucible.inference("agent"), crucible.inference("tool"):
        pass
    tool, agent = captured.named(STOP)
    assert tool.span.parent == agent.span.context


def test_the_start_is_told_only_if_asked_for() -> None:
    with capture() as captured:
        with crucible.inference("m"):
            pass
        with crucible.inference("m", start_marker=True):
            pass
    start = only(captured, "crucible_deployment.inference.start")
    assert start.attributes["crucible.model.name"] == "m"
    assert len(captured.named(STOP)) == 2


def test_a_thousand_calls_at_once_are_told_apart() -> None:
    async def ask(index: int) -> None:
        with crucible.inference("m", request_id=str(index)) as call:
            await asyncio.sleep(0)
            assert crucible.current_inference() is call
            call.usage(output_tokens=index)

    async def main() -> None:
        with crucible.experiment("e"):
            await asyncio.gather(*(ask(index) for index in range(1000)))

    with capture() as captured:
        asyncio.run(main())
    calls = captured.named(STOP)
    assert {call.attributes["crucible.request.id"] for call in calls} == set(map(str, range(1000)))
    assert all(
        call.attributes["gen_ai.usage.output_tokens"] == int(call.attributes["crucible.request.id"])
        for call in calls
    )


def test_outside_of_a_call_the_current_one_goes_nowhere() -> None:
    with capture() as captured:
        crucible.current_inference().usage(input_tokens=1)
        crucible.current_inference().token()
    assert captured.events == []
    assert faults.counts() == {}


def test_unconfigured_nothing_is_read_or_raised(caplog: pytest.LogCaptureFixture) -> None:
    class Explosive:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    with crucible.inference("m") as call:
        call.input(Explosive())
        call.respond(Explosive())
        call.chunk(Explosive())
        assert list(call.stream(["a", "b"])) == ["a", "b"]
    assert "configure" in caplog.text
    assert faults.counts() == {"unconfigured": 1}


def test_an_answer_of_any_shape_raises_nothing() -> None:
    class Hostile:
        @property
        def usage(self) -> Any:
            raise RuntimeError("no usage for you")

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("nor anything else")

    with capture() as captured, crucible.inference("m") as call:
        for thing in (
            Hostile(),
            object(),
            [],
            {},
            0,
            None,
            b"x",
            {"usage": "much"},
            {"choices": 3},
        ):
            call.respond(thing)
            call.usage(thing)
            call.input(thing)
            call.chunk(thing)
    assert only(captured).attributes["crucible.model.name"] == "m"
    assert set(faults.counts()) <= {"not_a_number"}


def test_watched_numbers_are_watched() -> None:
    measured = {use.measurement.name: use.measurement.watch for use in EVENTS[STOP].measurements}
    for name in ("time_to_first_token_ms", "tokens_per_second", "time_per_output_token_ms"):
        assert isinstance(measured[name], Watch)

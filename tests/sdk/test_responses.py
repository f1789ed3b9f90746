"""What answers of known shapes say, whole and in pieces, as mappings and as objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from crucible_telemetry import messages
from crucible_telemetry.responses import Reading, http_status, read, read_usage


def as_object(value: Any) -> Any:
    """Turn mappings into objects with attributes, as client libraries return them."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_object(item) for key, item in value.items()})
    return [as_object(item) for item in value] if isinstance(value, list) else value


OPENAI_CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 16},
    },
}
OPENAI_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-4.1",
    "output_text": "Hi",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 16},
        "total_tokens": 120,
    },
}
ANTHROPIC: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4",
    "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}],
    "stop_reason": "end_turn",
    # Anthropic's input tokens are those that the cache had no part in.
    "usage": {
        "input_tokens": 26,
        "cache_read_input_tokens": 64,
        "cache_creation_input_tokens": 10,
        "output_tokens": 20,
    },
}
GEMINI: dict[str, Any] = {
    "response_id": "g-1",
    "model_version": "gemini-2.5-pro",
    "candidates": [
        {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finish_reason": "STOP"}
    ],
    "usage_metadata": {
        "prompt_token_count": 100,
        "candidates_token_count": 4,
        "thoughts_token_count": 16,
        "cached_content_token_count": 64,
    },
}
BEDROCK: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 36, "outputTokens": 20, "cacheReadInputTokens": 64},
}
OLLAMA: dict[str, Any] = {
    "model": "llama3",
    "message": {"role": "assistant", "content": "Hi"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 100,
    "eval_count": 20,
}
REQ_LLM: dict[str, Any] = {
    "model": {"id": "gpt-4o", "provider": "openai"},
    "finish_reason": "stop",
    "usage": {
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "reasoning_tokens": 16,
        "total_cost": 0.5,
    },
}
USED: dict[str, Any] = {"input_tokens": 100, "output_tokens": 20}
DETAILED = USED | {"cached_tokens": 64, "reasoning_tokens": 16}


@pytest.mark.parametrize("shape", [dict, as_object], ids=["mapping", "object"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            OPENAI_CHAT,
            Reading(DETAILED, "gpt-4o-2024-08-06", "chatcmpl-1", ("stop",), "Hi"),
            id="openai chat",
        ),
        pytest.param(
            OPENAI_RESPONSE, Reading(DETAILED, "gpt-4.1", "resp_1", (), "Hi"), id="openai response"
        ),
        pytest.param(
            ANTHROPIC,
            Reading(
                USED | {"cached_tokens": 64, "cache_creation_tokens": 10},
                "claude-sonnet-4",
                "msg_1",
                ("end_turn",),
                "Hi",
            ),
            id="anthropic",
        ),
        pytest.param(
            GEMINI, Reading(DETAILED, "gemini-2.5-pro", "g-1", ("STOP",), "Hi"), id="gemini"
        ),
        pytest.param(
            BEDROCK,
            Reading(USED | {"cached_tokens": 64}, None, None, ("end_turn",), "Hi"),
            id="bedrock",
        ),
        pytest.param(OLLAMA, Reading(USED, "llama3", None, ("stop",), "Hi"), id="ollama"),
        pytest.param(
            REQ_LLM,
            Reading(
                USED | {"reasoning_tokens": 16, "cost_usd": 0.5},
                "gpt-4o",
                None,
                ("stop",),
                "",
                is_output=False,
            ),
            id="req_llm",
        ),
    ],
)
def test_an_answer_says_the_same_in_every_shape(
    answer: dict[str, Any], expected: Reading, shape: Any
) -> None:
    assert read(shape(answer)) == expected


def streamed(pieces: list[Any]) -> tuple[str, dict[str, Any], int, tuple[str, ...]]:
    text, count = "", 0
    usage: dict[str, Any] = {}
    reasons: tuple[str, ...] = ()
    for piece in pieces:
        reading = read(as_object(piece))
        text += reading.text
        usage |= reading.usage
        count += reading.is_output
        reasons = reading.finish_reasons or reasons
    return text, usage, count, reasons


def test_a_stream_of_openai_chat_says_each_thing_once() -> None:
    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "model": "m", "choices": [choice], "usage": None, **more}

    pieces = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "H"}),
        chunk({"content": "i"}),
        chunk({"tool_calls": [{"function": {"arguments": "{"}}]}),
        chunk({}, "stop"),
        {"id": "c", "choices": [], "usage": OPENAI_CHAT["usage"]},
    ]
    assert streamed(pieces) == ("Hi", DETAILED, 3, ("stop",))


def test_a_stream_of_openai_responses_says_each_thing_once() -> None:
    pieces = [
        {"type": "response.created", "response": {"id": "resp_1", "usage": None}},
        {"type": "response.output_text.delta", "delta": "H"},
        {"type": "response.output_text.delta", "delta": "i"},
        {"type": "response.output_text.done", "text": "Hi"},
        {"type": "response.completed", "response": OPENAI_RESPONSE},
    ]
    assert streamed(pieces) == ("Hi", DETAILED, 2, ())


def test_a_stream_of_anthropic_says_each_thing_once() -> None:
    started = {**ANTHROPIC, "content": [], "stop_reason": None}
    pieces = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "H"}},
        {"type": "text", "text": "H", "snapshot": "H"},  # of the client's own making
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "i"}},
        {"type": "content_block_stop", "content_block": {"type": "text", "text": "Hi"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 20},
        },
        {"type": "message_stop", "message": ANTHROPIC},
    ]
    text, usage, count, reasons = streamed(pieces)
    assert (text, reasons) == ("Hi", ("end_turn",))
    assert usage == USED | {"cached_tokens": 64, "cache_creation_tokens": 10}
    assert count == 2


def test_a_stream_of_bedrock_says_each_thing_once() -> None:
    pieces = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "H"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "i"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": BEDROCK["usage"], "metrics": {"latencyMs": 5}}},
    ]
    assert streamed(pieces) == ("Hi", USED | {"cached_tokens": 64}, 2, ("end_turn",))


def test_a_stream_of_ollama_says_each_thing_once() -> None:
    pieces = [
        {"model": "llama3", "message": {"content": "H"}, "done": False},
        {"model": "llama3", "message": {"content": "i"}, "done": False},
        {**OLLAMA, "message": {"role": "assistant", "content": ""}},
    ]
    assert streamed(pieces) == ("Hi", USED, 2, ("stop",))


@pytest.mark.parametrize("usage", [OPENAI_CHAT["usage"], OPENAI_CHAT, as_object(OPENAI_CHAT)])
def test_a_usage_is_read_alone_or_out_of_its_answer(usage: Any) -> None:
    assert read_usage(usage) == DETAILED


def test_the_elixir_packages_tokens_are_read() -> None:
    assert read_usage({"tokens": {"prompt": 3, "completion": 4, "total": 7}}) == {
        "input_tokens": 3,
        "output_tokens": 4,
    }


def test_fields_that_a_model_keeps_beside_its_own_are_found() -> None:
    class Extra:
        """As pydantic keeps fields that its model does not name."""

        __slots__ = ("__pydantic_extra__",)

        def __init__(self, **extra: Any) -> None:
            self.__pydantic_extra__ = extra

    assert read(Extra(usage={"input_tokens": 1}, id="x")).usage == {"input_tokens": 1}


def test_a_mock_that_answers_everything_says_nothing() -> None:
    assert read(MagicMock()) == Reading()


def test_slots_and_properties_are_fields() -> None:
    class Slotted:
        __slots__ = ("usage",)
        usage: dict[str, int]

        @property
        def id(self) -> str:
            return "x"

        @property
        def model(self) -> str:
            raise ValueError("not loaded")

    answer = Slotted()
    answer.usage = {"input_tokens": 1}
    assert read(answer) == Reading({"input_tokens": 1}, None, "x", is_output=False)


def test_an_http_response_that_nobody_has_read_is_left_alone() -> None:
    class HttpResponse:
        status_code = 200

        @property
        def content(self) -> bytes:
            raise AssertionError("read")

        text = content

    assert read(HttpResponse()) == Reading()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SimpleNamespace(status_code=429), 429),
        (SimpleNamespace(response=SimpleNamespace(status_code=503)), 503),
        (SimpleNamespace(code=404), 404),
        (SimpleNamespace(code="insufficient_quota"), None),
        (SimpleNamespace(status_code=7), None),
    ],
)
def test_a_clients_exception_says_its_status(error: Any, status: int | None) -> None:
    assert http_status(error) == status


@pytest.mark.parametrize(
    ("content", "size"),
    [
        ("Grüße", 7),
        (b"\x00\x01", 2),
        ([{"role": "user", "content": "ab"}, {"role": "user", "content": [{"text": "c"}]}], 3),
        ({"role": "user", "parts": [{"type": "text", "content": "ab"}]}, 2),
        (["a", "bc"], 3),
        (memoryview(b"abc"), 3),
        (SimpleNamespace(nbytes=8), 8),
        (3, None),
        (None, None),
    ],
)
def test_sizes_are_those_of_what_was_said(content: Any, size: int | None) -> None:
    assert messages.size_bytes(content) == size


def test_messages_keep_what_else_they_hold() -> None:
    assert messages.as_messages(
        [
            {"role": "system", "content": "be brief"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "t"}]},
            {"role": "tool", "parts": [{"type": "text", "content": "x"}]},
            "plain",
        ]
    ) == [
        {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
        {"role": "assistant", "parts": [], "tool_calls": [{"id": "t"}]},
        {"role": "tool", "parts": [{"type": "text", "content": "x"}]},
        {"role": "user", "parts": [{"type": "text", "content": "plain"}]},
    ]

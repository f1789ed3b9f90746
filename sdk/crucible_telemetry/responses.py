"""Reads what a model's answer says of itself: tokens, cost, model, id, why it ended, its text.

By the names of its fields alone, so that no client library is needed: mappings and objects of the
OpenAI, Anthropic, Gemini, Bedrock, Ollama, LangChain and req_llm kinds, whole or as a piece of a
stream. What a reader could not guess: an answer's text is only looked for once the answer is known
to be one of these, because `.content` of an HTTP response that nobody has read yet would read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible_telemetry.foreign import Fields, fields_of, get
from crucible_telemetry.values import Number

_USAGE = ("usage", "usage_metadata", "usageMetadata", "token_usage", "tokens")

# The registry's field, and the names that providers give it. Dotted names are those of details.
_TOKENS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "input_tokens",
        "prompt_tokens",
        "inputTokens",
        "prompt_token_count",
        "promptTokenCount",
        "prompt_eval_count",
        "prompt",
    ),
    "output_tokens": (
        "output_tokens",
        "completion_tokens",
        "outputTokens",
        "candidates_token_count",
        "candidatesTokenCount",
        "eval_count",
        "completion",
    ),
    "cached_tokens": (
        "cached_tokens",
        "cache_read_input_tokens",
        "cacheReadInputTokens",
        "cached_content_token_count",
        "cachedContentTokenCount",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "input_token_details.cache_read",
    ),
    "cache_creation_tokens": (
        "cache_creation_input_tokens",
        "cacheWriteInputTokens",
        "input_token_details.cache_creation",
    ),
    "reasoning_tokens": (
        "reasoning_tokens",
        "thoughts_token_count",
        "thoughtsTokenCount",
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_token_details.reasoning",
    ),
    "cost_usd": ("cost_usd", "total_cost", "cost"),
}
# Where input tokens go by the first name and cached ones by one of the others (Anthropic, Bedrock),
# the first does not contain the others; for OpenTelemetry it does.
_APART = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "inputTokens": ("cacheReadInputTokens", "cacheWriteInputTokens"),
}
# So it is with Gemini's answer and what it thought before.
_THOUGHTS_APART = ("thoughts_token_count", "thoughtsTokenCount")

_FINISH = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason")
_MODEL = ("model", "model_version", "modelVersion", "response_model")
_ID = ("id", "response_id", "responseId")
_SHAPES = ("choices", "delta", "candidates", "done", *_USAGE, *_FINISH)
_BEDROCK = ("contentBlockDelta", "messageStart", "messageStop", "contentBlockStop")
_FRAMES = {"message_start", "message_stop", "content_block_stop", "ping"}
_KINDS = ("message", "content_block", "response.", "ai", "AIMessage")  # beginnings of `type`
# OpenAI's responses stream deltas that are texts.
_TEXT = (
    "content",
    "text",
    "delta",
    "output_text",
    "response",
    "reasoning_content",
    "thinking",
    "parts",
)
_CHOICES_MAX = 16  # of an answer; more of them say nothing that these do not
_OTHER_OUTPUT = ("tool_calls", "function_call", "partial_json", "refusal", "functionCall")


@dataclass(slots=True)
class Reading:
    """What an answer, or a piece of one, says; what it does not say is empty."""

    usage: dict[str, Number] = field(default_factory=dict)  # by the registry's fields
    model: str | None = None
    id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    text: str = ""
    is_output: bool = True  # False: a piece of a stream that only tells of the stream


def read(answer: Any) -> Reading:
    """Read an answer. Nothing in it is trusted; what has another shape gives an empty reading."""
    if isinstance(answer, str):
        return Reading(text=answer)
    if isinstance(answer, bytes | bytearray | int | float) or answer is None:
        return Reading()
    told = fields_of(answer)
    whole = _whole(told)
    is_summary = _is_summary(told)
    if _first(whole, _SHAPES) is None and not _is_message(whole):
        used = _usage(whole) if isinstance(whole, Mapping) else {}
        return Reading(usage=used, is_output=not used and not is_summary)
    parts = list(_parts(whole))
    text = "" if is_summary else "".join(_texts(parts))
    is_output = bool(text) or any(_first(part, _OTHER_OUTPUT) for part in parts)
    usage = _first(whole, _USAGE)
    if usage is None:
        used = _usage(whole) if whole.get("eval_count") is not None else {}  # Ollama's
    else:
        used = _usage(fields_of(usage))
    return Reading(
        usage=used,
        model=_text(_first(whole, _MODEL)),
        id=_text(_first(whole, _ID)),
        finish_reasons=_finish_reasons(parts),
        text=text,
        is_output=is_output and not is_summary,
    )


def read_usage(usage: Any) -> dict[str, Number]:
    """Return the numbers of an answer, or of its usage alone, by the registry's fields."""
    return read(usage).usage or _usage(fields_of(usage))


def http_status(error: BaseException) -> int | None:
    """Return the status that a client's exception says it is of."""
    for thing in (error, get(error, "response")):
        for name in ("status_code", "status", "code"):
            status = get(thing, name)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None


def _whole(told: Fields) -> Fields:
    """Return what an event of a stream is about: OpenAI's `response`, Anthropic's `message`."""
    kind = told.get("type")
    if isinstance(kind, str) and (kind == "message_start" or kind.startswith("response.")):
        inner = told.get("message" if kind == "message_start" else "response")
        return told if inner is None else fields_of(inner)
    metadata = told.get("metadata")  # the last piece of Bedrock's streams
    if metadata is not None and get(metadata, "usage") is not None:
        return fields_of(metadata)
    return told


def _is_message(whole: Fields) -> bool:
    kind = whole.get("type")
    if isinstance(kind, str) and kind.startswith(_KINDS):
        return True
    return isinstance(whole.get("role"), str) or _first(whole, _BEDROCK) is not None


def _is_summary(told: Fields) -> bool:
    """Whether a piece of a stream brings nothing new: it frames or repeats others."""
    kind = told.get("type")
    if isinstance(kind, str):
        if kind.startswith("response."):
            return not kind.endswith(".delta")
        if kind in _FRAMES:
            return True
    return told.get("snapshot") is not None


def _parts(whole: Fields) -> Iterator[Fields]:
    """Yield whatever may hold text or the reason of the end, outermost first."""
    yield whole
    for name in ("choices", "candidates"):
        listed = whole.get(name)
        for item in listed[:_CHOICES_MAX] if isinstance(listed, list | tuple) else ():
            choice = fields_of(item)
            yield choice
            yield from _inside(choice, ("delta", "message", "content"))
    for part in _inside(whole, ("delta", "message", "content_block", "output", *_BEDROCK)):
        yield part
        yield from _inside(part, ("delta", "message"))


def _inside(outer: Fields, names: tuple[str, ...]) -> Iterator[Fields]:
    for name in names:
        found = outer.get(name)
        if found is not None and not isinstance(found, str | list):
            yield fields_of(found)


def _texts(parts: list[Fields]) -> Iterator[str]:
    for part in parts:
        for name in _TEXT:
            found = part.get(name)
            if isinstance(found, str):
                yield found
                break
            if isinstance(found, list | tuple):
                blocks = [get(block, "text") for block in found]
                yield from (text for text in blocks if isinstance(text, str))
                break


def _finish_reasons(parts: list[Fields]) -> tuple[str, ...]:
    reasons = (_text(_first(part, _FINISH)) for part in parts)
    return tuple(dict.fromkeys(reason for reason in reasons if reason))


def _usage(usage: Fields) -> dict[str, Number]:
    found: dict[str, Number] = {}
    named: dict[str, str] = {}
    for token, names in _TOKENS.items():
        for name in names:
            amount = _number(_at(usage, name))
            if amount is not None:
                found[token], named[token] = amount, name
                break
    for name in _APART.get(named.get("input_tokens", ""), ()):
        found["input_tokens"] += _number(usage.get(name)) or 0
    if named.get("reasoning_tokens") in _THOUGHTS_APART:
        found["output_tokens"] = found.get("output_tokens", 0) + found["reasoning_tokens"]
    return found


def _at(fields: Fields, path: str) -> Any:
    outer, _, inner = path.partition(".")
    return get(fields.get(outer), inner) if inner else fields.get(outer)


def _number(value: Any) -> Number | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    """Return a text, or the text of an enum's member or of a description of a model."""
    for name in ("value", "id", "model", "name"):
        if isinstance(value, str):
            return value
        inner = get(value, name)
        value = value if inner is None else inner
    return value if isinstance(value, str) else None


def _first(fields: Fields, names: tuple[str, ...]) -> Any:
    for name in names:
        found = fields.get(name)
        if found is not None:
            return found
    return None

"""Prompts and answers in the form of OpenTelemetry's `gen_ai.input.messages`, and their sizes.

Only the sizes are sent unless content is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible_telemetry import foreign


def as_messages(content: Any, role: str = "user") -> list[dict[str, Any]]:
    """Return messages with parts: from a text, from one message or several (`role`, `content`)."""
    if isinstance(content, Mapping):
        return [_message(content, role)]
    if isinstance(content, list | tuple):
        return [_message(item, role) for item in content]
    return [{"role": role, "parts": _parts(content)}]


def _message(item: Any, role: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {"role": role, "parts": _parts(item)}
    if "parts" in item:
        return dict(item)
    rest = {key: value for key, value in item.items() if key not in {"role", "content"}}
    return {"role": item.get("role", role), "parts": _parts(item.get("content")), **rest}


def _parts(content: Any) -> list[Any]:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    if isinstance(content, list | tuple):
        return [_part(item) for item in content]
    return [_part(content)]


def _part(item: Any) -> Any:
    if isinstance(item, Mapping) and isinstance(item.get("text"), str):
        return {"type": "text", "content": item["text"]}
    return dict(item) if isinstance(item, Mapping) else {"type": "text", "content": str(item)}


def size_bytes(content: Any) -> int | None:
    """Return how many bytes an input or output has: its texts in UTF-8; None if that is unknown.

    Roles and other fields of messages do not count. Arrays have `nbytes`.
    """
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    if isinstance(content, bytes | bytearray | memoryview):
        return len(content)
    if isinstance(content, Mapping):
        texts = (content.get(name) for name in ("content", "parts", "text"))
        return next((size_bytes(text) for text in texts if text is not None), 0)
    if isinstance(content, Sequence):
        sizes = [size_bytes(item) for item in content]
        return sum(size for size in sizes if size is not None)
    nbytes = foreign.get(content, "nbytes")
    return nbytes if isinstance(nbytes, int) else None

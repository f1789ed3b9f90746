"""What is written down of a change: who, when, what, and of its body the harmless part.

Harmless is what a list of names says is; of everything else only the name is kept. A body that is no JSON
object is kept as its size.
"""

from __future__ import annotations

import getpass
import json
import math
from collections.abc import Mapping
from typing import Any

# Fields that people look for in an audit, and that nobody puts a secret in.
_TOLD = frozenset(
    {
        "by", "changed_by", "condition", "destination", "experiment", "experiment_prefix", "expires",
        "expires_at", "follows", "format", "from", "kind", "label", "name", "reason", "run", "scopes", "state",
        "status", "to", "what",
    }
)  # fmt: skip
_FIELDS_MAX = 50
_CHARS_MAX = 200
BODY_BYTES_MAX = 256 * 1024


def summary_of(body: bytes, *, is_whole: bool = True) -> dict[str, Any]:
    """What to keep of a request's body; `is_whole`: False where it was longer than `body`."""
    try:
        told = json.loads(body) if is_whole and body else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, Mapping):
        return {"body_bytes": len(body)} if body else {}
    names = sorted(map(str, told))[:_FIELDS_MAX]
    kept = {
        name: _cut(told[name]) for name in names if name in _TOLD and told.get(name) is not None
    }
    return {"fields": [_text(name) for name in names], **kept}


def user_of_command() -> str:
    """Who runs a command, as an audit has it."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name, as containers have
        return "cli"


def _cut(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_cut(each) for each in value[:_FIELDS_MAX]]
    if isinstance(value, str):
        return _text(value)
    return _text(json.dumps(value))


def _text(text: str) -> str:
    """As PostgreSQL can keep it: without NUL and halves of characters."""
    safe = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return safe if len(safe) <= _CHARS_MAX else f"{safe[: _CHARS_MAX - 1]}…"

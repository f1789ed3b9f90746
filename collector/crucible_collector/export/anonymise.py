"""What does not leave as it is: dropped, or in place of a value its HMAC.

A pattern is about columns and about the keys of attributes, at any depth, in the attributes of events and links,
too; it fits the last part of a name or all of it. HMAC-SHA-256 (RFC 2104) with a key that is not kept: equal
values stay equal within an export, and in all with the same key; who does not have the key cannot try values.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crucible_collector.api.exports import Anonymise, Hidden

HASH_DIGITS = 32
_KEY_BYTES = 32
_CACHED_MAX = 65_536

_HASHED: dict[Hidden, tuple[str, ...]] = {
    "users": (
        "user.id",
        "*user_id",
        "*user.id_hash",
        "enduser.id",
        "enduser.pseudo.id",
        "session.id",
        "*session_id",
        "*gen_ai.conversation.id",
    ),
    "texts": (),
}
_DROPPED: dict[Hidden, tuple[str, ...]] = {
    "users": (
        "user.name",
        "user.full_name",
        "user.email",
        "user.hash",
        "enduser.role",
        "enduser.scope",
        "client.address",
        "source.address",
        "network.peer.address",
        "net.peer.ip",
        "http.client_ip",
        "user_agent.original",
    ),
    "texts": (
        "*prompt",
        "*prompts",
        "gen_ai.prompt*",
        "*completion",
        "gen_ai.completion*",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "llm.prompts*",
        "llm.completions*",
        "llm.input_messages*",
        "llm.output_messages*",
        "input.value",
        "output.value",
        "*.text",
        "*attack.input",
        "*attack.output",
        "exception.message",
        "exception.stacktrace",
        "status_message",
        "body",
    ),
}


class Hiding:
    """What one export hides, by names."""

    def __init__(self, asked: Anonymise) -> None:
        dropped = [*asked.drop, *(each for preset in asked.presets for each in _DROPPED[preset])]
        hashed = [*asked.hash, *(each for preset in asked.presets for each in _HASHED[preset])]
        self._dropped, self._hashed = _any_of(dropped), _any_of(hashed)
        self.has_key = asked.key is not None
        given = asked.key.get_secret_value().encode() if asked.key is not None else None
        self._key = given or secrets.token_bytes(_KEY_BYTES)
        self._hash = functools.lru_cache(_CACHED_MAX)(self._hash_of)

    @property
    def hides(self) -> bool:
        return self._dropped is not None or self._hashed is not None

    @property
    def hashes(self) -> bool:
        return self._hashed is not None

    def drops(self, name: str) -> bool:
        """Whether what has this name is left out; wins over hashing."""
        return _fits(self._dropped, name)

    def column(self, name: str, values: pa.Array, *, is_json: bool) -> pa.Array:
        """A column as it may leave; text where it is hashed."""
        if _fits(self._hashed, name):
            texts = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
            return self._each(texts, self._hash)
        return self._each(values, self._objects) if is_json and self.hides else values

    def _each(self, values: pa.Array, change: Any) -> pa.Array:
        """The distinct values changed, in the places of theirs."""
        coded = values.dictionary_encode()
        changed = [None if each is None else change(each) for each in coded.dictionary.to_pylist()]
        return pa.array(changed, pa.string()).take(coded.indices)

    def _hash_of(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:HASH_DIGITS]

    def _objects(self, text: str) -> str:
        hidden = self._hidden(json.loads(text), "")
        return json.dumps(hidden, ensure_ascii=False, separators=(", ", ": "))

    def _hidden(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._hidden(each, path) for each in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, each in value.items():
            name = f"{path}.{key}" if path else key
            if self.drops(name) or self.drops(key):
                continue
            if _fits(self._hashed, name) or _fits(self._hashed, key):
                found[key] = self._hash(each if isinstance(each, str) else _text(each))
            else:
                found[key] = self._hidden(each, name)
        return found


def _text(value: Any) -> str:
    """A value's text; that of a number or a boolean is what its column would have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(fnmatch.translate, patterns))) if patterns else None


def _fits(patterns: re.Pattern[str] | None, name: str) -> bool:
    """By all of the name, or without the column of objects that it lies in."""
    if patterns is None:
        return False
    for column in ("attributes.", "resource_attributes.", "config.", "summary."):
        name_within = name.removeprefix(column)
        if name_within != name and patterns.fullmatch(name_within):
            return True
    return patterns.fullmatch(name) is not None

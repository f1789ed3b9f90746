"""What may leave the process: user ids, contents and the size of attributes.

Every attribute of a span passes `Policy.applied` on its way out. Unless asked for, prompts,
completions, texts of attacks and of feedback are left out, and so are the ids of users, under
whatever key an integration wrote them. What a reader could not guess: numbers that were measured,
the step and the index of a batch are not shown to `redact`, since they are written where no Python
of the user's runs.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crucible_schema import events as names
from crucible_schema import is_measurement_key
from crucible_telemetry import faults, values
from crucible_telemetry.faults import Fault
from crucible_telemetry.values import AttributeValue

ATTRIBUTE_BYTES_MAX: Final = 65_536
ATTRIBUTES_MAX: Final = 128  # of a span; OpenTelemetry's own limit, which would drop the oldest
_USER_KEYS: Final = frozenset({names.USER_ID, "enduser.id", "user.name", "user.email"})
_USER_FIELDS: Final = frozenset({"user_id", "user.id", "user_name", "user_email"})
_CONTENT_PREFIXES: Final = (
    "gen_ai.prompt", "gen_ai.completion", "gen_ai.system_instructions",
    names.GEN_AI_INPUT_MESSAGES, names.GEN_AI_OUTPUT_MESSAGES, names.FEEDBACK_CONTENT,
    names.API_PAYLOAD, names.HEDGING_RESULTS,
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
    "llm.input_messages", "llm.output_messages", "llm.prompts", "llm.completions",
    "input.value", "output.value", "traceloop.entity.input", "traceloop.entity.output",
)  # fmt: skip
_CONTENT_FIELDS: Final = frozenset({
    "prompt", "prompts", "completion", "completions", "messages", "response", "response_text",
    "input_text", "output_text", "text",
    "original", "original_text", "original_input", "attacked", "attacked_text", "attacked_input",
    "adversarial_text", "adversarial_input",
})  # fmt: skip
_CHARACTER_BYTES_MAX = 4


class UserIds(enum.StrEnum):
    """What becomes of the ids of users."""

    OMIT = "omit"
    HASH = "hash"
    PLAIN = "plain"


class _Kind(enum.Enum):
    MEASUREMENT = enum.auto()
    COUNTER = enum.auto()
    USER = enum.auto()
    CONTENT = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Policy:
    """What `configure()` was told about privacy and sizes."""

    redact: Callable[[str, Any], Any] | None = None
    user_ids: UserIds = UserIds.OMIT
    user_id_key: bytes = b""
    capture_content: bool = False
    attribute_bytes_max: int = ATTRIBUTE_BYTES_MAX
    attributes_max: int = ATTRIBUTES_MAX

    def applied(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Return those attributes that may leave, as they may leave; the first ones if too many."""
        kept: dict[str, AttributeValue] = {}
        for key, value in attributes.items():
            kind = _kind(key)
            if kind is _Kind.USER:
                self._keep(kept, self.user(value))
            elif kind is not _Kind.CONTENT or self.capture_content:
                self._keep(kept, {key: value}, is_shown=not _is_number(kind, value))
        return kept

    def user(self, user_id: object) -> dict[str, AttributeValue]:
        """Return what tells who the user was: nothing, a hash, or the id itself.

        The hash is HMAC-SHA256 under `user_id_key`, in hex; without a key whoever can list the
        users can undo it.
        """
        if self.user_ids is UserIds.OMIT or user_id is None:
            return {}
        if self.user_ids is UserIds.PLAIN:
            return {names.USER_ID: values.bounded_id(user_id)}
        text = str(user_id).encode("utf-8", "replace")
        digest = hmac.new(self.user_id_key, text, hashlib.sha256).hexdigest()
        return {names.USER_ID_HASH: digest}

    def text(self, key: str, text: str) -> str:
        """Return a text that leaves beside the attributes, as the attribute `key` would."""
        kept = self.applied({key: text}).get(key)
        return kept if isinstance(kept, str) else ""

    def _keep(
        self,
        kept: dict[str, AttributeValue],
        more: Mapping[str, AttributeValue],
        *,
        is_shown: bool = True,
    ) -> None:
        for key, value in more.items():
            if len(kept) >= self.attributes_max:
                faults.note(
                    Fault.TOO_MANY_ATTRIBUTES,
                    "%s is beyond the %d attributes of a span; left out",
                    key,
                    self.attributes_max,
                )
                continue
            allowed = self._redacted(key, value) if is_shown and self.redact else value
            allowed = self._bounded(key, allowed)
            if allowed is not None:
                kept[key] = allowed

    def _redacted(self, key: str, value: AttributeValue) -> AttributeValue | None:
        """None: left out, because redact said so or failed. Texts of a list are shown one by one."""
        if self.redact is None:
            return value
        try:
            if isinstance(value, list | tuple):
                shown = [self.redact(key, item) for item in value]
                return values.attribute([item for item in shown if item is not None])
            redacted = self.redact(key, value)
        except Exception:  # noqa: BLE001 - the user's function; what it did not pass does not leave
            faults.note(Fault.REDACT, "redact failed for %s, which is left out", key, exc_info=True)
            return None
        return values.encodable(redacted) if type(redacted) is str else values.attribute(redacted)

    def _bounded(self, key: str, value: AttributeValue | None) -> AttributeValue | None:
        limit = self.attribute_bytes_max
        if isinstance(value, str):
            if len(value) * _CHARACTER_BYTES_MAX > limit and len(value.encode()) > limit:
                if value[:1] in {"{", "["}:  # half of it is no JSON
                    faults.note(Fault.TOO_LARGE, "%s is too large to be sent", key)
                    return None
                return values.bounded_text(value, limit)
        elif isinstance(value, list | tuple):
            return self._bounded_list(key, value)
        return value

    def _bounded_list(self, key: str, items: list[Any] | tuple[Any, ...]) -> AttributeValue | None:
        """Keep the first items that fit the limit together."""
        left = self.attribute_bytes_max
        for count, item in enumerate(items):
            left -= len(item.encode()) if isinstance(item, str) else 8
            if left < 0:
                faults.note(Fault.TOO_LARGE, "%s has too many items to be sent", key)
                return items[:count] or None
        return items


def _is_number(kind: _Kind, value: AttributeValue) -> bool:
    """Whether a value was measured or counted here, and says nothing about a person."""
    return kind in {_Kind.MEASUREMENT, _Kind.COUNTER} and isinstance(value, int | float)


@functools.lru_cache(maxsize=10_000)
def _kind(key: str) -> _Kind:
    field = key.split(".", 2)[-1] if key.startswith("crucible.") else ""
    if is_measurement_key(key):
        return _Kind.MEASUREMENT
    if key in {names.STEP, names.BATCH_INDEX}:
        return _Kind.COUNTER
    if key in _USER_KEYS or field in _USER_FIELDS:
        return _Kind.USER
    is_content = key.startswith(_CONTENT_PREFIXES) or field in _CONTENT_FIELDS
    return _Kind.CONTENT if is_content else _Kind.OTHER

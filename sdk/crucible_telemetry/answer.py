"""What an answer came to, told at once, in pieces or number by number; the last word counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_telemetry import messages, values
from crucible_telemetry.faults import Fault, note
from crucible_telemetry.responses import Reading

# Of the text, where it is kept at all: as JSON, with its quotes and newlines escaped, it has to stay
# below the limit of an attribute.
_TEXT_BYTES_MAX = 32_000


class Answer:
    """Filled by one call; `metadata` are the registry's fields."""

    __slots__ = ("_id", "_keeps_text", "_model", "_size_bytes", "_texts", "finish_reasons", "usage")

    def __init__(self, *, keeps_text: bool) -> None:
        self._keeps_text = keeps_text
        self._model: str | None = None
        self._id: str | None = None
        self._size_bytes: int | None = None
        self._texts: list[str] = []
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: dict[str, values.Number] = {}

    def add(self, piece: Reading) -> None:
        """Take in a piece, whose text follows on that of the pieces before."""
        self._describe(piece)
        if piece.text:
            if self._keeps_text and (self._size_bytes or 0) < _TEXT_BYTES_MAX:
                self._texts.append(piece.text)
            self._size_bytes = (self._size_bytes or 0) + (messages.size_bytes(piece.text) or 0)

    def replace(self, whole: Reading) -> None:
        """Take in a whole answer, whose text is all of it."""
        if whole.text:
            self._texts.clear()
            self._size_bytes = None
        self.add(whole)

    def resize(self, size_bytes: Any) -> None:
        """Set a size that is not that of the text."""
        self._size_bytes = values.whole(size_bytes)

    def use(self, told: Mapping[str, Any]) -> None:
        """Take in numbers of the usage by name; what is none is left out and counted."""
        for name, value in told.items():
            number = values.number(value)
            if number is not None:
                self.usage[name] = number
            elif value is not None:
                note(Fault.NOT_A_NUMBER, "%s=%r is not a number; left out", name, value)

    def metadata(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            **self.usage,
            "response_model": self._model,
            "response_id": self._id,
            "finish_reasons": list(self.finish_reasons) or None,
            "output_size": self._size_bytes,
        }
        if self._texts:
            text = values.bounded_text("".join(self._texts), _TEXT_BYTES_MAX)
            (message,) = messages.as_messages(text, role="assistant")
            finish_reason = next(iter(self.finish_reasons), None)
            told["output_messages"] = [{**message, "finish_reason": finish_reason}]
        return told

    def _describe(self, reading: Reading) -> None:
        self.usage.update(reading.usage)
        self._model = reading.model or self._model
        self._id = reading.id or self._id
        self.finish_reasons = reading.finish_reasons or self.finish_reasons

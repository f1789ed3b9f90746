"""Which form of an answer a request would rather have (RFC 9110, sections 8.8 and 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

JSON = "application/json"
ARROW_STREAM = "application/vnd.apache.arrow.stream"


def chosen(accept: str, offered: Sequence[str]) -> str | None:
    """The media type that is wanted most, of equals the first; None where none of them will do.

    `accept`: the header's value; empty: anything will do. The most specific range that fits a type says
    how much it is wanted, and one whose weight is no number does not count.
    """
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    best: tuple[float, str] | None = None
    for media_type in offered:
        weight = _weight(media_type, ranges)
        if weight > 0 and (best is None or weight > best[0]):
            best = weight, media_type
    return None if best is None else best[1]


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (text.strip().lower() for text in part.split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
    return name, weight if 0 <= weight <= 1 else 0.0


def _weight(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    for wanted in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        weights = [weight for name, weight in ranges if name == wanted]
        if weights:
            return max(weights)
    return 0.0


def entity_tag(body: bytes) -> str:
    """A weak one: what is sent may be compressed, and a strong tag would have to tell that apart."""
    return f'W/"{blake2b(body, digest_size=16).hexdigest()}"'


def is_same(tag: str, if_none_match: str) -> bool:
    """Whether the sender has that already, by weak comparison."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag.removeprefix("W/") in known

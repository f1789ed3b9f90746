"""From the field names that people write (`learning_rate=…`) to the registry's attribute keys.

The registry decides key and type; a field that it does not know is sent all the same, under
`crucible.<object>.<field>`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from crucible_schema import EVENTS, AttributeType, AttributeUse, canonical_event
from crucible_telemetry import faults, values

_NOT_IN_A_KEY = re.compile(r"[^a-zA-Z0-9_./-]+")


@functools.lru_cache(maxsize=1024)  # a program that makes names up must not fill memory
def known(event_name: str) -> Mapping[str, tuple[str, AttributeType, bool]]:
    """Return by field, aliases included, its key, its type and whether it is sent as JSON.

    Of an event that the registry does not have, the fields that all events have.
    """
    event = EVENTS.get(canonical_event(event_name))
    found: dict[str, tuple[str, AttributeType, bool]] = {}
    for use in _identity() if event is None else event.attributes:
        attribute = use.attribute
        for field in use.fields:
            if field == use.field or field not in found:  # the event's own word for it comes first
                found[field] = attribute.key, attribute.type, attribute.is_json
    for measurement in (use.measurement for use in (() if event is None else event.measurements)):
        for field in (*measurement.aliases, measurement.name):
            found.setdefault(field, (measurement.key, measurement.type, False))
    return found


def _identity() -> tuple[AttributeUse, ...]:
    from crucible_schema.catalogue import IDENTITY  # noqa: PLC0415 - large; only if asked for

    return IDENTITY


def attributes(
    event_name: str, metadata: Mapping[str, Any]
) -> Iterator[tuple[str, values.AttributeValue]]:
    """Yield the attributes that an event's metadata make; None and what is too large is left out."""
    parts = event_name.split(".")
    prefix = f"crucible.{parts[1] if len(parts) > 1 else parts[0]}."
    registered = known(event_name)
    for field, value in metadata.items():
        if value is None:
            continue
        key, kind, is_json = registered.get(field) or _unknown(prefix, field)
        try:
            converted = (
                values.json_text(value) if is_json else _typed(values.attribute(value), kind)
            )
        except Exception:  # noqa: BLE001 - a foreign type raises what it likes; the rest is sent
            faults.note(faults.Fault.ERROR, "%s cannot be read", key, exc_info=True)
            continue
        if converted is None:
            faults.note(faults.Fault.TOO_LARGE, "%s is too large to be sent", key)
        else:
            yield key, converted


def _unknown(prefix: str, field: str) -> tuple[str, None, bool]:
    return prefix + values.bounded_id(_NOT_IN_A_KEY.sub("_", field), 200), None, False


def _typed(
    value: values.AttributeValue | None, kind: AttributeType | None
) -> values.AttributeValue | None:
    if kind is AttributeType.DOUBLE and type(value) is int:
        return float(value)  # `learning_rate=1` must not make a column of two types
    if kind is AttributeType.STRING and isinstance(value, bool | int | float):
        return str(value)  # so must not `model_version=3`
    if kind is AttributeType.STRINGS and isinstance(value, str):
        return (value,)  # nor `metrics="loss"`
    return value

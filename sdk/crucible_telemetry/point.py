"""Sends one event that has no life of its own: of the registry, or one of the user's.

    crucible.event("my_app.cache.evicted", {"entries": 12}, {"reason": "size"})

What a reader could not guess: an event that the registry does not know is stored all the same, and
counted by the collector as unknown; the fields of the identity set (step, epoch, model, …) mean the
same in it as in any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context

from crucible_schema import MEASUREMENT_PREFIX, canonical_event, is_known, measurement_of
from crucible_schema import events as names
from crucible_telemetry import fields, values
from crucible_telemetry.emission import send_point
from crucible_telemetry.encoding import measurement_key
from crucible_telemetry.faults import Fault, guarded, note
from crucible_telemetry.scope import Scope, surrounding
from crucible_telemetry.telemetry import current, remind
from crucible_telemetry.values import AttributeValue

_NS_PER_S = 1_000_000_000
_CARRIED_IDS = (names.EXPERIMENT_ID, names.CONDITION, names.RUN_ID)
_DURATION_S_MAX = 1e9  # 31 years: what is longer is no length of time but a mistake


@guarded
def event(
    name: str | Sequence[str],
    measurements: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    duration_s: float | None = None,
) -> None:
    """Send an event named `package.object.action`, as a text or as its parts.

    Fields that the registry knows for it get its attribute keys, other metadata
    `crucible.<object>.<field>`, other numbers their own name. The event ends now, and began
    `duration_s` ago. It is part of the scope around it, or stands alone.
    """
    if current().tracer is None:
        remind()
        return
    # Bounded first: looking up a name takes more than its length.
    text = values.bounded_id(name if isinstance(name, str) else ".".join(map(str, name)))
    attributes = dict(fields.attributes(text, metadata or {}))
    free: dict[str, Any] = {}
    for field, value in (measurements or {}).items():
        key = measurement_of(text, field) or MEASUREMENT_PREFIX + str(field)
        if key.startswith(MEASUREMENT_PREFIX):
            free[key.removeprefix(MEASUREMENT_PREFIX)] = value
        elif (number := values.number(value)) is not None:
            attributes[key] = number  # one of OpenTelemetry's own, such as tokens
    if not is_known(canonical_event(text)):
        attributes[names.EVENT_NAME] = text  # or a collector takes it for a span of somebody else's
    around = surrounding()
    end_ns = current().clock.wall_ns() if around is None else around._now_ns()
    emit_point(
        text,
        attributes,
        measurements=free,
        start_ns=end_ns - length_ns(duration_s),
        end_ns=end_ns,
    )


def length_ns(duration_s: Any) -> int:
    """Return a length of time in ns; 0 for what is none, counted."""
    length_s = values.number(duration_s)
    if length_s is not None and 0 <= length_s < _DURATION_S_MAX:
        return int(length_s * _NS_PER_S)
    if duration_s is not None:
        told = guarded(values.bounded_text)(duration_s)
        note(Fault.NOT_A_NUMBER, "duration_s=%s is no length of time; left out", told)
    return 0


@guarded
def emit_point(
    name: str,
    attributes: Mapping[str, AttributeValue],
    *,
    measurements: Mapping[str, Any] | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    parent: Scope | None = None,
) -> None:
    """Send an event that is no scope's end: at `end_ns`, or now; from `start_ns` if it lasted.

    It belongs to `parent`, else to the scope around it. Without either it stands alone, in the
    story that baggage tells of, or in one of its own.
    """
    around = surrounding() if parent is None else parent
    using = current() if around is None else around._telemetry
    told = {**(_carried() if around is None else around._inherited), **attributes}
    for key, value in (measurements or {}).items():
        number = values.number(value)
        if number is not None:
            told[measurement_key(key)] = number
        elif value is not None:
            note(Fault.NOT_A_NUMBER, "%s of %s is not a number; left out", key, name)
    if end_ns is None:
        end_ns = using.clock.wall_ns() if around is None else around._now_ns()
    if start_ns is None:
        start_ns = end_ns
    inside = Context() if around is None else around._context
    send_point(using, inside, name, start_ns, end_ns, told)


def _carried() -> dict[str, AttributeValue]:
    """Return what the baggage says that this belongs to."""
    found = ((key, baggage.get_baggage(key)) for key in (names.CORRELATION_ID, *_CARRIED_IDS))
    return {key: values.bounded_id(value) for key, value in found if value}

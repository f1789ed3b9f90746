"""Sends one event that has no life of its own: of the registry, or one of the user's.

    crucible.event("my_app.cache.evicted", {"entries": 12}, {"reason": "size"})

What a reader could not guess: an event that the registry does not know is stored all the same, and
counted by the collector as unknown; the fields of the identity set (step, epoch, model, …) mean the
same in it as in any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible_schema import MEASUREMENT_PREFIX, canonical_event, is_known, measurement_of
from crucible_schema import events as names
from crucible_telemetry import fields, values
from crucible_telemetry.faults import Fault, guarded, note
from crucible_telemetry.scope import emit_point, surrounding
from crucible_telemetry.telemetry import current, remind

_NS_PER_S = 1_000_000_000
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

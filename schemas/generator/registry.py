"""The registry once read and checked: what both renderers write down."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_schema.definitions import (
    AttributeUse,
    EventDefinition,
    LifecycleDefinition,
    MetricDefinition,
)
from generator.fields import Defined
from generator.fields import Example as ExampleValue

# Every event carries the attributes of this group.
IDENTITY_GROUP = "attributes.crucible.identity"


@dataclass(frozen=True)
class Registry:
    """Everything by its key or name, in the order of the files."""

    definitions: dict[str, Defined]
    identity: tuple[AttributeUse, ...]
    events: dict[str, EventDefinition]
    lifecycles: dict[str, LifecycleDefinition]
    metrics: dict[str, MetricDefinition]
    # by event: attribute keys and the values they have in its example; None: not in it
    examples: dict[str, dict[str, ExampleValue | None]]


def constant_name(key: str) -> str:
    """Name the constant of an attribute key, an event or a span: `crucible.run.id` is RUN_ID."""
    return key.removeprefix("crucible.").replace(".", "_").replace("/", "_").upper()


def enum_name(key: str) -> str:
    """Name the enum of an attribute key: `crucible.anomaly.status` is AnomalyStatus."""
    return "".join(word.capitalize() for word in constant_name(key).split("_"))

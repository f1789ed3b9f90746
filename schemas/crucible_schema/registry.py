"""The definitions, read in when something first asks for one of them.

Building them all takes longer than everything else here together, and a program that only sends
events needs the constants and a few of them: importing this module therefore builds none.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

from crucible_schema.definitions import (
    AttributeDefinition,
    EventDefinition,
    LifecycleDefinition,
    MeasurementDefinition,
    MetricDefinition,
)

Definition = TypeVar("Definition")


class _OnDemand(Mapping[str, Definition], Generic[Definition]):
    """The mapping of that name in `catalogue`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._definitions: Mapping[str, Definition] | None = None

    def _all(self) -> Mapping[str, Definition]:
        if self._definitions is None:
            catalogue = importlib.import_module("crucible_schema.catalogue")
            self._definitions = getattr(catalogue, self._name)
        return self._definitions

    def __getitem__(self, key: str) -> Definition:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, key: object) -> bool:
        return key in self._all()

    def __repr__(self) -> str:
        return f"<{self._name} of the registry>"


ATTRIBUTES: Final[Mapping[str, AttributeDefinition]] = _OnDemand("ATTRIBUTES")
"""Attributes that are not measurements, by key."""

MEASUREMENTS: Final[Mapping[str, MeasurementDefinition]] = _OnDemand("MEASUREMENTS")
"""Measurements, by name."""

EVENTS: Final[Mapping[str, EventDefinition]] = _OnDemand("EVENTS")
"""Events, by name."""

LIFECYCLES: Final[Mapping[str, LifecycleDefinition]] = _OnDemand("LIFECYCLES")
"""Spans that begin and end, by the name of the span."""

METRICS: Final[Mapping[str, MetricDefinition]] = _OnDemand("METRICS")
"""OTLP metrics whose meaning is known, by name."""

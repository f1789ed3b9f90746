"""Groups → registry: follow `ref`, `extends` and a span's `events`, and check what lies between groups.

A start, its stop and its exception are one span on the wire, so what the span's group refers to
belongs to all of them. A reference to a key that was inherited replaces the inherited one whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from crucible_schema.definitions import (
    AttributeUse,
    EventDefinition,
    EventKind,
    LifecycleDefinition,
    MeasurementDefinition,
    MeasurementUse,
    MetricDefinition,
    Phase,
)
from generator.fields import MEASUREMENT_PREFIX, Reference
from generator.form import RegistryError
from generator.read import Group, GroupType, read_groups
from generator.registry import IDENTITY_GROUP, Registry, constant_name

Use = AttributeUse | MeasurementUse
Uses = dict[str, Use]
Item = TypeVar("Item")


def read_registry(directory: Path) -> Registry:
    """Read and check every file of `directory`; RegistryError says what is wrong and where."""
    return _Resolver(read_groups(directory)).registry()


class _Resolver:
    def __init__(self, groups: list[Group]) -> None:
        self.groups = _distinct((group.id, group.place, group) for group in groups)
        self.definitions = _distinct(
            (defined.definition.key, defined.place, defined)
            for group in groups
            for defined in group.definitions
        )

    def registry(self) -> Registry:
        if IDENTITY_GROUP not in self.groups:
            raise RegistryError(f"no group {IDENTITY_GROUP}: every event carries it")
        spans = self._of(GroupType.SPAN)
        owners = self._owners(spans)
        registry = Registry(
            definitions=self.definitions,
            identity=_attributes(self._uses(self.groups[IDENTITY_GROUP])),
            events={
                group.name: self._event(group, owners.get(group.id))
                for group in self._of(GroupType.EVENT)
            },
            lifecycles={group.name: self._lifecycle(group) for group in spans},
            metrics={group.name: self._metric(group) for group in self._of(GroupType.METRIC)},
            examples={
                group.name: group.example for group in self._of(GroupType.EVENT) if group.example
            },
        )
        _check_examples(registry, self.groups)
        _check_names(registry)
        _check_aliases(registry, self.groups)
        return registry

    def _of(self, group_type: GroupType) -> list[Group]:
        return [group for group in self.groups.values() if group.type is group_type]

    def _uses(self, group: Group, below: tuple[str, ...] = ()) -> Uses:
        """Resolve a group's references, inherited ones first."""
        if group.id in below:
            raise RegistryError(f"{group.place}: extends: goes in a circle: {' → '.join(below)}")
        uses: Uses = {}
        if group.extends:
            if group.extends not in self.groups:
                raise RegistryError(f"{group.place}: extends: no group {group.extends!r}")
            uses = self._uses(self.groups[group.extends], (*below, group.id))
        own: set[str] = set()
        for reference in group.references:
            if reference.key in own:
                raise RegistryError(f"{reference.place}: ref: written twice in this group")
            own.add(reference.key)
            uses[reference.key] = self._use(reference)
        return uses

    def _use(self, reference: Reference) -> Use:
        defined = self.definitions.get(reference.key)
        if defined is None:
            raise RegistryError(f"{reference.place}: ref: no attribute has this id")
        if isinstance(defined.definition, MeasurementDefinition):
            return _measurement_use(reference, defined.definition)
        if reference.is_series is not None:
            raise RegistryError(f"{reference.place}: annotations: series: not a measurement")
        for value in reference.values:
            if value not in defined.definition.values:
                raise RegistryError(
                    f"{reference.place}: annotations: values: {value!r} is not a member's value"
                )
        return AttributeUse(
            attribute=defined.definition,
            requirement=reference.requirement,
            condition=reference.condition,
            values=reference.values,
            field=reference.field,
            note=reference.note,
        )

    def _owners(self, spans: list[Group]) -> dict[str, Group]:
        """Find the span that each event of a life-cycle belongs to."""
        owners: dict[str, Group] = {}
        for span in spans:
            for event in self._phases(span).values():
                if event.id in owners:
                    raise RegistryError(f"{span.place}: events: {event.id!r} has a span already")
                owners[event.id] = span
        return owners

    def _phases(self, span: Group) -> dict[Phase, Group]:
        """Find the events that a span makes; it may lack a start or an exception, not its stop."""
        phases: dict[Phase, Group] = {}
        for event_id in span.events:
            event = self.groups.get(event_id)
            if event is None or event.type is not GroupType.EVENT:
                raise RegistryError(f"{span.place}: events: no event group {event_id!r}")
            if event.phase is None:
                raise RegistryError(
                    f"{span.place}: events: {event_id!r} is no start, stop or exception"
                )
            if event.phase in phases:
                raise RegistryError(f"{span.place}: events: {event_id!r} is a second {event.phase}")
            phases[event.phase] = event
        if Phase.STOP not in phases:
            raise RegistryError(f"{span.place}: events: a span needs a stop")
        return phases

    def _event(self, group: Group, span: Group | None) -> EventDefinition:
        phase = group.phase
        if phase is not None and span is None:
            raise RegistryError(f"{group.place}: no span group names this {phase} in its events")
        _check_duration(group)
        uses = (self._uses(span) if span else {}) | self._uses(group)
        self._check_identity(group, uses)
        _check_fields(group, uses)
        ends = phase in {Phase.STOP, Phase.EXCEPTION}
        return EventDefinition(
            name=group.name,
            brief=group.brief,
            producer=group.producer,
            kind=EventKind.SPAN if ends else EventKind.POINT,
            span_name=span.name if span and ends else group.name,
            attributes=_attributes(uses),
            measurements=_measurements(uses),
            free_measurements=group.free_measurements,
            phase=phase,
            lifecycle=span.name if span else None,
            duration=group.duration,
            aliases=group.aliases,
            note=group.note,
        )

    def _check_identity(self, group: Group, uses: Uses) -> None:
        missing = [key for key in self._uses(self.groups[IDENTITY_GROUP]) if key not in uses]
        if missing:
            raise RegistryError(
                f"{group.place}: extends: every event carries {IDENTITY_GROUP}; missing: {missing[0]}"
            )

    def _lifecycle(self, span: Group) -> LifecycleDefinition:
        names = {phase: event.name for phase, event in self._phases(span).items()}
        return LifecycleDefinition(
            span_name=span.name,
            brief=span.brief,
            stop=names[Phase.STOP],
            start=names.get(Phase.START),
            exception=names.get(Phase.EXCEPTION),
            span_kind=str(span.span_kind),
            note=span.note,
        )

    def _metric(self, group: Group) -> MetricDefinition:
        return MetricDefinition(
            name=group.name,
            unit=group.unit,
            instrument=group.instrument,
            brief=group.brief,
            attributes=_attributes(self._uses(group)),
            lower_is_better=group.lower_is_better,
            watch=group.watch,
            example=group.example_number,
            note=group.note,
        )


def _distinct(items: Iterable[tuple[str, str, Item]]) -> dict[str, Item]:
    places: dict[str, str] = {}
    found: dict[str, Item] = {}
    for key, place, item in items:
        if key in found:
            raise RegistryError(f"{place}: id: {key!r} is there twice, also in {places[key]}")
        places[key], found[key] = place, item
    return found


def _measurement_use(reference: Reference, definition: MeasurementDefinition) -> MeasurementUse:
    if reference.values:
        raise RegistryError(f"{reference.place}: annotations: values: a measurement has none")
    if reference.is_series and not reference.key.startswith(MEASUREMENT_PREFIX):
        # The collector makes points of this prefix only: one comparison a key in the hot path.
        raise RegistryError(
            f"{reference.place}: annotations: series: only {MEASUREMENT_PREFIX}* can be a series"
        )
    return MeasurementUse(
        measurement=definition,
        requirement=reference.requirement,
        condition=reference.condition,
        is_series=bool(reference.is_series),
        field=reference.field,
        note=reference.note,
    )


def _attributes(uses: Uses) -> tuple[AttributeUse, ...]:
    return tuple(use for use in uses.values() if isinstance(use, AttributeUse))


def _measurements(uses: Uses) -> tuple[MeasurementUse, ...]:
    return tuple(use for use in uses.values() if isinstance(use, MeasurementUse))


def _check_duration(group: Group) -> None:
    if group.phase is Phase.START and group.duration is not None:
        raise RegistryError(f"{group.place}: annotations: duration: a start has none yet")
    if group.phase in {Phase.STOP, Phase.EXCEPTION} and group.duration is None:
        raise RegistryError(f"{group.place}: annotations: duration: required for the end of a span")


def _check_fields(group: Group, uses: Uses) -> None:
    """Refuse two attributes, or two measurements, that claim one field of the producer's maps.

    What an event itself calls a field beats what the same word means elsewhere.
    """
    own: dict[tuple[type, str], str] = {}
    for key, use in uses.items():
        if use.field:
            _claim(own, group, key, (type(use), use.field))
    claimed: dict[tuple[type, str], str] = {}
    for key, use in uses.items():
        for field in use.fields:
            if (type(use), field) not in own:
                _claim(claimed, group, key, (type(use), field))


def _claim(
    claimed: dict[tuple[type, str], str], group: Group, key: str, claim: tuple[type, str]
) -> None:
    other = claimed.setdefault(claim, key)
    if other != key:
        raise RegistryError(f"{group.place}: {key}: field {claim[1]!r} belongs to {other} too")


def _check_names(registry: Registry) -> None:
    """Refuse keys that are also a namespace, and keys or names that make one constant."""
    for key, defined in registry.definitions.items():
        parts = key.split(".")
        for end in range(1, len(parts)):
            namespace = ".".join(parts[:end])
            if namespace in registry.definitions:
                raise RegistryError(f"{defined.place}: id: {namespace!r} is an attribute itself")
    constants: dict[str, str] = {}
    for key in (*registry.definitions, *registry.lifecycles, *registry.events):
        other = constants.setdefault(constant_name(key), key)
        if other != key:
            raise RegistryError(f"{key!r} and {other!r} would both be {constant_name(key)}")


def _check_examples(registry: Registry, groups: dict[str, Group]) -> None:
    for name, values in registry.examples.items():
        event = registry.events[name]
        keys = {use.attribute.key for use in event.attributes}
        keys |= {use.measurement.key for use in event.measurements}
        for key in values:
            is_free = key.startswith(MEASUREMENT_PREFIX) and event.free_measurements != "none"
            if key not in keys and not is_free:
                place = groups[f"event.{name}"].place
                raise RegistryError(f"{place}: annotations: example: the event has no {key!r}")


def _check_aliases(registry: Registry, groups: dict[str, Group]) -> None:
    owners: dict[str, str] = {}
    for event in registry.events.values():
        place = groups[f"event.{event.name}"].place
        for alias in event.aliases:
            if alias in registry.events:
                raise RegistryError(f"{place}: annotations: aliases: {alias!r} is an event itself")
            if alias in owners:
                raise RegistryError(
                    f"{place}: annotations: aliases: {alias!r} is already one of {owners[alias]}"
                )
            owners[alias] = event.name

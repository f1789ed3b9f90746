"""Files of the registry → groups: everything that a group says by itself, nothing it points to."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crucible_schema.definitions import (
    Duration,
    FreeMeasurements,
    Instrument,
    Phase,
    Watch,
)
from generator.fields import (
    DURATION_UNITS,
    UNITS,
    Defined,
    Example,
    Reference,
    read_definition,
    read_example_values,
    read_number,
    read_reference,
    read_unit,
    read_watch,
)
from generator.form import Form, RegistryError, Stability, load


class GroupType(enum.StrEnum):
    """The kinds of groups of OpenTelemetry that the registry uses."""

    ATTRIBUTE_GROUP = "attribute_group"
    SPAN = "span"
    EVENT = "event"
    METRIC = "metric"


class SpanKind(enum.StrEnum):
    """OpenTelemetry's kinds of spans."""

    CLIENT = "client"
    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


@dataclass(kw_only=True)
class Group:
    """One group; which of the later fields are set depends on its type."""

    id: str
    type: GroupType
    brief: str
    note: str
    place: str
    extends: str = ""
    definitions: list[Defined] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    # span: ids of the events that it makes
    events: tuple[str, ...] = ()
    span_kind: SpanKind = SpanKind.INTERNAL
    # span, event: the name on the wire; metric: the metric's name
    name: str = ""
    # event
    producer: str = ""
    phase: Phase | None = None
    duration: Duration | None = None
    free_measurements: FreeMeasurements = FreeMeasurements.NONE
    aliases: tuple[str, ...] = ()
    example: dict[str, Example | None] = field(default_factory=dict)
    # metric
    example_number: int | float = 0
    unit: str = ""
    instrument: Instrument = Instrument.GAUGE
    lower_is_better: bool | None = None
    watch: Watch | None = None


def read_groups(directory: Path) -> list[Group]:
    """Read every file of the registry, in the order of their names."""
    groups: list[Group] = []
    for path in sorted(directory.iterdir()):
        if path.suffix != ".yaml":
            raise RegistryError(f"{path.name}: only .yaml files belong in the registry")
        groups.extend(_read_file(path))
    if not groups:
        raise RegistryError(f"{directory.name}: no .yaml file in it")
    return groups


def _read_file(path: Path) -> list[Group]:
    form = load(path)
    form.value("groups")
    groups = [_read_group(child, path.name) for child in form.children("groups")]
    form.close()
    return groups


def _read_group(form: Form, file_name: str) -> Group:
    group_id = form.name("id")
    form.place = f"{file_name}: {group_id}"
    group = Group(
        id=group_id,
        type=form.choice("type", GroupType),
        brief=form.text("brief"),
        note=form.optional_text("note"),
        place=form.place,
        extends=form.name("extends") if form.has("extends") else "",
    )
    if group.type is not GroupType.ATTRIBUTE_GROUP or form.has("stability"):
        form.choice("stability", Stability)
    _read_fields(form, group)
    annotations = form.child("annotations") or Form({}, f"{form.place}: annotations")
    _READERS[group.type](form, annotations, group)
    annotations.close()
    form.close()
    return group


def _read_fields(form: Form, group: Group) -> None:
    for child in form.children("attributes"):
        if child.has("id") == child.has("ref"):
            raise child.wrong("id", "exactly one of id and ref is needed")
        if not child.has("id"):
            group.references.append(read_reference(child))
        elif group.type is GroupType.ATTRIBUTE_GROUP:
            group.definitions.append(read_definition(child))
        else:
            raise child.wrong("id", "attributes are defined in attribute groups; here only ref")


def _read_attribute_group(_form: Form, _annotations: Form, _group: Group) -> None:
    pass


def _read_span(form: Form, _annotations: Form, group: Group) -> None:
    group.name = _name_of(form, group)
    group.span_kind = form.choice("span_kind", SpanKind)
    form.value("events")
    group.events = form.texts("events")


def _read_event(form: Form, annotations: Form, group: Group) -> None:
    group.name = form.name("name")
    if group.name != _name_of(form, group):
        raise form.wrong("name", f"the id must be event.{group.name}")
    package, action = group.name.partition(".")[0], group.name.rpartition(".")[2]
    group.producer = annotations.name("producer") if annotations.has("producer") else package
    if annotations.has("phase"):
        group.phase = annotations.choice("phase", Phase)
    elif action in set(Phase):
        group.phase = Phase(action)
    if annotations.has("free_measurements"):
        group.free_measurements = annotations.choice("free_measurements", FreeMeasurements)
    group.aliases = annotations.texts("aliases")
    group.duration = _read_duration(annotations)
    group.example = read_example_values(annotations.child("example"))


def _read_duration(annotations: Form) -> Duration | None:
    form = annotations.child("duration")
    if form is None:
        return None
    is_required, is_watched = form.flag("required"), form.flag("watched")
    duration = Duration(
        field=form.name("field") if form.has("field") else "duration",
        unit=read_unit(form, DURATION_UNITS),
        is_required=True if is_required is None else is_required,
        is_watched=True if is_watched is None else is_watched,
        watch=read_watch(form, lower_is_better=True),
    )
    if duration.watch is not None and not duration.is_watched:
        raise form.wrong("watch", "says how it is watched, and watched that it is not")
    form.close()
    return duration


def _read_metric(form: Form, annotations: Form, group: Group) -> None:
    group.name = form.name("metric_name")
    if group.name != _name_of(form, group):
        raise form.wrong("metric_name", f"the id must be metric.{group.name}")
    group.unit = read_unit(form, UNITS)
    group.instrument = form.choice("instrument", Instrument)
    group.lower_is_better = annotations.flag("lower_is_better")
    group.watch = read_watch(annotations, group.lower_is_better)
    group.example_number = read_number(annotations, "example")


_READERS: dict[GroupType, Callable[[Form, Form, Group], None]] = {
    GroupType.ATTRIBUTE_GROUP: _read_attribute_group,
    GroupType.SPAN: _read_span,
    GroupType.EVENT: _read_event,
    GroupType.METRIC: _read_metric,
}


def _name_of(form: Form, group: Group) -> str:
    prefix = f"{group.type}."
    if not group.id.startswith(prefix):
        raise form.wrong("id", f"the id of this type begins with {prefix!r}")
    return group.id.removeprefix(prefix)

"""The fields of a group: attributes and measurements, defined once (`id`) or referred to (`ref`).

A definition becomes a measurement by having a `unit` among its annotations; nothing else decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from crucible_schema.definitions import (
    AttributeDefinition,
    AttributeType,
    Instrument,
    Location,
    MeasurementDefinition,
    Requirement,
    Watch,
    WatchClass,
    WatchDirection,
    WatchScale,
)
from generator.form import Form, Stability

Definition = AttributeDefinition | MeasurementDefinition
Example = str | int | float | bool | tuple[str | int | float | bool, ...]

MEASUREMENT_PREFIX = "crucible.measurement."

# UCUM as OpenTelemetry writes it; braces are counts of things. A unit not listed is taken for a
# slip of the pen, so extend the list with the first measurement that needs it.
UNITS = frozenset(
    {"1", "%", "ns", "us", "ms", "s", "By", "{USD}", "{attack}", "{character}", "{epoch}"}
    | {"{feature}", "{instance}", "{sample}", "{stage}", "{step}", "{token}", "{request}/s"}
    | {
        "{call}",
        "{event}",
        "{item}",
        "{pause}",
        "{retry}",
        "{thread}",
        "{token}/s",
        "Cel",
        "Hz",
        "J",
        "W",
    }
)
DURATION_UNITS = frozenset({"ns", "us", "ms", "s"})

# What is anomalous of a number of which lower is better, or not, or neither.
_AGAINST = {True: WatchDirection.UP, False: WatchDirection.DOWN, None: WatchDirection.BOTH}

_PYTHON_TYPES: dict[AttributeType, type] = {
    AttributeType.STRING: str,
    AttributeType.INT: int,
    AttributeType.DOUBLE: float,
    AttributeType.BOOLEAN: bool,
}


@dataclass(frozen=True)
class Member:
    """One value of an enum and what it means."""

    id: str
    value: str
    brief: str


@dataclass(frozen=True)
class Defined:
    """A definition, its enum members if it has some, and where it stands."""

    definition: Definition
    members: tuple[Member, ...]
    place: str


@dataclass(frozen=True)
class Reference:
    """A use of a definition, before it is known what is referred to."""

    key: str
    place: str
    requirement: Requirement
    condition: str
    note: str
    values: tuple[str, ...]
    is_series: bool | None
    field: str


def read_definition(form: Form) -> Defined:
    """Read an attribute that has an `id`."""
    key = form.name("id")
    form.place = f"{form.place.rpartition('[')[0]}: {key}"
    attribute_type, members = _read_type(form)
    form.choice("stability", Stability)
    brief, note = form.text("brief"), form.optional_text("note")
    examples = _read_examples(form, attribute_type, has_members=bool(members))
    annotations = form.child("annotations") or Form({}, f"{form.place}: annotations")
    definition: Definition
    if annotations.has("unit"):
        definition = _read_measurement(key, attribute_type, brief, note, annotations, examples)
    else:
        if key.startswith(MEASUREMENT_PREFIX):
            raise annotations.wrong("unit", "required for a measurement, but missing")
        definition = AttributeDefinition(
            key=key,
            type=attribute_type,
            brief=brief,
            field=_field(key, annotations),
            location=_location(annotations),
            values=tuple(member.value for member in members),
            is_json=_is_json(annotations, attribute_type),
            aliases=annotations.texts("aliases"),
            examples=examples,
            note=note,
        )
    annotations.close()
    form.close()
    return Defined(definition, members, form.place)


def read_reference(form: Form) -> Reference:
    """Read an attribute that has a `ref`."""
    key = form.name("ref")
    form.place = f"{form.place.rpartition('[')[0]}: {key}"
    requirement, condition = _read_requirement(form)
    note = form.optional_text("note")
    annotations = form.child("annotations") or Form({}, f"{form.place}: annotations")
    values, is_series = annotations.texts("values"), annotations.flag("series")
    field = annotations.name("field") if annotations.has("field") else ""
    annotations.close()
    form.close()
    return Reference(key, form.place, requirement, condition, note, values, is_series, field)


def read_watch(form: Form, lower_is_better: bool | None) -> Watch | None:
    """Read `watch`: class and scale, both required once it is there; else direction is by what is better."""
    watch = form.child("watch")
    if watch is None:
        return None
    direction = _AGAINST[lower_is_better]
    read = Watch(
        watch.choice("class", WatchClass),
        watch.choice("scale", WatchScale),
        watch.choice("direction", WatchDirection) if watch.has("direction") else direction,
        float(read_number(watch, "sensitivity")) if watch.has("sensitivity") else 1.0,
    )
    if not 0 < read.sensitivity < float("inf"):
        raise watch.wrong("sensitivity", f"expected more than 0, found {read.sensitivity}")
    watch.close()
    return read


def read_unit(form: Form, accepted: frozenset[str] = UNITS) -> str:
    """Read a unit out of those known."""
    unit = form.text("unit")
    if unit not in accepted:
        raise form.wrong("unit", f"{unit!r} is not one of {', '.join(sorted(accepted))}")
    return unit


def _read_type(form: Form) -> tuple[AttributeType, tuple[Member, ...]]:
    if not isinstance(form.value("type"), dict):
        return form.choice("type", AttributeType), ()
    enumeration = Form(form.value("type"), f"{form.place}: type")
    enumeration.value("members")
    members = tuple(_read_member(member) for member in enumeration.children("members"))
    enumeration.close()
    for what in ("id", "value"):
        seen = [getattr(member, what) for member in members]
        for word in seen:
            if seen.count(word) > 1:
                raise enumeration.wrong("members", f"{what} {word!r} is there twice")
    return AttributeType.STRING, members


def _read_member(form: Form) -> Member:
    form.choice("stability", Stability)
    member = Member(form.name("id"), form.text("value"), form.text("brief"))
    form.close()
    return member


def _read_examples(
    form: Form, attribute_type: AttributeType, *, has_members: bool
) -> tuple[Example, ...]:
    if not form.has("examples"):
        if attribute_type is not AttributeType.BOOLEAN and not has_members:
            raise form.wrong("examples", "required, but missing")
        return ()
    values = form.value("examples")
    if not isinstance(values, list) or not values:
        raise form.wrong("examples", "expected a list of examples")
    return tuple(_example(form, attribute_type, value) for value in values)


def read_number(form: Form, key: str) -> int | float:
    """Read a required number."""
    value = form.value(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise form.wrong(key, f"expected a number, found {value!r}")
    return value


def read_example_values(form: Form | None) -> dict[str, Example | None]:
    """Read what an event's example has under which key; null takes a key out of it."""
    values: dict[str, Example | None] = {}
    for key in form.keys() if form else ():
        value = form.value(key)
        if isinstance(value, list):
            value = tuple(value)
        if value is not None and not isinstance(value, str | int | float | tuple):
            raise form.wrong(key, "expected text, a number, true, false, a list of them, or null")
        values[key] = value
    return values


def _example(form: Form, attribute_type: AttributeType, value: object) -> Example:
    word = attribute_type.value.removesuffix("[]")
    items = value if word != attribute_type.value else [value]
    expected = _PYTHON_TYPES[AttributeType(word)]
    # An exact match of types, since bool is an int to isinstance.
    if not isinstance(items, list) or any(type(item) is not expected for item in items):
        raise form.wrong("examples", f"{value!r} is not of type {attribute_type.value}")
    return tuple(items) if word != attribute_type.value else items[0]


def _read_measurement(
    key: str,
    attribute_type: AttributeType,
    brief: str,
    note: str,
    annotations: Form,
    examples: tuple[Example, ...],
) -> MeasurementDefinition:
    if attribute_type not in {AttributeType.INT, AttributeType.DOUBLE}:
        raise annotations.wrong("unit", f"only a number has a unit, not {attribute_type.value}")
    name = _field(key, annotations)
    if key.startswith(MEASUREMENT_PREFIX) and name != key.removeprefix(MEASUREMENT_PREFIX):
        raise annotations.wrong("field", "a measurement is named by its key")
    lower_is_better = annotations.flag("lower_is_better")
    return MeasurementDefinition(
        key=key,
        name=name,
        type=attribute_type,
        unit=read_unit(annotations),
        instrument=annotations.choice("instrument", Instrument),
        brief=brief,
        lower_is_better=lower_is_better,
        watch=read_watch(annotations, lower_is_better),
        aliases=annotations.texts("aliases"),
        examples=tuple(example for example in examples if isinstance(example, int | float)),
        note=note,
    )


def _field(key: str, annotations: Form) -> str:
    return annotations.name("field") if annotations.has("field") else key.rpartition(".")[2]


def _location(annotations: Form) -> Location:
    return (
        annotations.choice("location", Location) if annotations.has("location") else Location.SPAN
    )


def _is_json(annotations: Form, attribute_type: AttributeType) -> bool:
    is_json = annotations.flag("json") or False
    if is_json and attribute_type is not AttributeType.STRING:
        raise annotations.wrong("json", f"only a string can be JSON, not {attribute_type.value}")
    return is_json


def _read_requirement(form: Form) -> tuple[Requirement, str]:
    if not form.has("requirement_level"):
        return Requirement.RECOMMENDED, ""
    if not isinstance(form.value("requirement_level"), dict):
        requirement = form.choice("requirement_level", Requirement)
        if requirement is Requirement.CONDITIONALLY_REQUIRED:
            raise form.wrong("requirement_level", "conditionally_required needs its condition")
        return requirement, ""
    level = Form(form.value("requirement_level"), f"{form.place}: requirement_level")
    for requirement in (Requirement.CONDITIONALLY_REQUIRED, Requirement.RECOMMENDED):
        if level.has(requirement):
            condition = level.text(requirement)
            level.close()
            return requirement, condition
    raise form.wrong("requirement_level", "expected conditionally_required or recommended")

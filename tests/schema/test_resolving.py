"""What lies between groups: references, inheritance, life-cycles, and names that must not meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crucible_schema import Duration, MeasurementDefinition, Phase, Watch
from generator.examples import event_examples
from generator.json_text import json_text
from schema.registries import EVENTS, IDENTITY, edited, mistake_in, registry_of

HEAT_KEY = "crucible.measurement.heat"
HEAT = "events.yaml: registry.oven: attributes: crucible.measurement.heat"
SPAN = "events.yaml: span.oven.bake"
START = "events.yaml: event.oven.bake.start"
DONE = "events.yaml: event.oven.bake.done"

# What is replaced in EVENTS, by what, and the beginning of the error.
MISTAKES = {
    "attribute defined in an event": (
        "- ref: gen_ai.usage.input_tokens",
        "- id: gen_ai.usage.output_tokens",
        f"{DONE}: attributes[2]: id: attributes are defined in attribute groups",
    ),
    "attribute's id twice": (
        "- id: gen_ai.usage.input_tokens",
        "- id: crucible.measurement.heat",
        f"{HEAT}: id: 'crucible.measurement.heat' is there twice, also in {HEAT}",
    ),
    "reference to nothing": (
        "- ref: gen_ai.usage.input_tokens",
        "- ref: gen_ai.usage.tokens",
        f"{DONE}: attributes: gen_ai.usage.tokens: ref: no attribute has this id",
    ),
    "reference written twice": (
        "- ref: gen_ai.usage.input_tokens",
        "- ref: crucible.measurement.heat",
        f"{DONE}: attributes: crucible.measurement.heat: ref: written twice in this group",
    ),
    "group extended that is not there": (
        "extends: attributes.crucible.identity",
        "extends: attributes.identity",
        f"{SPAN}: extends: no group 'attributes.identity'",
    ),
    "groups that extend each other": (
        "extends: attributes.crucible.identity",
        "extends: span.oven.bake",
        f"{SPAN}: extends: goes in a circle: span.oven.bake",
    ),
    "event without identity": (
        "    extends: attributes.crucible.identity\n",
        "",
        f"{START}: extends: every event carries attributes.crucible.identity; missing: crucible.run",
    ),
    "id that is not the event's name": (
        "    name: oven.bake.start",
        "    name: oven.bake.begin",
        f"{START}: name: the id must be event.oven.bake.begin",
    ),
    "id without its type": (
        "- id: span.oven.bake",
        "- id: oven.bake",
        "events.yaml: oven.bake: id: the id of this type begins with 'span.'",
    ),
    # life-cycles
    "event that is not there": (
        "events: [event.oven.bake.start,",
        "events: [event.oven.bake.begin,",
        f"{SPAN}: events: no event group 'event.oven.bake.begin'",
    ),
    "event of a span that is no event": (
        "events: [event.oven.bake.start,",
        "events: [metric.oven.heat,",
        f"{SPAN}: events: no event group 'metric.oven.heat'",
    ),
    "event of a span without a phase": (
        "      phase: stop\n",
        "",
        f"{SPAN}: events: 'event.oven.bake.done' is no start, stop or exception",
    ),
    "second start of a span": (
        "phase: stop",
        "phase: start",
        f"{SPAN}: events: 'event.oven.bake.done' is a second start",
    ),
    "span without a stop": (
        "phase: stop",
        "phase: exception",
        f"{SPAN}: events: a span needs a stop",
    ),
    "span without events": (
        "    events: [event.oven.bake.start, event.oven.bake.done]\n",
        "",
        f"{SPAN}: events: required, but missing",
    ),
    "start that no span names": (
        "events: [event.oven.bake.start, event.oven.bake.done]",
        "events: [event.oven.bake.done]",
        f"{START}: no span group names this start in its events",
    ),
    "stop without a duration": (
        "      duration: {unit: us, field: elapsed, watch: {class: throughput, scale: log}}\n",
        "",
        f"{DONE}: annotations: duration: required for the end of a span",
    ),
    "start with a duration": (
        "    brief: A baking begins.",
        "    brief: A baking begins.\n    annotations: {duration: {unit: ns}}",
        f"{START}: annotations: duration: a start has none yet",
    ),
    # uses
    "series of an attribute": (
        "{values: [cold]}",
        "{series: true}",
        f"{DONE}: attributes: crucible.oven.state: annotations: series: not a measurement",
    ),
    "series that the collector would not see": (
        "- ref: gen_ai.usage.input_tokens",
        "- ref: gen_ai.usage.input_tokens\n        annotations: {series: true}",
        f"{DONE}: attributes: gen_ai.usage.input_tokens: annotations: series: only crucible.measure",
    ),
    "values of a measurement": (
        "{series: true}",
        "{values: [hot]}",
        f"{DONE}: attributes: crucible.measurement.heat: annotations: values: a measurement has none",
    ),
    "value that is no member's": (
        "values: [cold]",
        "values: [tepid]",
        f"{DONE}: attributes: crucible.oven.state: annotations: values: 'tepid' is not a member's",
    ),
    "field claimed twice": (
        "aliases: [warmth]",
        "aliases: [input_tokens]",
        f"{DONE}: gen_ai.usage.input_tokens: field 'input_tokens' belongs to crucible.measurement",
    ),
    "alias that is an event": (
        "aliases: [stove.bake.done]",
        "aliases: [oven.bake.start]",
        f"{DONE}: annotations: aliases: 'oven.bake.start' is an event itself",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert mistake_in(tmp_path, events=edited(EVENTS, old, new)).startswith(message)


def test_a_group_id_that_is_there_twice_is_named_with_both_places(tmp_path: Path) -> None:
    identity = edited(IDENTITY, "registry.identity", "registry.oven")
    message = (
        "identity.yaml: registry.oven: id: 'registry.oven' is there twice, also in events.yaml"
    )
    assert mistake_in(tmp_path, identity=identity).startswith(message)


def test_an_attribute_cannot_also_be_a_namespace(tmp_path: Path) -> None:
    identity = IDENTITY.replace("crucible.run.id", "crucible.oven.name.id")
    message = "crucible.oven.name.id: id: 'crucible.oven.name' is an attribute itself"
    assert mistake_in(tmp_path, identity=identity).endswith(message)


def test_two_names_cannot_make_one_constant(tmp_path: Path) -> None:
    identity = IDENTITY.replace("crucible.run.id", "oven.name")
    message = "'oven.name' and 'crucible.oven.name' would both be OVEN_NAME"
    assert mistake_in(tmp_path, identity=identity) == message


def test_an_event_belongs_to_one_span(tmp_path: Path) -> None:
    roast = """\
  - id: span.oven.roast
    type: span
    span_kind: internal
    stability: development
    brief: A roasting.
    extends: attributes.crucible.identity
    events: [event.oven.bake.done]
"""
    message = "events.yaml: span.oven.roast: events: 'event.oven.bake.done' has a span already"
    assert mistake_in(tmp_path, events=EVENTS + roast) == message


def test_an_alias_belongs_to_one_event(tmp_path: Path) -> None:
    cleaned = """\
  - id: event.oven.cleaned
    type: event
    name: oven.cleaned
    stability: development
    brief: It was cleaned.
    extends: attributes.crucible.identity
    annotations: {aliases: [stove.bake.done]}
"""
    message = "aliases: 'stove.bake.done' is already one of oven.bake.done"
    assert mistake_in(tmp_path, events=EVENTS + cleaned).endswith(message)


def test_every_registry_has_an_identity(tmp_path: Path) -> None:
    identity = IDENTITY.replace("attributes.crucible.identity", "attributes.identity")
    events = EVENTS.replace("attributes.crucible.identity", "attributes.identity")
    message = "no group attributes.crucible.identity: every event carries it"
    assert mistake_in(tmp_path, identity=identity, events=events) == message


def test_what_a_span_carries_belongs_to_each_of_its_events(tmp_path: Path) -> None:
    for event in registry_of(tmp_path).events.values():
        assert [use.attribute.field for use in event.attributes][:2] == ["run_id", "oven_name"]


def test_a_reference_takes_the_place_of_an_inherited_one(tmp_path: Path) -> None:
    events = edited(EVENTS, "- ref: crucible.oven.state", "- ref: crucible.oven.name")
    events = edited(events, "        annotations: {values: [cold]}\n", "")
    done = registry_of(tmp_path, events=events).events["oven.bake.done"]
    assert [(use.attribute.field, use.condition) for use in done.attributes] == [
        ("run_id", ""),
        ("oven_name", "If known."),
    ]


def test_a_producer_may_end_a_span_with_a_word_of_its_own(tmp_path: Path) -> None:
    registry = registry_of(tmp_path)
    done = registry.events["oven.bake.done"]
    assert registry.lifecycles["oven.bake"].stop == done.name
    assert (done.phase, done.span_name, done.lifecycle) == (Phase.STOP, "oven.bake", "oven.bake")
    assert done.producer == "bakery"
    assert done.duration is not None
    assert (done.duration.field, done.duration.unit) == ("elapsed", "us")


def test_a_start_is_a_span_of_its_own(tmp_path: Path) -> None:
    start = registry_of(tmp_path).events["oven.bake.start"]
    assert (start.phase, start.span_name) == (Phase.START, "oven.bake.start")
    assert (start.lifecycle, start.duration, start.producer) == ("oven.bake", None, "oven")


def test_a_metric_keeps_what_is_said_of_it(tmp_path: Path) -> None:
    metric = registry_of(tmp_path).metrics["oven.heat"]
    assert (metric.unit, metric.instrument, metric.lower_is_better) == ("%", "gauge", True)
    assert metric.watch is not None
    assert metric.watch.watch_class == "level"
    assert [use.attribute.key for use in metric.attributes] == ["crucible.oven.name"]


def watch_of_heat(path: Path, events: str) -> Watch:
    definition = registry_of(path, events=events).definitions[HEAT_KEY].definition
    assert isinstance(definition, MeasurementDefinition)
    assert definition.watch is not None
    return definition.watch


def duration_of_done(path: Path, events: str) -> Duration:
    duration = registry_of(path, events=events).events["oven.bake.done"].duration
    assert duration is not None
    return duration


@pytest.mark.parametrize(
    ("better", "direction"),
    [("lower_is_better: true", "up"), ("lower_is_better: false", "down"), ("", "both")],
)
def test_a_number_is_watched_against_what_is_better(
    tmp_path: Path, better: str, direction: str
) -> None:
    heat = "          lower_is_better: false\n"
    events = EVENTS.replace(heat, f"          {better}\n" if better else "")
    watch = watch_of_heat(tmp_path, events)
    assert (watch.direction, watch.sensitivity) == (direction, 1.0)


def test_a_direction_that_is_told_and_a_sensitivity_count(tmp_path: Path) -> None:
    linear = "scale: linear}\n          aliases"
    told = "scale: linear, direction: both, sensitivity: 0.5}\n          aliases"
    events = EVENTS.replace(linear, told)
    watch = watch_of_heat(tmp_path, events)
    assert (watch.direction, watch.sensitivity) == ("both", 0.5)


def test_a_duration_is_watched_upwards_and_unless_the_registry_says_that_it_is_not(
    tmp_path: Path,
) -> None:
    duration = duration_of_done(tmp_path / "watched", EVENTS)
    assert duration.watch is not None
    assert (duration.is_watched, duration.watch.direction) == (True, "up")
    silent = EVENTS.replace(", watch: {class: throughput, scale: log}", ", watched: false")
    duration = duration_of_done(tmp_path / "not", silent)
    assert (duration.is_watched, duration.watch) == (False, None)


HANDLE = """\
  - id: registry.handle
    type: attribute_group
    brief: Of handles.
    attributes:
      - id: crucible.handle.name
        type: string
        stability: development
        brief: Which handle.
        examples: [upper]
        annotations: {field: handle, aliases: [knob]}
"""


def test_what_an_event_calls_a_field_beats_what_the_word_means_elsewhere(tmp_path: Path) -> None:
    reference = """\
      - ref: crucible.handle.name
        annotations: {field: oven_name}
      - ref: crucible.oven.state
"""
    events = edited(EVENTS, "      - ref: crucible.oven.state\n", reference) + HANDLE
    done = registry_of(tmp_path, events=events).events["oven.bake.done"]
    uses = {use.attribute.key: use for use in done.attributes}
    assert uses["crucible.handle.name"].fields == ("oven_name", "handle", "knob")
    assert uses["crucible.oven.name"].fields == ("oven_name",)


def test_two_attributes_cannot_both_be_what_an_event_calls_a_field(tmp_path: Path) -> None:
    reference = """\
      - ref: crucible.handle.name
        annotations: {field: thing}
      - ref: crucible.oven.state
        annotations: {field: thing}
      - ref: crucible.oven.state
"""
    events = edited(EVENTS, "      - ref: crucible.oven.state\n", reference) + HANDLE
    events = edited(
        events,
        """\
      - ref: crucible.oven.state
        requirement_level:
          conditionally_required: If known.
        annotations: {values: [cold]}
""",
        "",
    )
    message = "crucible.oven.state: field 'thing' belongs to crucible.handle.name too"
    assert mistake_in(tmp_path, events=events).endswith(message)


def test_an_alias_of_another_attribute_is_a_claim(tmp_path: Path) -> None:
    events = edited(EVENTS, "field: oven_name", "field: oven_name, aliases: [handle]") + HANDLE
    reference = "      - ref: crucible.handle.name\n      - ref: crucible.oven.state\n"
    events = edited(events, "      - ref: crucible.oven.state\n", reference)
    message = "crucible.handle.name: field 'handle' belongs to crucible.oven.name too"
    assert mistake_in(tmp_path, events=events).endswith(message)


def test_an_example_may_say_otherwise_and_leave_out(tmp_path: Path) -> None:
    example = "      example: {crucible.oven.name: right, crucible.measurement.heat: null, crucible.measurement.x/y: 2}\n"
    events = edited(EVENTS, "      phase: stop\n", "      phase: stop\n" + example)
    registry = registry_of(tmp_path, events=events)
    request = json.loads(json_text(event_examples(registry)["oven.bake.done"]))
    (span,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    told = {item["key"]: item["value"] for item in span["attributes"]}
    assert told["crucible.oven.name"] == {"stringValue": "right"}
    assert told["crucible.measurement.x/y"] == {"intValue": "2"}
    assert "crucible.measurement.heat" not in told
    assert told["gen_ai.usage.input_tokens"] == {"intValue": "12"}


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ("{crucible.oven.size: 1}", "example: the event has no 'crucible.oven.size'"),
        ("{crucible.oven.name: {a: 1}}", "example: crucible.oven.name: expected text, a number"),
        ("[1]", "example: expected a mapping"),
    ],
)
def test_an_example_says_only_what_its_event_has(
    tmp_path: Path, example: str, message: str
) -> None:
    events = edited(EVENTS, "      phase: stop\n", f"      phase: stop\n      example: {example}\n")
    assert message in mistake_in(tmp_path, events=events)

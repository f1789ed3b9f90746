"""A mistake inside a group is an error that says file, group and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.form import RegistryError
from generator.resolve import read_registry
from schema.registries import EVENTS, directory_of, edited, mistake_in, registry_of

HEAT = "events.yaml: registry.oven: attributes: crucible.measurement.heat"
NAME = "events.yaml: registry.oven: attributes: crucible.oven.name"
STATE = "events.yaml: registry.oven: attributes: crucible.oven.state"
SPAN = "events.yaml: span.oven.bake"
START = "events.yaml: event.oven.bake.start"
DONE = "events.yaml: event.oven.bake.done"
METRIC = "events.yaml: metric.oven.heat"

# What is replaced in EVENTS, by what, and the beginning of the error.
MISTAKES = {
    # keys
    "unknown key of a file": (
        "groups:\n",
        "grups: 1\ngroups:\n",
        "events.yaml: grups: unknown key",
    ),
    "unknown key of a group": (
        "    brief: A baking begins.",
        "    brief: A baking begins.\n    colour: red",
        f"{START}: colour: unknown key; accepted here: annotations, attributes, brief",
    ),
    "key of another type of group": (
        "    brief: A baking begins.",
        "    brief: A baking begins.\n    unit: s",
        f"{START}: unit: unknown key",
    ),
    "unknown key of an attribute": (
        "brief: Which oven.",
        "brief: Which oven.\n        tag: x",
        f"{NAME}: tag: unknown key",
    ),
    "unknown key of a reference": (
        "- ref: gen_ai.usage.input_tokens",
        "- ref: gen_ai.usage.input_tokens\n        type: int",
        f"{DONE}: attributes: gen_ai.usage.input_tokens: type: unknown key",
    ),
    "unknown annotation of an attribute": (
        "{field: oven_name}",
        "{feild: oven_name}",
        f"{NAME}: annotations: feild: unknown key",
    ),
    "measurement's annotation on an attribute": (
        "{field: oven_name}",
        "{instrument: gauge}",
        f"{NAME}: annotations: instrument: unknown key",
    ),
    "unknown annotation of a reference": (
        "{series: true}",
        "{series: true, unit: s}",
        f"{DONE}: attributes: crucible.measurement.heat: annotations: unit: unknown key",
    ),
    "unknown annotation of an event": (
        "      phase: stop",
        "      phase: stop\n      kind: span",
        f"{DONE}: annotations: kind: unknown key",
    ),
    "unknown annotation of a span": (
        "    events: [event.oven.bake.start, event.oven.bake.done]",
        "    events: [event.oven.bake.start, event.oven.bake.done]\n    annotations: {a: 1}",
        f"{SPAN}: annotations: a: unknown key",
    ),
    "unknown key of a member": (
        "brief: Ready.}",
        "brief: Ready., note: x}",
        f"{STATE}: type: members[0]: note: unknown key",
    ),
    "unknown key of a type": (
        "        type:\n          members:",
        "        type:\n          allow_custom_values: true\n          members:",
        f"{STATE}: type: allow_custom_values: unknown key",
    ),
    "unknown key of a watch": (
        "watch: {class: throughput, scale: log}",
        "watch: {class: throughput, scale: log, k: 4}",
        f"{DONE}: annotations: duration: watch: k: unknown key",
    ),
    "unknown key of a duration": (
        "field: elapsed,",
        "feld: elapsed,",
        f"{DONE}: annotations: duration: feld: unknown key",
    ),
    "unknown key of a requirement": (
        "conditionally_required: If known.",
        "conditionally_required: If known.\n          required: no",
        f"{DONE}: attributes: crucible.oven.state: requirement_level: required: unknown key",
    ),
    "key written twice": (
        "brief: Which oven.",
        "brief: Which oven.\n        brief: Which?",
        "events.yaml: not YAML: line 10: key 'brief' written twice",
    ),
    # what is missing
    "no groups": (EVENTS, "attributes: []", "events.yaml: groups: required, but missing"),
    "empty file": (EVENTS, "", "events.yaml: expected a mapping, found nothing"),
    "no id of a group": (
        "  - id: span.oven.bake\n    type",
        "  - type",
        "events.yaml: groups[1]: id",
    ),
    "no type": ("    type: metric\n", "", f"{METRIC}: type: required, but missing"),
    "no brief": ("    brief: A baking begins.\n", "", f"{START}: brief: required, but missing"),
    "empty brief": ("A baking begins.", "' '", f"{START}: brief: empty"),
    "no stability of a group": (
        "    stability: development\n    brief: A baking begins.",
        "    brief: A baking begins.",
        f"{START}: stability: required",
    ),
    "no stability of an attribute": (
        "        stability: development\n        brief: How hot.",
        "        brief: How hot.",
        f"{HEAT}: stability: required",
    ),
    "neither id nor ref": (
        "- ref: gen_ai.usage.input_tokens",
        "- note: tokens",
        f"{DONE}: attributes[2]: id: exactly one of id and ref is needed",
    ),
    "id and ref": (
        "- ref: gen_ai.usage.input_tokens",
        "- ref: gen_ai.usage.input_tokens\n        id: gen_ai.usage.input_tokens",
        f"{DONE}: attributes[2]: id: exactly one of id and ref is needed",
    ),
    "number without examples": ("        examples: [12]\n", "", "events.yaml: registry.oven"),
    "metric without an example": ("      example: 21.5\n", "", f"{METRIC}: annotations: example: "),
    "example that is no number": ("example: 21.5", "example: hot", f"{METRIC}: annotations: exam"),
    "text without examples": ("        examples: [left]\n", "", f"{NAME}: examples: required"),
    "measurement without a unit": (
        '          unit: "1"\n',
        "",
        f"{HEAT}: annotations: unit: required for a measurement",
    ),
    "measurement without an instrument": (
        "          instrument: gauge\n",
        "",
        f"{HEAT}: annotations: instrument: required",
    ),
    "watch without a scale": (
        "class: throughput, scale: log",
        "class: throughput",
        f"{DONE}: annotations: duration: watch: scale: required",
    ),
    "duration that is watched and is not": (
        "unit: us, field: elapsed,",
        "unit: us, field: elapsed, watched: false,",
        f"{DONE}: annotations: duration: watch: says how it is watched, and watched that it is not",
    ),
    "condition left out": (
        "requirement_level:\n          conditionally_required: If known.",
        "requirement_level: conditionally_required",
        f"{DONE}: attributes: crucible.oven.state: requirement_level: conditionally_required needs",
    ),
    "empty list": ("values: [cold]", "values: []", f"{DONE}: attributes: crucible.oven.state: "),
    # values of the wrong kind
    "not YAML": ("groups:\n", "groups: [\n", "events.yaml: not YAML"),
    "groups is no list": (EVENTS, "groups: {a: 1}", "events.yaml: groups: expected a list"),
    "group is no mapping": (EVENTS, "groups: [a]", "events.yaml: groups[0]: expected a mapping"),
    "YAML's idea of no": (
        "value: hot",
        "value: off",
        f"{STATE}: type: members[0]: value: expected text, found bool False",
    ),
    "number for text": ("examples: [left]", "examples: [7]", f"{NAME}: examples: 7 is not of type"),
    "truth for a number": (
        "examples: [180.5]",
        "examples: [true]",
        f"{HEAT}: examples: True is not of type double",
    ),
    "example that is no list": (
        "examples: [left]",
        "examples: left",
        f"{NAME}: examples: expected",
    ),
    "text for a flag": (
        "{series: true}",
        "{series: maybe}",
        f"{DONE}: attributes: crucible.measurement.heat: annotations: series: expected true or",
    ),
    "alias that is no text": (
        "aliases: [warmth]",
        "aliases: [{a: b}]",
        f"{HEAT}: annotations: aliases: expected a list of texts",
    ),
    "alias written twice": (
        "aliases: [warmth]",
        "aliases: [warmth, warmth]",
        f"{HEAT}: annotations: aliases: says the same twice",
    ),
    "capitals in a name": (
        "- id: crucible.oven.name",
        "- id: crucible.Oven.name",
        "events.yaml: registry.oven: attributes[0]: id: 'crucible.Oven.name' is not a lower-case",
    ),
    "unknown type of attribute": (
        "        type: double",
        "        type: float",
        f"{HEAT}: type: 'float' is not one of string, int, double",
    ),
    "unknown type of group": (
        "type: metric",
        "type: entity",
        f"{METRIC}: type: 'entity' is not one",
    ),
    "unknown unit of a measurement": ('"1"', "furlong", f"{HEAT}: annotations: unit: 'furlong'"),
    "unknown unit of a duration": ("unit: us", "unit: '%'", f"{DONE}: annotations: duration: unit"),
    "unknown unit of a metric": ('unit: "%"', "unit: percent", f"{METRIC}: unit: 'percent'"),
    "unknown instrument": ("instrument: counter", "instrument: bell", "events.yaml: registry.oven"),
    "unknown class of watch": (
        "class: throughput",
        "class: calm",
        f"{DONE}: annotations: duration:",
    ),
    "unknown direction of watch": (
        "class: throughput, scale: log",
        "class: throughput, scale: log, direction: sideways",
        f"{DONE}: annotations: duration: watch: direction: 'sideways' is not one of up, down, both",
    ),
    "watch that is sensitive to nothing": (
        "class: throughput, scale: log",
        "class: throughput, scale: log, sensitivity: 0",
        f"{DONE}: annotations: duration: watch: sensitivity: expected more than 0, found 0.0",
    ),
    "unknown requirement": (
        "requirement_level: required",
        "requirement_level: urgent",
        f"{SPAN}: attributes: crucible.oven.name: requirement_level: 'urgent' is not one of",
    ),
    "unknown word of requirement": (
        "conditionally_required: If known.",
        "perhaps: If known.",
        f"{DONE}: attributes: crucible.oven.state: requirement_level: expected conditionally",
    ),
    "unknown phase": ("phase: stop", "phase: end", f"{DONE}: annotations: phase: 'end' is not one"),
    "unknown kind of span": (
        "span_kind: internal",
        "span_kind: inner",
        f"{SPAN}: span_kind: 'inner'",
    ),
    "unit of a text": (
        "{field: oven_name}",
        '{unit: "1", instrument: gauge}',
        f"{NAME}: annotations: unit: only a number has a unit",
    ),
    "JSON in a number": (
        "type: string\n        stability: development\n        brief: Which oven.\n        examples: [left]\n        annotations: {field: oven_name}",
        "type: int\n        stability: development\n        brief: Which oven.\n        examples: [7]\n        annotations: {json: true}",
        f"{NAME}: annotations: json: only a string can be JSON",
    ),
    "measurement of another name": (
        "          aliases: [warmth]",
        "          field: warmth",
        f"{HEAT}: annotations: field: a measurement is named by its key",
    ),
    "member's value twice": (
        "{id: cold, value: cold,",
        "{id: cold, value: hot,",
        f"{STATE}: type: members: value 'hot' is there twice",
    ),
    "member's id twice": (
        "{id: cold, value: cold,",
        "{id: hot, value: cold,",
        f"{STATE}: type: members: id 'hot' is there twice",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert mistake_in(tmp_path, events=edited(EVENTS, old, new)).startswith(message)


def test_a_key_that_is_no_text_is_refused(tmp_path: Path) -> None:
    assert "not YAML" in mistake_in(tmp_path / "list", events="? [a]\n: b\n")
    assert "1: unknown key" in mistake_in(tmp_path / "number", events=EVENTS + "1: b\n")


def test_a_damaged_line_makes_no_other_error(tmp_path: Path) -> None:
    lines = EVENTS.splitlines(keepends=True)
    refused = 0
    for index, line in enumerate(lines):
        for damage, replacement in (
            ("none", ""),
            ("twice", line * 2),
            ("cut", line[: len(line) // 2] + "\n"),
        ):
            text = "".join([*lines[:index], replacement, *lines[index + 1 :]])
            try:
                registry_of(tmp_path / f"{index}-{damage}", events=text)
            except RegistryError:
                refused += 1
    assert refused > 2 * len(lines)


def test_only_yaml_belongs_in_the_registry(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    (directory / "events.yml").write_text(EVENTS, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"^events\.yml: only \.yaml files"):
        read_registry(directory)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    (directory / "events.yaml").write_bytes(b"groups: \xff")
    with pytest.raises(RegistryError, match=r"^events\.yaml: not YAML"):
        read_registry(directory)


def test_an_empty_registry_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"no \.yaml file"):
        read_registry(tmp_path)

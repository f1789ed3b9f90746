"""A small registry with one of everything, as text to be edited, and a directory to read it from."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.form import RegistryError
from generator.registry import Registry
from generator.resolve import read_registry

IDENTITY = """\
groups:
  - id: registry.identity
    type: attribute_group
    brief: Identity.
    attributes:
      - id: crucible.run.id
        type: string
        stability: development
        brief: The run.
        examples: [run-1]
        annotations: {field: run_id}
  - id: attributes.crucible.identity
    type: attribute_group
    brief: The identity set.
    attributes:
      - ref: crucible.run.id
"""

EVENTS = """\
groups:
  - id: registry.oven
    type: attribute_group
    brief: Of ovens.
    attributes:
      - id: crucible.oven.name
        type: string
        stability: development
        brief: Which oven.
        examples: [left]
        annotations: {field: oven_name}
      - id: crucible.oven.state
        stability: development
        brief: What it does.
        type:
          members:
            - {id: hot, value: hot, stability: development, brief: Ready.}
            - {id: cold, value: cold, stability: development, brief: Not ready.}
      - id: crucible.measurement.heat
        type: double
        stability: development
        brief: How hot.
        examples: [180.5]
        annotations:
          unit: "1"
          instrument: gauge
          lower_is_better: false
          watch: {class: level, scale: linear}
          aliases: [warmth]
      - id: gen_ai.usage.input_tokens
        type: int
        stability: development
        brief: Tokens.
        examples: [12]
        annotations: {unit: "{token}", instrument: counter}
  - id: span.oven.bake
    type: span
    span_kind: internal
    stability: development
    brief: A baking.
    extends: attributes.crucible.identity
    events: [event.oven.bake.start, event.oven.bake.done]
    attributes:
      - ref: crucible.oven.name
        requirement_level: required
  - id: event.oven.bake.start
    type: event
    name: oven.bake.start
    stability: development
    brief: A baking begins.
  - id: event.oven.bake.done
    type: event
    name: oven.bake.done
    stability: development
    brief: A baking ended.
    note: Well.
    attributes:
      - ref: crucible.oven.state
        requirement_level:
          conditionally_required: If known.
        annotations: {values: [cold]}
      - ref: crucible.measurement.heat
        annotations: {series: true}
      - ref: gen_ai.usage.input_tokens
    annotations:
      phase: stop
      producer: bakery
      duration: {unit: us, field: elapsed, watch: {class: throughput, scale: log}}
      free_measurements: series
      aliases: [stove.bake.done]
  - id: metric.oven.heat
    type: metric
    metric_name: oven.heat
    instrument: gauge
    unit: "%"
    stability: development
    brief: How hot it is.
    attributes:
      - ref: crucible.oven.name
    annotations:
      lower_is_better: true
      watch: {class: level, scale: linear}
      example: 21.5
"""


def directory_of(path: Path, *, identity: str = IDENTITY, events: str = EVENTS) -> Path:
    """Write a registry into `path` and return its directory."""
    directory = path / "registry"
    directory.mkdir(parents=True)
    (directory / "events.yaml").write_text(events, encoding="utf-8")
    (directory / "identity.yaml").write_text(identity, encoding="utf-8")
    return directory


def registry_of(path: Path, *, identity: str = IDENTITY, events: str = EVENTS) -> Registry:
    """Read a registry of these two files."""
    return read_registry(directory_of(path, identity=identity, events=events))


def mistake_in(path: Path, *, identity: str = IDENTITY, events: str = EVENTS) -> str:
    """Read a registry that has a mistake and return what is said of it."""
    with pytest.raises(RegistryError) as caught:
        registry_of(path, identity=identity, events=events)
    return str(caught.value)


def edited(text: str, old: str, new: str) -> str:
    """Replace what stands in `text` exactly once."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)

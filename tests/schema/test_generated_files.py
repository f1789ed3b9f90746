"""What is committed follows from the registry, and says all of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import generate
from crucible_schema import (
    ATTRIBUTES,
    EVENTS,
    LIFECYCLES,
    MEASUREMENTS,
    METRICS,
    AttributeType,
    aliases,
    catalogue,
    events,
)
from crucible_schema.aliases import ATTRIBUTE_ALIASES, EVENT_PREFIX_ALIASES
from crucible_schema.catalogue import IDENTITY
from crucible_schema.definitions import AttributeDefinition, MeasurementDefinition
from generator.aliases import AliasTable
from generator.catalogue_module import catalogue_module
from generator.constants_module import constants_module
from generator.layout import docstring, string
from generator.reference_page import package_page, reference_page
from generator.registry import constant_name, enum_name
from generator.resolve import read_registry
from schema.registries import registry_of

NO_ALIASES = AliasTable("1", (), (), (), ())
GENERATE = generate.HERE / "generate.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the whole schemas directory, to be spoilt."""
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(generate.HERE, tmp_path / "schemas", ignore=ignored)


def test_committed_files_are_current() -> None:
    assert generate.stale(generate.generate(generate.HERE)) == []


def test_the_module_holds_exactly_what_the_registry_says() -> None:
    registry = read_registry(generate.HERE / "registry")
    definitions = [defined.definition for defined in registry.definitions.values()]
    plain = {item.key: item for item in definitions if isinstance(item, AttributeDefinition)}
    measured = {item.name: item for item in definitions if isinstance(item, MeasurementDefinition)}
    assert dict(ATTRIBUTES) == plain
    assert dict(MEASUREMENTS) == measured
    assert registry.identity == IDENTITY
    assert dict(EVENTS) == registry.events
    assert dict(LIFECYCLES) == registry.lifecycles
    assert dict(METRICS) == registry.metrics


def test_a_registry_with_one_of_everything_comes_back_from_its_module(tmp_path: Path) -> None:
    registry = registry_of(tmp_path)
    module: dict[str, object] = {"__name__": "crucible_schema.events_of_ovens"}
    exec(constants_module(registry), module)
    exec(catalogue_module(registry), module)
    assert module["EVENTS"] == registry.events
    assert module["LIFECYCLES"] == registry.lifecycles
    assert module["METRICS"] == registry.metrics
    assert module["IDENTITY"] == registry.identity
    assert module["OVEN_BAKE_DONE"] == "oven.bake.done"
    exec('states = " ".join(OvenState)', module)
    assert module["states"] == "hot cold"


def test_every_key_has_a_constant_and_every_enum_a_class() -> None:
    for key in (*ATTRIBUTES, *LIFECYCLES, *EVENTS):
        assert getattr(events, constant_name(key)) == key
    for measurement in MEASUREMENTS.values():
        assert getattr(events, constant_name(measurement.key)) == measurement.key
    for attribute in ATTRIBUTES.values():
        if attribute.values:
            assert tuple(getattr(events, enum_name(attribute.key))) == attribute.values


def test_every_constant_has_a_docstring() -> None:
    text = Path(events.__file__).read_text(encoding="utf-8")
    pattern = r'^([A-Z0-9_]+): Final = (?:"[^"]*"|\(\n    "[^"]*"\n\))\n("""\S)?'
    constants = re.findall(pattern, text, re.MULTILINE)
    assert len(constants) == len(ATTRIBUTES) + len(MEASUREMENTS) + len(LIFECYCLES) + len(EVENTS)
    assert [name for name, opening in constants if not opening] == []


@pytest.mark.parametrize("module", [aliases, catalogue, events], ids=lambda module: module.__name__)
def test_a_module_is_laid_out_as_ruff_would(module: ModuleType) -> None:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--check"]
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    formatted = subprocess.run(
        [*command, "--stdin-filename=events.py", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr


def test_the_pages_have_every_event_and_every_key_of_it() -> None:
    index = (generate.HERE / "REFERENCE.md").read_text(encoding="utf-8")
    for event in EVENTS.values():
        own = (generate.HERE / "reference" / f"{event.producer}.md").read_text(encoding="utf-8")
        assert f"| `{event.name}` | `{event.span_name}` | {event.brief} |" in index
        assert f"### `{event.name}`\n" in own
        page = index + own
        for attribute in event.attributes:
            assert f"| `{attribute.attribute.key}`" in page
        for measurement in event.measurements:
            assert f"| `{measurement.measurement.key}`" in page


def test_the_page_says_what_a_producer_calls_its_duration(tmp_path: Path) -> None:
    registry = registry_of(tmp_path)
    assert "In `bakery` it is `elapsed`, in us." in package_page("bakery", registry)
    assert "| `oven.heat` | gauge | % | How hot it is. |" in reference_page(registry, NO_ALIASES)


def test_the_page_says_what_other_producers_call_things() -> None:
    page = (generate.HERE / "REFERENCE.md").read_text(encoding="utf-8")
    for key, alias in ATTRIBUTE_ALIASES.items():
        assert f"| `{key}` | `{alias.key}` |" in page
    for prefix, name in EVENT_PREFIX_ALIASES.items():
        assert f"| `{prefix}.*` | `{name}.*` |" in page


def test_check_names_a_stale_file_and_writes_nothing(copy: Path) -> None:
    page = copy / "REFERENCE.md"
    page.write_text("old", encoding="utf-8")
    checked = run(GENERATE, "--check", "--directory", copy)
    assert (checked.returncode, checked.stderr) == (1, "")
    assert checked.stdout == "stale: REFERENCE.md; run schemas/generate.py\n"
    assert page.read_text(encoding="utf-8") == "old"


def test_check_notices_a_changed_registry(copy: Path) -> None:
    registry = copy / "registry" / "training.yaml"
    changed = registry.read_text(encoding="utf-8").replace("A training begins.", "It begins.")
    registry.write_text(changed, encoding="utf-8")
    checked = run(GENERATE, "--check", "--directory", copy)
    assert checked.returncode == 1
    assert "crucible_schema/events.py" in checked.stdout
    assert "REFERENCE.md" in checked.stdout


def test_writing_makes_a_later_check_succeed(copy: Path) -> None:
    (copy / "crucible_schema" / "events.py").unlink()
    written = run(GENERATE, "--directory", copy)
    assert (written.returncode, written.stdout) == (0, "wrote crucible_schema/events.py\n")
    checked = run(GENERATE, "--check", "--directory", copy)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_what_no_event_makes_any_more_is_stale_and_is_removed(copy: Path) -> None:
    for path in (copy / "examples" / "gone.json", copy / "reference" / "gone.md"):
        path.write_text("{}", encoding="utf-8")
    checked = run(GENERATE, "--check", "--directory", copy)
    assert checked.returncode == 1
    assert checked.stdout == (
        "stale: examples/gone.json; run schemas/generate.py\n"
        "stale: reference/gone.md; run schemas/generate.py\n"
    )
    written = run(GENERATE, "--directory", copy)
    assert written.stdout == "removed examples/gone.json\nremoved reference/gone.md\n"
    assert not (copy / "examples" / "gone.json").exists()


def test_a_mistake_is_one_line_and_another_exit_code(copy: Path) -> None:
    (copy / "registry" / "status.yaml").write_text("groups: 1", encoding="utf-8")
    failed = run(GENERATE, "--check", "--directory", copy)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == "registry: status.yaml: groups: expected a list, found int 1\n"


def test_a_broken_module_can_be_generated_anew(copy: Path) -> None:
    module = copy / "crucible_schema" / "events.py"
    module.write_text("raise RuntimeError", encoding="utf-8")
    mended = run(copy / "generate.py")
    assert (mended.returncode, mended.stdout) == (0, "wrote crucible_schema/events.py\n")
    assert module.read_text(encoding="utf-8") == Path(events.__file__).read_text(encoding="utf-8")


def test_the_event_that_the_guide_adds_can_be_added(copy: Path) -> None:
    guide = (copy / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^ {7}- id: event.*?(?=^\S)", guide, re.MULTILINE | re.DOTALL)
    assert block is not None
    addition = "groups:\n" + block[0]
    (copy / "registry" / "added.yaml").write_text(addition, encoding="utf-8")
    event = read_registry(copy / "registry").events["crucible_train.dataset.loaded"]
    assert [use.measurement.name for use in event.measurements] == ["dataset_size"]


def test_importing_needs_nothing_but_python_and_little_time() -> None:
    program = """
import dataclasses, enum, json, pathlib, sys, time, types, typing
before, began = set(sys.modules), time.process_time()
import crucible_schema
taken_ms = (time.process_time() - began) * 1e3
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(taken_ms, *sorted(new - set(sys.stdlib_module_names)))
assert 'crucible_schema.catalogue' not in sys.modules
"""
    path = f"import sys; sys.path[:0] = [{str(generate.HERE)!r}]\n"
    runs = [run("-I", "-S", "-c", path + program).stdout.split() for _ in range(5)]
    assert [names for _, *names in runs] == [["crucible_schema"]] * 5
    # Processor time, and the best of five: the machine may be busy with other things.
    assert min(float(taken) for taken, *_ in runs) < 20


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ('{"a": 1}', "'{\"a\": 1}'"),
        ("it's", '"it\'s"'),
        ('it\'s "so"', '"it\'s \\"so\\""'),
        ("…", '"…"'),
    ],
)
def test_a_string_comes_back_from_its_literal(text: str, literal: str) -> None:
    assert string(text) == literal
    assert eval(literal) == text


def test_a_long_note_gets_a_paragraph() -> None:
    assert docstring("Brief.", "Note.") == '"""Brief. Note."""\n'
    assert docstring("Brief.", "word " * 20, indent=4).startswith('    """Brief.\n\n    word word')


def test_types_of_numbers_fit_their_attributes() -> None:
    numbers = {AttributeType.INT, AttributeType.DOUBLE}
    assert {measurement.type for measurement in MEASUREMENTS.values()} <= numbers

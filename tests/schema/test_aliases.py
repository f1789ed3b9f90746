"""The alias table: each entry leads to something of ours, and hides nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import generate
from crucible_schema import (
    ALIASES_VERSION,
    ATTRIBUTE_ALIASES,
    ATTRIBUTES,
    EVENT_ALIASES,
    EVENT_PREFIX_ALIASES,
    EVENTS,
    LIFECYCLES,
    MEASUREMENT_ALIASES,
    MEASUREMENT_PREFIX,
    MEASUREMENT_PREFIXES,
    MEASUREMENTS,
    SPAN_ALIASES,
    canonical_event,
    canonical_measurement,
    duration_scale_ns,
    event_name,
    is_known,
    is_measurement_key,
    is_series,
    measurement_of,
    measurement_scale,
    metadata_key,
    spellings,
)
from generator.aliases import AliasTable, read_aliases
from generator.form import RegistryError
from generator.resolve import read_registry
from schema.registries import edited, registry_of

KEYS = {*ATTRIBUTES, *(measurement.key for measurement in MEASUREMENTS.values())}

TABLE = """\
version: "7"
prefixes:
  - {from: stove, to: oven, brief: Its name before.}
spans:
  - {from: cooker.bake, to: oven.bake, brief: Somebody else's.}
measurement_prefixes: [cooker.]
conventions:
  - id: cookers
    brief: Cookers.
    source: https://cookers.example
    aliases:
      - {from: cooker.name, to: crucible.oven.name}
      - {from: cooker.heat_kilo, to: crucible.measurement.heat, scale: 1000, note: In thousands.}
"""


def table_of(path: Path, text: str = TABLE) -> AliasTable:
    registry = registry_of(path)
    file = path / "aliases.yaml"
    file.write_text(text, encoding="utf-8")
    return read_aliases(file, registry)


# What it leads to


def test_every_alias_leads_to_something_of_the_registry() -> None:
    assert set(EVENT_ALIASES.values()) <= set(EVENTS)
    assert set(SPAN_ALIASES.values()) <= set(LIFECYCLES)
    assert {alias.key for alias in ATTRIBUTE_ALIASES.values()} <= KEYS
    assert set(MEASUREMENT_ALIASES.values()) <= set(MEASUREMENTS)
    assert {event for event, _ in MEASUREMENT_ALIASES} - {""} <= set(EVENTS)
    for prefix in EVENT_PREFIX_ALIASES.values():
        assert any(f"{name}.".startswith(f"{prefix}.") for name in (*EVENTS, *LIFECYCLES))


def test_no_alias_hides_a_name_of_ours() -> None:
    names = {*EVENTS, *LIFECYCLES}
    assert not names & {*EVENT_ALIASES, *SPAN_ALIASES, *EVENT_PREFIX_ALIASES}
    assert not KEYS & set(ATTRIBUTE_ALIASES)
    assert all(canonical_event(name) == name for name in names)
    for event in EVENTS.values():
        for use in event.measurements:
            assert canonical_measurement(event.name, use.measurement.key) == use.measurement.name
            assert canonical_measurement(event.name, use.measurement.name) == use.measurement.name


def test_a_canonical_name_is_final() -> None:
    for name in (*EVENT_ALIASES, *SPAN_ALIASES, *EVENT_PREFIX_ALIASES):
        assert canonical_event(canonical_event(name)) == canonical_event(name)


def test_only_a_number_is_in_another_unit() -> None:
    scaled = {key: alias for key, alias in ATTRIBUTE_ALIASES.items() if alias.unit_scale != 1}
    measured = {measurement.key for measurement in MEASUREMENTS.values()}
    assert {alias.key for alias in scaled.values()} <= measured
    assert {key: measurement_scale(key) for key in scaled} == {
        "gen_ai.response.time_to_first_chunk": 1000.0,
        "megatron.training.memory_allocated_gb": 2.0**30,
    }
    assert measurement_scale("crucible.measurement.loss") == 1


# Asking it


@pytest.mark.parametrize(
    "name", ["work.foo", "hedging", "stove.x", "GET /users", "", ".", "ensemble.", "..", "work"]
)
def test_a_name_that_means_nothing_here_comes_back(name: str) -> None:
    assert canonical_event(name) == name
    assert not is_known(name)


def test_the_end_of_a_span_is_named_under_its_other_names_too() -> None:
    assert event_name("megatron.train_step", False) == "crucible_train.batch.stop"
    assert event_name("nv.dl.training.iteration", True) == "crucible_train.batch.stop"
    assert event_name("crucible_kitchen.stage.run", True) == "crucible_framework.stage.exception"
    assert event_name("hedging.request", False) == "crucible_hedging.request.stop"
    # Either order of the two questions gives one answer.
    for name in (*SPAN_ALIASES, "crucible_kitchen.stage.run"):
        asked_first = event_name(canonical_event(name), False)
        assert canonical_event(event_name(name, False)) == asked_first


WORDS = sorted({word for name in (*EVENTS, *EVENT_PREFIX_ALIASES) for word in name.split(".")})
NAMES = st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=5).map(".".join)


@given(NAMES, NAMES)
def test_any_name_may_be_asked_for(name: str, key: str) -> None:
    known = canonical_event(name)
    assert canonical_event(known) == known
    assert known == name or known in {*EVENTS, *LIFECYCLES}
    assert canonical_event(event_name(name, True)) in {*EVENTS, known}
    assert is_series(known, canonical_measurement(known, key)) in {True, False}
    assert metadata_key(name, key) in {None, *KEYS}
    assert measurement_of(name, key) in {None, *KEYS}
    assert duration_scale_ns(name, key) in {None, 1.0, 1e3, 1e6, 1e9}


@pytest.mark.parametrize(
    ("event", "key", "name"),
    [
        ("crucible_train.batch.stop", "lr", "learning_rate"),
        ("crucible_train.batch.stop", "crucible.measurement.grad_norm", "gradient_norm"),
        ("crucible_train.epoch.stop", "epoch_loss", "loss"),
        ("crucible_train.batch.stop", "megatron.training.grad_norm", "gradient_norm"),
        ("", "megatron.training.tokens_per_sec", "tokens_per_second"),
        ("", "gen_ai.usage.prompt_tokens", "input_tokens"),
        ("", "gen_ai.usage.input_tokens", "input_tokens"),
        ("crucible_train.batch.stop", "optim/entropy", "optim/entropy"),
        # What a word means in one event, it need not mean in another.
        ("crucible_hedging.request.stop", "cost", "relative_cost"),
        ("crucible_ensemble.model.stop", "cost", "cost_usd"),
        ("somebody.elses", "cost", "cost"),
        ("crucible_train.batch.stop", "nv.dl.training.unheard_of", "nv.dl.training.unheard_of"),
    ],
)
def test_a_measurement_is_known_under_its_other_names(event: str, key: str, name: str) -> None:
    assert canonical_measurement(event, key) == name


def test_foreign_numbers_are_told_from_what_only_looks_like_them() -> None:
    assert MEASUREMENT_PREFIXES[0] == MEASUREMENT_PREFIX
    for key in ("crucible.measurement.x", "megatron.loss", "nv.dl.training.learning_rate"):
        assert is_measurement_key(key)
    for key in ("megatron.iteration", "nv.dl.training.step", "nv.dl.rank", "crucible.step"):
        assert not is_measurement_key(key)
    assert not is_measurement_key(MEASUREMENT_PREFIX)
    # Not even where the event has a place for any number.
    assert not is_series("crucible_train.batch.stop", "megatron.iteration")
    assert is_series("crucible_train.batch.stop", "megatron.num_zeros")


def test_spellings_are_in_the_order_in_which_they_count() -> None:
    assert spellings("gen_ai.usage.input_tokens") == (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
    )
    assert spellings("gen_ai.provider.name")[:2] == ("gen_ai.provider.name", "gen_ai.system")
    assert spellings("crucible.condition") == ("crucible.condition",)
    assert all(spellings(alias.key)[0] == alias.key for alias in ATTRIBUTE_ALIASES.values())


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("llm.model_name", "gen_ai.request.model"),
        ("llm.cost.total", "crucible.measurement.cost_usd"),
        ("llm.invocation_parameters", "crucible.inference.parameters"),
        ("session.id", "crucible.session.id"),
        ("gen_ai.prompt", "gen_ai.input.messages"),
        ("nemo.run.id", "crucible.run.id"),
        ("nv.dl.run.uuid", "crucible.run.id"),
        ("nv.dl.rank", "crucible.rank"),
        ("megatron.iteration", "crucible.step"),
        ("nv.dl.training.step", "crucible.step"),
    ],
)
def test_a_foreign_key_has_its_meaning(key: str, ours: str) -> None:
    assert ATTRIBUTE_ALIASES[key].key == ours


# Reading it


def test_the_table_has_a_version(tmp_path: Path) -> None:
    registry = read_registry(generate.HERE / "registry")
    assert read_aliases(generate.HERE / "aliases.yaml", registry).version == ALIASES_VERSION
    assert table_of(tmp_path).version == "7"


MISTAKES = {
    "unknown key": ('version: "7"', 'version: "7"\nvresion: "8"', "vresion: unknown key"),
    "no version": ('version: "7"\n', "", "version: required, but missing"),
    "a version that is a number": ('version: "7"', "version: 7", "version: expected text"),
    "unknown key of an entry": ("{from: stove,", "{form: stove,", "from: required, but missing"),
    "a prefix of nothing": ("to: oven, b", "to: fridge, b", "no name begins with 'fridge'"),
    "a prefix that is a name": ("{from: stove,", "{from: oven.bake,", "'oven.bake' is a name"),
    "a span of nothing": ("to: oven.bake", "to: oven.fry", "no span is named 'oven.fry'"),
    "a span that is an alias": ("{from: cooker.bake,", "{from: stove.bake.done,", "or an alias"),
    "a key of nothing": ("to: crucible.oven.name", "to: crucible.oven.size", "no attribute 'cruci"),
    "a key of ours": ("{from: cooker.name,", "{from: crucible.run.id,", "a key of the registry"),
    "a key twice": ("{from: cooker.name,", "{from: cooker.heat_kilo,", "is there twice"),
    "a scale of words": ("to: crucible.oven.name}", "to: crucible.oven.name, scale: 2}", "a unit"),
    "a scale of nothing": ("scale: 1000", "scale: 0", "scale: expected a positive number"),
    "a scale that is none": ("scale: 1000", "scale: true", "scale: expected a positive number"),
    "no source": ("    source: https://cookers.example\n", "", "cookers: source: required"),
    "no aliases": ("    aliases:\n", "    alias:\n", "cookers: aliases: required"),
    "capitals": ("{from: cooker.name,", "{from: Cooker.name,", "is not a lower-case dotted name"),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RegistryError, match=r"^aliases\.yaml: ") as caught:
        table_of(tmp_path, edited(TABLE, old, new))
    assert message in str(caught.value)

"""`aliases.yaml` → the alias table, checked against the registry: strictly read, as the registry is.

An alias must lead to something the registry knows, and must not be anything that it knows itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crucible_schema.definitions import MeasurementDefinition
from generator.fields import MEASUREMENT_PREFIX
from generator.form import Form, RegistryError, load
from generator.registry import Registry


@dataclass(frozen=True)
class Renaming:
    """A name, or the beginning of one, and the registry's."""

    old: str
    new: str
    brief: str


@dataclass(frozen=True)
class KeyAlias:
    """A key of somebody else's, the registry's, and what its numbers are to be multiplied by."""

    old: str
    new: str
    scale: float
    note: str


@dataclass(frozen=True)
class Convention:
    """The keys of one set of conventions."""

    id: str
    brief: str
    source: str
    aliases: tuple[KeyAlias, ...]


@dataclass(frozen=True)
class AliasTable:
    """Everything in `aliases.yaml`."""

    version: str
    prefixes: tuple[Renaming, ...]
    spans: tuple[Renaming, ...]
    measurement_prefixes: tuple[str, ...]
    conventions: tuple[Convention, ...]

    def entries(self) -> list[tuple[KeyAlias, Convention]]:
        """List every key, in order."""
        return [
            (alias, convention) for convention in self.conventions for alias in convention.aliases
        ]


def read_aliases(path: Path, registry: Registry) -> AliasTable:
    """Read the table and check it; RegistryError says what is wrong and where."""
    form = load(path)
    table = AliasTable(
        version=form.text("version"),
        prefixes=tuple(map(_renaming, form.children("prefixes"))),
        spans=tuple(map(_renaming, form.children("spans"))),
        measurement_prefixes=form.texts("measurement_prefixes"),
        conventions=tuple(_convention(child, path.name) for child in form.children("conventions")),
    )
    form.close()
    _check(path.name, table, registry)
    return table


def _renaming(form: Form) -> Renaming:
    renaming = Renaming(form.name("from"), form.name("to"), form.text("brief"))
    form.close()
    return renaming


def _convention(form: Form, file_name: str) -> Convention:
    convention_id = form.name("id")
    form.place = f"{file_name}: {convention_id}"
    form.value("aliases")
    convention = Convention(
        id=convention_id,
        brief=form.text("brief"),
        source=form.text("source"),
        aliases=tuple(map(_key_alias, form.children("aliases"))),
    )
    form.close()
    return convention


def _key_alias(form: Form) -> KeyAlias:
    scale = form.value("scale") if form.has("scale") else 1
    if isinstance(scale, bool) or not isinstance(scale, int | float) or scale <= 0:
        raise form.wrong("scale", f"expected a positive number, found {scale!r}")
    alias = KeyAlias(form.name("from"), form.name("to"), float(scale), form.optional_text("note"))
    form.close()
    return alias


def _check(place: str, table: AliasTable, registry: Registry) -> None:
    _check_once(place, (renaming.old for renaming in table.prefixes))
    _check_once(place, (renaming.old for renaming in table.spans))
    _check_once(place, (alias.old for alias, _ in table.entries()))
    names = {*registry.events, *registry.lifecycles}
    for renaming in table.prefixes:
        if not any(f"{name}.".startswith(f"{renaming.new}.") for name in names):
            raise RegistryError(f"{place}: prefixes: no name begins with {renaming.new!r}")
        if renaming.old in names:
            raise RegistryError(f"{place}: prefixes: {renaming.old!r} is a name itself")
    event_aliases = {alias for event in registry.events.values() for alias in event.aliases}
    for renaming in table.spans:
        if renaming.new not in registry.lifecycles:
            raise RegistryError(f"{place}: spans: no span is named {renaming.new!r}")
        if renaming.old in names | event_aliases:
            raise RegistryError(f"{place}: spans: {renaming.old!r} is a name or an alias already")
    for alias, convention in table.entries():
        _check_key(f"{place}: {convention.id}: {alias.old}", alias, registry)


def _check_key(place: str, alias: KeyAlias, registry: Registry) -> None:
    target = registry.definitions.get(alias.new)
    if target is None:
        raise RegistryError(f"{place}: to: no attribute {alias.new!r}")
    if alias.old in registry.definitions or alias.old.startswith(MEASUREMENT_PREFIX):
        raise RegistryError(f"{place}: from: it is a key of the registry itself")
    if alias.scale != 1 and not isinstance(target.definition, MeasurementDefinition):
        raise RegistryError(f"{place}: scale: only a measurement has a unit")


def _check_once(place: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RegistryError(f"{place}: {name!r} is there twice")
        seen.add(name)

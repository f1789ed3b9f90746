"""Which columns an export has, known before its first row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from crucible_collector.api.exports import ExportRequest
from crucible_collector.errors import SettingsError
from crucible_collector.export.anonymise import Hiding
from crucible_collector.export.kinds import KINDS
from crucible_collector.store.copy_out import schema_of
from crucible_collector.store.exported import Key, Rest, keys_of, statement
from crucible_collector.store.partitions import Connection

# Readers open files of some hundred columns gladly; thousands come of keys with ids in them.
KEY_COLUMNS_MAX = 500
# Time has its nanoseconds beside it.
TIME, NS_REST = "time", "time_ns_rest"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A statement, the columns it gives, those of them that are shown, and how many keys have none."""

    statement: str
    schema: pa.Schema
    shown: tuple[str, ...]
    left_out_count: int


def chosen(
    connection: Connection, asked: ExportRequest, parameters: Mapping[str, Any], hiding: Hiding
) -> Chosen:
    """What is asked for as a statement. SettingsError where a field is not there; DatabaseAwayError."""
    kind = KINDS[asked.of]
    all_columns = schema_of(connection, statement(kind.question, [_ALL], ()), parameters).names
    objects = kind.objects if asked.wants_columns or _names_keys(asked, kind.objects) else ()
    keys = [
        key
        for each in objects
        for key in _of_metrics(keys_of(connection, kind.question, parameters, each))
    ]
    columns, left_out = _columns(all_columns, objects, keys, hiding)
    if asked.fields is not None:
        known = {_name(each): each for each in [*all_columns, *keys, *columns]}
        columns, left_out = [_known(name, known, keys) for name in asked.fields], 0
    columns = [each for each in columns if not hiding.drops(_name(each))]
    shown = tuple(_name(each) for each in columns)
    if not shown:
        raise SettingsError("anonymise: nothing is left to export")
    has_time = TIME in shown or kind.day_of in shown or asked.partition
    for needed in (NS_REST,) if TIME in shown and NS_REST not in shown else ():
        columns.append(needed)
    for needed in (kind.day_of, "experiment_id") if asked.partition and has_time else ():
        if needed not in {_name(each) for each in columns}:
            columns.append(needed)
    text = statement(kind.question, columns, kind.order)
    return Chosen(text, schema_of(connection, text, parameters), shown, left_out)


_ALL = "*"


def _names_keys(asked: ExportRequest, objects: Sequence[str]) -> bool:
    """Whether a field is one of an attribute, whatever becomes of the others."""
    prefixes = tuple(f"{each}." for each in objects)
    return any(name.startswith(prefixes) for name in asked.fields or ())


def _of_metrics(keys: Sequence[Key]) -> list[Key]:
    """Numbers of metrics are doubles, also where those of all runs are whole."""
    return [
        replace(key, kind="double") if key.column == "metrics" and key.kind == "integer" else key
        for key in keys
    ]


def _columns(
    all_columns: Sequence[str], objects: Sequence[str], keys: Sequence[Key], hiding: Hiding
) -> tuple[list[str | Key | Rest], int]:
    """Each column of objects as those of its keys, the most frequent first to have a place."""
    kept = sorted(
        (key for key in keys if not hiding.drops(key.name)), key=lambda each: -each.row_count
    )
    with_column, without = set(kept[:KEY_COLUMNS_MAX]), kept[KEY_COLUMNS_MAX:]
    found: list[str | Key | Rest] = []
    for name in all_columns:
        if name not in objects:
            found.append(name)
            continue
        found += [key for key in keys if key.column == name and key in with_column]
        if beyond := {key.path[0] for key in without if key.column == name}:
            all_of = {key.path[0] for key in keys if key.column == name}
            found.append(Rest(name, tuple(sorted(all_of - beyond))))
    return found, len(without)


def _known(
    name: str, known: Mapping[str, str | Key | Rest], keys: Sequence[Key]
) -> str | Key | Rest:
    if name in known:
        return known[name]
    if keys or "." not in name:
        near = ", ".join(list(known)[:40])
        raise SettingsError(f"fields: there is no {name!r}, but {near}")
    raise SettingsError(f"fields: no row has {name!r}")


def _name(column: str | Key | Rest) -> str:
    if isinstance(column, Key):
        return column.name
    return f"{column.column}_rest" if isinstance(column, Rest) else column

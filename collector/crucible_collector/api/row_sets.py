"""What the rows of an answer are made of: read from the model that describes it.

A row is the text of a JSON object, as PostgreSQL or `answer.compact` wrote it. It is cut into its members
without reading the numbers in them, so that what is taken out is what was stored, digit by digit.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter

_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
Schema = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RowSet:
    """The fields of a row, each with its JSON Schema, in the order in which the model has them."""

    fields: Mapping[str, Schema]

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """All fields, or those that are named; RequestValidationError names one that there is not."""
        for name in names:
            if name not in self.fields:
                known = ", ".join(self.fields)
                message = f"{name!r} is none of {known}"
                raise RequestValidationError(
                    [{"type": "value_error", "loc": ("query", "fields"), "msg": message}]
                )
        return tuple(dict.fromkeys(names)) or tuple(self.fields)


@functools.cache
def row_set_of(response_model: Any) -> RowSet | None:
    """The rows in `data` of such an answer; None where it has none."""
    if response_model is None:
        return None
    schema = TypeAdapter(response_model).json_schema()
    known = schema.get("$defs", {})
    data = resolved(schema.get("properties", {}).get("data", {}), known)
    row = resolved(data.get("items", {}), known)
    if "properties" not in row:
        return None
    return RowSet({name: _inlined(each, known) for name, each in row["properties"].items()})


def resolved(schema: Schema, known: Schema) -> Schema:
    """What a reference is to."""
    reference = schema.get("$ref")
    found: Schema = schema if reference is None else known[reference.rpartition("/")[2]]
    return found


def _inlined(schema: Schema, known: Schema) -> Schema:
    """Without references, as far as the kind of a column depends on them."""
    found = dict(resolved(schema, known))
    for several in ("anyOf", "prefixItems"):
        if several in found:
            found[several] = [_inlined(each, known) for each in found[several]]
    if isinstance(found.get("items"), dict):
        found["items"] = dict(resolved(found["items"], known))
    return found


def members(row: str) -> dict[str, str]:
    """The text of each value of a JSON object, by its name."""
    found: dict[str, str] = {}
    place = _past_blanks(row, row.index("{") + 1)
    while row[place] != "}":
        name, place = _DECODER.raw_decode(row, place)
        begin = _past_blanks(row, row.index(":", place) + 1)
        _, place = _DECODER.raw_decode(row, begin)
        found[name] = row[begin:place]
        place = _past_blanks(row, place)
        if row[place] == ",":
            place = _past_blanks(row, place + 1)
    return found


def only(row: str, names: Sequence[str]) -> str:
    """The row with these fields, in this order."""
    values = members(row)
    return "{" + ",".join(f'"{name}":{values[name]}' for name in names) + "}"


def _past_blanks(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place

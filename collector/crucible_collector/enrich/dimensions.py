"""Resources and scopes: ids for all, rows for those that the database may not have yet.

A process sends the same resource with every request, so almost every id is `known` already and
costs nothing but its hash.
"""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

import numpy as np

from crucible_collector.batch import I64, Records
from crucible_collector.decode import attribute_set_hash, attributes_json, distinct, text_hash
from crucible_collector.enrich.columns import text_of
from crucible_collector.enrich.hashing import fold
from crucible_collector.rows import Dimension

RESOURCE_COLUMNS = (
    "resource_id",
    "service_name",
    "service_version",
    "service_instance_id",
    "host_name",
    "attributes",
    "schema_url",
    "dropped_attributes_count",
)
SCOPE_COLUMNS = (
    "scope_id",
    "name",
    "version",
    "attributes",
    "schema_url",
    "dropped_attributes_count",
)
# What the resource's own columns are read from, in the order of RESOURCE_COLUMNS.
_RESOURCE_TEXTS = ("service.name", "service.version", "service.instance.id", "host.name")


def resources(records: Records, known: Container[int], into: Dimension) -> I64:
    """Ids of the resource rows; rows not in `known` are added to `into`."""
    occurrences = records.resources
    ids = fold(
        "resource",
        attribute_set_hash(records, occurrences.attribute_start),
        text_hash(records.buffer, occurrences.schema_url),
    )
    rows, _ = distinct(ids)
    new = [
        int(row) for row in rows if int(ids[row]) not in known and int(ids[row]) not in into.rows
    ]
    for row in new:
        text = json_of(records, occurrences.attribute_start, row)
        values = json.loads(text) if text else {}
        into.rows[int(ids[row])] = (
            int(ids[row]),
            *(_string(values.get(key)) for key in _RESOURCE_TEXTS),
            text,
            text_of(records, occurrences.schema_url, row),
            int(occurrences.dropped_attributes_count[row]),
        )
    return ids


def scopes(records: Records, known: Container[int], into: Dimension) -> I64:
    """Ids of the scope rows; rows not in `known` are added to `into`."""
    occurrences = records.scopes
    ids = fold(
        "scope",
        text_hash(records.buffer, occurrences.name),
        text_hash(records.buffer, occurrences.version),
        attribute_set_hash(records, occurrences.attribute_start),
        text_hash(records.buffer, occurrences.schema_url),
    )
    rows, _ = distinct(ids)
    for row in map(int, rows):
        if int(ids[row]) in known or int(ids[row]) in into.rows:
            continue
        into.rows[int(ids[row])] = (
            int(ids[row]),
            text_of(records, occurrences.name, row),
            text_of(records, occurrences.version, row),
            json_of(records, occurrences.attribute_start, row),
            text_of(records, occurrences.schema_url, row),
            int(occurrences.dropped_attributes_count[row]),
        )
    return ids


def json_of(records: Records, start: I64, row: int) -> str | None:
    """The attributes of one row as JSON text, nothing left out."""
    text = attributes_json(records, np.ascontiguousarray(start[row : row + 2]), lifted=False)
    value: str | None = text[0].as_py()
    return value


def _string(value: Any) -> str | None:
    """A resource's attribute for its text column; another type's JSON text."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)

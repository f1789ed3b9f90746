"""What a window's rows add to portable roll-ups, and how it gets there: by COPY, in the same transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import psycopg

from crucible_collector.enrich.partials import Partial, partials
from crucible_collector.rows import Table
from crucible_collector.store.copy import Stream, copy, copy_what_fits, encode

log = logging.getLogger("crucible.store")


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """Rows for the parts of a roll-up, and their COPY bytes."""

    partial: Partial
    data: Stream


def parts_of(table: Table) -> list[EncodedPart]:
    """What the rows of a table add; nothing where there is no roll-up of its relation."""
    found = partials(table.relation, table.batch)
    return [EncodedPart(each, encode(each.batch)) for each in found]


def copy_parts(connection: psycopg.Connection, parts: list[EncodedPart], *, careful: bool) -> None:
    """Write them. With `careful`, a part that PostgreSQL refuses is left out, and the log says so."""
    for part in parts:
        relation, batch = part.partial.relation, part.partial.batch
        if not careful:
            copy(connection, relation, batch.schema.names, part.data)
            continue
        for row in copy_what_fits(connection, relation, batch):
            log.warning("a row of %s was refused and left out: %s", relation, row.message)

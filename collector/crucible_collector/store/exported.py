"""What is exported, as statements for `copy_out`: a named question, of which columns, in which order.

Attributes differ from row to row. To make columns of them, what they hold is asked for first: which keys,
as deep as objects go, and what lies under each. So a file has the columns of all its rows, not of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import psycopg
from psycopg import sql

from crucible_collector.store.partitions import Connection
from crucible_collector.store.read import query_text
from crucible_collector.store.replay import understood

# Objects within objects beyond this depth stay JSON text in the column of the last.
DEPTH_MAX = 4

KeyKind = Literal["integer", "double", "boolean", "text"]
Parameters = Mapping[str, Any]

_KEYS = """
-- What lies under the keys of an object of the rows, at one path?
-- No index of its own: the rows are those of the question.
select key, kind, count(*)
from (
    select
        each.key,
        case jsonb_typeof(each.value)
            when 'number' then case
                when scale((each.value)::numeric) = 0 and abs((each.value)::numeric) < 9223372036854775807
                then 'integer' else 'double' end
            when 'object' then case
                when each.value ? '$double' then 'double'
                when each.value ? '$bytes' or each.value ? '$kvlist' then 'text' else 'object' end
            when 'boolean' then 'boolean'
            when 'null' then 'null'
            else 'text'
        end as kind
    from (select {column} #> %(path)s::text[] as value from ({rows}) rows) outermost
    cross join lateral jsonb_each(case when jsonb_typeof(value) = 'object' then value end) each
) found
group by key, kind
"""


@dataclass(frozen=True, slots=True)
class Key:
    """What lies at one path of a column of objects, in how many of the rows."""

    column: str
    path: tuple[str, ...]
    kind: KeyKind
    row_count: int

    @property
    def name(self) -> str:
        """Of the column that is made of it."""
        return ".".join((self.column, *self.path))


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a column of objects has no column of its own: all but these of its keys."""

    column: str
    keys: tuple[str, ...]


def keys_of(
    connection: Connection, question: str, parameters: Parameters, column: str
) -> list[Key]:
    """What a question's column of objects holds; reads all of its rows, once for each depth of objects.

    DatabaseAwayError, DatabaseError.
    """
    return _keys(connection, question, parameters, column, ())


def _keys(
    connection: Connection,
    question: str,
    parameters: Parameters,
    column: str,
    path: tuple[str, ...],
) -> list[Key]:
    text = sql.SQL(cast("Any", _KEYS)).format(
        column=sql.Identifier(column), rows=sql.SQL(cast("Any", query_text(question)))
    )
    cursor = psycopg.ClientCursor(connection)
    with understood("export"):
        cursor.execute(text, {**parameters, "path": list(path)})
        rows = cursor.fetchall()
    kinds: dict[str, dict[str, int]] = {}
    for key, kind, count in rows:
        kinds.setdefault(key, {})[kind] = count
    found = []
    for key, counts in sorted(kinds.items()):
        place = (*path, key)
        # An object in some rows and a number in others: the column has text, JSON of objects.
        if "object" in counts and counts.keys() <= {"object", "null"} and len(place) < DEPTH_MAX:
            found += _keys(connection, question, parameters, column, place)
        else:
            found.append(Key(column, place, _kind(counts), sum(counts.values())))
    return found


def _kind(counts: Mapping[str, int]) -> KeyKind:
    kinds = counts.keys() - {"null"}
    if kinds == {"integer"}:
        return "integer"
    if kinds and kinds <= {"integer", "double"}:
        return "double"
    return "boolean" if kinds == {"boolean"} else "text"


def statement(
    question: str,
    columns: Sequence[str | Key | Rest],
    order: Sequence[str],
) -> str:
    """A question's columns, and those made of keys, in an order; for `copied_out` with its parameters."""
    chosen = sql.SQL(", ").join(map(_column, columns))
    parts = [sql.SQL("select {} from (").format(chosen), sql.SQL(") rows")]
    if order:
        by = sql.SQL(", ").join(sql.SQL("rows.{}").format(sql.Identifier(each)) for each in order)
        parts.append(sql.SQL(" order by {}").format(by))
    # What users named may have a %, which is doubled where parameters are filled in.
    first, *rest = (part.as_string().replace("%", "%%") for part in parts)
    return f"{first}\n{query_text(question)}\n{''.join(rest)}"


def _column(column: str | Key | Rest) -> sql.Composable:
    if isinstance(column, Key):
        value = sql.SQL("{} {} {}::text[]").format(
            sql.SQL("rows.{}").format(sql.Identifier(column.column)),
            sql.SQL("#>" if column.kind == "double" else "#>>"),
            sql.Literal(list(column.path)),
        )
        made = {
            "integer": "({})::bigint",
            "double": "crucible.number_of({})",
            "boolean": "({})::boolean",
            "text": "({})",
        }[column.kind]
        return sql.SQL(cast("Any", made + " as {}")).format(value, sql.Identifier(column.name))
    if isinstance(column, Rest):
        return sql.SQL("nullif(rows.{} - {}::text[], '{{}}') as {}").format(
            sql.Identifier(column.column),
            sql.Literal(list(column.keys)),
            sql.Identifier(f"{column.column}_rest"),
        )
    return sql.SQL("rows.*") if column == "*" else sql.SQL("rows.{}").format(sql.Identifier(column))


def row_estimate(connection: Connection, text: str, parameters: Parameters) -> int:
    """How many rows the planner takes a statement to have. DatabaseAwayError, DatabaseError."""
    cursor = psycopg.ClientCursor(connection)
    with understood("export"):
        cursor.execute(cast("Any", f"explain (format json) {text}"), parameters)
        row = cursor.fetchone()
    return max(int(row[0][0]["Plan"]["Plan Rows"]), 1) if row else 1

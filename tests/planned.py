"""What the database does for a request: the plans, as executed, of the statements that the API makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, cast

import psycopg
from fastapi.testclient import TestClient
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from crucible_collector.api import create_app
from crucible_collector.api.app import PREFIX
from crucible_collector.store.partitions import Connection
from crucible_collector.store.read import Reader
from stored import Health


@dataclass
class Planned:
    """The API over one connection, in the place of a pool; keeps the plan of each statement."""

    conn: Connection
    plans: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[psycopg.Connection[Any]]:  # noqa: ARG002
        plans = self.plans

        class Explaining(psycopg.Cursor[Any]):
            def explain(self, query: Any, params: Any) -> None:
                cursor = psycopg.Cursor(self.connection, row_factory=tuple_row)
                text = query.decode() if isinstance(query, bytes) else query
                row = cursor.execute(f"explain (analyze, format json) {text}", params).fetchone()
                assert row is not None
                plans.append(row[0][0]["Plan"])

            def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
                self.explain(query, params)
                return super().execute(query, params, **options)

            def stream(self, query: Any, params: Any = None, **options: Any) -> Iterator[Any]:
                self.explain(query, params)
                return super().stream(query, params, **options)

        usual, self.conn.cursor_factory = self.conn.cursor_factory, Explaining
        try:
            yield self.conn
        finally:
            self.conn.cursor_factory = usual

    def ask(self, path: str, **parameters: object) -> dict[str, Any]:
        """A successful answer; `plans` are afterwards those that it took."""
        self.plans.clear()
        named = {name.rstrip("_"): str(value) for name, value in parameters.items()}
        reader = Reader(cast("ConnectionPool[Any]", self))
        with TestClient(create_app(reader, Health())) as client:
            response = client.get(f"{PREFIX}{path}", params=named)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        assert answer["data"], "a question without an answer plans nothing of interest"
        return answer

    def rows_read(self, relations: set[str]) -> dict[str, int]:
        """How many rows the last answer looked at, of each of these that its plans have a scan for."""
        found: dict[str, int] = {}
        for node in (each for plan in self.plans for each in nodes(plan)):
            name = node.get("Relation Name")
            if name in relations:
                removed = sum(node.get(f"Rows Removed by {why}", 0) for why in REMOVED)
                rows = int((node["Actual Rows"] + removed) * node["Actual Loops"])
                found[name] = found.get(name, 0) + rows
        return found


REMOVED = ("Filter", "Index Recheck")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)

"""What the database does for a request: the plans, as executed, of the statements that the API makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient

from crucible_collector.api import create_app
from crucible_collector.api.app import PREFIX
from crucible_collector.store.partitions import Connection
from crucible_collector.store.read import compose
from stored import Health


@dataclass
class Planned:
    """Answers the API's questions over one connection, and keeps the plan of each."""

    conn: Connection
    plans: list[dict[str, Any]] = field(default_factory=list)

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        text, bound = compose(question, parameters)
        row = self.conn.execute(f"explain (analyze, format json) {text}".encode(), bound).fetchone()
        assert row is not None
        self.plans.append(row[0][0]["Plan"])
        statement = f"select row_to_json(answer)::text from (\n{text}) answer"
        return [row[0] for row in self.conn.execute(statement.encode(), bound).fetchall()]

    def ask(self, path: str, **parameters: object) -> dict[str, Any]:
        """A successful answer; `plans` are afterwards those that it took."""
        self.plans.clear()
        named = {name.rstrip("_"): str(value) for name, value in parameters.items()}
        with TestClient(create_app(self, Health())) as client:
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

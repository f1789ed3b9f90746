"""The dashboards of deploy/grafana: every query is run over rows, as the role that reads, and answers some."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stored import SCOPE, Stored, at

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
FILES = sorted((FOLDER / "dashboards").glob("*.json"))
RUN, EXPERIMENT = "run '1'", "it's"
CHOSEN = {"experiment": EXPERIMENT, "run": RUN, "metric": "loss"}
DATA_SOURCE = "crucible"
# Where a dashboard looks, around all that is stored.
FROM, TO = at(-3 * 86_400), at(3 * 86_400)


@dataclass
class Query:
    """`where` is for messages; `format` as Grafana has it: time_series or table."""

    where: str
    sql: str
    format: str


def dashboard(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def queries(file: Path) -> Iterator[Query]:
    board = dashboard(file)
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield Query(f"{file.stem}, {panel['title']}", target["rawSql"], target["format"])
    for variable in board["templating"]["list"]:
        yield Query(f"{file.stem}, variable {variable['name']}", variable["query"], "table")
    for note in board["annotations"]["list"]:
        target = note["target"]
        yield Query(f"{file.stem}, annotation {note['name']}", target["rawSql"], target["format"])


def expanded(sql: str, chosen: Mapping[str, str]) -> str:
    """As Grafana fills in its macro of time and variables with the format `sqlstring`."""

    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def between(found: re.Match[str]) -> str:
        return f"{found[1]} between '{FROM.isoformat()}' and '{TO.isoformat()}'"

    filled = re.sub(r"\$__timeFilter\((\w+)\)", between, sql)
    return re.sub(r"\$\{(\w+):sqlstring\}", lambda found: literal(chosen[found[1]]), filled)


@pytest.fixture
def filled(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Rows for every panel; names that break what does not quote them."""
    with psycopg.connect(database, autocommit=True) as conn:
        stored = Stored(conn)
        stored.resource()
        stored.insert("scopes", {"scope_id": SCOPE, "name": "crucible", "first_seen": at(0)})
        stored.experiment(EXPERIMENT)
        of = {"experiment_id": EXPERIMENT, "run_id": RUN}
        stored.run(RUN, experiment_id=EXPERIMENT, condition="a")
        for number, status in enumerate(("completed", "failed", "stalled")):
            stored.run(f"run-{number}", experiment_id=EXPERIMENT, status=status)
        stored.series(1, "loss", event_name="crucible_train.batch.stop", **of)
        stored.points(1, [3.0, 2.0, 1.0])
        stored.period(1, metric="loss", severity="critical", started_at=at(1), **of)
        flagged = stored.period(2, metric="loss", started_at=at(2), **of)
        stored.anomaly(flagged, time=at(2), starts_period=True, **of)
        ns = 1_000_000
        stored.span(name="crucible_train.epoch.stop", epoch=0, duration_ns=ns, **of)
        stored.span(name="crucible_train.batch.exception", status_code=2, duration_ns=ns, **of)
        call = {"model": "m", "duration_ns": 50 * ns, "sample_probability": 0.5}
        call |= {"cost_usd": 0.25, "input_tokens": 10, "output_tokens": 5}
        stored.span(name="crucible_deployment.inference.stop", **of, **call)
        conn.execute(LEDGERS.encode())
        yield conn


LEDGERS = """
insert into crucible.positions (journal_id, position, stored_until, heard_since, updated_at)
values (repeat('a', 32)::uuid, 1, now(), now(), now());
insert into crucible.ledger (journal_id, signal, outcome, reason, count)
values (repeat('a', 32)::uuid, 'spans', 'stored', '', 3);
insert into crucible.sampling_ledger (time, journal_id, rule, signal, stratum, seen_count, kept_count, weight_sum)
values ('2026-11-23 10:00Z', repeat('a', 32)::uuid, 'half', 'spans', '', 4, 2, 4)
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_query_answers_as_the_role_that_reads(
    file: Path, filled: psycopg.Connection[Any]
) -> None:
    filled.execute("set role crucible_reader")
    for query in queries(file):
        sql = expanded(query.sql, CHOSEN)
        assert "$" not in sql, query.where
        cursor = filled.execute(sql.encode())
        assert cursor.description is not None
        rows = cursor.fetchall()
        assert rows, query.where
        names = [column.name for column in cursor.description]
        assert len(names) == len(set(names)), query.where
        if query.format == "time_series":
            assert names[0] == "time", query.where
            assert all(isinstance(row[0], datetime) for row in rows), query.where
            kinds = {"metric": str}
            for row, (name, value) in itertools.product(
                rows, zip(names[1:], rows[0][1:], strict=True)
            ):
                assert row
                assert isinstance(value, kinds.get(name, (int, float)))


def test_calls_that_were_sampled_count_for_those_that_were_not(
    filled: psycopg.Connection[Any],
) -> None:
    [sql] = [
        each.sql
        for each in queries(FOLDER / "dashboards" / "inference.json")
        if "Models" in each.where
    ]
    [row] = filled.execute(expanded(sql, CHOSEN).encode()).fetchall()
    assert row[:2] == ("m", 2)


def test_there_are_dashboards() -> None:
    assert [file.stem for file in FILES] == ["collector", "inference", "overview", "run"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_is_whole(file: Path) -> None:
    board = dashboard(file)
    assert board["uid"] == f"crucible-{file.stem}"
    assert "crucible" in board["tags"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == DATA_SOURCE
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (file.stem, one, other)


def test_the_data_source_is_the_one_that_dashboards_name() -> None:
    text = (FOLDER / "provisioning" / "datasources" / "crucible.yaml").read_text()
    assert f"uid: {DATA_SOURCE}" in text
    named = set(re.findall(r"\$\{(\w+)\}", text))
    told = (FOLDER / "README.md").read_text()
    assert all(f"`{name}`" in told for name in named)

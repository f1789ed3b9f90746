"""What committed windows put into the database is not written again; forgetting costs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from crucible_collector.pipeline import remembered as module
from crucible_collector.pipeline.prepare import prepare
from rows_of import Ingest, execute, ingest, resource_of, rows_of, span_of, traces


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def batch(number: int, service: str = "trainer", /, **attributes: str | float) -> Message:
    every: dict[str, str | float] = {"crucible__run__id": "run", "crucible__measurement__loss": 1}
    span = span_of(number, "crucible_train.batch", **(every | attributes))
    return traces(span, resource=resource_of(service__name=service))


def news(collector: Ingest, *requests: Message) -> dict[str, int]:
    """How many rows of each dimension a window would write, and runs beyond their times."""
    rows = collector.rows(*requests)
    collector.remembered.mark_known(rows)
    counts = {
        "resources": len(rows.resources.rows),
        "scopes": len(rows.scopes.rows),
        "series": len(rows.series.rows),
        "runs": sum(not fact.is_known for fact in rows.runs.values()),
    }
    collector.write(rows)
    return counts


NOTHING = {"resources": 0, "scopes": 0, "series": 0, "runs": 0}


def test_a_dimension_is_news_once(collector: Ingest) -> None:
    assert news(collector, batch(1)) == {"resources": 1, "scopes": 1, "series": 1, "runs": 1}
    assert news(collector, batch(2)) == NOTHING


def test_a_window_that_was_not_written_leaves_no_trace(collector: Ingest) -> None:
    rows = collector.rows(batch(1))
    collector.remembered.mark_known(rows)
    again = prepare(rows.window, collector.remembered.known())
    collector.remembered.mark_known(again)
    assert again.series.rows == rows.series.rows != {}
    assert not again.runs["run"].is_known


@pytest.mark.parametrize(
    ("attributes", "runs"),
    [
        ({"crucible__condition": "b"}, 1),
        ({"crucible__condition": "a"}, 1),
        ({"crucible__experiment__id": "e"}, 1),
        ({"crucible__step": 7}, 0),
    ],
)
def test_a_run_is_news_again_where_it_says_what_counts(
    collector: Ingest, attributes: dict[str, str | float], runs: int
) -> None:
    news(collector, batch(1))
    assert news(collector, batch(2, **attributes))["runs"] == runs
    assert news(collector, batch(3, **attributes))["runs"] == 0
    assert news(collector, batch(4))["runs"] == 0


def test_forgetting_makes_all_of_it_news(collector: Ingest, plain_database: str) -> None:
    news(collector, batch(1))
    execute(plain_database, "truncate crucible.series, crucible.runs")
    collector.remembered.forget()
    assert news(collector, batch(2)) == {"resources": 1, "scopes": 1, "series": 1, "runs": 1}
    assert len(rows_of(plain_database, "series")) == len(rows_of(plain_database, "runs")) == 1


def test_what_is_remembered_is_bounded(collector: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDS_MAX", 3)
    monkeypatch.setattr(module, "_RUNS_MAX", 3)
    for number in range(1, 20):
        news(collector, batch(number, f"service {number}", crucible__run__id=f"run {number}"))
        assert len(collector.remembered.resources) <= 3
        assert len(collector.remembered.runs) <= 3

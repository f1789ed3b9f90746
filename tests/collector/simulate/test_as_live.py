"""Stored records look to rules as they did when they came, and are decided alike.

The same requests are prepared by the pipeline, stored, and read back; on either database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from crucible_collector.batch import Signal
from crucible_collector.candidates import KEYS, Candidates, Decided
from crucible_collector.enrich.window import Known
from crucible_collector.journal import Window
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.simulate.records import candidates, table_of
from crucible_collector.simulate.replay import Limits, replayed
from crucible_collector.simulate.tally import Tally
from crucible_collector.store.replay import Wanted, replay
from databases import TestServer
from rows_of import at, ingest, logs, resource_of, traces
from traffic import key_value

COUNT = 400
ASKED = ("tier", "ratio", "large", "crucible.run.id", "crucible.step", "region", "tags")
VALUES = ("gold", "0.5", "7", "true", "run-1", "3", "north", '["a"]')
PERIOD = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


# What is no text and no number.
ODD = (
    KeyValue(key="large", value=AnyValue(bool_value=True)),
    KeyValue(
        key="tags", value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a")]))
    ),
)


class Looking(Sampler):
    """Keeps everything, and what it was shown."""

    def __init__(self) -> None:
        super().__init__(Rules.parse({}))
        self.shown: list[Candidates] = []

    def decide(self, window: Sequence[Candidates], end: int) -> list[Decided]:
        self.shown += window
        return super().decide(window, end)


def spans() -> list[Span]:
    chance = np.random.default_rng(5)
    found = []
    for number in range(1, COUNT + 1):
        told: dict[str, Any] = {
            "crucible.run.id": f"run-{number % 3}",
            "crucible.step": number % 5,
            "tier": "gold" if number % 4 else "silver",
            "gen_ai.request.model": ("tiny", "större")[number % 2],
            "crucible.measurement.cost_usd": [0.25, 3, float("inf")][number % 3],
            "ratio": 0.5,
        }
        if number % 6 == 0:
            told |= {"crucible.experiment.id": "own", "region": "south"}
        begun = at(-60 + number / 10)
        found.append(
            Span(
                trace_id=chance.bytes(16),
                span_id=number.to_bytes(8),
                name=("crucible_train.epoch", "crucible_train.batch", "work")[number % 3],
                start_time_unix_nano=begun,
                end_time_unix_nano=begun + number * 1_000_001,
                status=Status(code=cast("Any", number % 3)),
                trace_state=f"ot=rv:{number:014x}" if number % 10 == 0 else "",
                attributes=[*(key_value(key, value) for key, value in told.items()), *ODD],
            )
        )
    return found


def records() -> list[LogRecord]:
    return [
        LogRecord(
            time_unix_nano=span.end_time_unix_nano,  # before it, no threshold of spans is known
            trace_id=span.trace_id,
            severity_number=cast("Any", number % 24),
            attributes=[key_value("tier", "gold")],
        )
        for number, span in enumerate(spans())
        if not span.trace_state
    ]


@dataclass
class Both:
    """What came, as it was shown to the sampler, and the database that has it."""

    dsn: str
    window: Window
    live: dict[Signal, Candidates]

    def kept_by(self, rules: Rules) -> dict[Signal, set[bytes]]:
        """The traces of the rows that the pipeline makes under these rules."""
        nobody: frozenset[int] = frozenset()
        known = Known(nobody, nobody, nobody)
        made = prepare(self.window, known, sampler=Sampler(rules)).tables
        return {
            table.signal: set(table.batch.column("trace_id").to_pylist())
            for table in made
            if table.relation in {"spans", "logs"}
        }


@pytest.fixture(scope="module")
def both(module_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    where = resource_of(**{"service.name": "trainer", "region": "north", "crucible.condition": "a"})
    looking = Looking()
    directory: Path = tmp_path_factory.mktemp("journal")
    with module_server.database() as dsn:
        with ingest(dsn, directory / "journal") as one:
            window = one.window(traces(*spans(), resource=where), logs(*records(), resource=where))
            one.write(prepare(window, one.remembered.known(), sampler=looking))
        yield Both(dsn, window, {each.signal: each for each in looking.shown})


def stored(both: Both) -> dict[Signal, Candidates]:
    with replay(both.dsn, Wanted(*PERIOD, attributes=ASKED)) as found:
        return {
            signal: candidates(signal, pa.concat_tables(map(table_of, batches)), ASKED)
            for signal, batches in ((Signal.TRACES, found.spans()), (Signal.LOGS, found.logs()))
        }


def by_trace(values: Any, of: Candidates) -> dict[bytes, Any]:
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return dict(zip((each.tobytes() for each in of.trace_id), listed, strict=True))


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_rules_see_the_same(both: Both, signal: Signal) -> None:
    live, again = both.live[signal], stored(both)[signal]
    assert len(again) == len(live) > 300
    for name in ("randomness", "upstream", "status_code", "duration_ns", "cost_usd", "score"):
        assert by_trace(getattr(again, name), again) == by_trace(getattr(live, name), live), name
    for key in KEYS:
        assert by_trace(again.columns.key(key), again) == by_trace(live.columns.key(key), live), key
        labels = [
            by_trace([one.columns.label(key, row) for row in range(len(one))], one)
            for one in (again, live)
        ]
        assert labels[0] == labels[1], key
    for patterns in (("work",), ("crucible_train",), ("crucible_train.epoch", "work"), ("w",)):
        found = [by_trace(one.columns.is_event(patterns), one) for one in (again, live)]
        assert found[0] == found[1], patterns
    for attribute in ASKED:
        for value in VALUES:
            found = [by_trace(one.columns.has(attribute, value), one) for one in (again, live)]
            assert found[0] == found[1], (attribute, value)


@dataclass
class Remembering(Tally):
    """Counts, and remembers which traces' records were kept."""

    kept: dict[Signal, set[bytes]] = field(default_factory=dict)

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.kept = {Signal.TRACES: set(), Signal.LOGS: set()}

    def add(self, looked_at: Candidates, decided: Decided, table: pa.Table) -> None:
        super().add(looked_at, decided, table)
        self.kept[looked_at.signal] |= {each.tobytes() for each in looked_at.trace_id[decided.keep]}


UNIFORM = [{"strategy": "uniform", "probability": 0.3}]
STRATIFIED = [
    {"strategy": "uniform", "probability": 0.5, "attributes": {"tier": "silver"}},
    {
        "strategy": "stratified",
        "rates": {"error": 1.0, "success": 0.1},
        "signals": ["spans", "logs"],
        "events": ["crucible_train"],
    },
    {"strategy": "uniform", "probability": 0.2, "signals": ["logs"]},
]


@pytest.mark.parametrize("rules", [UNIFORM, STRATIFIED], ids=["uniform", "stratified"])
def test_constant_thresholds_keep_what_the_pipeline_would_have_kept(
    both: Both, rules: list[dict[str, Any]]
) -> None:
    settings = Rules.parse({"rules": rules})
    expected = both.kept_by(settings)
    tally = Remembering(settings)
    with replay(both.dsn, Wanted(*PERIOD, attributes=("tier",))) as found:
        outcome = replayed(found, settings, tally, Limits())
    assert outcome.stopped_because is None
    assert tally.kept == expected
    assert 0 < len(expected[Signal.TRACES]) < COUNT

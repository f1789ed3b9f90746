"""What the registry does not know is stored all the same, counted, and each new name told once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from crucible_collector.metrics import REGISTRY
from crucible_collector.pipeline import unfamiliar
from crucible_collector.pipeline.unfamiliar import Unfamiliar
from rows_of import Ingest, at, ingest, logs, span_ids, span_of, traces


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


class Counted:
    """How far the counters of one signal have moved since this was made."""

    def __init__(self, signal: str = "spans") -> None:
        self._signal = signal
        self._before = self._now()

    def _now(self) -> tuple[float, float]:
        names = ("crucible_unknown_event_records_total", "crucible_foreign_records_total")
        found = [REGISTRY.get_sample_value(name, {"signal": self._signal}) for name in names]
        return (found[0] or 0.0, found[1] or 0.0)

    @property
    def unknown(self) -> float:
        return self._now()[0] - self._before[0]

    @property
    def foreign(self) -> float:
        return self._now()[1] - self._before[1]


def store(collector: Ingest, told: Unfamiliar, *requests: Message) -> None:
    rows = collector.rows(*requests)
    told.committed(rows, collector.write(rows).duplicates)


@pytest.mark.parametrize(
    ("name", "given", "unknown", "foreign"),
    [
        ("crucible_train.batch", None, 0, 0),
        ("crucible_train.epoch.start", None, 0, 0),
        ("crucible_kitchen.training.step", None, 0, 0),
        ("crucible_train.bathc", None, 1, 0),
        ("crucible_train.epoch.paused", None, 1, 0),
        ("crucible_of_tomorrow.thing.done", None, 1, 0),
        ("crucible.thing", None, 1, 0),
        ("crucible", None, 0, 1),
        ("GET /items", None, 0, 1),
        ("my_service.handle", None, 0, 1),
        ("GET /items", "my_own.event", 1, 0),
        ("GET /items", "crucible_train.epoch.stop", 0, 0),
        ("", None, 0, 0),
    ],
)
def test_an_unknown_event_is_told_from_somebody_elses_span(
    collector: Ingest,
    plain_database: str,
    name: str,
    given: str | None,
    unknown: int,
    foreign: int,
) -> None:
    counted = Counted()
    attributes = {} if given is None else {"crucible.event.name": given}
    store(collector, Unfamiliar(), traces(span_of(1, name, **attributes)))
    assert (counted.unknown, counted.foreign) == (unknown, foreign)
    assert span_ids(plain_database) == [1]


def test_log_records_count_where_they_are_events(collector: Ingest, plain_database: str) -> None:
    counted = Counted("log_records")
    names = ("", "crucible_train.novelty", "browser.page_view", "crucible_train.epoch.stop")
    records = [LogRecord(time_unix_nano=at(-n), event_name=name) for n, name in enumerate(names)]
    store(collector, Unfamiliar(), logs(*records))
    assert (counted.unknown, counted.foreign) == (1, 1)


def test_only_what_is_stored_counts_and_once(collector: Ingest, plain_database: str) -> None:
    counted, told = Counted(), Unfamiliar()
    refused = span_of(3, "crucible_train.novelty")
    refused.trace_id = b"short"
    request = traces(span_of(1, "crucible_train.novelty"), span_of(2, "GET /items"), refused)
    store(collector, told, request, request)
    store(collector, told, request)
    assert (counted.unknown, counted.foreign) == (1, 1)


def test_each_unknown_name_is_told_once(
    collector: Ingest, plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "crucible.pipeline")
    told = Unfamiliar()
    for number in (1, 3):
        store(
            collector,
            told,
            traces(
                span_of(number, "crucible_train.novelty"),
                span_of(number + 1, "crucible_train.b\nc"),
            ),
        )
    said = [record.getMessage() for record in caplog.records]
    assert [line.rpartition(": ")[2] for line in said] == [
        "'crucible_train.novelty'",
        r"'crucible_train.b\nc'",
    ]


def test_names_told_are_bounded_and_the_end_is_told(
    collector: Ingest,
    plain_database: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unfamiliar, "NAMES_MAX", 3)
    caplog.set_level(logging.INFO, "crucible.pipeline")
    counted = Counted()
    spans = [span_of(number, f"crucible_train.novelty_{number}") for number in range(1, 9)]
    store(collector, Unfamiliar(), traces(*spans))
    assert counted.unknown == 8
    assert len(caplog.records) == 4
    assert "only counted" in caplog.records[-1].getMessage()

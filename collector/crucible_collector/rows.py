"""What a window becomes before it is written: Arrow tables, dimensions, facts about runs, counts.

Everything here is keyed by `request`, the index of the OTLP request in the window, because a
request that turns out to be a duplicate inside the transaction takes its rows with it.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from crucible_collector.batch import I32, I64, U8, Reason, Signal
from crucible_collector.candidates import Counted
from crucible_collector.detect.found import Found
from crucible_collector.journal import Window


class Phase(enum.Enum):
    """What of a window is written in one transaction.

    Where a sampler wants to know what comes after a record, everything but spans and logs is written
    AHEAD, and these, as decided, BEHIND; else all of it is written as a WHOLE.
    """

    WHOLE = "whole"
    AHEAD = "ahead"
    BEHIND = "behind"

    @property
    def signals(self) -> frozenset[Signal]:
        """Whose records the ledger counts in this transaction."""
        return _COUNTED[self]


_COUNTED = {
    Phase.WHOLE: frozenset(Signal),
    Phase.AHEAD: frozenset({Signal.METRICS}),
    Phase.BEHIND: frozenset({Signal.TRACES, Signal.LOGS}),
}


@dataclass(slots=True)
class Table:
    """Rows for one relation; the batch's column names are the relation's.

    `principal`: each row is one record of the ledger. False where a record makes further rows
    (the measurements of a span), which are not counted again.
    """

    relation: str
    signal: Signal
    batch: pa.RecordBatch
    request: I32  # (rows) request of the window
    index: I32  # (rows) record within its request
    principal: bool


@dataclass(slots=True)
class Dimension:
    """Rows of a table that is keyed by a hash and written once: values in the order of `columns`."""

    relation: str
    columns: tuple[str, ...]
    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class RunFact:
    """What a window says about one run. `None` means that it says nothing.

    `is_known`: all that the fact says besides its times, step and epoch is in the database already.
    """

    run_id: str
    first_ns: int
    last_ns: int
    received_ns: int = 0  # newest receipt, by the collector's clock
    is_known: bool = False
    experiment_id: str | None = None  # of several the one that was received first
    experiment_received_us: int | None = None  # when, by the collector's clock
    condition: str | None = None
    kind: str | None = None
    status: str | None = None
    status_at_ns: int | None = None  # time of the start or end that the status is from
    model_name: str | None = None
    model_version: str | None = None
    dataset_name: str | None = None
    config: str | None = None  # JSON text
    summary: str | None = None  # JSON text
    service_name: str | None = None
    correlation_id: str | None = None
    trace_id: uuid.UUID | None = None
    resource_id: int | None = None
    parent_run_id: str | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    last_step: int | None = None
    last_epoch: int | None = None
    heartbeat_interval_s: float | None = None  # as promised; the longest promise counts


@dataclass(slots=True)
class ExperimentFact:
    """What a window says about one experiment."""

    experiment_id: str
    first_ns: int
    last_ns: int
    name: str | None = None
    hypothesis: str | None = None
    status: str | None = None
    status_at_ns: int | None = None  # time of the start or end that the status is from
    tags: list[str] | None = None
    owner: str | None = None
    experiment_type: str | None = None
    metadata: str | None = None  # JSON text, an object
    pause_count: int | None = None
    pause_reason: str | None = None
    is_aborted: bool | None = None
    abort_reason: str | None = None
    active_duration_ns: int | None = None
    paused_duration_ns: int | None = None


@dataclass(slots=True)
class Requests:
    """The requests of a window, one row each, in journal order."""

    signal: U8
    digest: U8  # (n, 16)
    received_ns: I64
    record_count: I64
    anonymous: U8  # 1: never taken for a duplicate


@dataclass(slots=True)
class SetAside:
    """One record (or, with index -1, one whole request) that the database or the decoder refused.

    `is_record`: False for a further row of a record that is itself stored, and so not counted.
    """

    request: int
    index: int
    signal: Signal
    reason: Reason
    message: str
    is_record: bool = True


@dataclass(slots=True)
class WindowRows:
    """One window, ready to be written in one transaction."""

    window: Window
    requests: Requests
    tables: list[Table]
    resources: Dimension
    scopes: Dimension
    series: Dimension
    runs: dict[str, RunFact]
    experiments: dict[str, ExperimentFact]
    refused: dict[tuple[int, Reason], int]  # (request, reason) -> records refused by the check
    filtered: dict[tuple[int, str], int]  # (request, rule) -> records that the settings leave out
    unknown: dict[tuple[int, str], int]  # (request, event) -> records the registry does not know
    foreign: dict[int, int]  # request -> records that are no event of the registry's packages
    set_aside: list[SetAside]  # found while decoding
    damaged: dict[tuple[Signal, Reason], int]  # records lost to damaged journal bytes
    series_seen: dict[int, int]  # known series whose last_seen is due, and the time in ns
    phase: Phase = Phase.WHOLE
    sampled: dict[tuple[int, str], int] = field(default_factory=dict)  # (request, rule) -> records
    counted: Counted = field(default_factory=Counted)  # what each sampling rule saw and kept
    # The same but for some requests, should these turn out to be duplicates.
    counted_without: Callable[[AbstractSet[int]], Counted] | None = None
    found: Found = field(default_factory=Found)  # what detectors flagged; of BEHIND nothing
    # Of BEHIND: the requests that were found to be duplicates AHEAD.
    duplicates: frozenset[int] = frozenset()
    # Whether it is to be known how the window was cut: it is yet to be decided, or learned from.
    is_recorded: bool = False

    @property
    def start(self) -> int:
        return self.window.start

    @property
    def end(self) -> int:
        return self.window.end

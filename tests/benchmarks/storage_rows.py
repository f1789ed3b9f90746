"""The rows of one day of the filled database, as windows of the collector would have made them.

Attributes, names, and what lies in a column and not in the JSON are as the SDK sends and the collector
stores them. Rows come in the order of time, as they would have arrived: at these rates a window holds
one or two.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.storage_columns import (
    POINTS,
    SPANS,
    Value,
    in_order_of_time,
    joined,
    rows,
    text,
    times,
    uuids,
)
from benchmarks.storage_inferences import inferences_of
from benchmarks.storage_story import (
    ALWAYS,
    CHECKPOINT_EPOCHS,
    DAY_US,
    EPOCH_BATCHES,
    METRICS,
    SOMETIMES_EVERY,
    Run,
    Story,
)
from crucible_collector.batch import F64, I64, U8

BATCH_ROWS = 32
NAN_SHARE = 2e-5  # of batches: a training that diverges for a step
# What of a run the ids are drawn for; positions of batches, which noise is drawn for, lie below.
_EPOCH_IDS, _SERIES_IDS = 1 << 40, 2 << 40
_NS = 1_000
_MEASUREMENT = "crucible.measurement"


@dataclass(frozen=True, slots=True)
class Day:
    """All that began on one day."""

    spans: pa.RecordBatch
    points: pa.RecordBatch


def day_of(story: Story, day: dt.date) -> Day:
    """Make the rows of a day; 3 µs a span."""
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    first_us = int(midnight.timestamp()) * 1_000_000
    spans: list[pa.RecordBatch] = []
    points: list[pa.RecordBatch] = []
    for run in story.runs:
        first, end = run.units_of(first_us, first_us + DAY_US)
        if first == end:
            continue
        if run.kind == "training":
            found = _training(run, first, end)
            spans += found[0]
            points.append(found[1])
        else:
            spans += inferences_of(run, first, end, identity(run))
    return Day(in_order_of_time(spans, SPANS), in_order_of_time(points, POINTS))


def identity(run: Run) -> dict[str, Value]:
    """The columns that all spans of a run share."""
    return {
        "resource_id": resource_id(run),
        "scope_id": SCOPE_ID,
        "experiment_id": run.experiment_id,
        "run_id": run.run_id,
        "condition": run.condition,
        "kind": 1,
    }


SCOPE_ID = 3_666_100_561_059_696_403


def resource_id(run: Run) -> int:
    return int(run.random(_SERIES_IDS).integers(1 << 62))


def series_ids(run: Run) -> I64:
    """One for each of METRICS."""
    return run.random(_SERIES_IDS).integers(1 << 62, size=1 + len(METRICS))[1:]


@lru_cache(maxsize=256)
def epoch_ids(run: Run) -> tuple[U8, I64]:
    """Trace ids of all epochs and of the run's own trace, in the last row; and their spans' ids."""
    random = run.random(_EPOCH_IDS)
    count = run.epochs + 1
    traces = np.frombuffer(random.bytes(count * 16), np.uint8).reshape(count, 16)
    return traces, random.integers(-(1 << 63), (1 << 63) - 1, size=count)


@dataclass(frozen=True, slots=True)
class _Batches:
    """Batches of one run that began in one day."""

    run: Run
    index: I64
    start_ns: I64
    duration_ns: I64
    values: dict[str, F64]


def _training(run: Run, first: int, end: int) -> tuple[list[pa.RecordBatch], pa.RecordBatch]:
    index = np.arange(first, end)
    random = run.random(first)
    every_ns = run.every_us * _NS
    start_ns = _begin_ns(run, index) + random.integers(0, int(every_ns / 10) + 1, size=len(index))
    duration = 0.8 * every_ns * random.lognormal(sigma=0.08, size=len(index))
    duration_ns = np.minimum(duration, 0.89 * every_ns).astype(np.int64)
    batches = _Batches(run, index, start_ns, duration_ns, _curves(run, index, duration_ns, random))
    spans = [_batch_spans(batches, random), *_epoch_spans(run, first, end, random)]
    if first == 0:
        spans.append(_run_spans(run, random))
    return spans, _points(batches)


def _begin_ns(run: Run, index: I64) -> I64:
    found: I64 = run.start_us * _NS + (index * run.every_us).astype(np.int64) * _NS
    return found


def _curves(run: Run, index: I64, duration_ns: I64, random: np.random.Generator) -> dict[str, F64]:
    """Numbers as a training has them: falling with noise, a schedule, shares of a batch."""
    done, count = index / run.units, len(index)
    floor = 0.1 + 0.4 * float(run.random(_SERIES_IDS, 1).random())
    loss = (floor + 2.2 * np.exp(-6 * done)) * random.lognormal(sigma=0.15, size=count)
    norm = (0.6 + 3 * np.exp(-4 * done)) * random.lognormal(sigma=0.4, size=count)
    is_bad = random.random(count) < NAN_SHARE
    loss[is_bad] = norm[is_bad] = np.nan
    rate = 1e-3 * np.minimum(1, done * 20) * (1 + np.cos(np.pi * done)) / 2
    right = np.clip(1 - floor - 0.9 * np.exp(-6 * done), 0.05, 1)
    values = {
        "loss": loss,
        "learning_rate": rate,
        "gradient_norm": norm,
        "accuracy": random.binomial(BATCH_ROWS, right) / BATCH_ROWS,
        "throughput": BATCH_ROWS / (duration_ns / 1e9),
    }
    if run.is_single_precision:
        for name in ("loss", "gradient_norm"):  # what a tensor's item() gives
            values[name] = values[name].astype(np.float32).astype(np.float64)
    return values


def _span_ids(count: int, random: np.random.Generator) -> I64:
    return random.integers(-(1 << 63), (1 << 63) - 1, size=count)


def _batch_spans(batches: _Batches, random: np.random.Generator) -> pa.RecordBatch:
    run, index, count = batches.run, batches.index, len(batches.index)
    traces, parents = epoch_ids(run)
    epoch = index // EPOCH_BATCHES
    return rows(
        SPANS,
        count,
        {
            **identity(run),
            **times(batches.start_ns),
            "duration_ns": batches.duration_ns,
            "trace_id": uuids(traces[epoch]),
            "span_id": _span_ids(count, random),
            "parent_span_id": parents[epoch],
            "name": "crucible_train.batch",
            "event_name": "crucible_train.batch.stop",
            "status_code": 0,
            "step": index,
            "epoch": epoch,
            "attributes": _batch_attributes(batches),
        },
    )


def _batch_attributes(batches: _Batches) -> pa.Array:
    numbers = {name: text(values) for name, values in batches.values.items()}
    sometimes = joined(
        f',"{_MEASUREMENT}.accuracy":',
        numbers["accuracy"],
        f',"{_MEASUREMENT}.throughput":',
        numbers["throughput"],
    )
    return joined(
        '{"crucible.batch.index":',
        text(batches.index % EPOCH_BATCHES),
        f',"crucible.training.total_steps":{batches.run.units},"crucible.batch.size":{BATCH_ROWS}'
        f',"{_MEASUREMENT}.loss":',
        numbers["loss"],
        f',"{_MEASUREMENT}.learning_rate":',
        numbers["learning_rate"],
        f',"{_MEASUREMENT}.gradient_norm":',
        numbers["gradient_norm"],
        pc.if_else(pa.array(batches.index % SOMETIMES_EVERY == 0), sometimes, ""),
        f',"{_MEASUREMENT}.samples":{BATCH_ROWS}}}',
    )


def _points(batches: _Batches) -> pa.RecordBatch:
    """A number becomes a point at the end of its span."""
    ids = series_ids(batches.run)
    time_ns = batches.start_ns + batches.duration_ns
    often = np.arange(len(time_ns))
    seldom = np.flatnonzero(batches.index % SOMETIMES_EVERY == 0)
    row = [often if name in ALWAYS else seldom for name in METRICS]
    all_rows = np.concatenate(row)
    value = [batches.values[name][at] for name, at in zip(METRICS, row, strict=True)]
    return rows(
        POINTS,
        len(all_rows),
        {
            **times(time_ns[all_rows]),
            "series_id": np.repeat(ids, [len(at) for at in row]),
            "step": batches.index[all_rows],
            "value": np.concatenate(value),
        },
    )


def _epoch_spans(
    run: Run, first: int, end: int, random: np.random.Generator
) -> list[pa.RecordBatch]:
    """Start marker, span and now and then a checkpoint of each epoch whose first batch is among these."""
    epoch = np.arange(-(-first // EPOCH_BATCHES), -(-end // EPOCH_BATCHES))
    traces, own = epoch_ids(run)
    begin_ns = _begin_ns(run, epoch * EPOCH_BATCHES)
    batch_count = np.minimum(EPOCH_BATCHES, run.units - epoch * EPOCH_BATCHES)
    length_ns = (batch_count * run.every_us).astype(np.int64) * _NS
    shared: dict[str, Value] = {**identity(run), "status_code": 0}
    is_saved = (epoch + 1) % CHECKPOINT_EPOCHS == 0
    saved, saved_ns = epoch[is_saved], (begin_ns + length_ns * 98 // 100)[is_saved]
    started: dict[str, Value] = {
        **shared,
        **times(begin_ns),
        "duration_ns": 0,
        "trace_id": uuids(traces[epoch]),
        "span_id": _span_ids(len(epoch), random),
        "parent_span_id": own[epoch],
        "name": "crucible_train.epoch.start",
        "event_name": "crucible_train.epoch.start",
        "epoch": epoch,
        "attributes": f'{{"crucible.training.epochs":{run.epochs}}}',
    }
    ended: dict[str, Value] = {
        **started,
        "duration_ns": length_ns,
        "span_id": own[epoch],
        "parent_span_id": None,
        "name": "crucible_train.epoch",
        "event_name": "crucible_train.epoch.stop",
        "step": epoch * EPOCH_BATCHES + batch_count - 1,
        "attributes": f'{{"crucible.training.epochs":{run.epochs},"crucible.status":"completed",'
        f'"{_MEASUREMENT}.steps":{EPOCH_BATCHES},'
        f'"{_MEASUREMENT}.samples":{EPOCH_BATCHES * BATCH_ROWS}}}',
    }
    checkpoints: dict[str, Value] = {
        **shared,
        **times(saved_ns),
        "duration_ns": 0,
        "trace_id": uuids(traces[saved]),
        "span_id": _span_ids(len(saved), random),
        "parent_span_id": own[saved],
        "name": "crucible_train.checkpoint.saved",
        "event_name": "crucible_train.checkpoint.saved",
        "step": saved * EPOCH_BATCHES,
        "epoch": saved,
        "attributes": joined(
            '{"crucible.checkpoint.path":"checkpoints/',
            text(saved),
            f'.pt","crucible.checkpoint.kind":"state","{_MEASUREMENT}.model_size_bytes":812345}}',
        ),
    }
    return [
        rows(SPANS, len(epoch), started),
        rows(SPANS, len(epoch), ended),
        rows(SPANS, len(saved), checkpoints),
    ]


def _run_spans(run: Run, random: np.random.Generator) -> pa.RecordBatch:
    """The training's start marker and its span, in a trace of their own."""
    traces, own = epoch_ids(run)
    begin_ns = run.start_us * _NS
    attributes = (
        '{"crucible.model.name":"mlp","crucible.model.version":"3","crucible.dataset.name":"digits",'
        f'"crucible.training.config":{{"hidden":64}},"crucible.training.epochs":{run.epochs},'
        f'"crucible.training.batch_size":{BATCH_ROWS},"crucible.training.optimizer":"adam",'
        f'"{_MEASUREMENT}.total_steps":{run.units}}}'
    )
    return rows(
        SPANS,
        2,
        {
            **identity(run),
            **times(np.array([begin_ns, begin_ns])),
            "duration_ns": np.array([0, int(run.units * run.every_us) * _NS]),
            "trace_id": uuids(traces[[-1, -1]]),
            "span_id": np.array([_span_ids(1, random)[0], own[-1]]),
            "parent_span_id": pa.array([int(own[-1]), None], pa.int64()),
            "name": pa.array(["crucible_train.training.start", "crucible_train.training"]),
            "event_name": pa.array(
                ["crucible_train.training.start", "crucible_train.training.stop"]
            ),
            "status_code": 0,
            "model": "mlp",
            "attributes": attributes,
        },
    )

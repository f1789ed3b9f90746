"""Pipelines that ask models: ten spans a trace, six of them inferences with a model, tokens and costs.

Durations have a heavy tail, one inference in two hundred fails, and two pipelines share a correlation
id. A failed one is named as the collector names it: its span ends with the event `….exception`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.storage_columns import (
    SPANS,
    Value,
    hexes,
    joined,
    optional,
    rows,
    text,
    times,
    uuids,
)
from benchmarks.storage_story import Run
from crucible_collector.batch import F64, I64, U8

ASKED = 6  # inferences a pipeline
ERROR_SHARE = 0.005
CORRELATED = 2  # pipelines under one correlation id
# Name, and US dollars for a million tokens in and out.
MODELS = (
    ("gpt-4o-2024-08-06", 2.5, 10.0),
    ("gpt-4o-mini-2024-07-18", 0.15, 0.6),
    ("claude-sonnet-4-5", 3.0, 15.0),
    ("claude-haiku-4-5", 1.0, 5.0),
    ("gemini-2.5-flash", 0.3, 2.5),
    ("llama-3.3-70b", 0.6, 0.6),
    ("mistral-small", 0.1, 0.3),
    ("mlp", 0.0, 0.0),
)
_NAMES = pa.array([name for name, _, _ in MODELS])
_PRICES = np.array([(paid_in, paid_out) for _, paid_in, paid_out in MODELS]) / 1e6
_SHARES = np.array([1 / rank for rank in range(1, len(MODELS) + 1)])

MESSAGES = (
    "TimeoutError: no answer within 30 s",
    "RateLimitError: 429 Too Many Requests",
    "ConnectionError: the peer closed the connection",
    "ValueError: the answer is no JSON",
)
_STACK = "".join(
    f'  File \\"/opt/app/pipeline/{name}.py\\", line {line}, in {name}\\n'
    for name, line in (("main", 41), ("answer", 118), ("ask", 77), ("client", 302), ("read", 19))
)
_EVENTS = pa.array(
    [
        '[{"name":"exception","time_unix_nano":0,"attributes":{"exception.type":"'
        f'{message.partition(":")[0]}","exception.message":"{message.partition(": ")[2]}",'
        f'"exception.stacktrace":"Traceback (most recent call last):\\n{_STACK}{message}"}}}}]'
        for message in MESSAGES
    ]
)
_CORRELATIONS, _TRACES = 3 << 40, 4 << 40  # drawn for the whole run, as storage_rows does
_NS_S = 1_000_000_000
_TAIL_SHARE, _TAIL_S, _LONGEST_S = 0.01, 5.0, 120.0

_Random: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class _Pipelines:
    """Pipelines of one run that began in one day, a row each; of inferences ASKED columns."""

    run: Run
    number: I64
    start_ns: I64
    retrieve_ns: I64
    asked_ns: I64  # (pipelines, ASKED)
    trace: U8
    span: I64  # (pipelines, 3): the pipeline's own, and its stages'
    shared: dict[str, Value]  # one value for all

    @property
    def answer_ns(self) -> I64:
        total: I64 = self.asked_ns.sum(axis=1)
        return total


def inferences_of(
    run: Run, first: int, end: int, identity: dict[str, Value]
) -> list[pa.RecordBatch]:
    """The spans of pipelines `first` to `end`."""
    random, count = run.random(first), end - first
    number = np.arange(first, end)
    start_us = run.start_us + (number + random.random(count)) * run.every_us
    pipelines = _Pipelines(
        run,
        number,
        start_us.astype(np.int64) * 1_000 + random.integers(0, 1_000, size=count),
        (random.lognormal(np.log(0.08), 0.5, size=count) * _NS_S).astype(np.int64),
        _durations_ns(count, random),
        trace_ids(run)[first:end],
        _ids((count, 3), random),
        {**identity, "status_code": 0},
    )
    return [
        _pipeline_rows(pipelines, random, is_start=True),
        _pipeline_rows(pipelines, random, is_start=False),
        _stage_rows(pipelines, 1),
        _stage_rows(pipelines, 2),
        _asked_rows(pipelines, random),
    ]


def _durations_ns(count: int, random: _Random) -> I64:
    seconds = random.lognormal(np.log(0.8), 0.8, size=(count, ASKED))
    in_tail = random.random((count, ASKED)) < _TAIL_SHARE
    seconds += in_tail * _TAIL_S * random.pareto(1.5, size=(count, ASKED))
    found: I64 = (np.minimum(seconds, _LONGEST_S) * _NS_S).astype(np.int64)
    return found


def _ids(shape: Any, random: _Random) -> I64:
    drawn: I64 = random.integers(-(1 << 63), (1 << 63) - 1, size=shape)
    return drawn


@lru_cache(maxsize=256)
def correlations(run: Run) -> pa.Array:
    """The run's correlation ids, each of CORRELATED pipelines in turn."""
    count = -(-run.units // CORRELATED)
    drawn = np.frombuffer(run.random(_CORRELATIONS).bytes(count * 16), np.uint8)
    return hexes(drawn.reshape(count, 16))


@lru_cache(maxsize=256)
def trace_ids(run: Run) -> U8:
    """The trace of each of the run's pipelines."""
    drawn = np.frombuffer(run.random(_TRACES).bytes(run.units * 16), np.uint8)
    return drawn.reshape(run.units, 16)


def _correlated(pipelines: _Pipelines) -> pa.Array:
    return correlations(pipelines.run).take(pa.array(pipelines.number // CORRELATED))


def _pipeline_rows(pipelines: _Pipelines, random: _Random, *, is_start: bool) -> pa.RecordBatch:
    count = len(pipelines.number)
    status = '"crucible.measurement.stage_count":2' if is_start else '"crucible.status":"completed"'
    name = "crucible_framework.pipeline"
    return rows(
        SPANS,
        count,
        {
            **pipelines.shared,
            **times(pipelines.start_ns),
            "duration_ns": 0 if is_start else pipelines.retrieve_ns + pipelines.answer_ns,
            "trace_id": uuids(pipelines.trace),
            "span_id": _ids(count, random) if is_start else pipelines.span[:, 0],
            "parent_span_id": pipelines.span[:, 0] if is_start else None,
            "name": f"{name}.start" if is_start else name,
            "event_name": f"{name}.start" if is_start else f"{name}.stop",
            "correlation_id": _correlated(pipelines),
            "attributes": '{"crucible.pipeline.id":"retrieve-and-answer",'
            f'"crucible.experiment.type":"evaluation","crucible.dataset.name":"digits",{status}}}',
        },
    )


def _stage_rows(pipelines: _Pipelines, place: int) -> pa.RecordBatch:
    is_first = place == 1
    start_ns = pipelines.start_ns if is_first else pipelines.start_ns + pipelines.retrieve_ns
    name = "retrieve" if is_first else "answer"
    return rows(
        SPANS,
        len(pipelines.number),
        {
            **pipelines.shared,
            **times(start_ns),
            "duration_ns": pipelines.retrieve_ns if is_first else pipelines.answer_ns,
            "trace_id": uuids(pipelines.trace),
            "span_id": np.ascontiguousarray(pipelines.span[:, place]),
            "parent_span_id": np.ascontiguousarray(pipelines.span[:, 0]),
            "name": "crucible_framework.stage",
            "event_name": "crucible_framework.stage.stop",
            "correlation_id": _correlated(pipelines),
            "attributes": f'{{"crucible.stage.name":"{name}","crucible.stage.index":{place},'
            '"crucible.pipeline.id":"retrieve-and-answer","crucible.status":"ok"}',
        },
    )


def _asked_rows(pipelines: _Pipelines, random: _Random) -> pa.RecordBatch:
    count = len(pipelines.number) * ASKED
    before_ns = np.cumsum(pipelines.asked_ns, axis=1) - pipelines.asked_ns
    start_ns = (pipelines.start_ns + pipelines.retrieve_ns)[:, None] + before_ns
    shares = np.roll(_SHARES, pipelines.run.number)
    model = random.choice(len(MODELS), size=count, p=shares / shares.sum())
    is_well = random.random(count) >= ERROR_SHARE
    tokens_in = random.lognormal(np.log(700), 0.7, size=count).astype(np.int64) + 1
    tokens_out = random.lognormal(np.log(250), 0.8, size=count).astype(np.int64) + 1
    cost = np.round(tokens_in * _PRICES[model, 0] + tokens_out * _PRICES[model, 1], 6)
    message = pa.array(random.integers(len(MESSAGES), size=count), mask=is_well)
    name = "crucible_deployment.inference"
    duration_ns = pipelines.asked_ns.ravel()
    return rows(
        SPANS,
        count,
        {
            **pipelines.shared,
            **times(start_ns.ravel()),
            "duration_ns": duration_ns,
            "trace_id": uuids(np.repeat(pipelines.trace, ASKED, axis=0)),
            "span_id": _ids(count, random),
            "parent_span_id": np.repeat(pipelines.span[:, 2], ASKED),
            "name": name,
            "event_name": pc.if_else(pa.array(is_well), f"{name}.stop", f"{name}.exception"),
            "status_code": np.where(is_well, 0, 2),
            "status_message": pa.array(MESSAGES).take(message),
            "correlation_id": _correlated(pipelines).take(
                pa.array(np.repeat(np.arange(len(pipelines.number)), ASKED))
            ),
            "model": _NAMES.take(pa.array(model)),
            "input_tokens": tokens_in,
            "output_tokens": optional(tokens_out, is_well),
            "cost_usd": optional(cost, is_well),
            "attributes": _attributes(
                _NAMES.take(pa.array(model)), tokens_in, tokens_out, cost, duration_ns, random
            ),
            "events": _EVENTS.take(message),
        },
    )


def _attributes(
    model: pa.Array, tokens_in: I64, tokens_out: I64, cost: F64, duration_ns: I64, random: _Random
) -> pa.Array:
    """As the SDK's helper for model calls writes them."""
    count = len(model)
    request = hexes(np.frombuffer(random.bytes(count * 8), np.uint8).reshape(count, 8))
    first_ms = np.round(duration_ns / 1e6 * random.uniform(0.05, 0.3, size=count), 3)
    return joined(
        '{"crucible.request.id":"req-',
        request,
        '","crucible.inference.batch_size":1,"crucible.deployment.environment":"staging",'
        '"gen_ai.operation.name":"chat","gen_ai.request.model":"',
        model,
        '","gen_ai.request.max_tokens":1024,"gen_ai.request.temperature":0.7,'
        '"gen_ai.response.model":"',
        model,
        '","gen_ai.response.finish_reasons":["stop"],"gen_ai.usage.input_tokens":',
        text(tokens_in),
        ',"gen_ai.usage.output_tokens":',
        text(tokens_out),
        ',"crucible.measurement.time_to_first_token_ms":',
        text(first_ms),
        ',"crucible.measurement.cost_usd":',
        text(cost),
        "}",
    )

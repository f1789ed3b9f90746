"""Prices, budgets and computations of costs as a database has them, and questions about costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from flagged import Question

JOB = "07070707-0707-0707-0707-070707070707"
_MODELS = ("our-lora", "our-llama")
_RUN = "0192f0c1-5d0c-7a9e-b7a4-0c1f6a1b2c3d"  # of the registry's examples, with their condition


def calls(begin: datetime) -> pa.RecordBatch:
    """Four calls of two models that nobody has a price for, of a run."""
    count = 4
    begin_us = round(begin.timestamp()) * 1_000_000
    time_us = begin_us + np.arange(count) * 7 * 3_600_000_000 + 1_234_567
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(time_us).view(pa.timestamp("us", "UTC")),
            "duration_ns": pa.array([1_000_000] * count, pa.int64()),
            "span_id": pa.array(range(880_001, 880_001 + count), pa.int64()),
            "trace_id": pa.array([bytes([8] * 15 + [n]) for n in range(count)], pa.binary(16)),
            "resource_id": pa.array([1] * count, pa.int64()),
            "scope_id": pa.array([1] * count, pa.int64()),
            "name": ["chat"] * count,
            "event_name": ["chat"] * count,
            "status_code": pa.array([1] * count, pa.int16()),
            "run_id": [_RUN] * count,
            "experiment_id": ["sweep"] * count,
            "model": [_MODELS[n % 2] for n in range(count)],
            "input_tokens": pa.array([100] * count, pa.int64()),
            "output_tokens": pa.array([10] * count, pa.int64()),
        }
    )


def rows(begin: datetime) -> str:
    """SQL that puts two versions of prices, two budgets and a computation."""
    at = begin.isoformat()
    return f"""
        insert into crucible.price_settings (changed_at, origin, changed_by, settings, digest) values
            ('{at}', 'file', 'here', '{{"currency": "USD", "models": []}}', '{JOB}'),
            ('{at}', 'api', 'ada', '{{"currency": "USD", "models": [{{"name": "ours", "match": "large",
                "input_usd": 1.0, "output_usd": 2.0}}]}}', '{JOB}');
        insert into crucible.budgets (usd_per_day, changed_at, experiment_id, changed_by)
            values (1e9, '{at}', '', 'ada'), (2e9, '{at}', 'sweep', '');
        insert into crucible.jobs (job_id, kind, collector, created_at, updated_at, finished_at, progress, state,
            request, report)
        select ('0707070707070707070707070707070' || number)::uuid, 'reprice', 'here', '{at}', '{at}', '{at}', 1,
            'completed',
            '{{"from": null, "to": "{at}", "experiment": "sweep", "dry_run": true}}',
            '{{"call_count": 3, "changed_count": 1, "unpriced_count": 0, "before_usd": 1.5, "after_usd": 2.0,
                "difference_usd": 0.5, "weighted_difference_usd": 1.0, "done_until": "{at}"}}'
        from generate_series(7, 8) number
    """


def questions(begin: datetime) -> Iterator[Question]:
    """Each has an answer."""

    def after(hours: float) -> str:
        return (begin + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    cost = "/api/v1/cost"
    period: dict[str, object] = {"from": after(3.3), "to": after(60.2)}
    yield cost, {}, {}
    yield cost, {}, {"group_by": "experiment,model,event", "limit": 3}
    yield cost, {}, {"group_by": "run,condition", "interval": "1d"} | period
    yield cost, {}, {"group_by": "provider"}
    yield cost, {}, {"interval": "1h", "limit": 5}
    event = "crucible_deployment.inference.stop"
    for name, value in (
        ("experiment", "sweep"),
        ("model", "large"),
        ("event", event),
        ("run", _RUN),
        ("condition", "lr=1e-3"),
    ):
        yield cost, {}, {name: value}
    yield f"{cost}/unpriced", {}, {}
    yield f"{cost}/unpriced", {}, period | {"limit": 1, "experiment": "sweep"}
    yield f"{cost}/prices", {}, {}
    yield f"{cost}/prices/history", {}, {"limit": 1}
    model: dict[str, object] = {"model": "gpt-4o", "provider": "openai", "day": "2026-11-23"}
    yield f"{cost}/models", {}, model
    yield f"{cost}/budgets", {}, {"limit": 1}
    yield f"{cost}/budgets/{{experiment_id}}", {"experiment_id": "sweep"}, {}
    yield f"{cost}/recompute", {}, {"limit": 1}
    yield f"{cost}/recompute/{{job_id}}", {"job_id": JOB}, {}

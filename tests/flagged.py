"""Anomalies of a scan, so that nothing that is found in a stream is among them; and what to ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

LABEL = "varied"
_FLAGS, _PERIODS = 40, 8
_TIME = pa.timestamp("us", "UTC")
_WHOSE: dict[str, tuple[str | None, ...]] = {
    "run_id": ("run-1", "run/2", None),
    "experiment_id": ("sweep", "other"),
    "condition": ("lr=1e-3", None),
    "event_name": ("crucible_train.batch.stop", None),
    "metric": ("loss", "accuracy"),
    "model": ("large", None),
    "detector": ("ewma", "drift"),
    "severity": ("info", "warning", "critical"),
}


def flags(begin: datetime) -> pa.RecordBatch:
    """One each two hours; a fifth of the values is not finite."""
    numbers = np.arange(_FLAGS)
    values = np.where(numbers % 5 == 0, np.nan, numbers * 1.5)
    return pa.RecordBatch.from_pydict(
        {
            "time": _times(begin, numbers * 2),
            **_whose(numbers % _PERIODS),
            "period_id": pa.array([_period(int(n) % _PERIODS) for n in numbers], pa.binary(16)),
            "value": pa.array(values),
            "expected": pa.array(numbers * 0.5),
            "score": pa.array(1.0 + numbers),
            "step": pa.array(numbers),
            "starts_period": pa.array(numbers < _PERIODS),
        }
    )


def periods(begin: datetime) -> pa.RecordBatch:
    """Of those flags; half of them are over."""
    numbers = np.arange(_PERIODS)
    last = _times(begin, numbers * 2 + (_FLAGS - _PERIODS) * 2)
    return pa.RecordBatch.from_pydict(
        {
            **_whose(numbers),
            "period_id": pa.array([_period(int(n)) for n in numbers], pa.binary(16)),
            "started_at": _times(begin, numbers * 2),
            "last_flag_at": last,
            "state_at": last,
            "ended_at": pa.array([last[n].as_py() if n % 2 else None for n in numbers], _TIME),
            "state": pa.array([("active", "resolved")[n % 2] for n in numbers]),
            "flag_count": pa.array(numbers + 5),
            "peak_score": pa.array(numbers + 30.0),
            "peak_value": pa.array(np.where(numbers % 3 == 0, np.inf, numbers)),
            "first_step": pa.array(numbers),
        }
    )


def well(begin: datetime) -> dict[str, pa.RecordBatch]:
    """A run and an experiment with which nothing can be wrong, by relation: they never measured anything."""
    seen = {name: _times(begin, np.zeros(1, np.int64)) for name in ("first_seen", "last_seen")}
    run = {"run_id": pa.array(["well"]), "status": pa.array(["running"]), **seen}
    experiment = {"experiment_id": pa.array(["well"]), **seen}
    return {
        "runs": pa.RecordBatch.from_pydict(run),
        "experiments": pa.RecordBatch.from_pydict(experiment),
    }


_REPORT = """{"value_count": 600, "series_count": 2, "late_count": 0, "unstored_count": 0, "thinned_count": 0,
    "flag_count": 0, "period_count": 0, "peak_score": 0.0, "detectors": [], "series": [], "periods": [],
    "is_complete": true}"""


def scans(begin: datetime) -> str:
    """Two scans that have ended, as a statement."""
    return f"""
        insert into crucible.anomaly_scans
            (scan_id, created_at, updated_at, finished_at, progress, state, label, request, report, error)
        select
            n::text::uuid, time, time, time, 1, state, '{LABEL}', '{{"run": "run-1"}}', report::jsonb, error
        from (values
            ('{_scan(1)}', timestamptz '{begin}', 'completed', '{_REPORT}', null),
            ('{_scan(2)}', timestamptz '{begin}', 'failed', null, 'the database went away')
        ) told (n, time, state, report, error)
    """


def _scan(number: int) -> str:
    return f"07070707-0707-0707-0707-{number:012}"


def _whose(period: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
    told = {name: [names[n % len(names)] for n in period] for name, names in _WHOSE.items()}
    return {
        **{name: pa.array(texts, pa.string()) for name, texts in told.items()},
        "label": pa.array([LABEL] * len(period)),
        "series_id": pa.array(period + 7_000),
        "watch_key": pa.array(period + 7_000),
    }


def _times(begin: datetime, hours: np.ndarray[Any, Any]) -> pa.Array:
    begin_us = round(begin.timestamp()) * 1_000_000
    return pa.array(begin_us + hours * 3_600_000_000).view(_TIME)


def _period(number: int) -> bytes:
    return bytes([7] * 15 + [number])


# A path of the API, what stands in it, and its parameters.
Question = tuple[str, dict[str, str], dict[str, object]]


def questions(begin: datetime) -> Iterator[Question]:
    """Each has an answer."""

    def after(hours: float) -> str:
        return (begin + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    of_scan: dict[str, object] = {"label": LABEL}
    whose = {"run": "run-1", "experiment": "sweep", "condition": "lr=1e-3", "model": "large"}
    what = {"event": "crucible_train.batch.stop", "metric": "loss", "detector": "ewma"}
    period = _period(0).hex()
    for path in ("/api/v1/anomalies", "/api/v1/anomalies/periods"):
        yield path, {}, of_scan | {"limit": 3}
        yield path, {}, of_scan | whose | what | {"series": f"{7_000:x}"}
        yield path, {}, of_scan | {"severity": "warning", "from": after(9.5), "to": after(70)}
    yield "/api/v1/anomalies", {}, of_scan | {"period": period}
    for state in ("open", "resolved"):
        yield "/api/v1/anomalies/periods", {}, of_scan | {"state": state}
    yield "/api/v1/anomalies/periods/{period_id}", {"period_id": period}, {}
    yield "/api/v1/anomalies/scan", {}, {"limit": 1}
    for number in (1, 2):
        yield "/api/v1/anomalies/scan/{scan_id}", {"scan_id": _scan(number)}, {}
    band, loss = "/api/v1/runs/{run_id}/series/{metric}/band", {"run_id": "run/2", "metric": "loss"}
    yield band, loss, {}
    yield band, loss, {"rank": 1, "event": what["event"], "from_step": 3, "to_step": 90}
    yield band, loss, {"detector": "zscore"}
    counts = "/api/v1/anomalies/counts"
    yield counts, {}, of_scan | {"run": "run-1"}
    yield counts, {}, of_scan | {"experiment": "sweep", "from": after(9.5), "to": after(70)}
    for run in ("run-0", "run-1", "run/2"):
        yield "/api/v1/runs/{run_id}/health", {"run_id": run}, {}
    yield "/api/v1/experiments/{experiment_id}/health", {"experiment_id": "sweep"}, {}
    # What is bad is no success.
    failing: dict[str, object] = {"fail_on": "warning"}
    yield "/api/v1/runs/{run_id}/health", {"run_id": "well"}, failing
    yield "/api/v1/experiments/{experiment_id}/health", {"experiment_id": "well"}, failing

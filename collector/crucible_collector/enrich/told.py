"""What one start, stop, pause or other mark of a run or an experiment tells, by its attributes.

What a reader could not guess: nothing here may refuse. A value of an unexpected type counts as not
told, since the span that carries it is stored in full anyhow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from crucible_collector.batch import MEASUREMENT_PREFIX
from crucible_schema import events

_ENDED = frozenset({"completed", "failed", "cancelled", "early_stopped"})
_REFUSED = re.compile("[\0\ud800-\udfff]")
_BIGINT_MAX = (1 << 63) - 1
# Who promises a sign of life less than once a day promises none.
_INTERVAL_MAX_S = 86_400.0


def run_status(values: Mapping[str, Any], phase: str) -> str:
    """The status of a run after its start, stop or exception."""
    if phase == "start":
        return "running"
    given = _text(values, events.STATUS)
    if given in _ENDED:
        return given
    return "failed" if phase == "exception" else "completed"


def of_run(values: Mapping[str, Any], phase: str) -> dict[str, Any]:
    """Fields of `rows.RunFact`; None where nothing is told."""
    told: dict[str, Any] = {
        "model_name": _text(values, "crucible.model.name"),
        "model_version": _text(values, "crucible.model.version"),
        "dataset_name": _text(values, "crucible.dataset.name"),
        "config": _json_text(values.get("crucible.training.config")),
    }
    if phase != "start":
        measured = {
            key.removeprefix(MEASUREMENT_PREFIX): value
            for key, value in values.items()
            if key.startswith(MEASUREMENT_PREFIX)
        }
        told["summary"] = json.dumps(measured) if measured else None
    return told


def heartbeat_interval_s(values: Mapping[str, Any]) -> float | None:
    """Seconds until the next heartbeat, as this one promises; None where it is no such number."""
    value = values.get(events.HEARTBEAT_INTERVAL_S)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= _INTERVAL_MAX_S else None


def of_experiment(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `rows.ExperimentFact` that any mark within an experiment may tell."""
    tags = values.get(events.EXPERIMENT_TAGS)
    return {
        "name": _text(values, events.EXPERIMENT_NAME),
        "hypothesis": _text(values, events.EXPERIMENT_HYPOTHESIS),
        "tags": sorted({str(tag) for tag in tags}) if isinstance(tags, list) else None,
        "owner": _text(values, events.EXPERIMENT_OWNER),
        "experiment_type": _text(values, events.EXPERIMENT_TYPE),
        "metadata": _json_object(values.get(events.EXPERIMENT_METADATA)),
    }


def of_experiment_course(values: Mapping[str, Any], phase: str) -> dict[str, Any]:
    """The fields that only the experiment's own marks tell."""
    told: dict[str, Any] = {"pause_count": _count(values, events.MEASUREMENT_PAUSE_COUNT)}
    if phase == "start":
        told["is_aborted"] = False  # what is taken up again is given up no longer
    elif phase == "paused":
        told["pause_reason"] = _text(values, events.EXPERIMENT_PAUSE_REASON)
    elif phase != "resumed":
        told["is_aborted"] = values.get(events.EXPERIMENT_ABORTED) is True
        told["abort_reason"] = _text(values, events.EXPERIMENT_ABORT_REASON)
        told["active_duration_ns"] = _count(values, events.MEASUREMENT_ACTIVE_DURATION)
        told["paused_duration_ns"] = _count(values, events.MEASUREMENT_PAUSED_DURATION)
    return told


def _text(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None


def _count(values: Mapping[str, Any], key: str) -> int | None:
    """A whole number that `bigint` holds; a double that is none counts as not told."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= _BIGINT_MAX and value == int(value) else None


def _json_object(value: Any) -> str | None:
    """As `_json_text`; what is no object becomes `{"value": …}`."""
    text = _json_text(value)
    if text is None or text.startswith("{"):
        return text
    return f'{{"value": {text}}}'


def _json_text(value: Any) -> str | None:
    """The configuration as JSON text that jsonb takes; what is not JSON is kept as `{"text": …}`."""
    if value is None:
        return None
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        return json.dumps(_storable(parsed), allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps({"text": value}, ensure_ascii=False)


def _storable(value: Any) -> Any:
    """The value with U+FFFD for what is legal in JSON and refused by jsonb: NUL, lone surrogates."""
    if isinstance(value, str):
        return _REFUSED.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return value

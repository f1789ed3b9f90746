"""A comparison from the question to the answer: sides, numbers, tests, words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crucible_collector.api.comparison import CompareRequest, MetricAsked, Unit
from crucible_collector.api.measured import Measured, better, of_runs
from crucible_collector.api.requested import RATES, is_of_requests, of_requests
from crucible_collector.api.sides import Side, Sides, found_sides
from crucible_collector.compare import Asked, Compared, Pair, Sample, compare, settle
from crucible_collector.compare.means import Effect, Tested
from crucible_collector.compare.pairs import Bootstrap
from crucible_collector.compare.power import POWER
from crucible_collector.compare.verdicts import is_significant, judged
from crucible_collector.errors import NotComparableError
from crucible_collector.store.read import Reads

VALUES_MAX = 1000
UNIT_IDS_MAX = 10
_WORDS: Mapping[Unit, str] = {"run": "run", "trace": "request", "sample_id": "sample"}
# What differs by factors.
_LOG = {"duration", "latency", "cost", "cost_per_request"}
_OWN = {"duration", "cost", "tokens", "success"}


@dataclass
class _Metric:
    """One metric on its way: `measured` and `compared` None where `refused` says why."""

    asked: MetricAsked
    unit: Unit = "run"
    measured: Measured | None = None
    compared: Compared | None = None
    refused: str | None = None


def answer(reads: Reads, asked: CompareRequest, within: str | None = None) -> dict[str, Any]:
    """As `comparison.Comparison` has it. NotComparableError where no metric can be compared.

    `within`: see `sides.found_sides`.
    """
    sides = found_sides(reads, asked, within)
    metrics = [_compared(reads, each, asked, sides) for each in asked.asked_metrics()]
    settled = iter(settle([each.compared for each in metrics if each.compared is not None]))
    for metric in metrics:
        if metric.compared is not None:
            metric.compared = next(settled)
    if all(metric.refused for metric in metrics):
        raise NotComparableError("; ".join(str(metric.refused) for metric in metrics))
    families = [metric.compared.family_size for metric in metrics if metric.compared]
    return {
        "baseline": sides.sides[0].name,
        "groups": [side.name for side in sides],
        "confidence": asked.confidence,
        "correction": asked.correction,
        "family_size": max(families),
        "metrics": [_told(metric, sides) for metric in metrics],
    }


def _compared(reads: Reads, metric: MetricAsked, asked: CompareRequest, sides: Sides) -> _Metric:
    made = _Metric(metric)
    try:
        if is_of_requests(metric):
            made.measured, made.unit = of_requests(reads, metric, asked, sides)
        else:
            made.measured = of_runs(reads, metric, sides)
        made.compared = compare(made.measured.samples, _way(metric, asked, made.unit))
    except NotComparableError as error:
        left_out = made.measured and _left_out_words(made.measured)
        made.refused = f"{error}{f' ({left_out})' if left_out else ''}"
    return made


def _left_out_words(measured: Measured) -> str:
    """Why a side has fewer units than runs."""
    return "; ".join(
        f"of {sample.name!r} {len(units)} {reason}"
        for sample, left_out in zip(measured.samples, measured.left_out, strict=True)
        for reason, units in left_out.items()
    )


def _way(metric: MetricAsked, asked: CompareRequest, unit: Unit) -> Asked:
    return Asked(
        metric.metric,
        "rate"
        if metric.metric in RATES and (unit != "run" or metric.metric == "success")
        else "mean",
        _WORDS[unit],
        better(metric),
        metric.metric in _LOG,
        metric.scale,
        None if asked.test == "auto" else asked.test,
        {"auto": None, "none": False}.get(asked.pair_by, True),
        asked.alternative,
        asked.confidence,
        asked.correction,
        asked.against,
        Bootstrap(asked.seed) if asked.bootstrap else None,
        metric.margin,
    )


def _told(metric: _Metric, sides: Sides) -> dict[str, Any]:
    asked, measured, compared = metric.asked, metric.measured, metric.compared
    lower = better(asked)
    direction: Literal["higher", "lower"] | None = None
    if lower is not None:
        direction = "lower" if lower else "higher"
    is_measurement = not is_of_requests(asked) and asked.metric not in _OWN
    told: dict[str, Any] = {
        "metric": asked.metric,
        "of": asked.of if is_measurement else None,
        "event": measured.event if measured else asked.event,
        "unit": metric.unit,
        "value_unit": measured.value_unit if measured else None,
        "direction": direction,
        "scale": compared.scale if compared else "linear",
        "estimated": bool(measured and measured.is_sampled),
        "not_comparable": metric.refused,
        "omnibus": compared and compared.omnibus and _result(compared.omnibus),
        "groups": [],
        "comparisons": [],
        "warnings": [],
    }
    if measured is not None and compared is not None:
        told["groups"] = [_group(side, n, measured, compared) for n, side in enumerate(sides)]
        told["comparisons"] = [_pair(pair, compared) for pair in compared.pairs]
        told["warnings"] = [*sides.warnings, *measured.warnings, *compared.warnings]
    return told


def _group(side: Side, place: int, measured: Measured, compared: Compared) -> dict[str, Any]:
    sample, ids = compared.samples[place], measured.unit_ids[place]
    return {
        "name": side.name,
        "unit_count": sample.size,
        "effective_count": _finite(sample.effective_size),
        "run_count": len(side.runs),
        "mean": _interval(compared.means[place]),
        "std": _finite(sample.std),
        "median": _finite(sample.median),
        "min": float(sample.values.min()),
        "max": float(sample.values.max()),
        "values": [_value(sample, n, ids[n], measured) for n in range(min(len(ids), VALUES_MAX))],
        "values_complete": len(ids) <= VALUES_MAX,
        "left_out": [
            {
                "reason": reason,
                "count": len(units),
                "unit_ids": [each for each in units[:UNIT_IDS_MAX] if each],
            }
            for reason, units in measured.left_out[place].items()
        ],
    }


def _value(sample: Sample, n: int, unit_id: str, measured: Measured) -> dict[str, Any]:
    return {
        "unit_id": unit_id,
        "value": float(sample.values[n]),
        "weight": 1.0 if sample.weights is None else float(sample.weights[n]),
        "pair_id": None if sample.pair_ids is None else sample.pair_ids[n],
        "last_step": measured.last_steps.get(unit_id),
    }


def _pair(pair: Pair, compared: Compared) -> dict[str, Any]:
    verdict = judged(pair, compared)
    return {
        **_result(pair.tested),
        "baseline": pair.baseline.name,
        "candidate": pair.candidate.name,
        "reason": pair.choice.reason,
        "pair_count": len(pair.choice.pair_ids) or None,
        "p_adjusted": pair.p_adjusted,
        "is_significant": is_significant(pair, compared.asked),
        "difference": _interval(pair.mean_difference),
        "ratio": _interval(pair.ratio),
        "improvement": _interval(verdict.improvement),
        "improvement_percent": _interval(verdict.improvement_percent),
        "cohens_d": _interval(pair.cohens_d),
        "hedges_g": _interval(pair.hedges_g),
        "cliffs_delta": _interval(pair.cliffs_delta),
        "bootstrap": _interval(pair.bootstrap),
        "detectable": {
            "power": POWER,
            "alpha": pair.alpha,
            "cohens_d": _finite(pair.detectable_d),
            "difference": _finite(pair.detectable_difference),
        },
        "conclusion": verdict.conclusion,
        "verdict": verdict.text,
    }


def _result(tested: Tested) -> dict[str, Any]:
    return {
        "test": tested.test,
        "statistic": _finite(tested.statistic),
        "df": None if tested.df is None else list(tested.df),
        "p_value": _finite(tested.p_value),
    }


def _interval(effect: Effect | None) -> dict[str, float | None] | None:
    if effect is None:
        return None
    names = ("value", "lower", "upper")
    return {name: _finite(getattr(effect, name)) for name in names}


def _finite(value: float | None) -> float | None:
    """JSON has no number for what is not finite: nothing bounds it."""
    return value if value is not None and math.isfinite(value) else None

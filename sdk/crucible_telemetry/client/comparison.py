"""What a comparison says: in words, as a table of pairs, and as the numbers of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

_BOUNDED = (
    "difference",
    "improvement",
    "improvement_percent",
    "ratio",
    "cohens_d",
    "hedges_g",
    "cliffs_delta",
)
_PAIRS = pa.schema(
    [
        *((name, pa.string()) for name in ("metric", "baseline", "candidate")),
        *((f"{side}_mean", pa.float64()) for side in ("baseline", "candidate")),
        *((f"{side}_count", pa.int64()) for side in ("baseline", "candidate")),
        *((name + end, pa.float64()) for name in _BOUNDED for end in ("", "_lower", "_upper")),
        ("test", pa.string()),
        *((name, pa.float64()) for name in ("statistic", "p_value", "p_adjusted")),
        ("is_significant", pa.bool_()),
        *((name, pa.string()) for name in ("conclusion", "reason", "verdict")),
    ]
)
_VALUES = pa.schema(
    [
        *((name, pa.string()) for name in ("metric", "group", "unit_id")),
        *((name, pa.float64()) for name in ("value", "weight")),
        ("pair_id", pa.string()),
        ("last_step", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer of `POST /api/v1/compare`."""

    table: (
        pa.Table
    )  # a row a metric and pair: means, difference, improvement, effect sizes, test, verdict
    values: pa.Table  # a row a metric and run (or request): what was compared
    verdict: str  # a sentence a metric and pair
    warnings: tuple[str, ...]
    answer: Mapping[str, Any]  # all of it, as the API has it

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Comparison:
        """From the answer's `data`."""
        metrics = answer["metrics"]
        return cls(
            pa.Table.from_pylist([row for each in metrics for row in _pairs(each)], _PAIRS),
            pa.Table.from_pylist([row for each in metrics for row in _values(each)], _VALUES),
            "\n".join(sentence for each in metrics for sentence in _sentences(each)),
            tuple(warning for each in metrics for warning in each["warnings"]),
            answer,
        )

    def to_pandas(self) -> Any:
        """The table of pairs as a pandas.DataFrame; ImportError without pandas."""
        return self.table.to_pandas()

    def __str__(self) -> str:
        lines = []
        for metric in self.answer["metrics"]:
            lines += [
                f"{metric['metric']}: {group['name']}: {_mean(group['mean'])}, n = {group['unit_count']}"
                for group in metric["groups"]
            ]
        warnings = [f"Note: {warning}" for warning in self.warnings]
        return "\n".join([*lines, self.verdict, *warnings])


def _pairs(metric: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    groups = {group["name"]: group for group in metric["groups"]}
    for pair in metric["comparisons"]:
        row = {name: pair[name] for name in _PAIRS.names if name in pair and name not in _BOUNDED}
        row["metric"] = metric["metric"]
        for side in ("baseline", "candidate"):
            row[f"{side}_mean"] = groups[pair[side]]["mean"]["value"]
            row[f"{side}_count"] = groups[pair[side]]["unit_count"]
        for name in _BOUNDED:
            told = pair[name] or {}
            row[name] = told.get("value")
            row[f"{name}_lower"], row[f"{name}_upper"] = told.get("lower"), told.get("upper")
        yield row


def _values(metric: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group in metric["groups"]:
        for value in group["values"]:
            yield {"metric": metric["metric"], "group": group["name"], **value}


def _sentences(metric: Mapping[str, Any]) -> Iterator[str]:
    if metric["not_comparable"]:
        yield f"{metric['metric']}: {metric['not_comparable']}"
    for pair in metric["comparisons"]:
        yield pair["verdict"]


def _mean(interval: Mapping[str, float | None]) -> str:
    lower, upper = interval["lower"], interval["upper"]
    told = f"mean {interval['value']:.6g}"
    return told if lower is None or upper is None else f"{told} ({lower:.6g} to {upper:.6g})"

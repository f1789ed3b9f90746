"""What answers about percentiles of histograms look like, and how they are asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from crucible_collector.api.aggregated import written
from crucible_collector.api.asking import too_much
from crucible_collector.api.distributions import (
    Buckets,
    accumulated,
    buckets_of,
    merged,
    of_summary,
    percentile,
)
from crucible_collector.api.models import Distribution, Id, Model, Number, Time
from crucible_collector.api.parameters import Period, PointFilter, parted
from crucible_collector.store.read import Reads

# A day of one every ten seconds; each is read whole.
HISTOGRAMS_MAX = 10_000
_FRACTIONS_MAX = 20

Fractions = Annotated[
    list[Annotated[float, Field(gt=0, lt=1)]],
    BeforeValidator(parted),
    Field(
        min_length=1,
        max_length=_FRACTIONS_MAX,
        description="Which percentiles, as fractions: several with commas, or the parameter repeated.",
        examples=[[0.5, 0.99]],
    ),
]
_DEFAULT = [0.5, 0.9, 0.95, 0.99]


class HistogramFilter(PointFilter):
    q: Fractions = _DEFAULT


class PercentilesFilter(Period):
    model_config = ConfigDict(extra="forbid")

    q: Fractions = _DEFAULT


class Percentile(Model):
    """What so much of the count does not exceed, in the unit of the series."""

    q: float = Field(examples=[0.99])
    value: float | None = Field(
        description="Within the bucket: of explicit bounds interpolated, of exponential ones 2ab/(a + b) of its "
        "bounds; of summaries as sent. Null: nothing was counted, or the summary has no such quantile."
    )
    low: float | None = Field(description="It is no less; null: not known.")
    high: float | None = Field(description="It is no more; null: not known.")
    error_max: float | None = Field(description="How far off `value` may be; null: not known.")


class DistributionWithPercentiles(Distribution):
    percentiles: list[Percentile]


class Percentiles(Model):
    """Of all histograms of a series in a period, merged."""

    series_id: Id
    metric: str
    unit: str | None
    kind: Literal["histogram", "exponential_histogram"]
    temporality: Literal["delta", "cumulative", "unspecified"] | None = Field(
        description="cumulative: differences are merged; else each histogram is what it counted."
    )
    row_count: int = Field(description="Histograms in the period.")
    first_time: Time | None
    last_time: Time | None
    count: int = Field(description="Numbers that they counted in it.")
    sum: Number = Field(description="Null of cumulative ones, or where a sender gave none.")
    percentiles: list[Percentile]
    bounds: list[float] = Field(description="Upper bounds that all of them have; else empty.")
    scale: int | None = Field(description="The coarsest of the exponential ones.")
    reset_count: int = Field(description="How often a cumulative one began anew.")
    is_complete: bool = Field(
        description="False where the first cumulative one is not counted, as it began before the period and "
        "none is stored from then."
    )


def with_percentiles(row: str, fractions: Sequence[float]) -> str:
    """The text of a distribution with its percentiles; what it had stays as it is, digit by digit."""
    read = json.loads(row)
    if read["quantile_values"]:
        found = [of_summary(read, each) for each in fractions]
    else:
        buckets = buckets_of(read)
        found = [percentile(buckets, each) for each in fractions]
    text = json.dumps(list(map(_rounded, found)), separators=(",", ":"))
    return f'{row.rstrip()[:-1]},"percentiles":{text}}}'


def percentiles(reads: Reads, series: dict[str, Any], filters: PercentilesFilter) -> dict[str, Any]:
    """As `Percentiles` has it. RequestValidationError of what is no histogram, or of too many."""
    if series["kind"] not in ("histogram", "exponential_histogram"):
        raise too_much(
            "series_id",
            f"a series of kind {series['kind']!r} has no buckets to be merged: `/aggregate` answers about points,"
            " `/series/{series_id}/histograms` has the quantiles of summaries",
        )
    asked = {"series": int(series["series_id"], 16), "from_time": filters.from_time}
    texts = reads.json_rows(
        "series_histograms",
        **asked,
        to_time=filters.to_time,
        last_time=None,
        last_rest=0,
        skip=0,
        limit=HISTOGRAMS_MAX + 1,
    )
    if len(texts) > HISTOGRAMS_MAX:
        raise too_much(
            "from",
            f"more than {HISTOGRAMS_MAX:,} histograms are in the period: ask for a shorter one",
        )
    rows = list(map(json.loads, texts))
    is_cumulative = series["temporality"] == "cumulative"
    reset_count, is_complete = 0, True
    if is_cumulative:
        earlier = [] if filters.from_time is None else reads.json_rows("histogram_before", **asked)
        before = json.loads(earlier[0]) if earlier else None
        found = accumulated(rows, before, has_begin=filters.from_time is not None)
        parts, reset_count, is_complete = found.parts, found.reset_count, found.is_complete
    else:
        parts = list(map(buckets_of, rows))
    try:
        whole = merged(parts)
    except ValueError as error:
        raise too_much("series_id", str(error)) from error
    return {
        **{name: series[name] for name in ("series_id", "metric", "unit", "kind", "temporality")},
        "row_count": len(rows),
        "first_time": rows[0]["time"] if rows else None,
        "last_time": rows[-1]["time"] if rows else None,
        "count": whole.count,
        "sum": None if is_cumulative else _sum(rows),
        "percentiles": [_rounded(percentile(whole, each)) for each in filters.q],
        **_shape(whole),
        "reset_count": reset_count,
        "is_complete": is_complete,
    }


def _shape(whole: Buckets) -> dict[str, Any]:
    return {"bounds": list(map(written, whole.bounds)), "scale": whole.scale}


def _sum(rows: Sequence[dict[str, Any]]) -> float | None:
    sums = [row["sum"] for row in rows]
    if not sums or any(each is None or isinstance(each, str) for each in sums):
        return None
    return written(sum(sums))


def _rounded(found: dict[str, float | None]) -> dict[str, float | None]:
    return {name: written(value) for name, value in found.items()}

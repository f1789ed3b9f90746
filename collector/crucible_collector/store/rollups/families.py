"""The roll-ups as data: what each is made of, from which everything that has its columns is derived.

A roll-up is a relation of rows that can be added up again: each measure has a rule by which two rows
of one key become one, so minutes make hours, hours make days, and the parts that windows write make
minutes. Continuous aggregates, portable tables, views, folds and comments all come from here; that
is why their SQL is composed and not written out seven times.

What one could not guess is in `FINITE`. PostgreSQL raises an error where a float8 sum or product
leaves its range, downwards too (1e-200 squared), and a continuous aggregate that fails on one row of
a diverged training never refreshes again. So numbers count as finite only up to a bound of which
squares, weighted and summed, stay in range, and squares of the tiniest are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["bigint", "float8", "int", "smallint", "text", "timestamptz"]
Rule = Literal["sum", "min", "max", "first", "last"]

SCHEMA = "crucible"
# Squares of 1e100 by weights of 2^56 squared by any count of rows stay below 1.8e308.
FINITE_MAX = 1e100
SQUARE_MIN = 1e-100


@dataclass(frozen=True, slots=True)
class Key:
    """A column that rows are grouped by; `raw` is it over the rows that are rolled up."""

    name: str
    type: Type
    raw: str
    comment: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that is computed; `raw` is the aggregate over the rows that are rolled up.

    For the rules first and last, `raw` is the value, `by` the column that tells when, and `where`
    which rows count.
    """

    name: str
    type: Type
    rule: Rule
    raw: str
    comment: str
    by: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One width of bucket; `table` is the suffix of where portable roll-ups keep it."""

    suffix: str
    width: str
    table: str


MINUTE = Level("1m", "1 minute", "minutes")
HOUR = Level("1h", "1 hour", "hours")
DAY = Level("1d", "1 day", "days")


@dataclass(frozen=True, slots=True)
class Family:
    """A roll-up at its levels, narrowest first.

    `indexes`: column lists by which it is asked for, besides time alone.
    """

    name: str
    source: str
    where: str
    levels: tuple[Level, ...]
    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]
    indexes: tuple[tuple[str, ...], ...]
    comment: str

    def view(self, level: Level) -> str:
        return f"{self.name}_{level.suffix}"

    def table(self, level: Level) -> str:
        return f"{self.name}_{level.table}"

    @property
    def parts(self) -> str:
        return f"{self.name}_parts"

    @property
    def own_columns(self) -> tuple[Key | Measure, ...]:
        """All but time, in the order of the relation."""
        return (*self.keys, *self.measures)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all, time first."""
        return ("time", *(each.name for each in self.own_columns))


def _finite(column: str) -> str:
    # Not isfinite: NaN compares as larger than every number, so both ends leave it out.
    return f"{column} between -{FINITE_MAX:g} and {FINITE_MAX:g}"


_VALUE = _finite("value")
_COST = _finite("cost_usd")

POINTS = Family(
    name="point_rollup",
    source="points",
    where="value is not null",
    levels=(MINUTE, HOUR, DAY),
    keys=(Key("series_id", "bigint", "series_id", "The series, as in crucible.series"),),
    measures=(
        Measure(
            "count",
            "bigint",
            "sum",
            f"count(*) filter (where {_VALUE})",
            "Finite values; everything else here but non_finite_count is about these",
        ),
        Measure(
            "non_finite_count",
            "bigint",
            "sum",
            f"count(*) filter (where not ({_VALUE}))",
            "NaN, infinities and what is beyond 1e100 either way, whose squares cannot be summed",
        ),
        Measure(
            "sum",
            "float8",
            "sum",
            f"coalesce(sum(value) filter (where {_VALUE}), 0)",
            "Of the values, in the unit of the series",
        ),
        Measure(
            "sum_squares",
            "float8",
            "sum",
            f"coalesce(sum(case when abs(value) < {SQUARE_MIN:g} then 0 else value * value end)"
            f" filter (where {_VALUE}), 0)",
            "Of the squares of the values, in the unit of the series squared",
        ),
        Measure("min", "float8", "min", f"min(value) filter (where {_VALUE})", "Least value"),
        Measure("max", "float8", "max", f"max(value) filter (where {_VALUE})", "Largest value"),
        Measure(
            "first",
            "float8",
            "first",
            "value",
            "Earliest value; any one of those of one microsecond",
            by="first_time",
            where=_VALUE,
        ),
        Measure(
            "first_time",
            "timestamptz",
            "min",
            f"min(time) filter (where {_VALUE})",
            "When the earliest value was",
        ),
        Measure(
            "last",
            "float8",
            "last",
            "value",
            "Latest value; any one of those of one microsecond",
            by="last_time",
            where=_VALUE,
        ),
        Measure(
            "last_time",
            "timestamptz",
            "max",
            f"max(time) filter (where {_VALUE})",
            "When the latest value was",
        ),
    ),
    indexes=(("series_id",),),
    comment="Numbers by series",
)

_EVENT_KEYS = (
    Key("event_name", "text", "event_name", "The event; of a span that is none, its name"),
    Key("model", "text", "model", "The model that was asked or that answered; null where none was"),
    Key("status_code", "smallint", "status_code", "0 unset, 1 ok, 2 error"),
)
_EXPERIMENT = Key("experiment_id", "text", "experiment_id", "Null: of no experiment")
_RUN = Key("run_id", "text", "run_id", "Null: of no run")


def _weighted(what: str, unit: str, column: str, condition: str, noun: str) -> tuple[Measure, ...]:
    """Σx/p, Σx(1-p)/p and V of one measure x of spans, and its largest value."""
    value = f"({column})::float8"
    only = f" filter (where {condition})"
    variance = {"duration_ns": "duration_variance", "cost_usd": "cost_variance"}.get(
        column, f"{what}_variance"
    )
    return (
        Measure(
            f"{what}_sum{unit}",
            "float8",
            "sum",
            f"coalesce(sum({value} / sample_probability){only}, 0)",
            f"Estimate of the sum of {noun}: each span's over its inclusion probability",
        ),
        Measure(
            f"{what}_unseen{unit}",
            "float8",
            "sum",
            f"coalesce(sum({value} * (1 - sample_probability) / sample_probability){only}, 0)",
            f"How much of the sum of {noun} stands for spans that were not kept",
        ),
        Measure(
            f"{what}_variance",
            "float8",
            "sum",
            f"coalesce(sum({variance}), 0)",  # a row may carry its trace's without having a value
            f"Of the sum of {noun}, its unit squared; over several keys or buckets a lower bound",
        ),
        Measure(
            f"{what}_max{unit}",
            "float8",
            "max",
            f"max({value}){only}",
            f"Largest of {noun} that was kept",
        ),
    )


SPANS = Family(
    name="span_rollup",
    source="spans",
    where="",
    levels=(MINUTE, HOUR, DAY),
    keys=(_EXPERIMENT, _RUN, *_EVENT_KEYS),
    measures=(
        Measure("row_count", "bigint", "sum", "count(*)", "Spans that were kept"),
        Measure(
            "count",
            "float8",
            "sum",
            "sum(1 / sample_probability)",
            "Estimate of how many spans there were; the kept ones, where nothing was sampled",
        ),
        Measure(
            "count_variance",
            "float8",
            "sum",
            "coalesce(sum(count_variance), 0)",
            "Of count; over several keys or buckets a lower bound",
        ),
        Measure(
            "error_count",
            "float8",
            "sum",
            "coalesce(sum(1 / sample_probability) filter (where status_code = 2), 0)",
            "Of count, those with an error: all or none, as the status is a key",
        ),
        Measure(
            "probability_min",
            "float8",
            "min",
            "min(sample_probability)",
            "Least inclusion probability of any span that was kept",
        ),
        Measure(
            "last_time", "timestamptz", "max", "max(time)", "When the latest of them began, UTC"
        ),
        *_weighted("duration", "_ns", "duration_ns", "true", "durations in ns"),
        Measure(
            "duration_min_ns",
            "float8",
            "min",
            "min(duration_ns::float8)",
            "Smallest of durations in ns that was kept",
        ),
        *_weighted("input_token", "", "input_tokens", "true", "tokens in prompts"),
        *_weighted("output_token", "", "output_tokens", "true", "tokens in answers"),
        *_weighted("cost", "_usd", "cost_usd", _COST, "costs in US dollars"),
    ),
    indexes=(("run_id",), ("experiment_id",), ("event_name",)),
    comment="Spans and events by experiment, run, event, model and status",
)

LATENCIES = Family(
    name="span_latency",
    source="spans",
    where="",
    levels=(HOUR, DAY),
    keys=(
        _EXPERIMENT,
        *_EVENT_KEYS,
        Key(
            "bucket",
            "int",
            "crucible.duration_bucket(duration_ns)",
            "Durations of nearly one length: crucible.bucket_duration_ns(bucket) within 1 %",
        ),
    ),
    measures=(
        Measure("row_count", "bigint", "sum", "count(*)", "Spans that were kept"),
        Measure(
            "count",
            "float8",
            "sum",
            "sum(1 / sample_probability)",
            "Estimate of how many spans there were; the kept ones, where nothing was sampled",
        ),
        Measure(
            "count_variance",
            "float8",
            "sum",
            "coalesce(sum(latency_variance), 0)",
            "Of count; over several keys or buckets a lower bound",
        ),
    ),
    indexes=(("experiment_id",), ("event_name",)),
    comment="How long spans took, for crucible.duration_percentiles, by experiment, event, model and status",
)

FAMILIES = (POINTS, SPANS, LATENCIES)

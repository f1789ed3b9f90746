"""Which roll-ups there are, and what each is made of: from here comes everything that has its columns.

Continuous aggregates, portable tables, views, folds and comments are all derived from these; that is
why their SQL is composed and not written out ten times.

What one could not guess is in `FINITE_MAX`. PostgreSQL raises an error where a float8 sum or product
leaves its range, downwards too (1e-200 squared), and a continuous aggregate that fails on one row of
a diverged training never refreshes again. So numbers count as finite only up to a bound of which
squares, weighted and summed, stay in range, and squares of the tiniest are 0.
"""

from __future__ import annotations

from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Family, Key, Measure

# Squares of 1e100 by weights of 2^56 squared by any count of rows stay below 1.8e308.
FINITE_MAX = 1e100
SQUARE_MIN = 1e-100


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


def _sparse(name: str, comment: str) -> Measure:
    """The sum of a column that only sampled spans have: eight of zeros would widen a row by a quarter."""
    return Measure(name, "float8", "sum", f"nullif(sum({name}), 0)", comment, is_sparse=True)


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
            f"Variance of the sum of {noun}, its unit squared, within one event",
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
            "Variance of count within one event: exact for all spans of its traces, else an upper bound",
        ),
        Measure(
            "error_count",
            "float8",
            "sum",
            "coalesce(sum(1 / sample_probability) filter (where status_code = 2), 0)",
            "Of count, those with an error: all or none, as the status is a key",
        ),
        Measure(
            "usage_count",
            "float8",
            "sum",
            "coalesce(sum(1 / sample_probability) filter (where input_tokens is not null"
            " or output_tokens is not null or cost_usd is not null), 0)",
            "Of count, those that told tokens or a cost",
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
        _sparse("error_variance", "Variance of error_count over any events; null: 0"),
        _sparse("count_trace_variance", "Variance of count over several events; null: 0"),
        *(
            _sparse(
                f"{what}_trace_variance",
                f"Variance of the sum of {noun} over several events, its unit squared; null: 0",
            )
            for what, noun in (
                ("duration", "durations in ns"),
                ("input_token", "tokens in prompts"),
                ("output_token", "tokens in answers"),
                ("cost", "costs in US dollars"),
            )
        ),
        _sparse(
            "uncertain_event_traces",
            "Traces that have spans of the event here with an inclusion probability below 1; null: 0",
        ),
        _sparse(
            "uncertain_traces",
            "Traces that have spans here with an inclusion probability below 1; null: 0",
        ),
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
            "Variance of count within one event: exact for all spans of its traces, else an upper bound",
        ),
    ),
    indexes=(("experiment_id",), ("event_name",)),
    comment="How long spans took, for crucible.duration_percentiles, by experiment, event, model and status",
)

ANOMALIES = Family(
    name="anomaly_rollup",
    source="anomalies",
    where="",
    levels=(HOUR, DAY),
    keys=(
        _EXPERIMENT,
        _RUN,
        Key("metric", "text", "metric", "What was watched, such as loss"),
        Key("severity", "text", "severity", "info, warning or critical"),
        Key("label", "text", "label", "Empty: found in the stream; else the label of a scan"),
    ),
    measures=(
        Measure("flag_count", "bigint", "sum", "count(*)", "Values that were flagged"),
        Measure(
            "period_count",
            "bigint",
            "sum",
            "count(*) filter (where starts_period)",
            "Of these, those that began a period of anomalies",
        ),
        Measure("score_max", "float8", "max", "max(score)", "Largest score"),
    ),
    indexes=(("run_id",), ("experiment_id",)),
    comment="Anomalies by experiment, run, metric, severity and label",
)

FAMILIES = (POINTS, SPANS, LATENCIES, ANOMALIES)

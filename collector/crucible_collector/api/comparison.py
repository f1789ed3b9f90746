"""What `POST /compare` is asked, and what it answers."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crucible_collector.api.models import Model
from crucible_collector.api.parameters import Text
from crucible_collector.api.parameters import Time as AskedTime
from crucible_collector.compare.choice import TestName

# Forty comparisons with a baseline; more are a search, not a comparison.
GROUPS_MAX = 40
METRICS_MAX = 20
RUNS_MAX = 1000

Of = Literal["final", "best", "mean", "min", "max", "at_step", "over_range"]
Unit = Literal["run", "trace", "sample_id"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Step = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricAsked(_Asked):
    """One metric, and which number of it stands for a unit."""

    metric: Text = Field(
        min_length=1,
        description="A measurement of runs; or of runs as a whole `duration` (ms), `cost` (US dollars), "
        "`tokens`, `success`; or of requests, with `event`, `latency` (ms), `request_success`, `error_rate`, "
        "`cost_per_request` (US dollars), `tokens`.",
        examples=["val_accuracy"],
    )
    of: Of = Field(
        "final",
        description="Of the numbers that a run measured: the last; the best by `direction`; the mean; the "
        "least; the largest; the last up to `step`, in runs that came so far; the mean from `from_step` on "
        "and before `to_step`. Of several ranks the mean. Numbers that are not finite are left out; a run "
        "whose number is not finite is left out and counted.",
    )
    step: Step | None = Field(None, description="For `at_step`.")
    from_step: Step | None = Field(None, description="For `over_range`: from this step on.")
    to_step: Step | None = Field(None, description="For `over_range`: before this step.")
    event: Text | None = Field(
        None,
        description="Of a measurement: as measured by this event; without it the event that most runs measured "
        "it with. Of `latency`, `tokens` and so on: the event, or the span, that is a request.",
        examples=["crucible_deployment.inference"],
    )
    direction: Literal["higher", "lower"] | None = Field(
        None, description="Which is better; default: what the registry knows of the metric."
    )
    scale: Literal["linear", "log"] | None = Field(
        None, description="Default: log for durations, latencies and costs, else linear."
    )
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="The least difference that matters, in the metric's unit (of rates from 0 to 1).",
    )

    @model_validator(mode="after")
    def _has_its_steps(self) -> Self:
        if (self.of == "at_step") != (self.step is not None):
            raise ValueError("`of` at_step and `step` go together")
        has_range = self.from_step is not None or self.to_step is not None
        if (self.of == "over_range") != has_range:
            raise ValueError("`of` over_range and `from_step` or `to_step` go together")
        if (
            self.from_step is not None
            and self.to_step is not None
            and self.from_step >= self.to_step
        ):
            raise ValueError("expected `from_step` before `to_step`")
        return self


class CompareRequest(MetricAsked):
    """The body: what is compared (one of `conditions`, `runs`, `experiments`), in which metrics, and how."""

    metric: Text | None = Field(  # type: ignore[assignment]
        None,
        min_length=1,
        description="See `metrics`, of which this is one by itself.",
        examples=["val_accuracy"],
    )
    metrics: list[Text | MetricAsked] = Field(
        [], max_length=METRICS_MAX, description="Several at once: one family for the correction."
    )
    experiment: Text | None = Field(
        None, description="Its conditions are compared: those that are named, else all."
    )
    conditions: list[Text] = Field([], max_length=GROUPS_MAX, examples=[["lr=1e-3", "lr=1e-2"]])
    experiments: list[Text] = Field([], max_length=GROUPS_MAX, description="Each is one side.")
    runs: dict[Text, Annotated[list[Text], Field(min_length=1, max_length=RUNS_MAX)]] = Field(
        {}, max_length=GROUPS_MAX, description="Sides by name, each with its runs."
    )
    from_time: AskedTime | None = Field(
        None, alias="from", description="Runs and requests that began then or later."
    )
    to_time: AskedTime | None = Field(None, alias="to", description="And before this.")
    baseline: Text | None = Field(
        None, description="The side that others are compared with; default: the first."
    )
    against: Literal["baseline", "all"] = Field(
        "baseline", description="Each side with the baseline, or every pair."
    )
    test: Literal["auto"] | TestName = "auto"
    alternative: Literal["two-sided", "greater", "less"] = Field(
        "two-sided",
        description="`greater`: is the candidate higher than the baseline? Intervals stay two-sided.",
    )
    confidence: float = Field(0.95, ge=0.5, le=0.999)
    correction: Literal["holm", "benjamini_hochberg", "none"] = Field(
        "holm",
        description="Over the p-values of all pairs and metrics. Intervals are not corrected.",
    )
    bootstrap: bool = Field(False, description="Also a BCa interval of the difference of means.")
    seed: int = Field(
        0, ge=0, lt=1 << 32, description="Of the bootstrap: the same seed, the same interval."
    )
    unit: Literal["auto"] | Unit = Field(
        "auto",
        description="What one number stands for in metrics of requests: a `run`, a `trace`, or a `sample_id` "
        "(auto: where all have one).",
    )
    pair_by: Text = Field(
        "auto",
        min_length=1,
        description="`sample_id`, `seed`, or a key of the runs' configuration (a.b for b within a), on which "
        "each side has a unit once; `none`; auto: the seed of runs, the sample id of requests, where at least 6 "
        "and half of the units share them.",
    )

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if (self.metric is None) == (not self.metrics):
            raise ValueError("expected metric or metrics")
        forms = (
            bool(self.experiment or self.conditions),
            bool(self.experiments),
            bool(self.runs),
        )
        if sum(forms) != 1:
            raise ValueError("expected one of experiment (with conditions), experiments and runs")
        if self.conditions and self.experiment is None:
            raise ValueError("conditions are those of an experiment: name it")
        if self.from_time and self.to_time and self.from_time >= self.to_time:
            raise ValueError("expected `from` before `to`")
        twice = [name for name, n in Counter(self.conditions or self.experiments).items() if n > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is on both sides")
        return self

    def asked_metrics(self) -> list[MetricAsked]:
        """Each metric with what it leaves open as the request has it."""
        shared = {
            name: getattr(self, name) for name in MetricAsked.model_fields if name != "metric"
        }
        names = [self.metric] if self.metric is not None else self.metrics
        return [
            each if isinstance(each, MetricAsked) else MetricAsked(metric=each, **shared)
            for each in names
        ]


class Interval(Model):
    value: float | None
    lower: float | None = Field(description="Null: nothing bounds it.")
    upper: float | None


class ComparedValue(Model):
    unit_id: str = Field(description="Of the run, the trace or the sample.")
    value: float
    weight: float = Field(description="1 over the probability that sampling kept it with.")
    pair_id: str | None = Field(description="What it is paired by, if it has that.")
    last_step: int | None = Field(description="Of a measurement: the last step that went in.")


class LeftOut(Model):
    reason: str = Field(examples=["measured no val_accuracy"])
    count: int
    unit_ids: list[str] = Field(description="The first ten of them.")


class ComparedGroup(Model):
    name: str
    unit_count: int = Field(description="Units (see `unit`) whose numbers are compared.")
    effective_count: float = Field(
        description="As many units without weights would say as much; else the same as unit_count."
    )
    run_count: int = Field(description="Runs of this side.")
    mean: Interval
    std: float | None = Field(description="Of a unit, by n - 1.")
    median: float | None
    min: float | None = Field(description="Of what was kept.")
    max: float | None = Field(description="Of what was kept.")
    values: list[ComparedValue] = Field(description="The first 1,000.")
    values_complete: bool
    left_out: list[LeftOut]


class TestResult(Model):
    test: str = Field(examples=["welch"])
    statistic: float | None
    df: list[float] | None
    p_value: float | None = Field(description="Null: there was nothing to test.")


class Detectable(Model):
    """What 4 of 5 comparisons of this size would find, at the corrected level."""

    power: float
    alpha: float = Field(description="Of one comparison.")
    cohens_d: float | None
    difference: float | None = Field(
        description="In the metric's unit, by the spread that was found; on the log scale as a share."
    )


class ComparedPair(TestResult):
    baseline: str
    candidate: str
    reason: str = Field(description="Why this test.")
    pair_count: int | None = Field(description="Null: units were not paired.")
    p_adjusted: float | None
    is_significant: bool = Field(description="By p_adjusted.")
    difference: Interval = Field(description="Mean of the candidate less that of the baseline.")
    ratio: Interval | None = Field(
        description="On the log scale: of geometric means, candidate over baseline."
    )
    improvement: Interval | None = Field(
        description="Positive: the candidate is better, so a latency or a cost that is lower. In the metric's "
        "unit; null where nobody knows which way is better."
    )
    improvement_percent: Interval | None = Field(
        description="The same in percent of the baseline; on the log scale of geometric means."
    )
    cohens_d: Interval | None = Field(
        description="Candidate less baseline over the pooled standard deviation, of pairs over that of their "
        "differences; on the scale of the test."
    )
    hedges_g: Interval | None = Field(description="Cohen's d without its bias in small samples.")
    cliffs_delta: Interval | None = Field(
        description="P(candidate higher) - P(candidate lower); null where rows were sampled."
    )
    bootstrap: Interval | None = Field(description="BCa, of `difference`, where it was asked for.")
    detectable: Detectable
    conclusion: Literal[
        "better",
        "worse",
        "different",
        "no_difference_found",
        "equivalent",
        "identical",
        "untestable",
    ]
    verdict: str


class ComparedMetric(Model):
    metric: str
    of: Of | None = Field(description="Null: the metric is no measurement of runs.")
    event: str | None = Field(description="Whose measurement, or requests, were compared.")
    unit: Unit
    value_unit: str | None = Field(description="As UCUM has it.", examples=["ms", "USD", "1"])
    direction: Literal["higher", "lower"] | None = Field(description="Which is better.")
    scale: Literal["linear", "log"]
    estimated: bool = Field(description="Whether rows were sampled, so that numbers are estimates.")
    not_comparable: str | None = Field(
        description="Why this metric cannot be compared, where others can; the lists are empty then."
    )
    omnibus: TestResult | None = Field(description="Of three sides or more at once.")
    groups: list[ComparedGroup]
    comparisons: list[ComparedPair]
    warnings: list[str]


class Comparison(Model):
    baseline: str
    groups: list[str]
    confidence: float
    correction: str
    family_size: int = Field(description="p-values that were corrected together.")
    metrics: list[ComparedMetric]

"""The settings of each strategy: one flat table each, checked whole, with every default.

What is refused here would otherwise make an estimate impossible: a probability of 0 stands for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from crucible_collector.candidates import KEYS
from crucible_collector.tables import Attributes, Table, distinct

WAIT_S_MAX = 600.0  # what waits is in nobody's query yet, and in the journal twice
RESERVOIR_MAX = 100_000  # random numbers of a stratum's window
NEVER = "to drop records altogether, name their events in events_deny"
STATUSES = ("unset", "ok", "error")  # by OpenTelemetry's code
SUCCESS = "success"  # every status but error
OTHER = "other"


def _chance(p: float) -> float:
    if not 0 < p <= 1:
        raise ValueError(f"expected more than 0 and at most 1; {NEVER}")
    return p


Probability = Annotated[float, AfterValidator(_chance)]
RowsPerSecond = Annotated[float, Field(gt=0, le=1e9)]
Key = Literal["event", "experiment", "run", "service", "condition", "model", "status"]
By = Annotated[tuple[Key, ...], AfterValidator(distinct)]

assert get_args(Key) == KEYS


class Uniform(Table):
    """Each trace with one probability."""

    strategy: Literal["uniform"]
    probability: Probability = Field(description="of being kept")


class Stratified(Table):
    """A probability for each stratum: given, or from a budget that is shared out."""

    strategy: Literal["stratified"]
    by: By = Field(("status",), description="what makes a stratum")
    rates: dict[str, Probability] | None = Field(
        None, description="probability by stratum, several keys joined by /; other: the rest (1.0)"
    )
    budget_per_s: RowsPerSecond | None = Field(None, description="rows a second, all strata")
    allocation: Literal["equal", "proportional", "neyman"] | None = Field(
        None, description="how the budget is shared out (proportional)"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.rates is None) == (self.budget_per_s is None):
            raise ValueError("expected either rates or budget_per_s")
        if self.rates is not None and self.allocation is not None:
            raise ValueError("allocation shares out budget_per_s; rates are given as they are")
        if self.rates is not None and self.by == ("status",):
            _check_status(self.rates)
        if self.rates is not None and len(self.by) > 1:
            _check_joined(self.rates, self.by)
        return self


def _check_status(rates: Mapping[str, float]) -> None:
    for label in rates:
        if label not in {*STATUSES, SUCCESS, OTHER}:
            raise ValueError(
                f"rates.{label}: a status is one of {', '.join(STATUSES)}, {SUCCESS}, {OTHER}"
            )
    if "success" in rates and not {"ok", "unset"}.isdisjoint(rates):
        raise ValueError("rates: success is ok and unset together; give either it or them")


def _check_joined(rates: Mapping[str, float], by: tuple[str, ...]) -> None:
    """A rate that fits no stratum would silently be that of the rest."""
    for label in rates:
        parts = label.split("/")  # a model's name may have some of its own
        if label == OTHER:
            continue
        if len(parts) < len(by):
            raise ValueError(f"rates.{label}: expected a value of each, as in {'/'.join(by)}")
        ends = {by[0]: parts[0], by[-1]: parts[-1]}
        if ends.get("status", STATUSES[0]) not in STATUSES:
            raise ValueError(f"rates.{label}: a status is one of {', '.join(STATUSES)}")


class Reservoir(Table):
    """Exactly k traces of each stratum and window of time."""

    strategy: Literal["reservoir"]
    k: int = Field(ge=10, le=RESERVOIR_MAX, description="traces kept of a stratum in a window")
    window_s: float = Field(
        10.0, ge=1, le=WAIT_S_MAX, description="length of a window; rows wait for its end"
    )
    by: By = Field(("event",), description="what makes a stratum")


class Adaptive(Table):
    """A target rate for each key, whatever its traffic; anomalies open it for a while."""

    strategy: Literal["adaptive"]
    target_per_s: RowsPerSecond | None = Field(
        None, description="rows a second of each key; without it base_rate is what is kept"
    )
    by: By = Field(("event",), description="what makes a key")
    base_rate: Probability = Field(
        0.1, description="probability while a key's rate is not known yet"
    )
    anomaly_rate: Probability = Field(
        1.0, description="probability of a run or an event after an anomaly"
    )
    min_samples: int = Field(
        1000, ge=0, le=1_000_000, description="so many rows of a key come before it is thinned"
    )
    hold_s: float = Field(
        60.0, gt=0, le=86_400, description="how long an anomaly's anomaly_rate lasts"
    )


class Weights(Table):
    """What makes a row important; 0: nothing."""

    error: float = Field(
        1.0, ge=0, le=1e6, description="of errors, which are all kept while the budget allows"
    )
    anomaly: float = Field(1.0, ge=0, le=1e6, description="of anomalies, which are, too")
    slow: float = Field(
        1.0, ge=0, le=1e6, description="precision of the slowest percent against counts"
    )
    duration: float = Field(
        1.0, ge=0, le=1e6, description="precision of total duration against counts"
    )
    cost: float = Field(1.0, ge=0, le=1e6, description="precision of total cost against counts")


class Importance(Table):
    """A budget spent where it makes the numbers most precise."""

    strategy: Literal["importance"]
    budget_per_s: RowsPerSecond = Field(description="rows a second")
    weights: Weights = Field(Weights.model_validate({}), description="what makes a row important")


class TailRule(Table):
    """One reason to keep a whole trace: exactly one of these is given."""

    error: Literal[True] | None = Field(None, description="some record of it is an error")
    anomaly: Literal[True] | None = Field(None, description="some record of it is anomalous")
    slow_quantile: float | None = Field(
        None, ge=0.5, lt=1, description="a duration is above this quantile of its event"
    )
    slower_than_ms: float | None = Field(None, ge=0, description="a duration is above this")
    attributes: Attributes | None = Field(
        None, min_length=1, description="a record has all of these values"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError(f"expected exactly one of {', '.join(type(self).model_fields)}")
        return self


Otherwise = Annotated[
    Uniform | Stratified | Reservoir | Adaptive | Importance, Field(discriminator="strategy")
]


_NOTABLE = ({"error": True}, {"anomaly": True}, {"slow_quantile": 0.99})


class Tail(Table):
    """Whole traces for what some record of them is; the rest by another strategy."""

    strategy: Literal["tail"]
    rules: tuple[TailRule, ...] = Field(
        tuple(map(TailRule.model_validate, _NOTABLE)),
        min_length=1,
        max_length=20,
        description="what keeps a trace",
    )
    otherwise: Otherwise = Field(description="the table of the strategy for the rest")


StrategySettings = Uniform | Stratified | Reservoir | Adaptive | Importance | Tail
SETTINGS: dict[str, type[Table]] = {
    "uniform": Uniform,
    "stratified": Stratified,
    "reservoir": Reservoir,
    "adaptive": Adaptive,
    "importance": Importance,
    "tail": Tail,
}
# Tables within tables, by the setting that they are of.
_WITHIN: dict[str, type[Table]] = {"weights": Weights, "rules": TailRule}


def reference() -> str:
    """Every setting of a strategy as a Markdown table; collector/README.md holds it and a test compares."""
    lines = ["| strategy | setting | default | what it is |", "|---|---|---|---|"]
    for strategy, kind in SETTINGS.items():
        for name, field in kind.model_fields.items():
            if name == "strategy":
                continue
            lines.append(_line(strategy, name, field))
            if name in _WITHIN:
                within = _WITHIN[name].model_fields.items()
                lines += [_line(strategy, f"{name}.{key}", each) for key, each in within]
    return "\n".join(lines) + "\n"


def _line(strategy: str, name: str, field: FieldInfo) -> str:
    default = "needed" if field.is_required() else _shown(field.default)
    return f"| {strategy} | `{name}` | {default} | {field.description} |"


def _shown(default: object) -> str:
    if default is None or isinstance(default, Weights):  # whose settings have lines of their own
        return ""
    return f"`{to_json(default, exclude_none=True).decode()}`"

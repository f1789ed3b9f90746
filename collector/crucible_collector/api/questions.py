r"""What may be asked of numbers: which, of what, summed up how, and by what parted.

Lists are written with commas between (`\,` is a comma within one of them) or by repeating the parameter.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from crucible_collector.api.parameters import STATUS_CODES, Paged, Period, Text
from crucible_collector.api.where import (
    RESOURCE,
    Condition,
    attribute_of,
    parse_condition,
    parts_of,
    path_of,
)

Interval = Literal["1m", "5m", "15m", "1h", "6h", "1d", "none"]
# Metrics that events have by themselves; every other name is a measurement.
BUILT_IN = ("count", "errors", "error_rate", "duration", "cost", "input_tokens", "output_tokens")
IDENTITIES = (
    "experiment",
    "run",
    "condition",
    "event",
    "model",
    "status",
    "kind",
    "service",
    "correlation",
    "epoch",
    "step",
    "rank",
    "name",
)
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
GROUPS_MAX = 4
WHERE_MAX = 16
AGGREGATIONS_MAX = 12
_PLAIN = ("count", "sum", "avg", "min", "max", "std")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:[._]\d{1,6})?)", re.ASCII)
_COUNTED = {"count": ("count", "sum"), "errors": ("count", "sum"), "error_rate": ("avg",)}


def as_list(value: Any) -> Any:
    """For a BeforeValidator: what is given once or repeatedly, with or without commas."""
    given = value if isinstance(value, list) else [value]
    return [part for text in given for part in parts_of(str(text))]


def parse_aggregation(text: str) -> str:
    """One of the plain ones, or a percentile as `p99.9`, which `p99_9` means, too."""
    if text in _PLAIN:
        return text
    if text == "median":
        return "p50"
    found = _PERCENTILE.fullmatch(text)
    if found is None or float(found[1].replace("_", ".")) == 0:
        raise ValueError(
            f"{text!r}: expected {', '.join(_PLAIN)} or a percentile like p95 or p99.9"
        )
    return "p" + found[1].replace("_", ".")


def fraction_of(aggregation: str) -> float | None:
    """What part of the numbers a percentile does not exceed; None of what is no percentile.

    >>> fraction_of("p99.9"), fraction_of("std")
    (0.999, None)
    """
    if _PERCENTILE.fullmatch(aggregation) is None:
        return None
    return round(float(aggregation[1:]) / 100, 10)


def parse_group(text: str) -> str:
    is_attribute = attribute_of(text) is not None
    if text in IDENTITIES or is_attribute or (text.startswith(RESOURCE) and text != RESOURCE):
        return text
    raise ValueError(
        f"{text!r}: expected attribute.…, measurement.…, resource.… or one of {', '.join(IDENTITIES)}"
    )


def _checked(value: str) -> str:
    parse_condition(value)
    return value


Texts = Annotated[list[Text], BeforeValidator(as_list)]
Conditions = Annotated[list[Annotated[Text, AfterValidator(_checked)]], Field(max_length=WHERE_MAX)]


def _any_of(what: str) -> Any:
    return Field([], description=f"{what}; of several any will do.")


class Chosen(BaseModel):
    """Which events are meant."""

    experiment: Texts = _any_of("Experiment id, as the events name it")
    run: Texts = _any_of("Run id")
    condition: Texts = _any_of("Condition of the experiment")
    event: Texts = _any_of("Event name")
    model: Texts = _any_of("Model that was asked or that answered")
    status: Annotated[list[Literal["unset", "ok", "error"]], BeforeValidator(as_list)] = _any_of(
        "Span status"
    )
    service: Texts = _any_of("`service.name` of the resource")
    correlation: Texts = _any_of("Correlation id, as it was set")
    kind: Annotated[
        list[Literal["internal", "server", "client", "producer", "consumer"]],
        BeforeValidator(as_list),
    ] = _any_of("Span kind")
    where: Conditions = Field(
        [],
        description="A condition on what events carry; of several all have to hold. A name is there, or with ! "
        "before it is not; or it is compared by =, !=, >=, <=, > or <. Names: attribute.…, measurement.…, duration "
        "(ms), cost, input_tokens, output_tokens, step, epoch, name. Of values with commas between any will do.",
        examples=[["attribute.gen_ai.request.temperature>=0.5", "attribute.tier=gold,silver"]],
    )

    def conditions(self) -> list[Condition]:
        return list(map(parse_condition, self.where))

    def chosen(self) -> dict[str, Any]:
        """As parameters of the queries of numbers."""
        conditions = self.conditions()
        return {
            "experiments": self.experiment or None,
            "runs": self.run or None,
            "conditions": self.condition or None,
            "events": self.event or None,
            "models": self.model or None,
            "statuses": [STATUS_CODES[each] for each in self.status] or None,
            "services": self.service or None,
            "correlations": self.correlation or None,
            "kinds": [KINDS[each] for each in self.kind] or None,
            "attributes_path": path_of(conditions, of_attributes=True),
            "columns_path": path_of(conditions, of_attributes=False),
        }


class AggregateFilter(Paged, Period, Chosen):
    metric: Text = Field(
        description="What is summed up: count, errors, error_rate, duration (ms), cost (US dollars), input_tokens, "
        "output_tokens, measurement.… or attribute.… (numbers that events carry); any other name is a metric, all "
        "of whose points are stored, or where there is none a measurement of events.",
        examples=["duration"],
    )
    agg: Annotated[
        list[Annotated[str, AfterValidator(parse_aggregation)]], BeforeValidator(as_list)
    ] = Field(
        [],
        max_length=AGGREGATIONS_MAX,
        description="How: count, sum, avg, min, max, std (sample, n - 1), median or percentiles like p50 and "
        "p99.9. Without it: count of count and errors, else avg.",
        examples=[["avg", "p95"]],
    )
    group_by: Annotated[
        list[Annotated[Text, AfterValidator(parse_group)]], BeforeValidator(as_list)
    ] = Field(
        [],
        max_length=GROUPS_MAX,
        description=f"A row for each of these: {', '.join(IDENTITIES)}, attribute.…, measurement.… or resource.….",
        examples=[["condition", "attribute.gen_ai.request.temperature"]],
    )
    interval: Interval = Field(
        "none", description="A row for each such stretch (UTC), or one for all of the period."
    )
    source: Literal["events", "points"] | None = Field(
        None, description="Where to look for a metric that has no prefix, instead of in both."
    )

    @model_validator(mode="after")
    def _fits(self) -> AggregateFilter:
        allowed = _COUNTED.get(self.metric)
        if allowed and (refused := [each for each in self.agg if each not in allowed]):
            raise ValueError(
                f"agg={','.join(refused)} of {self.metric} says nothing: it is {' or '.join(allowed)}"
            )
        if len(set(self.group_by)) < len(self.group_by):
            raise ValueError("group_by names something twice")
        return self

    @property
    def aggregations(self) -> list[str]:
        """Without repetition, in the order asked for."""
        default = ["count"] if self.metric in ("count", "errors") else ["avg"]
        return list(dict.fromkeys(self.agg or default))

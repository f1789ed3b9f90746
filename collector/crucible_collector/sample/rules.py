"""The settings of sampling: which spans and logs get which strategy, first match wins.

A rule is one flat table: what it is about, `strategy`, and that strategy's settings. They are checked
whole before any of them is in force, and whoever wrote them is told the first thing that is wrong in one
line. What is stored and compared is the canonical form with every default spelled out, so that a later
default changes nothing that is in force.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationError, model_validator

from crucible_collector.errors import SettingsError
from crucible_collector.sample.strategy_settings import (
    SETTINGS,
    WAIT_S_MAX,
    Adaptive,
    Importance,
    Reservoir,
    StrategySettings,
    Stratified,
    Tail,
    TailRule,
    Uniform,
    Weights,
)
from crucible_collector.tables import (
    Attributes,
    Event,
    Name,
    Table,
    Texts,
    check_names,
    digest,
    distinct,
    first_error,
    mistake,
    place_of,
    shown,
    with_names,
)

RULES_MAX = 100  # each is looked at for every record, and is a label of metrics

_Signals = Annotated[tuple[Literal["spans", "logs"], ...], AfterValidator(distinct)]


class Rule(Table):
    """What a rule is about; what is left empty is not asked for. Each kind below adds a strategy."""

    name: Name = Field(description="in counts (rule-1 by place)")
    signals: _Signals = Field(
        ("spans",), description="spans, logs; each has its own budget and state"
    )
    events: tuple[Event, ...] = Field(
        (), max_length=1000, description="names of events, or their beginnings up to a dot"
    )
    experiments: Texts = Field((), description="ids of experiments")
    services: Texts = Field((), description="service names")
    conditions: Texts = Field((), description="conditions")
    models: Texts = Field((), description="names of models")
    attributes: Attributes = Field(
        default_factory=dict, description="values that a record or its resource has, as text"
    )

    @property
    def settings(self) -> StrategySettings:
        """Those of the strategy alone."""
        kind = SETTINGS[self.strategy]  # type: ignore[attr-defined]
        told = {name: getattr(self, name) for name in kind.model_fields}
        settings: Any = kind.model_construct(**told)
        found: StrategySettings = settings
        return found


class UniformRule(Rule, Uniform):
    """A rule that samples uniformly."""


class StratifiedRule(Rule, Stratified):
    """A rule that samples by strata."""


class ReservoirRule(Rule, Reservoir):
    """A rule that keeps k traces of each stratum."""


class AdaptiveRule(Rule, Adaptive):
    """A rule that follows the traffic."""


class ImportanceRule(Rule, Importance):
    """A rule that spends a budget where it matters."""


class TailKeepRule(Rule, Tail):
    """A rule that looks at whole traces."""


AnyRule = Annotated[
    UniformRule | StratifiedRule | ReservoirRule | AdaptiveRule | ImportanceRule | TailKeepRule,
    Field(discriminator="strategy"),
]


class Rules(Table):
    """The settings of sampling; without rules everything is kept."""

    decision_wait_s: float = Field(
        10.0,
        ge=1,
        le=WAIT_S_MAX,
        description="how long importance and tail wait for the rest of a trace, seconds",
    )
    rules: tuple[AnyRule, ...] = Field(
        (), max_length=RULES_MAX, description="what is kept, the first rule that fits decides"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A rule without a name has that of its place."""
        return with_names(value, "rules", "rule")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names((rule.name for rule in self.rules), "rule")
        return self

    @classmethod
    def parse(cls, value: Mapping[str, Any] | str) -> Rules:
        """Settings from a table or from JSON text; raises SettingsError with one readable line."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise SettingsError(f"sampling: not JSON: {error}") from None
        if not isinstance(value, Mapping):
            raise SettingsError(f"sampling = {shown(value)}: expected a table")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise SettingsError(_explain(error, value)) from None

    def as_json(self) -> dict[str, Any]:
        """The canonical form: every default spelled out. `parse` gives the same rules back."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> UUID:
        """Equal for equal settings, however they were written."""
        return digest(self.as_json())


def _explain(error: ValidationError, value: Mapping[str, Any]) -> str:
    """The first thing that is wrong, with its rule, key, value and what is accepted."""
    first = first_error(error)
    where, place, table = list(first["loc"]), "sampling", value
    if len(where) > 1 and where[0] == "rules":
        table = value["rules"][where[1]]
        place = f"sampling {place_of(value, 'rules', where[1], 'rule')}"
        where = where[3:]  # after the place and the strategy, which pydantic tells, too
    if where[:1] == ["otherwise"]:
        del where[1:2]  # its strategy
    return f"{place}: {_mistake(first, where, table)}"


def _mistake(first: Mapping[str, Any], where: list[Any], table: Mapping[str, Any]) -> str:
    if first["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        key = ".".join((*map(str, where), "strategy"))
        told = first["ctx"].get("tag")
        given = "" if told is None else f" = {shown(told)}"
        accepted = [name for name in SETTINGS if not (where and name == "tail")]
        return f"{key}{given}: expected one of {', '.join(accepted)}"
    is_unknown = first["type"] == "extra_forbidden"
    return mistake(first, where, _known(where, table) if is_unknown else ())


def _known(where: list[Any], table: Mapping[str, Any]) -> list[str]:
    """Which settings there are in the place of one that there is not."""
    if "strategy" not in table:
        return list(Rules.model_fields)
    if len(where) == 1:
        return [*Rule.model_fields, *SETTINGS[table["strategy"]].model_fields]
    if where[-2] == "weights":
        return list(Weights.model_fields)
    if where[0] == "otherwise":
        return list(SETTINGS[table["otherwise"]["strategy"]].model_fields)
    return list(TailRule.model_fields)

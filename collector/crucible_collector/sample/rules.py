"""The settings of sampling: which spans and logs get which strategy, first match wins.

A rule is one flat table: what it is about, `strategy`, and that strategy's settings. They are checked
whole before any of them is in force, and whoever wrote them is told the first thing that is wrong in one
line. What is stored and compared is the canonical form with every default spelled out, so that a later
default changes nothing that is in force.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationError, model_validator

from crucible_collector.errors import SettingsError
from crucible_collector.sample.strategy_settings import (
    SETTINGS,
    WAIT_S_MAX,
    Adaptive,
    Attributes,
    Importance,
    Reservoir,
    StrategySettings,
    Stratified,
    Table,
    Tail,
    TailRule,
    Text,
    Uniform,
    Weights,
    distinct,
)

RULES_MAX = 100  # each is looked at for every record, and is a label of metrics

# Python's words for what a file calls otherwise.
_EXPECTED = {
    "tuple_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "too_short": "expected at least one",
}
# Of letters shared: rate and strategy share two thirds, budget_per_sec and budget_per_s nine tenths.
_ALIKE = 0.7
_EVENT = re.compile(r"^[^\s*.]+(?:\.[^\s*.]+)*(?:\.\*?)?$")
_NAME = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")


def _event(text: str) -> str:
    if not _EVENT.match(text):
        raise ValueError(
            f"{text!r} is neither an event's name nor its beginning up to a dot,"
            " as crucible_train.batch is"
        )
    return text.removesuffix("*").removesuffix(".")


def _name(text: str) -> str:
    if not _NAME.match(text):
        raise ValueError("expected 1 to 64 letters, digits, dots, colons, hyphens and underscores")
    return text


_Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]
_Signals = Annotated[tuple[Literal["spans", "logs"], ...], AfterValidator(distinct)]


class Rule(Table):
    """What a rule is about; what is left empty is not asked for. Each kind below adds a strategy."""

    name: Annotated[str, AfterValidator(_name)] = Field(description="in counts (rule-1 by place)")
    signals: _Signals = Field(
        ("spans",), description="spans, logs; each has its own budget and state"
    )
    events: tuple[Annotated[Text, AfterValidator(_event)], ...] = Field(
        (), max_length=1000, description="names of events, or their beginnings up to a dot"
    )
    experiments: _Texts = Field((), description="ids of experiments")
    services: _Texts = Field((), description="service names")
    conditions: _Texts = Field((), description="conditions")
    models: _Texts = Field((), description="names of models")
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
        if not isinstance(value, Mapping) or not isinstance(value.get("rules"), list | tuple):
            return value
        rules = [
            {"name": f"rule-{place}", **rule} if isinstance(rule, Mapping) else rule
            for place, rule in enumerate(value["rules"], 1)
        ]
        return {**value, "rules": rules}

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are named {twice!r}")
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
            raise SettingsError(f"sampling = {_shown(value)}: expected a table")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise SettingsError(_explain(error, value)) from None

    def as_json(self) -> dict[str, Any]:
        """The canonical form: every default spelled out. `parse` gives the same rules back."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> UUID:
        """Equal for equal settings, however they were written."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def _explain(error: ValidationError, value: Mapping[str, Any]) -> str:
    """The first thing that is wrong, with its rule, key, value and what is accepted."""
    # A misspelt key also leaves one missing: the misspelling says more.
    first: Any = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    where, place, table = list(first["loc"]), "sampling", value
    if len(where) > 1 and where[0] == "rules":
        table = value["rules"][where[1]]
        name = table.get("name") if isinstance(table, Mapping) else None
        place = f"sampling rule {name or f'rule-{where[1] + 1}'}"
        where = where[3:]  # after the place and the strategy, which pydantic tells, too
    if where[:1] == ["otherwise"]:
        del where[1:2]  # its strategy
    return f"{place}: {_mistake(first, where, table)}"


def _mistake(first: Mapping[str, Any], where: list[Any], table: Mapping[str, Any]) -> str:
    key, kind = ".".join(map(str, where)), first["type"]
    if kind == "extra_forbidden":
        known = _known(where, table)
        near = _near(str(where[-1]), known)
        return f"{key}: unknown setting; " + (
            f"{near} is one" if near else f"known are {', '.join(known)}"
        )
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        key = ".".join((*where, "strategy"))
        told = first["ctx"].get("tag")
        shown = "" if told is None else f" = {_shown(told)}"
        accepted = [name for name in SETTINGS if not (where and name == "tail")]
        return f"{key}{shown}: expected one of {', '.join(accepted)}"
    if kind == "missing":
        return f"{key}: expected a value"
    message: str = _EXPECTED.get(kind, first["msg"].removeprefix("Value error, "))
    message = message[0].lower() + message[1:]
    if not key:
        return message
    is_table = isinstance(first["input"], Mapping)
    return f"{key}: {message}" if is_table else f"{key} = {_shown(first['input'])}: {message}"


def _near(key: str, known: list[str]) -> str | None:
    """The setting that was meant: one that begins so, as budget_per_s does with budget, or one alike."""
    begins = (name for name in known if name.startswith(key))
    return next(begins, None) or next(iter(get_close_matches(key, known, 1, _ALIKE)), None)


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


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"

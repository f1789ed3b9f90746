"""The settings of detection: what is watched otherwise than the registry says, and where alerts go.

A rule says what it is about and only what is to be otherwise; the first that fits a number decides, and
what it leaves open stays as the registry has it. Secrets are never part of it: settings are kept in the
database and told to whoever asks, so that a webhook names the environment variables that hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema, to_json

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.webhooks import Format, Webhook
from crucible_collector.errors import SettingsError
from crucible_collector.tables import (
    Attributes,
    Event,
    Name,
    Table,
    Text,
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

RULES_MAX = 100  # each has plans of its own for all that may be watched
WEBHOOKS_MAX = 20  # an alert a period and webhook
_YEAR_S = 366 * 86_400.0

DetectorName = Literal[
    "non_finite",
    "ewma",
    "drift",
    "plateau",
    "rarity",
    "shift",
    "proportion",
    "pace",
    "throughput",
    "zero",
    "zscore",
    "modified_z",
    "iqr",
]
DETECTOR_NAMES: tuple[str, ...] = get_args(DetectorName)
SeverityName = Literal["info", "warning", "critical"]

_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_METRIC = re.compile(r"^\*$|^[^\s*]*[^\s*.](?:\.\*?)?$")
# Whoever knows such an address may post there.
_SECRET_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")


def _metric(text: str) -> str:
    if not _METRIC.match(text):
        raise ValueError(
            f"{text!r} is neither a metric's name nor its beginning up to a dot, as loss or system.cpu"
        )
    return text if text == "*" else text.removesuffix("*").removesuffix(".")


def _variable(text: str) -> str:
    if text and not _VARIABLE.match(text):
        raise ValueError(
            "expected the name of an environment variable, which holds what is secret:"
            " letters, digits and underscores"
        )
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if text and (parts.scheme not in {"http", "https"} or not host or re.search(r"\s", text)):
        raise ValueError("expected an address that begins with http:// or https://")
    if parts.username or parts.password or host in _SECRET_HOSTS:
        raise ValueError(
            "this address is a secret, and settings are told to whoever asks:"
            " name the environment variable that holds it in url_env"
        )
    return text


Variable = Annotated[str, AfterValidator(_variable)]


class Rule(Table):
    """What it is about, which is everything where nothing is said, and what is otherwise there."""

    name: Name = Field(description="in what was found by it (rule-1 by place)")
    metrics: tuple[Annotated[Text, AfterValidator(_metric)], ...] = Field(
        (),
        max_length=1000,
        description="names of metrics, or their beginnings up to a dot; `*`: all. What is named here is"
        " watched, also where the registry does not mark it",
    )
    events: tuple[Event, ...] = Field(
        (), max_length=1000, description="names of events, or their beginnings up to a dot"
    )
    experiments: Texts = Field((), description="ids of experiments")
    runs: Texts = Field((), description="ids of runs")
    services: Texts = Field((), description="service names")
    conditions: Texts = Field((), description="conditions")
    models: Texts = Field((), description="names of models")
    attributes: Attributes = Field(
        default_factory=dict, description="values that a record or its resource has, as text"
    )
    watch: bool | None = Field(None, description="false: nothing of it is watched; true: all of it")
    watch_class: Literal["trend", "throughput", "learning_rate", "level"] | None = Field(
        None, alias="class", description="trend, throughput, learning_rate or level"
    )
    detectors: Annotated[tuple[DetectorName, ...], AfterValidator(distinct)] | None = Field(
        None, description="instead of those of the class; what is not finite is always found"
    )
    scale: Literal["linear", "log"] | None = Field(None, description="linear or log")
    direction: Literal["up", "down", "both"] | None = Field(
        None, description="which deviations count: up, down or both"
    )
    sensitivity: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="2: half the distance is enough, 0.5: it takes twice as much",
    )
    severity_min: SeverityName = Field("info", description="what is less severe is not flagged")
    silenced: bool = Field(
        False, description="what is found is stored as silenced: nobody is alerted"
    )
    sample_more: bool = Field(
        True, description="samplers keep what is flagged, and adaptive ones more of its run"
    )
    webhooks: tuple[Name, ...] | None = Field(
        None, description="names of those that are alerted; `[]`: none. Default: all"
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        how = {
            "class": self.watch_class,
            "detectors": self.detectors,
            "scale": self.scale,
            "direction": self.direction,
            "sensitivity": self.sensitivity,
        }
        told = [key for key, value in how.items() if value is not None]
        if self.watch is False and told:
            raise ValueError(f"watch = false leaves nothing to say about {told[0]}")
        return self


class WebhookTable(Table):
    """One receiver of alerts, as the settings have it."""

    name: Name = Field(description="for `webhooks` of rules (webhook-1 by place)")
    url: Annotated[str, AfterValidator(_url)] = Field(
        "", max_length=2048, description="http or https; where it is a secret, `url_env` instead"
    )
    url_env: Variable = Field("", description="environment variable that holds the address")
    format: Literal["json", "slack", "alertmanager"] = Field(
        "json", description="json, slack or alertmanager"
    )
    secret_env: Variable = Field(
        "", description="environment variable that holds the key of the signature; none: unsigned"
    )
    severity_min: SeverityName = Field(
        "warning", description="periods that never reach it are not sent"
    )
    group_s: float = Field(
        2.0, ge=0, le=3600, description="alerts of one run within this time go together, seconds"
    )
    per_minute_max: float = Field(
        30.0, gt=0, le=6000, description="requests a minute; what is beyond waits"
    )
    give_up_after_s: float = Field(
        86_400.0, gt=0, le=_YEAR_S, description="so old an alert is not tried again, seconds"
    )
    tells_resolved: bool = Field(True, description="a second alert when the period is over")

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("expected either url or url_env")
        return self

    def made(self) -> Webhook:
        """As the rest of the collector has it."""
        severity = Severity[self.severity_min.upper()]
        told = self.model_dump() | {"format": Format(self.format), "severity_min": severity}
        return Webhook(**told)


def _as_table(webhook: Webhook) -> dict[str, Any]:
    told = {"format": webhook.format.value, "severity_min": webhook.severity_min.label}
    return asdict(webhook) | told


class _OfTable:
    """Has a Webhook come out of a checked WebhookTable, and go into JSON as one."""

    def __get_pydantic_core_schema__(
        self, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            WebhookTable.made,
            handler.generate_schema(WebhookTable),
            serialization=core_schema.plain_serializer_function_ser_schema(_as_table),
        )


class Detection(Table):
    """The settings of detection; without any, all is watched as the registry says, and nobody alerted."""

    enabled: bool = Field(True, description="false: nothing is watched")
    series_max: int = Field(
        200_000,
        ge=1000,
        le=10_000_000,
        description="series that are remembered, of 300 bytes each; beyond, those seen least recently go",
    )
    rules: tuple[Rule, ...] = Field(
        (), max_length=RULES_MAX, description="what is otherwise, the first rule that fits decides"
    )
    webhooks: tuple[Annotated[Webhook, _OfTable()], ...] = Field(
        (), max_length=WEBHOOKS_MAX, description="who is alerted"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """What has no name has that of its place."""
        return with_names(with_names(value, "rules", "rule"), "webhooks", "webhook")

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        check_names((rule.name for rule in self.rules), "rule")
        check_names((webhook.name for webhook in self.webhooks), "webhook")
        known = [webhook.name for webhook in self.webhooks]
        for rule in self.rules:
            for name in rule.webhooks or ():
                if name not in known:
                    accepted = f"one of {', '.join(known)}" if known else "none, as there is none"
                    raise ValueError(f"rule {rule.name}: webhooks = {name!r}: expected {accepted}")
        return self

    @classmethod
    def parse(cls, value: Mapping[str, Any] | str) -> Detection:
        """Settings from a table or from JSON text; raises SettingsError with one readable line.

        >>> Detection.parse({"rules": [{"metrics": ["queue.length"], "direction": "up"}]}).rules[0].name
        'rule-1'
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise SettingsError(f"detection: not JSON: {error}") from None
        if not isinstance(value, Mapping):
            raise SettingsError(f"detection = {shown(value)}: expected a table")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise SettingsError(_explain(error, value)) from None

    def as_json(self) -> dict[str, Any]:
        """The canonical form: every default spelled out. `parse` gives the same settings back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def digest(self) -> UUID:
        """Equal for equal settings, however they were written."""
        return digest(self.as_json())


_LISTS: dict[str, tuple[str, type[Table]]] = {
    "rules": ("rule", Rule),
    "webhooks": ("webhook", WebhookTable),
}


def _explain(error: ValidationError, value: Mapping[str, Any]) -> str:
    """The first thing that is wrong, with its rule or webhook, key, value and what is accepted."""
    first = first_error(error)
    where, place, kind = list(first["loc"]), "detection", Detection
    table: type[Table] = kind
    if len(where) > 1 and where[0] in _LISTS:
        word, table = _LISTS[where[0]]
        place = f"detection {place_of(value, where[0], where[1], word)}"
        where = where[2:]
    return f"{place}: {mistake(first, where, _keys(table))}"


def _keys(table: type[Table]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def reference() -> str:
    """Every setting as a Markdown table; collector/README.md holds it and a test compares."""
    lines = ["| of | setting | default | what it is |", "|---|---|---|---|"]
    tables: dict[str, type[Table]] = {
        "`[detection]`": Detection,
        "a rule": Rule,
        "a webhook": WebhookTable,
    }
    for of, table in tables.items():
        lines += [_line(of, name, field) for name, field in table.model_fields.items()]
    return "\n".join(lines) + "\n"


def _line(of: str, name: str, field: FieldInfo) -> str:
    has_default = not field.is_required() and field.default not in {None, ""}
    has_default = has_default and field.default_factory is None
    default = f"`{to_json(field.default).decode()}`" if has_default else ""
    return f"| {of} | `{field.alias or name}` | {default} | {field.description} |"

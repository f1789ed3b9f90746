"""Settings: flags over CRUCIBLE_… environment over the TOML file over defaults, checked at start.

A setting is declared once, here, with its default, its bounds and what it is for; flags, environment
names, the TOML keys and the reference in the README follow from that.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from crucible_collector.errors import SettingsError
from crucible_collector.retention import from_setting

ENVIRONMENT_PREFIX = "CRUCIBLE_"
# Read by others: --config's own, what the SDK is told (CRUCIBLE_EVENTS_… are for both), and tests.
_OTHERS = frozenset(
    {
        "CRUCIBLE_CONFIG",
        "CRUCIBLE_TELEMETRY",
        "CRUCIBLE_API_URL",
        "CRUCIBLE_SPOOL_DIR",
        "CRUCIBLE_SPOOL_BYTES_MAX",
        "CRUCIBLE_USER_IDS",
        "CRUCIBLE_USER_ID_KEY",
        "CRUCIBLE_CAPTURE_CONTENT",
        "CRUCIBLE_HEARTBEAT_S",
        "CRUCIBLE_HARDWARE_S",
    }
)
_TESTS = "CRUCIBLE_TEST_"
SHOWN_MAX = 200  # characters of a wrong value
_ADDRESS = re.compile(r"^(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\s\[\]]+)):(?P<port>\d{1,5})$")
_URL = re.compile(r"^https?://[^\s/?#@]+(?:/[^\s?#]*)?$")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK or self.host.startswith("127.")


def parse_address(text: str) -> Address:
    """`host:port`, an IPv6 host in brackets; raises ValueError."""
    match = _ADDRESS.match(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("expected host:port, as in 127.0.0.1:4317")
    return Address(match["v6"] or match["host"], int(match["port"]))


def _is_address(text: str) -> str:
    parse_address(text)
    return text


def _is_url(text: str) -> str:
    if not _URL.match(text):
        raise ValueError("expected an address as in https://crucible.example.org")
    return text.rstrip("/")


_Url = Annotated[str, AfterValidator(_is_url)]
_AddressText = Annotated[str, AfterValidator(_is_address)]
_NAME = re.compile(r"^(?:\*|[^\s*.]+(?:\.[^\s*.]+)*(?:\.\*?)?)$")


def _names(value: Any) -> Any:
    """A list of names as a file has it, or with commas between as flags and environment do."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise ValueError("expected a list of names")
    given = tuple(each.strip() for each in names if each.strip())
    for each in given:
        if not _NAME.match(each):
            raise ValueError(
                f"{each!r} is neither an event's name nor its beginning up to a dot, "
                "as crucible_train.batch is"
            )
    return given


def _table(value: Any) -> Any:
    """A table as a file has it, or the same as JSON text; what is in it is for others to check."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected a table, as JSON: {error}") from None
    if value is not None and not isinstance(value, dict):
        raise ValueError('expected a table, as a file has it or {"rules": []} as JSON')
    return value


_Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
_Kept = Annotated[dict[str, dt.timedelta] | None, BeforeValidator(from_setting)]
_Table = Annotated[dict[str, Any] | None, BeforeValidator(_table)]
_MIB = 1024 * 1024
# The earliest time that is taken stays after 1970, the latest within 64 bits of nanoseconds.
_PAST_DAYS_MAX = 20_000
_YEAR_S = 366 * 86_400


class Settings(BaseModel):
    """What `crucible-collector serve` can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data_dir: Path = Field(
        Path("crucible-data"), description="directory of the journal and the embedded database"
    )
    database_url: str | None = Field(
        None, description="PostgreSQL 15 or newer; without one the collector runs its own"
    )
    postgres_bin: Path | None = Field(
        None, description="directory of the PostgreSQL programs for the collector's own database"
    )
    timescaledb: Literal["auto", "off"] = Field(
        "auto", description="auto: use the extension where the server has it"
    )
    grpc: _AddressText = Field("127.0.0.1:4317", description="OTLP over gRPC, host:port")
    http: _AddressText = Field("127.0.0.1:4318", description="OTLP over HTTP, host:port")
    api: _AddressText = Field("127.0.0.1:8080", description="REST and the page, host:port")
    public_url: _Url | None = Field(
        None,
        description="where people reach the API and its page, for links in alerts; default: the address of --api",
    )
    insecure: bool = Field(
        False, description="listen beyond loopback without TLS and keys, for trusted networks"
    )
    body_bytes_max: int = Field(
        64 * _MIB, ge=1024, le=1024 * _MIB, description="largest request after decompression, bytes"
    )
    in_flight_bytes_max: int = Field(
        64 * _MIB, ge=1024, description="request bytes being received and checked at once"
    )
    journal_bytes_max: int = Field(
        4 * 1024 * _MIB, ge=64 * _MIB, description="journal size at which clients are told to wait"
    )
    journal_segment_bytes: int = Field(
        16 * _MIB, ge=64 * 1024, le=1024 * _MIB, description="size of one journal file, bytes"
    )
    journal_retain_s: float = Field(
        600.0,
        ge=0,
        description="how long journal data is kept after it is in the database, seconds",
    )
    dead_letter_bytes_max: int = Field(
        256 * _MIB, ge=_MIB, description="size of the dead letters kept, bytes"
    )
    past_days: float = Field(
        30.0,
        gt=0,
        le=_PAST_DAYS_MAX,
        description="records older than this at their receipt are rejected, days; a span is as old as its end",
    )
    ahead_s: float = Field(
        3600.0,
        gt=0,
        le=_YEAR_S,
        description="records further ahead than this are rejected, seconds",
    )
    events_allow: _Names = Field(
        (),
        description="events that are stored, by name or its beginning up to a dot, with commas between; default: all",
    )
    events_deny: _Names = Field(
        (),
        description="events that are not; of all that fit a name the longest decides, and this where both have it",
    )
    retention: _Kept = Field(
        None,
        description="for how long rows are kept, as in spans=30d,logs=14d, and what is not named for ever;"
        " default: as the database has it",
    )
    sampling: _Table = Field(
        None,
        description="which spans and logs are kept: the table [sampling] of the file, or the same as JSON;"
        " default: as the database has it, at first everything",
    )
    detection: _Table = Field(
        None,
        description="what is watched for anomalies, and who is alerted: the table [detection] of the file, or the"
        " same as JSON; default: as the database has it, at first what the registry says, and nobody",
    )
    kernel_cache_dir: Path | None = Field(
        None, description="where the compiled decoder is kept; default: the user's cache directory"
    )
    stall_after_intervals: float = Field(
        3.0,
        ge=1,
        le=1000,
        description="a run that promised heartbeats has stalled after so many of their intervals in silence",
    )
    stall_after_min_s: float = Field(
        30.0,
        ge=0,
        le=_YEAR_S,
        description="but not before it was silent for this long, seconds",
    )
    stop_grace_s: float = Field(
        10.0,
        ge=0,
        le=_YEAR_S,
        description="time to drain into the database at SIGTERM, seconds",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severity that is logged"
    )

    def check_exposure(self) -> None:
        """Refuse to listen beyond loopback unless told; raises SettingsError."""
        for key in ("grpc", "http", "api"):
            address = parse_address(getattr(self, key))
            if not address.is_loopback and not self.insecure:
                raise SettingsError(
                    f"{key} = {address}: listening beyond loopback has neither TLS nor keys;"
                    " choose a loopback address, or accept it with --insecure"
                )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting, and --config."""
    parser.add_argument("--config", metavar="FILE", help="settings in TOML")
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        help_ = f"{field.description} (default: {_shown(field.default)}; {ENVIRONMENT_PREFIX}{name.upper()})"
        if field.annotation is bool:
            parser.add_argument(flag, action="store_const", const="true", help=help_)
        else:
            parser.add_argument(flag, metavar="VALUE", help=help_)


def _shown(default: Any) -> str:
    return "none" if default in {None, ()} else str(default)


def load(
    arguments: argparse.Namespace,
    environment: Mapping[str, str] = os.environ,
    *,
    listens: bool = True,
) -> Settings:
    """The settings in force; raises SettingsError with one readable line.

    `listens`: whether addresses are listened on, or belong to a collector that is asked.
    """
    sources: list[tuple[str, dict[str, Any]]] = []
    config = arguments.config or environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    if config:
        sources.append((str(config), _read_toml(Path(config))))
    named = {name: ENVIRONMENT_PREFIX + name.upper() for name in Settings.model_fields}
    _check_names(named, environment)
    sources.append(
        ("environment", {n: environment[e] for n, e in named.items() if environment.get(e)})
    )
    flags = {n: v for n in named if (v := getattr(arguments, n)) is not None}
    for name, value in flags.items():
        if not value:
            raise SettingsError(f"{name} = '' (command line): expected a value")
    sources.append(("command line", flags))
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, found in sources:
        values |= found
        origin |= dict.fromkeys(found, source)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, values, origin)) from None
    if listens:
        settings.check_exposure()
    return settings


def _check_names(named: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Refuse a CRUCIBLE_… variable that nobody reads: a misspelt setting would pass unnoticed."""
    known = {*named.values(), *_OTHERS}
    for name in sorted(environment):
        is_ours = name.startswith(ENVIRONMENT_PREFIX) and not name.startswith(_TESTS)
        if is_ours and name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"; {near[0]} is one" if near else ""
            raise SettingsError(f"{name}: unknown setting (environment){meant}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"config = {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"config = {path}: not TOML: {error}") from None


def _explain(error: ValidationError, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """The first thing wrong, with its key, value, source and what is accepted."""
    first = error.errors()[0]
    key = str(first["loc"][0])
    where = origin.get(key, "defaults")
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown setting ({where}); known are {', '.join(Settings.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    shown = "…" if "url" in key else _cut(repr(values.get(key)))
    return f"{key} = {shown} ({where}): {message[0].lower()}{message[1:]}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def reference() -> str:
    """Every setting as a Markdown table; collector/README.md holds it and a test compares."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        names = f"`{flag}`, `{ENVIRONMENT_PREFIX}{name.upper()}`, `{name}`"
        lines.append(f"| {names} | {_shown(field.default)} | {field.description} |")
    return "\n".join(lines) + "\n"

"""Where settings come from: flags over CRUCIBLE_… environment over the TOML file over defaults.

A wrong one stops the start with one line that names its key, its value, where that was said and what is
accepted.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crucible_collector.errors import SettingsError
from crucible_collector.settings import Settings

ENVIRONMENT_PREFIX = "CRUCIBLE_"
# Read by others: --config's own, what the SDK is told (CRUCIBLE_EVENTS_… are for both), and tests.
_OTHERS = frozenset(
    {
        "CRUCIBLE_CONFIG",
        "CRUCIBLE_TELEMETRY",
        "CRUCIBLE_API_URL",
        "CRUCIBLE_API_KEY",
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

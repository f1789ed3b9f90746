"""The command line: `crucible-collector serve`, `doctor` and the others of `commands`.

What is wrong with the settings or with the start is one line on standard error. Exit code 2 means that
trying again changes nothing (a wrong setting, a database of a newer collector), 1 that it may; a
traceback means a defect.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from crucible_collector.commands import (
    archive,
    doctor,
    export,
    keys,
    migrate,
    prices,
    sampling,
    serve,
)
from crucible_collector.errors import CollectorError, NewerDatabaseError, SettingsError
from crucible_collector.settings import Settings
from crucible_collector.settings_sources import add_arguments, load

EXIT_SETTINGS = 2
EXIT_FAILED = 1
_COMMANDS: dict[str, ModuleType] = {
    "serve": serve,
    "migrate": migrate,
    "doctor": doctor,
    "sampling": sampling,
    "prices": prices,
    "keys": keys,
    "archive": archive,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    command = _COMMANDS[arguments.command]
    try:
        settings = load(arguments, listens=getattr(command, "LISTENS", False))
    except SettingsError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    _log_to_stderr("warning" if getattr(command, "IS_QUIET", False) else settings.log_level)
    try:
        code: int = command.run(settings, arguments)
        if code == 0 and hasattr(command, "changes"):
            _write_down(settings, command.changes(arguments))
    except CollectorError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        is_final = isinstance(error, SettingsError | NewerDatabaseError)
        return EXIT_SETTINGS if is_final else EXIT_FAILED
    return code


def _write_down(settings: Settings, change: tuple[str, dict[str, Any]] | None) -> None:
    """What a command has changed goes into the audit, as what is changed over REST does."""
    if change is not None:
        from crucible_collector.access.command import write_down  # noqa: PLC0415 - takes time

        write_down(settings, *change)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crucible-collector", description="Takes OTLP and keeps it, once."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        made = commands.add_parser(name, help=command.HELP, description=command.HELP)
        for each in command.add_arguments(made):
            add_arguments(each)
    return parser


def _log_to_stderr(level: str) -> None:
    """The level holds for the handler, too: psycopg gives its own loggers a lower one."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level.upper())
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )

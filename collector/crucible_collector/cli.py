"""The command line: `crucible-collector serve`, `migrate`, `doctor` and `sampling simulate`.

What is wrong with the settings or with the start is one line on standard error. Exit code 2 means that
trying again changes nothing (a wrong setting, a database of a newer collector), 1 that it may; a
traceback means a defect.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from crucible_collector.errors import CollectorError, NewerDatabaseError, SettingsError
from crucible_collector.settings import Settings, add_arguments, load

EXIT_SETTINGS = 2
EXIT_FAILED = 1
_COMMANDS = {
    "serve": "receive, store and answer until told to stop",
    "migrate": "bring the database up to date, to TimescaleDB where that is there by now",
    "doctor": "say what is wrong with a collector and its database, and what to do",
    "sampling": "try sampling rules on what is stored",
}
_SIMULATE = "say what rules would keep of a period, and how far off answers would be"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load(arguments, listens=arguments.command == "serve")
    except SettingsError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    is_asked = arguments.command in {"doctor", "sampling"}
    _log_to_stderr("warning" if is_asked else settings.log_level)
    try:
        return _command(arguments)(settings)
    except CollectorError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        is_final = isinstance(error, SettingsError | NewerDatabaseError)
        return EXIT_SETTINGS if is_final else EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crucible-collector", description="Takes OTLP and keeps it, once."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_ in _COMMANDS.items():
        command = commands.add_parser(name, help=help_, description=help_)
        if name == "sampling":
            actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
            command = actions.add_parser("simulate", help=_SIMULATE, description=_SIMULATE)
            _add_simulation(command)
        if name == "doctor":
            command.add_argument("--json", action="store_true", help="print JSON, for programs")
            command.add_argument(
                "--no-canary", action="store_true", help="ask only: send no span to the collector"
            )
        add_arguments(command)
    return parser


def _add_simulation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from",
        dest="from_time",
        metavar="TIME",
        help="records that began then or later, as in 2026-11-23T10:00:00Z (default: an hour before --to)",
    )
    command.add_argument(
        "--to", dest="to_time", metavar="TIME", help="and before this (default: now)"
    )
    command.add_argument("--experiment", metavar="ID", help="only those of this experiment")
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def _command(arguments: argparse.Namespace) -> Callable[[Settings], int]:
    """What to run. Imported late: `--help` and a wrong setting answer at once."""
    if arguments.command == "migrate":
        from crucible_collector.store.upgrade import upgrade  # noqa: PLC0415

        return lambda settings: _say(upgrade(settings, logging.getLogger("crucible.migrate")))
    if arguments.command == "doctor":
        from crucible_collector.doctor import report  # noqa: PLC0415

        return lambda settings: report(
            settings, as_json=arguments.json, sends=not arguments.no_canary
        )
    if arguments.command == "sampling":
        from crucible_collector.simulate.command import report as simulate  # noqa: PLC0415

        period = arguments.from_time, arguments.to_time
        return lambda settings: simulate(
            settings, *period, arguments.experiment, as_json=arguments.json
        )
    from crucible_collector.service import serve  # noqa: PLC0415

    return lambda settings: serve(settings, lambda: load(arguments))


def _say(line: str) -> int:
    print(line)
    return 0


def _log_to_stderr(level: str) -> None:
    """The level holds for the handler, too: psycopg gives its own loggers a lower one."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level.upper())
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )

"""The command line: `crucible-collector serve`.

What is wrong with the settings or with the start is one line on standard error and exit code 2 or 1;
a traceback means a defect.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from crucible_collector.errors import CollectorError, SettingsError
from crucible_collector.settings import add_arguments, load

EXIT_SETTINGS = 2
EXIT_FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="crucible-collector", description="Takes OTLP and keeps it, once."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="receive, store and answer until told to stop")
    add_arguments(serve)
    arguments = parser.parse_args(argv)
    try:
        settings = load(arguments)
    except SettingsError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    _log_to_stderr(settings.log_level.upper())
    # Imported late: `--help` and a wrong setting answer at once.
    from crucible_collector.service import serve as run  # noqa: PLC0415

    try:
        return run(settings)
    except CollectorError as error:
        print(f"crucible-collector: {error}", file=sys.stderr)
        return EXIT_SETTINGS if isinstance(error, SettingsError) else EXIT_FAILED


def _log_to_stderr(level: str) -> None:
    """The level holds for the handler, too: psycopg gives its own loggers a lower one."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )

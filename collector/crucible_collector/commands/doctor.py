"""`crucible-collector doctor`: see `crucible_collector.doctor`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crucible_collector.settings import Settings

HELP = "say what is wrong with a collector and its database, and what to do"
IS_QUIET = True


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--no-canary", action="store_true", help="ask only: send no span to the collector"
    )
    return (parser,)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.doctor import report  # noqa: PLC0415

    return report(settings, as_json=arguments.json, sends=not arguments.no_canary)

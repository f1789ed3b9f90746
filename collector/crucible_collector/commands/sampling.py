"""`crucible-collector sampling simulate`: see `crucible_collector.simulate.command`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crucible_collector.settings import Settings

HELP = "try sampling rules on what is stored"
IS_QUIET = True
_SIMULATE = "say what rules would keep of a period, and how far off answers would be"


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    simulate = actions.add_parser("simulate", help=_SIMULATE, description=_SIMULATE)
    simulate.add_argument(
        "--from",
        dest="from_time",
        metavar="TIME",
        help="records that began then or later, as in 2026-11-23T10:00:00Z (default: an hour before --to)",
    )
    simulate.add_argument(
        "--to", dest="to_time", metavar="TIME", help="and before this (default: now)"
    )
    simulate.add_argument("--experiment", metavar="ID", help="only those of this experiment")
    simulate.add_argument("--json", action="store_true", help="print JSON, for programs")
    return (simulate,)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.simulate.command import report  # noqa: PLC0415

    period = arguments.from_time, arguments.to_time
    return report(settings, *period, arguments.experiment, as_json=arguments.json)

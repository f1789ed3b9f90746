"""`crucible-collector prices check` and `prices recompute`: see `crucible_collector.reprice.command`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from crucible_collector.settings import Settings

HELP = "say what calls of models cost, and compute costs anew"
IS_QUIET = True
_CHECK = "say which price calls of models have on a day"
_RECOMPUTE = "compute costs anew where nobody told them, by the prices in force now"


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help=_CHECK, description=_CHECK)
    check.add_argument("models", nargs="+", metavar="MODEL", help="as calls name it")
    check.add_argument("--provider", metavar="NAME", help="as calls name it (default: none)")
    check.add_argument("--day", metavar="DAY", help="as in 2026-11-23 (default: today)")
    recompute = actions.add_parser("recompute", help=_RECOMPUTE, description=_RECOMPUTE)
    recompute.add_argument(
        "--from",
        dest="from_time",
        metavar="TIME",
        help="calls that began then or later, as in 2026-11-23T10:00:00Z (default: all)",
    )
    recompute.add_argument(
        "--to", dest="to_time", metavar="TIME", help="and before this (default: now)"
    )
    recompute.add_argument("--experiment", metavar="ID", help="only those of this experiment")
    recompute.add_argument("--dry-run", action="store_true", help="only say what would be changed")
    recompute.add_argument("--json", action="store_true", help="print JSON, for programs")
    return check, recompute


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.reprice import command  # noqa: PLC0415

    if arguments.action == "check":
        return command.check(settings, arguments.models, arguments.provider, arguments.day)
    return command.recompute_costs(
        settings,
        arguments.from_time,
        arguments.to_time,
        arguments.experiment,
        dry_run=arguments.dry_run,
        as_json=arguments.json,
    )


def changes(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]] | None:
    if arguments.action != "recompute" or arguments.dry_run:
        return None
    return "prices recompute", {}

"""`crucible-collector keys create|list|revoke`: API keys, whether a collector runs or not."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crucible_collector.settings import Settings

HELP = "make, list and revoke API keys"
IS_QUIET = True
_CREATE = "make an API key and print it: it is not told again"
_LIST = "list the API keys, newest first"
_REVOKE = "have an API key be good for nothing, within seconds everywhere"


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help=_CREATE, description=_CREATE)
    create.add_argument("--name", required=True, help="what people call it")
    create.add_argument(
        "--scopes",
        required=True,
        help="what it is for, with commas between: ingest, read, write, admin (which implies the others)",
    )
    create.add_argument(
        "--experiment-prefix", metavar="TEXT", help="only for experiments whose id begins so"
    )
    create.add_argument(
        "--expires",
        metavar="DURATION",
        help="how long it lives, as in 12h, 90d or 1y (default: for ever)",
    )
    create.add_argument(
        "--rate",
        action="append",
        default=[],
        metavar="LIMIT=NUMBER",
        help="instead of the collector's: requests_per_minute_max, spans_per_s_max or bytes_per_s_max; repeatable",
    )
    listed = actions.add_parser("list", help=_LIST, description=_LIST)
    revoke = actions.add_parser("revoke", help=_REVOKE, description=_REVOKE)
    revoke.add_argument("key", metavar="KEY", help="its id or its name, not the key itself")
    for each in (create, listed):
        each.add_argument("--json", action="store_true", help="print JSON, for programs")
    return create, listed, revoke


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.access import command  # noqa: PLC0415

    if arguments.action == "create":
        asked = command.Asked(
            arguments.name,
            arguments.scopes,
            arguments.experiment_prefix,
            arguments.expires,
            tuple(arguments.rate),
        )
        return command.create(settings, asked, as_json=arguments.json)
    if arguments.action == "list":
        return command.show(settings, as_json=arguments.json)
    return command.revoke(settings, arguments.key)
